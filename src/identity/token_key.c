/*
 * identity/token_key.c - one key, for one algorithm: whether it is good for that; see
 * token_keys.h.
 */
#include <errno.h>
#include <openssl/err.h>
#include <string.h>

#include "base/mem.h"
#include "identity/token_keys.h"

static const char *const algorithm_names[] = {
#define X(name, alg) alg,
	TOKEN_ALGORITHMS(X)
#undef X
};

enum token_algorithm token_algorithm_of(const char *alg)
{
	int a = 0;

	while (a < TOKEN_ALGORITHM_NONE && strcmp(algorithm_names[a], alg) != 0)
		a++;
	return (enum token_algorithm)a;
}

const char *token_algorithm_name(enum token_algorithm a)
{
	return a < TOKEN_ALGORITHM_NONE ? algorithm_names[a] : "none";
}

static void key_fini(struct token_key *key)
{
	mem_free(key->kid);
	EVP_PKEY_free(key->pkey);
	if (key->secret)
		OPENSSL_cleanse(key->secret, key->secret_len);
	mem_free(key->secret);
}

void token_keys_fini(struct token_keys *k)
{
	for (size_t i = 0; i < k->count; i++)
		key_fini(&k->keys[i]);
	k->count = 0;
}

struct token_key *token_keys_next(struct token_keys *k, const struct reading *r, const char *path)
{
	struct token_key *key;

	if (k->count == TOKEN_KEYS_MAX) {
		reading_fail(r, -E2BIG, "%s: there are more than %d keys", path, TOKEN_KEYS_MAX);
		return NULL;
	}
	key = &k->keys[k->count++];
	*key = (struct token_key){ 0 };
	return key;
}

static bool is_p256(const EVP_PKEY *pkey)
{
	char name[32];
	size_t n;

	return EVP_PKEY_get_group_name(pkey, name, sizeof(name), &n) > 0 &&
	       strcmp(name, "prime256v1") == 0;
}

/* What is wrong with a key for this algorithm; NULL: nothing. */
static const char *find_fault(const EVP_PKEY *pkey, enum token_algorithm algorithm)
{
	int type = pkey ? EVP_PKEY_get_base_id(pkey) : EVP_PKEY_NONE;

	if (type == EVP_PKEY_NONE)
		return "is not a public key";
	switch (algorithm) {
	case TOKEN_RS256:
		if (type != EVP_PKEY_RSA)
			return "is not an RSA key, as RS256 needs it";
		if (EVP_PKEY_get_bits(pkey) < TOKEN_RSA_BITS_MIN)
			return "is too short: an RSA key has 2048 bits or more";
		return EVP_PKEY_get_bits(pkey) > TOKEN_RSA_BITS_MAX
		           ? "is too long: an RSA key has 8192 bits or less"
		           : NULL;
	case TOKEN_ES256:
		return type != EVP_PKEY_EC || !is_p256(pkey)
		           ? "is not a key of the curve P-256, as ES256 needs it"
		           : NULL;
	default:
		return type != EVP_PKEY_ED25519 ? "is not an Ed25519 key, as EdDSA needs it" : NULL;
	}
}

int token_key_take(struct token_keys *k, const struct reading *r, const char *path,
    enum token_algorithm algorithm, EVP_PKEY *pkey)
{
	const char *fault = find_fault(pkey, algorithm);
	struct token_key *key = fault ? NULL : token_keys_next(k, r, path);

	ERR_clear_error(); /* else a stream finds it, and takes it for its own */
	if (!key) {
		EVP_PKEY_free(pkey);
		return fault ? reading_fail(r, -EINVAL, "%s: %s", path, fault) : -E2BIG;
	}
	key->algorithm = algorithm;
	key->pkey = pkey;
	return 0;
}

int token_key_take_secret(
    struct token_keys *k, const struct reading *r, const char *path, struct bytes secret)
{
	struct token_key *key;

	if (secret.n < TOKEN_SECRET_MIN || secret.n > TOKEN_SECRET_MAX)
		return reading_fail(r, -EINVAL, "%s: a secret has %d to %d octets, this has %zu",
		    path, TOKEN_SECRET_MIN, TOKEN_SECRET_MAX, secret.n);
	if (!(key = token_keys_next(k, r, path)))
		return -E2BIG;
	key->algorithm = TOKEN_HS256;
	key->secret = mem_alloc(secret.n);
	if (!key->secret)
		return reading_no_memory(r);
	bytes_put(key->secret, secret);
	key->secret_len = secret.n;
	return 0;
}

int token_key_name(struct token_keys *k, const struct reading *r, const char *kid)
{
	if (!kid)
		return 0;
	k->keys[k->count - 1].kid = mem_strdup(kid);
	return k->keys[k->count - 1].kid ? 0 : reading_no_memory(r);
}
