/*
 * tests/certificate.c - a new certificate for each run of the tests, so that none is kept that
 * could expire. Uses OpenSSL, and nothing of the code under test.
 */
#include "certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>

static X509 *sign_certificate(EVP_PKEY *pkey)
{
	X509 *x = X509_new();

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, pkey);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
	    (const unsigned char *)"localhost", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_sign(x, pkey, EVP_sha256());
	return x;
}

bool certificate_write(const char *certificate, const char *key)
{
	EVP_PKEY *pkey = EVP_EC_gen("P-256");
	X509 *x = sign_certificate(pkey);
	FILE *c = fopen(certificate, "we"), *k = fopen(key, "we");
	bool well = c && k && PEM_write_X509(c, x) &&
	            PEM_write_PrivateKey(k, pkey, NULL, NULL, 0, NULL, NULL);

	well = (!c || !fclose(c)) && well;
	well = (!k || !fclose(k)) && well;
	X509_free(x);
	EVP_PKEY_free(pkey);
	return well;
}
