/*
 * daemon/api_pins.c - from files of certificates to the SHA-256 of their keys; see api_pins.h.
 */
#include "daemon/api_pins.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "server/listener_tls.h"

#define DIGEST 32 /* octets of a SHA-256 */

/* "sha256//..." of the key as a certificate has it (SubjectPublicKeyInfo). 0 or -ENOMEM. */
static int add_pin(struct buf *out, const X509 *x)
{
	char text[BASE64_LEN(DIGEST)];
	unsigned char *info = NULL, digest[EVP_MAX_MD_SIZE];
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &info), err = -ENOMEM;

	if (n > 0 && EVP_Digest(info, (size_t)n, digest, NULL, EVP_sha256(), NULL) == 1) {
		base64_encode(text, digest, DIGEST);
		err = buf_printf(out, "%ssha256//%.*s", buf_len(out) ? ";" : "",
		    (int)sizeof(text), text);
	}
	OPENSSL_free(info);
	return err;
}

static int read_file(struct buf *out, const char *path, char *why, size_t size)
{
	FILE *file = fopen(path, "re");
	X509 *x = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
	const char *reason = file ? "there is no certificate in it" : strerror(errno);
	int err = x ? add_pin(out, x) : -EINVAL;

	if (!x)
		snprintf(why, size,
		    "cannot read the certificate that the server has: %s: %s (with --ca FILE it "
		    "is not needed)",
		    path, reason);
	else if (err < 0)
		snprintf(why, size, "out of memory");
	X509_free(x);
	if (file)
		fclose(file);
	ERR_clear_error();
	return err;
}

int api_pins_read(struct buf *out, const struct listener_options *o, char *why, size_t size)
{
	struct listener_tls tls;
	int err = listener_tls_read(&tls, o, why, size);

	if (err < 0)
		return err;
	for (size_t i = 0; i < tls.options.pair_count && err == 0; i++)
		err = read_file(out, tls.options.pairs[i].certificate, why, size);
	if (err == 0 && buf_add(out, "", 1) < 0) {
		snprintf(why, size, "out of memory");
		err = -ENOMEM;
	}
	listener_tls_fini(&tls);
	return err;
}
