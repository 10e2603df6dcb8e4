/*
 * identity/token_jwk.c - JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037); see token_keys.h.
 *
 * A set of an issuer has keys for other purposes too, and of other kinds: these are passed over, as
 * RFC 7517 section 5 has it. One that is for signatures and is broken is an error.
 */
#include "identity/token_keys.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <string.h>

#include "base/base64.h"

#define JWKS_FILE_MAX (1u << 20)
#define NUMBER_MAX    2048 /* octets */

static const char *member(const json_t *jwk, const char *name)
{
	const char *text = json_string_value(json_object_get(jwk, name));

	return text ? text : "";
}

/* The octets that a member stands for; 0: it is absent, too long or not well written. */
static size_t read_octets(const json_t *jwk, const char *name, void *out, size_t size)
{
	struct bytes text = bytes_of(member(jwk, name));
	ssize_t n;

	if (BASE64_DECODED(text.n) > size)
		return 0;
	n = base64_decode_unpadded(out, text.p, text.n, BASE64_URL);
	return n < 0 ? 0 : (size_t)n;
}

/* --- keys of OpenSSL --------------------------------------------------------------- */

/* Takes the builder. */
static EVP_PKEY *make_key(const char *type, OSSL_PARAM_BLD *bld)
{
	OSSL_PARAM *params = bld ? OSSL_PARAM_BLD_to_param(bld) : NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	if (params && ctx && EVP_PKEY_fromdata_init(ctx) > 0)
		EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	return pkey;
}

static BIGNUM *read_number(const json_t *jwk, const char *name)
{
	unsigned char octets[NUMBER_MAX];
	size_t n = read_octets(jwk, name, octets, NUMBER_MAX);

	return n ? BN_bin2bn(octets, (int)n, NULL) : NULL;
}

static EVP_PKEY *make_rsa(const json_t *jwk)
{
	BIGNUM *n = read_number(jwk, "n"), *e = read_number(jwk, "e");
	OSSL_PARAM_BLD *bld = n && e ? OSSL_PARAM_BLD_new() : NULL;
	EVP_PKEY *pkey = NULL;

	if (bld) {
		OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n);
		OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e);
		pkey = make_key("RSA", bld);
	}
	BN_free(n);
	BN_free(e);
	return pkey;
}

/* A point as SEC 1 writes it: 4, x, y. */
static EVP_PKEY *make_ec(const json_t *jwk)
{
	unsigned char point[65] = { 4 };
	OSSL_PARAM_BLD *bld;

	if (read_octets(jwk, "x", point + 1, 32) != 32 ||
	    read_octets(jwk, "y", point + 33, 32) != 32 || !(bld = OSSL_PARAM_BLD_new()))
		return NULL;
	OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
	OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, 65);
	return make_key("EC", bld);
}

static EVP_PKEY *make_ed25519(const json_t *jwk)
{
	unsigned char x[32];

	if (read_octets(jwk, "x", x, 32) != 32)
		return NULL;
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, 32);
}

static EVP_PKEY *make_public(const json_t *jwk, enum token_algorithm algorithm)
{
	if (algorithm == TOKEN_RS256)
		return make_rsa(jwk);
	return algorithm == TOKEN_ES256 ? make_ec(jwk) : make_ed25519(jwk);
}

/* --- one of the set ----------------------------------------------------------------- */

/* What a key of its kind is good for. */
static enum token_algorithm kind_of(const json_t *jwk)
{
	const char *kty = member(jwk, "kty"), *crv = member(jwk, "crv");

	if (strcmp(kty, "oct") == 0)
		return TOKEN_HS256;
	if (strcmp(kty, "RSA") == 0)
		return TOKEN_RS256;
	if (strcmp(kty, "EC") == 0 && strcmp(crv, "P-256") == 0)
		return TOKEN_ES256;
	if (strcmp(kty, "OKP") == 0 && strcmp(crv, "Ed25519") == 0)
		return TOKEN_EDDSA;
	return TOKEN_ALGORITHM_NONE;
}

static bool is_for_signatures(const json_t *jwk)
{
	const json_t *use = json_object_get(jwk, "use");

	return !use || strcmp(member(jwk, "use"), "sig") == 0;
}

static int take_oct(
    struct token_keys *k, const struct reading *r, const char *path, const json_t *jwk)
{
	unsigned char secret[TOKEN_SECRET_MAX];
	size_t n = read_octets(jwk, "k", secret, TOKEN_SECRET_MAX);
	int err = token_key_take_secret(k, r, path, (struct bytes){ (const char *)secret, n });

	OPENSSL_cleanse(secret, sizeof(secret));
	return err;
}

static int take(struct token_keys *k, const struct reading *r, const char *path, const json_t *jwk,
    enum token_algorithm algorithm)
{
	const char *kid = json_string_value(json_object_get(jwk, "kid"));
	int err;

	if (algorithm == TOKEN_HS256)
		err = take_oct(k, r, path, jwk);
	else
		err = token_key_take(k, r, path, algorithm, make_public(jwk, algorithm));
	return err < 0 ? err : token_key_name(k, r, kid);
}

static int read_jwk(struct token_keys *k, const struct reading *r, const char *path,
    const json_t *jwk, enum token_algorithm fallback)
{
	const char *alg = json_string_value(json_object_get(jwk, "alg"));
	enum token_algorithm kind = kind_of(jwk), algorithm = fallback;

	if (!json_is_object(jwk))
		return reading_fail(r, -EINVAL, "%s: is not an object", path);
	if (alg)
		algorithm = token_algorithm_of(alg);
	if (kind == TOKEN_ALGORITHM_NONE || !is_for_signatures(jwk))
		return 0;
	if (algorithm == TOKEN_ALGORITHM_NONE && !alg)
		return reading_fail(
		    r, -EINVAL, "%s: has no alg, and no algorithm is configured", path);
	if (algorithm != kind && token_algorithm_of(alg ? alg : "") != TOKEN_ALGORITHM_NONE)
		return reading_fail(r, -EINVAL, "%s: is of another kind than its alg", path);
	return algorithm == kind ? take(k, r, path, jwk, algorithm) : 0;
}

int token_jwks_read(struct token_keys *k, const struct reading *r, const char *path,
    const char *file, enum token_algorithm algorithm)
{
	json_t *set = NULL, *jwk;
	const json_t *keys;
	size_t i, before = k->count;
	char at[READING_PATH];
	int err = reading_json_file(r, path, file, JWKS_FILE_MAX, &set);

	keys = json_object_get(set, "keys");
	if (err == 0 && !json_is_array(keys))
		err = reading_fail(r, -EINVAL, "%s: %.300s has no list \"keys\"", path, file);
	json_array_foreach (keys, i, jwk) {
		reading_path(at, "%s: keys[%zu]", path, i);
		if (err == 0)
			err = read_jwk(k, r, at, jwk, algorithm);
	}
	json_decref(set);
	if (err == 0 && k->count == before)
		err = reading_fail(r, -EINVAL,
		    "%s: %.300s has no key for signatures of HS256, "
		    "RS256, ES256 or EdDSA",
		    path, file);
	return err;
}
