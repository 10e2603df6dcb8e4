/*
 * http/http_origin.h - which pages may talk to us, and how they are told (the
 * Fetch standard's CORS protocol; RFC 6454).
 *
 * Rules are exact: scheme, host and port, no suffix match. A rule whose host begins with a star and
 * a dot matches one or more whole labels before the dot, so neither example.com nor
 * evilexample.com.
 */
#ifndef HTTP_ORIGIN_H
#define HTTP_ORIGIN_H

#include "http/http_forwarded.h"
#include "http/http_head.h"

struct http_origins {
	bool any;              /* "*" */
	struct bytes *allowed; /* beside the page's own origin, which always is */
	size_t count;
	const struct http_trust *trust; /* whose X-Forwarded-Proto tells our scheme */
};

/* What a request's Origin, or the lack of one, comes to. */
enum http_origin_verdict { HTTP_ORIGIN_REFUSED, HTTP_ORIGIN_ALLOWED };

/* Checks a request. Without an Origin header (a GET of the same origin, a script element, a
 * program) it is allowed, unless the browser says by Sec-Fetch-Site that another site has asked:
 * then the origin of its Referer counts. */
enum http_origin_verdict http_origin_check(
    const struct http_origins *o, const struct http_request *r);

/* Access-Control-* and Vary for an allowed request. Credentials are allowed only to a named origin.
 */
void http_origin_add_headers(
    const struct http_origins *o, const struct http_request *r, struct http_head *head);
/* Who may show our iframe page in a frame: Content-Security-Policy frame-ancestors. */
void http_origin_add_frame_ancestors(const struct http_origins *o, struct http_head *head);

/* Whether a text may stand in a list of origins: "*", "null", or scheme://host[:port] where the
 * host may begin with
 * "*.". */
bool http_origin_is_valid(struct bytes text);

#endif
