/*
 * tests/fakes/token_maker.h - an issuer: keys of each kind, their files, and tokens signed with
 * them, well or badly.
 */
#ifndef FAKES_TOKEN_MAKER_H
#define FAKES_TOKEN_MAKER_H

#include <openssl/evp.h>
#include <stddef.h>

#define TOKEN_MAKER_SECRET "a secret of thirty-two octets, or more"

struct token_maker {
	EVP_PKEY *rsa, *ec, *ed25519;
	char directory[64]; /* has rsa.pem, ec.pem, ed25519.pem and secret */
};

/* Makes keys, which takes a moment, and a directory of them. */
void token_maker_init(struct token_maker *m);
void token_maker_fini(struct token_maker *m);

/* A file in the directory. */
void token_maker_write(const struct token_maker *m, const char *name, const char *text);
/* The public part of a key as a JWK; the members of `more` (", \"kid\": …") in it. */
void token_maker_jwk(EVP_PKEY *key, const char *more, char *out, size_t size);

/* The key for an algorithm; NULL for HS256. */
EVP_PKEY *token_maker_key(const struct token_maker *m, const char *alg);

/* "header.payload.signature" of any two texts, signed as `alg` has it (with the secret if `key` is
 * NULL). To be freed. */
char *token_make(
    const char *alg, EVP_PKEY *key, const char *secret, const char *header, const char *payload);
/* Base64url of octets, to be freed. */
char *token_part(const void *p, size_t n);

#endif
