/*
 * net/tls_private.h - what the two files of TLS share: connections (stream_tls.c)
 * and what they are made from (tls_context.c). They alone know OpenSSL's TLS.
 */
#ifndef NET_TLS_PRIVATE_H
#define NET_TLS_PRIVATE_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "net/stream.h"

struct tls_context {
	SSL_CTX *ssl_ctx;
	atomic_uint refs; /* connections have one each: sessions arrive at any time */

	/* a client's: what to resume with the host it was first used for; any thread's */
	pthread_mutex_t lock;
	char *host;
	SSL_SESSION *session;
};

struct stream_tls {
	SSL *ssl;
	struct tls_context *ctx;
	int fd;
	bool resumable; /* its sessions are worth keeping in the context */
	bool heard;     /* the peer's first octets are here */
	bool met_text;  /* and they are no TLS */
	uint16_t reads_left;
	uint16_t messages; /* of the handshake protocol, since the last data */
	int error;         /* of reading, for good; it may stand behind bytes still handed out */
	int write_error;   /* the wire takes nothing any more: OpenSSL is not told, for it would not
	                    * read then either what has come before */
	const char *why;   /* what went wrong last; static */
	void (*done)(struct stream *s, int err); /* until the handshake has ended */
};

/* A reference for one more connection; tls_context_free() gives it back. */
struct tls_context *tls_context_ref(struct tls_context *ctx);
/* Has a client offer the session of an earlier connection to this host, if there is one. Returns
 * whether the sessions that it gets are to be kept. Without memory the handshake is only longer. */
bool tls_context_offer_session(struct tls_context *ctx, SSL *ssl, const char *host);
void tls_context_drop_session(struct tls_context *ctx);

#endif
