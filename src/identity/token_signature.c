/*
 * identity/token_signature.c - whether a key has made a signature (RFC 7518 section 3, RFC 8037);
 * see token_keys.h.
 */
#include "identity/token_keys.h"

#include <errno.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <string.h>

#define HS256_LEN 32
#define ES256_LEN 64
#define EDDSA_LEN 64
#define ES256_DER 80 /* at least what two numbers of 33 octets take */

static int verify_secret(const struct token_key *key, struct bytes text, struct bytes signature)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned n;

	if (signature.n != HS256_LEN)
		return -EACCES;
	if (!HMAC(EVP_sha256(), key->secret, (int)key->secret_len, (const unsigned char *)text.p,
	        text.n, mac, &n))
		return -ENOMEM;
	return CRYPTO_memcmp(mac, signature.p, HS256_LEN) == 0 ? 0 : -EACCES;
}

static int verify_public(const struct token_key *key, struct bytes text, struct bytes signature)
{
	const EVP_MD *md = key->algorithm == TOKEN_EDDSA ? NULL : EVP_sha256();
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int err = -ENOMEM;

	if (ctx && EVP_DigestVerifyInit(ctx, NULL, md, NULL, key->pkey) > 0)
		err = EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.n,
		          (const unsigned char *)text.p, text.n) == 1
		          ? 0
		          : -EACCES;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error(); /* else a stream finds it, and takes it for its own */
	return err;
}

/* A token has the two numbers as they are, OpenSSL wants them in DER. Octets; 0: out of memory. */
static size_t to_der(struct bytes raw, unsigned char der[ES256_DER])
{
	const unsigned char *p = (const unsigned char *)raw.p;
	BIGNUM *r = BN_bin2bn(p, 32, NULL), *s = BN_bin2bn(p + 32, 32, NULL);
	ECDSA_SIG *sig = ECDSA_SIG_new();
	int n = 0;

	if (r && s && sig && ECDSA_SIG_set0(sig, r, s) > 0) {
		r = s = NULL; /* they are of the signature now */
		n = i2d_ECDSA_SIG(sig, &der);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return n > 0 ? (size_t)n : 0;
}

static int verify_es256(const struct token_key *key, struct bytes text, struct bytes signature)
{
	unsigned char der[ES256_DER];
	size_t n;

	if (signature.n != ES256_LEN)
		return -EACCES;
	n = to_der(signature, der);
	return n ? verify_public(key, text, (struct bytes){ (const char *)der, n }) : -ENOMEM;
}

static int verify(const struct token_key *key, struct bytes text, struct bytes signature)
{
	size_t n = signature.n;

	switch (key->algorithm) {
	case TOKEN_HS256:
		return verify_secret(key, text, signature);
	case TOKEN_ES256:
		return verify_es256(key, text, signature);
	case TOKEN_EDDSA:
		return n == EDDSA_LEN ? verify_public(key, text, signature) : -EACCES;
	default:
		return n == (size_t)EVP_PKEY_get_size(key->pkey)
		           ? verify_public(key, text, signature)
		           : -EACCES;
	}
}

/* A key that has a name is for tokens that say it; a set of one key needs no names. */
static bool fits(const struct token_keys *k, const struct token_key *key, enum token_algorithm a,
    const char *kid)
{
	if (key->algorithm != a)
		return false;
	if (!key->kid || (!kid && k->count == 1))
		return true;
	return kid && strcmp(key->kid, kid) == 0;
}

int token_keys_verify(const struct token_keys *k, enum token_algorithm algorithm, const char *kid,
    struct bytes text, struct bytes signature)
{
	int err = -ENOKEY;

	for (size_t i = 0; i < k->count && err != 0 && err != -ENOMEM; i++)
		if (fits(k, &k->keys[i], algorithm, kid))
			err = verify(&k->keys[i], text, signature);
	return err;
}
