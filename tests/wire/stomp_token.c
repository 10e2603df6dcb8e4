/*
 * tests/wire/stomp_token.c - JSON Web Tokens as an issuer makes them, by OpenSSL alone and nothing
 * of the code under test; with keys that are new for each run.
 */
#include "wire/stomp_token.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const algorithms[] = { "RS256", "ES256", "EdDSA" };

enum { NAMES = 3, SIGNATURE_MAX = 512, TOKEN_MAX = 8192, PATH_SIZE = 300 };

/* --- keys ------------------------------------------------------------ */

static void path_of(char out[PATH_SIZE], const char *folder, const char *name, const char *end)
{
	snprintf(out, PATH_SIZE, "%s/%s%s", folder, name, end);
}

static EVP_PKEY *make_key(const char *algorithm)
{
	if (!strcmp(algorithm, "RS256"))
		return EVP_RSA_gen(2048);
	return !strcmp(algorithm, "ES256") ? EVP_EC_gen("P-256")
	                                   : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

static bool write_pair(const char *folder, const char *algorithm)
{
	EVP_PKEY *key = make_key(algorithm);
	char path[PATH_SIZE];
	FILE *public, *private;
	bool well;

	path_of(path, folder, algorithm, ".pem");
	public = fopen(path, "we");
	path_of(path, folder, algorithm, ".key");
	private = fopen(path, "we");
	well = key && public && private && PEM_write_PUBKEY(public, key) &&
	       PEM_write_PrivateKey(private, key, NULL, NULL, 0, NULL, NULL);
	well = (!public || !fclose(public)) && well;
	well = (!private || !fclose(private)) && well;
	EVP_PKEY_free(key);
	return well;
}

bool token_write_keys(const char *folder)
{
	for (int i = 0; i < NAMES; i++)
		if (!write_pair(folder, algorithms[i]))
			return false;
	return true;
}

void token_remove_keys(const char *folder)
{
	char path[PATH_SIZE];

	for (int i = 0; i < NAMES; i++) {
		path_of(path, folder, algorithms[i], ".pem");
		unlink(path);
		path_of(path, folder, algorithms[i], ".key");
		unlink(path);
	}
}

static EVP_PKEY *read_key(const char *folder, const char *algorithm)
{
	char path[PATH_SIZE];
	EVP_PKEY *key;
	FILE *f;

	path_of(path, folder, algorithm, ".key");
	f = fopen(path, "re");
	if (!f)
		return NULL;
	key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	fclose(f);
	return key;
}

/* --- signing --------------------------------------------------------- */

/* Base64 as in URLs, without padding. */
static void add_encoded(char *out, const void *p, size_t n)
{
	char *to = out + strlen(out);
	int len = EVP_EncodeBlock((unsigned char *)to, p, (int)n);

	while (len > 0 && to[len - 1] == '=')
		to[--len] = '\0';
	for (; *to; to++)
		*to = (char)(*to == '+' ? '-' : *to == '/' ? '_' : *to);
}

/* From DER to two numbers of 32 octets (RFC 7518, 3.4). */
static size_t as_two_numbers(unsigned char *signature, size_t n)
{
	const unsigned char *p = signature;
	ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)n);

	BN_bn2binpad(ECDSA_SIG_get0_r(s), signature, 32);
	BN_bn2binpad(ECDSA_SIG_get0_s(s), signature + 32, 32);
	ECDSA_SIG_free(s);
	return 64;
}

static size_t sign(
    const char *folder, const char *algorithm, const char *text, unsigned char *signature)
{
	EVP_PKEY *key = read_key(folder, algorithm);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const EVP_MD *digest = strcmp(algorithm, "EdDSA") ? EVP_sha256() : NULL;
	size_t n = SIGNATURE_MAX;
	bool well =
	    key && EVP_DigestSignInit(ctx, NULL, digest, NULL, key) == 1 &&
	    EVP_DigestSign(ctx, signature, &n, (const unsigned char *)text, strlen(text)) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	if (!well)
		return 0;
	return strcmp(algorithm, "ES256") ? n : as_two_numbers(signature, n);
}

static size_t sign_by_secret(const char *text, unsigned char *signature)
{
	unsigned n = 0;

	HMAC(EVP_sha256(), TOKEN_SECRET, sizeof(TOKEN_SECRET) - 1, (const unsigned char *)text,
	    strlen(text), signature, &n);
	return n;
}

char *token_sign(const char *folder, const char *algorithm, const char *claims)
{
	unsigned char signature[SIGNATURE_MAX];
	char header[64], *out = calloc(1, TOKEN_MAX);
	size_t n;

	if (!out || strlen(claims) > TOKEN_MAX / 2)
		abort();
	snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"typ\":\"JWT\"}", algorithm);
	add_encoded(out, header, strlen(header));
	strcat(out, ".");
	add_encoded(out, claims, strlen(claims));
	n = strcmp(algorithm, "HS256") ? sign(folder, algorithm, out, signature)
	                               : sign_by_secret(out, signature);
	if (n == 0) {
		free(out);
		return NULL;
	}
	strcat(out, ".");
	add_encoded(out, signature, n);
	return out;
}
