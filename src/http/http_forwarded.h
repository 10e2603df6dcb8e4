/*
 * http/http_forwarded.h - who the client is when trusted proxies stand between.
 */
#ifndef HTTP_FORWARDED_H
#define HTTP_FORWARDED_H

#include "http/http_request.h"

struct http_trust {
	struct cidr *proxies;
	size_t count;
};

/* The address of the client: the nearest one on the way in that is not a trusted proxy
 * (X-Forwarded-For, read from its end, and only if the peer itself is trusted). */
struct addr http_client_address(const struct http_trust *trust, const struct http_request *r);
/* Whether the client speaks TLS, to us or, by its word (X-Forwarded-Proto), to a trusted proxy. */
bool http_client_is_tls(const struct http_trust *trust, const struct http_request *r);
/* The host it asked for: Host, or the first word of a trusted proxy's X-Forwarded-Host. */
struct bytes http_client_host(const struct http_trust *trust, const struct http_request *r);
/* Whether this is the address of a trusted proxy, who speaks for many. */
bool http_trusts(const struct http_trust *trust, const struct addr *a);

#endif
