/*
 * http/http_origin.c - which pages may talk to us; see http_origin.h.
 */
#include "http/http_origin.h"

#include <ctype.h>

/* --- matching ----------------------------------------------------------- */

static size_t find(struct bytes b, const char *what)
{
	const char *at = b.n ? memmem(b.p, b.n, what, strlen(what)) : NULL;

	return at ? (size_t)(at - b.p) : b.n;
}

/* A DNS name (or IP literal) without anything that could be taken for structure. */
static bool is_host(struct bytes h)
{
	for (size_t i = 0; i < h.n; i++) {
		unsigned char c = (unsigned char)h.p[i];

		if (!isalnum(c) && c != '-' && c != '.' && c != '_' && c != ':' && c != '[' &&
		    c != ']')
			return false;
	}
	return h.n > 0;
}

static bool matches_wildcard(struct bytes rule, size_t star, struct bytes origin)
{
	size_t suffix = rule.n - star - 1; /* ".example.com[:port]" */
	struct bytes label;

	if (origin.n <= star + suffix || strncasecmp(rule.p, origin.p, star) != 0 ||
	    strncasecmp(rule.p + star + 1, origin.p + origin.n - suffix, suffix) != 0)
		return false;
	label = (struct bytes){ origin.p + star, origin.n - star - suffix };
	return is_host(label) && find(label, ":") == label.n;
}

static bool matches(struct bytes rule, struct bytes origin)
{
	size_t star = find(rule, "*.");

	if (star < rule.n)
		return matches_wildcard(rule, star, origin);
	return bytes_equal_nocase(rule, origin); /* scheme and host are case-insensitive */
}

/* The page came from us: its origin is the scheme and authority the client has reached us by. */
static bool is_same_origin(
    const struct http_origins *o, const struct http_request *r, struct bytes origin)
{
	struct bytes host = http_request_header(r, HTTP_HOST);
	struct bytes scheme =
	    http_client_is_tls(o->trust, r) ? BYTES("https://") : BYTES("http://");

	return host.n && origin.n == scheme.n + host.n &&
	       strncasecmp(origin.p, scheme.p, scheme.n) == 0 &&
	       strncasecmp(origin.p + scheme.n, host.p, host.n) == 0;
}

static bool is_allowed(
    const struct http_origins *o, const struct http_request *r, struct bytes origin)
{
	if (origin.n > HTTP_ECHO_MAX)
		return false;
	if (o->any || is_same_origin(o, r, origin))
		return true;
	for (size_t i = 0; i < o->count; i++)
		if (matches(o->allowed[i], origin))
			return true;
	return false;
}

/* The origin part of a URL. */
static struct bytes origin_of(struct bytes url)
{
	size_t at = find(url, "://"), end = at + 3;

	if (at == url.n)
		return (struct bytes){ 0 };
	while (end < url.n && url.p[end] != '/' && url.p[end] != '?')
		end++;
	return (struct bytes){ url.p, end };
}

/* A GET by a script or frame element has no Origin; but a browser says whether another site is
 * behind it, and most of the time which one. */
static bool is_allowed_without_origin(const struct http_origins *o, const struct http_request *r)
{
	struct bytes site = http_request_find_header(r, "Sec-Fetch-Site");
	struct bytes referer = http_request_find_header(r, "Referer");

	if (o->any || !site.p || bytes_equal(site, BYTES("same-origin")) ||
	    bytes_equal(site, BYTES("none")))
		return true;
	referer = origin_of(referer);
	return referer.n > 0 && is_allowed(o, r, referer);
}

enum http_origin_verdict http_origin_check(
    const struct http_origins *o, const struct http_request *r)
{
	struct bytes origin = http_request_header(r, HTTP_ORIGIN);
	bool ok = origin.n > 0 ? is_allowed(o, r, origin) : is_allowed_without_origin(o, r);

	return ok ? HTTP_ORIGIN_ALLOWED : HTTP_ORIGIN_REFUSED;
}

/* --- headers ------------------------------------------------------------ */

void http_origin_add_headers(
    const struct http_origins *o, const struct http_request *r, struct http_head *head)
{
	struct bytes origin = http_request_header(r, HTTP_ORIGIN);
	struct bytes wanted = http_request_header(r, HTTP_ACCESS_CONTROL_REQUEST_HEADERS);

	if (origin.p && origin.n && is_allowed(o, r, origin)) {
		http_head_add_bytes(head, "Access-Control-Allow-Origin", origin);
		http_head_add(head, "Access-Control-Allow-Credentials", "true");
	} else if (o->any) {
		http_head_add(head, "Access-Control-Allow-Origin", "*");
	}
	http_head_add(head, "Vary", "Origin");
	if (wanted.n > 0 && wanted.n <= HTTP_ECHO_MAX)
		http_head_add_bytes(head, "Access-Control-Allow-Headers", wanted);
}

void http_origin_add_frame_ancestors(const struct http_origins *o, struct http_head *head)
{
	char text[HTTP_ECHO_MAX + 64] = "frame-ancestors 'self'";
	size_t n = strlen(text);

	if (o->any)
		return;
	for (size_t i = 0; i < o->count; i++) {
		struct bytes a = o->allowed[i];

		if (n + a.n + 2 > sizeof(text) || bytes_equal(a, BYTES("null")))
			continue;
		text[n++] = ' ';
		memcpy(text + n, a.p, a.n);
		n += a.n;
	}
	http_head_add_bytes(head, "Content-Security-Policy", (struct bytes){ text, n });
}

bool http_origin_is_valid(struct bytes text)
{
	size_t scheme = find(text, "://"), i;
	struct bytes host;

	if (bytes_equal(text, BYTES("*")) || bytes_equal(text, BYTES("null")))
		return true;
	if (scheme == 0 || scheme == text.n)
		return false;
	for (i = 0; i < scheme; i++)
		if (!isalnum((unsigned char)text.p[i]) && !strchr("+-.", text.p[i]))
			return false;
	host = (struct bytes){ text.p + scheme + 3, text.n - scheme - 3 };
	if (host.n > 2 && memcmp(host.p, "*.", 2) == 0)
		host = (struct bytes){ host.p + 2, host.n - 2 };
	return is_host(host);
}
