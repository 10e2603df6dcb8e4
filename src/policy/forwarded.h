/*
 * policy/forwarded.h - who the client is, and what it asked for, when proxies stand between.
 *
 * A proxy says it in X-Forwarded-For, -Proto and -Host or in Forwarded (RFC 7239). Each proxy
 * on the way appends what it has seen, so both are read from their end, and only as
 * far as trust goes: the peer must be a trusted proxy for the last element to count, that
 * must name a trusted proxy for the one before it to count, and so on. What stands before is
 * hearsay.
 *
 * There is one answer for each request, struct http_client. The check of origins, session
 * cookies, the binding of a session to its address, limits, logs, applications and
 * backends all go by it.
 */
#ifndef POLICY_FORWARDED_H
#define POLICY_FORWARDED_H

#include "http/http_request.h"

/* Which headers the trusted proxies set. Whatever a client sends under the other names passes most
 * proxies untouched, so there is no mixing: one family counts, whole. */
enum http_proxy_headers {
	HTTP_PROXY_AUTO, /* X-Forwarded-* if one of them is there, else Forwarded */
	HTTP_PROXY_X_FORWARDED,
	HTTP_PROXY_FORWARDED,
};

struct http_trust {
	struct cidr *proxies;
	size_t count;
	enum http_proxy_headers headers;
};

struct http_client {
	struct addr address; /* the nearest one on the way in that is not a trusted proxy */
	struct bytes host;   /* and port, that it asked for; empty if it did not say */
	bool is_tls;         /* whether it did so by TLS */
	/* Another gateway has passed it on, and says so (server/peers.h), and the rest: */
	bool is_passed_on;
	bool is_proxied;                   /* a trusted proxy speaks for it there */
	struct bytes subject, fingerprint; /* of its certificate; empty: none */
};

#define HTTP_HOPS_MAX 32 /* trusted proxies behind one another */

/* Reads it from a request. NULL, or the sentence of a 400: a trusted proxy has sent what cannot be
 * read. */
const char *http_client_read(
    const struct http_trust *trust, const struct http_request *r, struct http_client *client);

/* The address alone, for the log; as far as it can be read. */
struct addr http_client_address(const struct http_trust *trust, const struct http_request *r);
/* Whether this is the address of a trusted proxy, who speaks for many. */
bool http_trusts(const struct http_trust *trust, const struct addr *a);

/* --- http_forwarded_field.c: the header Forwarded ------------------------------------- */

/* What one proxy has said; empty if it did not. Without quotes. */
struct http_forwarded {
	struct bytes node; /* for=: an address, perhaps with a port, "unknown", or a secret name */
	struct bytes host, proto;
};

/* Reads a list of *count elements, of which the last HTTP_HOPS_MAX are kept: the i-th, from 0, is
 * at [i % HTTP_HOPS_MAX]. False if it is malformed: a quote without its end, a parameter that
 * stands twice, something that is no parameter. */
bool http_forwarded_parse(
    struct bytes list, struct http_forwarded elements[HTTP_HOPS_MAX], size_t *count);

#endif
