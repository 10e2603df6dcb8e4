/*
 * identity/token_keys.h - the keys that tokens are verified with, each for one algorithm. For
 * src/identity/ alone.
 *
 * Reading order of what checks tokens: tokens.c (the parts of a token, and the configuration),
 * token_keys.c and token_jwk.c (keys from files), token_key.c (one key), token_signature.c,
 * token_claims.c.
 */
#ifndef IDENTITY_TOKEN_KEYS_H
#define IDENTITY_TOKEN_KEYS_H

#include <openssl/evp.h>

#include "base/bytes.h"
#include "identity/reading.h"

/* X(name, what the header `alg` says) */
#define TOKEN_ALGORITHMS(X)                                                                        \
	X(HS256, "HS256")                                                                          \
	X(RS256, "RS256")                                                                          \
	X(ES256, "ES256")                                                                          \
	X(EDDSA, "EdDSA")

enum token_algorithm {
#define X(name, alg) TOKEN_##name,
	TOKEN_ALGORITHMS(X)
#undef X
	    TOKEN_ALGORITHM_NONE
};

#define TOKEN_KEYS_MAX         64
#define TOKEN_KEYS_UNNAMED_MAX 4 /* keys without `kid`: a token is tried with each of them */
#define TOKEN_SECRET_MIN       32
#define TOKEN_SECRET_MAX       4096
#define TOKEN_RSA_BITS_MIN     2048
#define TOKEN_RSA_BITS_MAX     8192 /* a larger one takes longer than a reactor should */

struct token_key {
	enum token_algorithm algorithm;
	char *kid;      /* NULL: it has none, and is tried whatever the token says */
	EVP_PKEY *pkey; /* NULL: HS256 */
	unsigned char *secret;
	size_t secret_len;
};

struct token_keys {
	struct token_key keys[TOKEN_KEYS_MAX];
	size_t count;
};

enum token_algorithm token_algorithm_of(const char *alg); /* TOKEN_ALGORITHM_NONE: no such */
const char *token_algorithm_name(enum token_algorithm a);

/* The words of the configuration that say where keys are; token_keys_read() reads these alone. */
#define TOKEN_KEY_WORDS "algorithm", "key_file", "secret", "jwks_file"

/* From the object "tokens". Whatever it returns, token_keys_fini() is called. */
int token_keys_read(
    struct token_keys *k, const struct reading *r, const char *path, const json_t *config);
void token_keys_fini(struct token_keys *k);

/* The next of its keys, zeroed; NULL, and the sentence is written, when there are too many. */
struct token_key *token_keys_next(struct token_keys *k, const struct reading *r, const char *path);
/* Makes it a key: takes `pkey`, whatever is returned, and sees whether it is good for the
 * algorithm. NULL: there is none. */
int token_key_take(struct token_keys *k, const struct reading *r, const char *path,
    enum token_algorithm algorithm, EVP_PKEY *pkey);
int token_key_take_secret(
    struct token_keys *k, const struct reading *r, const char *path, struct bytes secret);
/* The name of the key that was taken last. */
int token_key_name(struct token_keys *k, const struct reading *r, const char *kid);

/* All keys of a JWK Set that are for signatures. `algorithm` is that of keys that do not say. */
int token_jwks_read(struct token_keys *k, const struct reading *r, const char *path,
    const char *file, enum token_algorithm algorithm);

/* Whether a key of that algorithm and `kid` (NULL: the token names none) has made the signature. 0;
 * -EACCES; -ENOKEY: no key fits; -ENOMEM. */
int token_keys_verify(const struct token_keys *k, enum token_algorithm algorithm, const char *kid,
    struct bytes text, struct bytes signature);

#endif
