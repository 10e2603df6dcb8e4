/*
 * policy/origin.c - which pages may talk to us; see origin.h.
 */
#include "policy/origin.h"

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

struct http_origin_rule http_origin_rule(struct bytes text)
{
	return (struct http_origin_rule){ text, find(text, "*.") };
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

static bool matches(const struct http_origin_rule *rule, struct bytes origin)
{
	if (rule->star < rule->text.n)
		return matches_wildcard(rule->text, rule->star, origin);
	return bytes_equal_nocase(rule->text, origin); /* scheme and host are case-insensitive */
}

/* Browsers never write it into an Origin; some proxies do into a host. */
static struct bytes without_default_port(struct bytes host, bool is_tls)
{
	struct bytes port = is_tls ? BYTES(":443") : BYTES(":80");

	if (host.n > port.n && memcmp(host.p + host.n - port.n, port.p, port.n) == 0)
		host.n -= port.n;
	return host;
}

/* The page came from us: its origin is the scheme and authority the client has reached us by. */
static bool is_same_origin(const struct http_client *client, struct bytes origin)
{
	struct bytes host = without_default_port(client->host, client->is_tls);
	struct bytes scheme = client->is_tls ? BYTES("https://") : BYTES("http://");

	return host.n && origin.n == scheme.n + host.n &&
	       strncasecmp(origin.p, scheme.p, scheme.n) == 0 &&
	       strncasecmp(origin.p + scheme.n, host.p, host.n) == 0;
}

static bool is_allowed(
    const struct http_origins *o, const struct http_client *client, struct bytes origin)
{
	if (origin.n > HTTP_ECHO_MAX)
		return false;
	if (o->any || is_same_origin(client, origin))
		return true;
	for (size_t i = 0; i < o->count; i++)
		if (matches(&o->allowed[i], origin))
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

/* A GET by a script or frame element has no Origin; but most browsers say, where they trust the
 * line, whether another site is behind it, and all of them, if the page lets them, which one. */
static bool is_allowed_without_origin(const struct http_origins *o,
    const struct http_client *client, const struct http_request *r,
    enum http_origin_evidence evidence)
{
	struct bytes site = http_request_header(r, HTTP_SEC_FETCH_SITE);
	struct bytes referer = origin_of(http_request_header(r, HTTP_REFERER));

	if (o->any || bytes_equal(site, BYTES("same-origin")))
		return true;
	if (evidence == HTTP_ORIGIN_UNLESS_FOREIGN && (!site.p || bytes_equal(site, BYTES("none"))))
		return true;
	return referer.n > 0 && is_allowed(o, client, referer);
}

enum http_origin_verdict http_origin_check(const struct http_origins *o,
    const struct http_client *client, const struct http_request *r,
    enum http_origin_evidence evidence)
{
	struct bytes origin = http_request_header(r, HTTP_ORIGIN);
	bool ok = origin.n > 0 ? is_allowed(o, client, origin)
	                       : is_allowed_without_origin(o, client, r, evidence);

	return ok ? HTTP_ORIGIN_ALLOWED : HTTP_ORIGIN_REFUSED;
}

/* --- headers ------------------------------------------------------------ */

void http_origin_add_allowance(const struct http_origins *o, const struct http_client *client,
    const struct http_request *r, struct http_head *head)
{
	struct bytes origin = http_request_header(r, HTTP_ORIGIN);

	if (origin.p && origin.n && is_allowed(o, client, origin)) {
		http_head_add_bytes(head, "Access-Control-Allow-Origin", origin);
		http_head_add(head, "Access-Control-Allow-Credentials", "true");
	} else if (o->any) {
		http_head_add(head, "Access-Control-Allow-Origin", "*");
	}
	http_head_add(head, "Vary", "Origin");
}

void http_origin_add_headers(const struct http_origins *o, const struct http_client *client,
    const struct http_request *r, struct http_head *head)
{
	struct bytes wanted = http_request_header(r, HTTP_ACCESS_CONTROL_REQUEST_HEADERS);

	http_origin_add_allowance(o, client, r, head);
	if (wanted.n > 0)
		http_head_add_bytes(head, "Access-Control-Allow-Headers", wanted);
}

int http_origin_frame_ancestors(const struct http_origins *o, struct buf *out)
{
	int err = o->any ? 0 : buf_add_str(out, "Content-Security-Policy: frame-ancestors 'self'");

	for (size_t i = 0; i < o->count && !o->any && err == 0; i++) {
		struct bytes rule = o->allowed[i].text;

		if (!bytes_equal(rule, BYTES("null")))
			err = buf_printf(out, " %.*s", (int)rule.n, rule.p);
	}
	return err < 0 || o->any ? err : buf_add(out, "\r\n", 2);
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
