/*
 * tests/fakes/token_maker.c - see token_maker.h. Nothing of ours is used, so that it cannot be
 * wrong in the same way.
 */
#include "fakes/token_maker.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const files[] = { "rsa.pem", "ec.pem", "ed25519.pem", "secret", "keys.json",
	"other", NULL };

static void need(int truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "token_maker: %s\n", what);
	abort();
}

/* --- files ---------------------------------------------------------------------- */

static FILE *open_file(const struct token_maker *m, const char *name)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", m->directory, name);
	file = fopen(path, "w");
	need(file != NULL, path);
	return file;
}

static void write_pem(const struct token_maker *m, const char *name, EVP_PKEY *key)
{
	FILE *file = open_file(m, name);

	need(PEM_write_PUBKEY(file, key), name);
	fclose(file);
}

void token_maker_write(const struct token_maker *m, const char *name, const char *text)
{
	FILE *file = open_file(m, name);

	fputs(text, file);
	fclose(file);
}

void token_maker_init(struct token_maker *m)
{
	m->rsa = EVP_RSA_gen(2048);
	m->ec = EVP_EC_gen("P-256");
	m->ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	need(m->rsa && m->ec && m->ed25519, "keys");
	strcpy(m->directory, "/tmp/tokens.XXXXXX");
	need(mkdtemp(m->directory) != NULL, "directory");
	write_pem(m, "rsa.pem", m->rsa);
	write_pem(m, "ec.pem", m->ec);
	write_pem(m, "ed25519.pem", m->ed25519);
	token_maker_write(m, "secret", TOKEN_MAKER_SECRET "\n");
}

void token_maker_fini(struct token_maker *m)
{
	char path[128];

	for (int i = 0; files[i]; i++) {
		snprintf(path, sizeof(path), "%s/%s", m->directory, files[i]);
		unlink(path);
	}
	rmdir(m->directory);
	EVP_PKEY_free(m->rsa);
	EVP_PKEY_free(m->ec);
	EVP_PKEY_free(m->ed25519);
}

/* --- base64url -------------------------------------------------------------------- */

char *token_part(const void *p, size_t n)
{
	char *out = malloc((n + 2) / 3 * 4 + 1);

	need(out != NULL, "memory");
	EVP_EncodeBlock((unsigned char *)out, p, (int)n);
	out[strcspn(out, "=")] = '\0';
	for (char *c = out; *c; c++)
		*c = *c == '+' ? '-' : (*c == '/' ? '_' : *c);
	return out;
}

static char *number_part(EVP_PKEY *key, const char *name)
{
	unsigned char octets[1024];
	BIGNUM *n = NULL;
	size_t size;

	need(EVP_PKEY_get_bn_param(key, name, &n), name);
	need(BN_num_bytes(n) <= (int)sizeof(octets), name);
	BN_bn2bin(n, octets);
	size = (size_t)BN_num_bytes(n);
	BN_free(n);
	return token_part(octets, size);
}

static char *coordinate_part(EVP_PKEY *key, const char *name)
{
	unsigned char octets[32];
	BIGNUM *n = NULL;

	need(EVP_PKEY_get_bn_param(key, name, &n), name);
	need(BN_bn2binpad(n, octets, 32) == 32, name);
	BN_free(n);
	return token_part(octets, 32);
}

void token_maker_jwk(EVP_PKEY *key, const char *more, char *out, size_t size)
{
	unsigned char raw[32];
	size_t n = sizeof(raw);
	char *a, *b = NULL;

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
		a = number_part(key, OSSL_PKEY_PARAM_RSA_N);
		b = number_part(key, OSSL_PKEY_PARAM_RSA_E);
		snprintf(
		    out, size, "{\"kty\": \"RSA\", \"n\": \"%s\", \"e\": \"%s\"%s}", a, b, more);
	} else if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) {
		a = coordinate_part(key, OSSL_PKEY_PARAM_EC_PUB_X);
		b = coordinate_part(key, OSSL_PKEY_PARAM_EC_PUB_Y);
		snprintf(out, size,
		    "{\"kty\": \"EC\", \"crv\": \"P-256\", \"x\": \"%s\", \"y\": \"%s\"%s}", a, b,
		    more);
	} else {
		need(EVP_PKEY_get_raw_public_key(key, raw, &n), "public key");
		a = token_part(raw, n);
		snprintf(out, size, "{\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"x\": \"%s\"%s}", a,
		    more);
	}
	free(a);
	free(b);
}

/* --- tokens ------------------------------------------------------------------------- */

EVP_PKEY *token_maker_key(const struct token_maker *m, const char *alg)
{
	if (strcmp(alg, "RS256") == 0)
		return m->rsa;
	if (strcmp(alg, "ES256") == 0)
		return m->ec;
	return strcmp(alg, "EdDSA") == 0 ? m->ed25519 : NULL;
}

static size_t from_der(unsigned char *signature, size_t n)
{
	const unsigned char *p = signature;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)n);
	unsigned char raw[64];

	need(sig != NULL, "signature");
	BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32);
	BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32);
	ECDSA_SIG_free(sig);
	memcpy(signature, raw, 64);
	return 64;
}

static size_t sign(const char *alg, EVP_PKEY *key, const char *text, unsigned char *signature)
{
	const EVP_MD *md = strcmp(alg, "EdDSA") == 0 ? NULL : EVP_sha256();
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = 1024;

	need(EVP_DigestSignInit(ctx, NULL, md, NULL, key), alg);
	need(EVP_DigestSign(ctx, signature, &n, (const unsigned char *)text, strlen(text)), alg);
	EVP_MD_CTX_free(ctx);
	return strcmp(alg, "ES256") == 0 ? from_der(signature, n) : n;
}

char *token_make(
    const char *alg, EVP_PKEY *key, const char *secret, const char *header, const char *payload)
{
	char *first = token_part(header, strlen(header)), *third;
	char *second = token_part(payload, strlen(payload));
	size_t size = strlen(first) + strlen(second) + 2000, n;
	unsigned char signature[1024];
	unsigned mac_len = 0;
	char *token = malloc(size);

	need(token != NULL, "memory");
	snprintf(token, size, "%s.%s", first, second);
	n = key ? sign(alg, key, token, signature) : 0;
	if (!key) {
		HMAC(EVP_sha256(), secret, (int)strlen(secret), (unsigned char *)token,
		    strlen(token), signature, &mac_len);
		n = mac_len;
	}
	third = token_part(signature, n);
	strcat(token, ".");
	strcat(token, third);
	free(first);
	free(second);
	free(third);
	return token;
}
