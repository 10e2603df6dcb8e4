/*
 * tests/certificate.c - a new certificate for each run of the tests, so that none is kept that
 * could expire. Uses OpenSSL, and nothing of the code under test.
 */
#include "certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>

static bool add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	bool well = extension && X509_add_ext(x, extension, -1) == 1;

	X509_EXTENSION_free(extension);
	return well;
}

static X509 *read_certificate(const char *file)
{
	FILE *f = fopen(file, "re");
	X509 *x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;

	if (f)
		fclose(f);
	return x;
}

static EVP_PKEY *read_key(const char *file)
{
	FILE *f = fopen(file, "re");
	EVP_PKEY *key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;

	if (f)
		fclose(f);
	return key;
}

static bool sign_by(X509 *x, const struct certificate_wish *wish)
{
	X509 *issuer = read_certificate(wish->issuer);
	EVP_PKEY *key = read_key(wish->issuer_key);
	bool well = issuer && key && X509_set_issuer_name(x, X509_get_subject_name(issuer)) == 1 &&
	            X509_sign(x, key, EVP_sha256()) > 0;

	X509_free(issuer);
	EVP_PKEY_free(key);
	return well;
}

static bool sign_itself(X509 *x, EVP_PKEY *pkey)
{
	return X509_set_issuer_name(x, X509_get_subject_name(x)) == 1 &&
	       X509_sign(x, pkey, EVP_sha256()) > 0;
}

/* Serial numbers differ, for that is what makes two of one issuer two. */
static bool fill(X509 *x, EVP_PKEY *pkey, const struct certificate_wish *wish)
{
	int serial = 0;

	RAND_bytes((unsigned char *)&serial, sizeof(serial));
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial & 0x7fffffff);
	X509_gmtime_adj(X509_getm_notBefore(x), -864000);
	X509_gmtime_adj(X509_getm_notAfter(x), wish->ends_in);
	X509_set_pubkey(x, pkey);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
	    (const unsigned char *)wish->subject, -1, -1, 0);
	if (wish->names && !add_extension(x, NID_subject_alt_name, wish->names))
		return false;
	if (wish->is_authority && !add_extension(x, NID_basic_constraints, "critical,CA:TRUE"))
		return false;
	return wish->issuer ? sign_by(x, wish) : sign_itself(x, pkey);
}

bool certificate_write_as(
    const struct certificate_wish *wish, const char *certificate, const char *key)
{
	EVP_PKEY *pkey = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	bool made = fill(x, pkey, wish);
	FILE *c = fopen(certificate, "we"), *k = fopen(key, "we");
	bool well = made && c && k && PEM_write_X509(c, x) &&
	            PEM_write_PrivateKey(k, pkey, NULL, NULL, 0, NULL, NULL);

	well = (!c || !fclose(c)) && well;
	well = (!k || !fclose(k)) && well;
	X509_free(x);
	EVP_PKEY_free(pkey);
	return well;
}

bool certificate_write(const char *certificate, const char *key)
{
	struct certificate_wish wish = { .subject = "localhost", .ends_in = 86400 };

	return certificate_write_as(&wish, certificate, key);
}
