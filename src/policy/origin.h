/*
 * policy/origin.h - which pages may talk to us, and how they are told (the
 * Fetch standard's CORS protocol; RFC 6454).
 *
 * Rules are exact: scheme, host and port, no suffix match. A rule whose host begins with a star and
 * a dot matches one or more whole labels before the dot, so neither example.com nor
 * evilexample.com.
 */
#ifndef POLICY_ORIGIN_H
#define POLICY_ORIGIN_H

#include "policy/forwarded.h"
#include "http/http_head.h"

struct http_origin_rule {
	struct bytes text;
	size_t star; /* where the star of "*." stands; text.n: nowhere */
};

struct http_origins {
	bool any;                         /* "*" */
	struct http_origin_rule *allowed; /* beside the page's own origin, which always is */
	size_t count;
};

struct http_origin_rule http_origin_rule(struct bytes text);

/* What a request's Origin, or the lack of one, comes to. */
enum http_origin_verdict { HTTP_ORIGIN_REFUSED, HTTP_ORIGIN_ALLOWED };

/* What a request without an Origin header comes to (a GET of the same origin, a script element, a
 * program). */
enum http_origin_evidence {
	/* Allowed, unless the browser says by Sec-Fetch-Site that another site has asked: then the
	 * origin of its Referer counts. */
	HTTP_ORIGIN_UNLESS_FOREIGN,
	/* Refused, unless Sec-Fetch-Site is same-origin or the Referer is allowed. For answers that
	 * a script or frame element can read: it sends no Origin, and to plain http browsers send
	 * no Sec-Fetch-Site. */
	HTTP_ORIGIN_IF_SHOWN,
};

enum http_origin_verdict http_origin_check(const struct http_origins *o,
    const struct http_client *client, const struct http_request *r,
    enum http_origin_evidence evidence);

/* Access-Control-Allow-Origin and -Credentials, and Vary: whether the page behind the request sees
 * the answer. Credentials are allowed only to a named origin. */
void http_origin_add_allowance(const struct http_origins *o, const struct http_client *client,
    const struct http_request *r, struct http_head *head);
/* The same, and Access-Control-Allow-Headers. */
void http_origin_add_headers(const struct http_origins *o, const struct http_client *client,
    const struct http_request *r, struct http_head *head);
/* Who may show our iframe page in a frame: appends the line of Content-Security-Policy, or nothing
 * if everybody may. 0 or -ENOMEM. */
int http_origin_frame_ancestors(const struct http_origins *o, struct buf *out);

/* Whether a text may stand in a list of origins: "*", "null", or scheme://host[:port] where the
 * host may begin with
 * "*.". */
bool http_origin_is_valid(struct bytes text);

#endif
