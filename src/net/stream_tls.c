/*
 * net/stream_tls.c - placeholder until TLS lands.
 */
#include <errno.h>
#include <stdio.h>

#include "net/stream_private.h"

struct tls_context *tls_context_new(const char *certificate, const char *key, char *why,
    size_t why_size)
{
	(void)key;
	snprintf(why, why_size, "%s: TLS is not there yet", certificate);
	return NULL;
}

void tls_context_free(struct tls_context *ctx)
{
	(void)ctx;
}

int stream_tls_accept(struct stream *s, struct tls_context *ctx,
    void (*done)(struct stream *s, int err))
{
	(void)s;
	(void)ctx;
	(void)done;
	return -ENOSYS;
}

void stream_tls_handshake(struct stream *s)
{
	(void)s;
}

const struct stream_ops stream_tls_ops = { 0 };
