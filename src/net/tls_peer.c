/*
 * net/tls_peer.c - whom a TLS connection is with, by the certificate that was shown, in texts that
 * can stand in a header or a log.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#include "net/tls_private.h"

/* Everything that is not plain ASCII is escaped. 0, -EMSGSIZE or -ENOMEM. */
static int print_subject(const X509 *x, char *text, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	long n;
	int err = -ENOMEM;

	if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(x), 0, XN_FLAG_RFC2253) >= 0) {
		n = BIO_get_mem_data(bio, &data);
		err = n < 0 || (size_t)n >= size ? -EMSGSIZE : 0;
		if (err == 0 && n > 0)
			memcpy(text, data, (size_t)n);
		if (err == 0)
			text[n] = '\0';
	}
	BIO_free(bio);
	return err;
}

static int print_fingerprint(const X509 *x, char text[65])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (X509_digest(x, EVP_sha256(), digest, &n) != 1 || n != 32)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		text[2 * i] = "0123456789abcdef"[digest[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
	}
	text[64] = '\0';
	return 0;
}

int stream_tls_peer(const struct stream *s, struct tls_peer *peer)
{
	X509 *x = s->tls ? SSL_get0_peer_certificate(s->tls->ssl) : NULL;
	int err;

	if (!x || !(SSL_get_verify_mode(s->tls->ssl) & SSL_VERIFY_PEER) ||
	    SSL_get_verify_result(s->tls->ssl) != X509_V_OK)
		return -ENOENT;
	err = print_subject(x, peer->subject, sizeof(peer->subject));
	if (err == 0)
		err = print_fingerprint(x, peer->fingerprint);
	ERR_clear_error();
	return err;
}
