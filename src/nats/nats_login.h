/*
 * nats/nats_login.h - who we are to a server: the line of CONNECT.
 *
 * Files are read anew for each connection, so that credentials can be renewed while we run; one
 * that cannot be read any more leaves what was read before.
 */
#ifndef NATS_LOGIN_H
#define NATS_LOGIN_H

#include <stdbool.h>

#include "base/buf.h"
#include "nats/nats_nkey.h"

/* All may be NULL: the server knows nobody. Of these kinds one is given. */
struct nats_login {
	const char *user, *password;
	const char *token;
	const char *seed_file;  /* an NKey */
	const char *creds_file; /* a JWT and its NKey */
};

/* What the files say. Zeroed: nothing. */
struct nats_secret {
	struct nats_nkey *key;
	char *jwt;
};

/* 0, or -errno and a sentence in `why`; `secret` is as it was, then. */
int nats_login_load(
    struct nats_secret *secret, const struct nats_login *login, char *why, size_t why_size);
void nats_secret_fini(struct nats_secret *secret);

struct nats_hello {
	const char *name, *version;
	const char *nonce; /* "": nothing is to be signed */
	bool is_tls, wants_echo;
};

/* For a buffer that has a secret in it, and did not move since: nothing stays of it. */
void nats_login_wipe(struct buf *b);

/* Appends CONNECT. 0; -EINVAL: the server wants no signature, and we have nothing else; -ENOMEM. */
int nats_login_write(struct buf *out, const struct nats_login *login,
    const struct nats_secret *secret, const struct nats_hello *hello);

#endif
