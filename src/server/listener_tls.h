/*
 * server/listener_tls.h - what the options tls.* of an address mean to net/tls_server.h; also for
 * who checks them (options_check.c, daemon/config_check.c).
 */
#ifndef SERVER_LISTENER_TLS_H
#define SERVER_LISTENER_TLS_H

#include <jansson.h>

#include "net/tls_server.h"
#include "server/options.h"

#define LISTENER_CERTIFICATES_MAX 1000

struct listener_tls {
	struct tls_server_options options; /* strings are those of the listener's options, and of */
	json_t *further;                   /* its list of certificates */
	struct tls_pair *pairs;
};

/* Of options that have a certificate: tls.certificate first, if there is one, then
 * tls.certificates. They have to stay until listener_tls_fini(). 0; -EINVAL, with a sentence that
 * begins with the key, or -ENOMEM. */
int listener_tls_read(
    struct listener_tls *out, const struct listener_options *o, char *why, size_t why_size);
void listener_tls_fini(struct listener_tls *tls);

#endif
