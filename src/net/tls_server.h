/*
 * net/tls_server.h - the TLS of a listener: its certificates, of which a client gets the one for
 * the name that it asks for; what it may choose; and that renewed files are taken up while it runs.
 *
 * Connections are made from the context of the moment (tls_server_take()). When files have changed
 * a new one takes its place; connections keep the one that they began with. Keys of session
 * tickets are shared by all of them, and all threads, and change with time.
 */
#ifndef NET_TLS_SERVER_H
#define NET_TLS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/stream.h"

/* PEM files: a certificate with its chain, and its key. */
struct tls_pair {
	const char *certificate, *key;
};

enum tls_client_certificate {
	TLS_CLIENT_NONE,
	TLS_CLIENT_OPTIONAL, /* one that is shown has to be good */
	TLS_CLIENT_REQUIRED,
};

/* All but the pairs may be 0. */
struct tls_server_options {
	const struct tls_pair *pairs; /* the first is for those who name none of the others */
	size_t pair_count;            /* at least 1 */
	bool tls13_only;
	const char *ciphers;      /* of TLS 1.2, as OpenSSL has them; NULL: ours */
	const char *ciphersuites; /* of TLS 1.3; NULL: OpenSSL's; so the next */
	const char *groups;       /* of key exchange */
	const char *client_ca;    /* PEM: who may sign certificates of clients */
	enum tls_client_certificate client_certificate;
	uint64_t ticket_lifetime_ms; /* 0: no session is resumed, as if clients show certificates:
	                              * each time they prove anew that they have the key */
	bool any_protocol;           /* ALPN is not looked at; else it is for http/1.1 */
};

struct tls_server;

/* Copies the options. With an `elder`, in whose place it comes, tickets of that one are good here if
 * these are to live as long. 0, or -EINVAL or -ENOMEM with a sentence in `why`. */
int tls_server_new(struct tls_server **out, const struct tls_server_options *o,
    const struct tls_server *elder, char *why, size_t why_size);
void tls_server_free(struct tls_server *server); /* NULL is fine */
/* Whether one could be made, for checking a configuration. 0, -EINVAL or -ENOMEM. */
int tls_server_check(const struct tls_server_options *o, struct tls_trouble *trouble);
/* What the trouble is with, as it stands in the options. */
const char *tls_server_subject(
    const struct tls_server_options *o, const struct tls_trouble *trouble);
/* What is wrong in one sentence. Returns its error. */
int tls_server_complain(const struct tls_server_options *o, const struct tls_trouble *trouble,
    char *why, size_t why_size);

/* A reference to the context of the moment; tls_context_free() gives it back. Any thread. */
struct tls_context *tls_server_take(struct tls_server *server);

enum tls_follow {
	TLS_FOLLOW_SAME,   /* nothing has changed, or it changes just now */
	TLS_FOLLOW_NEW,    /* from now on connections are made from new files */
	TLS_FOLLOW_FAILED, /* those cannot be used, `why` says why; the old ones go on */
};

/* Looks whether the files have changed: to be called every few seconds, by one thread. They are
 * read once they have stayed the same for one such interval, for certificate and key are not
 * written at once. Files that are none (pipes) can be read but once, and are not followed. */
enum tls_follow tls_server_follow(struct tls_server *server, char *why, size_t why_size);

/* The i-th certificate: its file (as long as the server lives) and when it ends, in seconds since
 * 1970. False after the last. Any thread. */
bool tls_server_certificate(
    struct tls_server *server, size_t i, const char **file, int64_t *not_after);

struct tls_counts {
	unsigned under_way;  /* handshakes, now */
	uint64_t handshakes; /* done */
	uint64_t resumed;    /* of these, with a ticket */
};

struct tls_counts tls_server_counts(const struct tls_server *server);

#endif
