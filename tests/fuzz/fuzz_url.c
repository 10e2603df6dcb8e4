/*
 * tests/fuzz/fuzz_url.c - the small readers of what a client writes into URLs and
 * headers: escapes, parameters, cookies, entity tags, origins, iframe paths. Each
 * is compared with a slow reader that is obviously right.
 *
 * Input: a needle, a newline, and the text to look into.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/percent.h"
#include "base/mem.h"
#include "policy/origin.h"
#include "http/http_private.h"
#include "files/static_files.h"
#include "server/server_private.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must_be_inside(struct bytes part, struct bytes whole)
{
	must(!part.p || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n));
}

/* --- escapes ---------------------------------------------------------------------- */

static int hex(char c)
{
	const char *digits = "0123456789abcdef",
	           *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* What has to come out, or -1. */
static ssize_t decode(struct bytes raw, bool plus, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < raw.n; i++) {
		if (raw.p[i] != '%') {
			out[n++] = plus && raw.p[i] == '+' ? ' ' : raw.p[i];
			continue;
		}
		if (raw.n - i < 3 || hex(raw.p[i + 1]) < 0 || hex(raw.p[i + 2]) < 0)
			return -1;
		out[n++] = (char)(hex(raw.p[i + 1]) * 16 + hex(raw.p[i + 2]));
		i += 2;
	}
	return (ssize_t)n;
}

static void check_escapes(struct bytes raw, bool plus)
{
	char *expected = malloc(raw.n + 1), *got = malloc(raw.n + 1), *place = malloc(raw.n + 1);
	ssize_t n = decode(raw, plus, expected);

	must(expected && got && place);
	memcpy(place, raw.p, raw.n);
	must(percent_decode(raw, plus, got, raw.n) == (n < 0 ? -EINVAL : n));
	must(n < 0 || memcmp(got, expected, (size_t)n) == 0);
	must(percent_decode((struct bytes){ place, raw.n }, plus, place, raw.n) ==
	     (n < 0 ? -EINVAL : n));
	must(n < 0 || memcmp(place, expected, (size_t)n) == 0);
	if (n > 0)
		must(percent_decode(raw, plus, got, (size_t)n - 1) == -E2BIG);
	free(expected);
	free(got);
	free(place);
}

/* --- lists ------------------------------------------------------------------------ */

/* The value in the first "name=value" of a list; cookies are trimmed. */
static struct bytes find(struct bytes list, const char *name, char separator, bool is_cookie)
{
	size_t len = strlen(name);

	for (size_t from = 0, to; from <= list.n; from = to + 1) {
		struct bytes item;

		for (to = from; to < list.n && list.p[to] != separator; to++)
			;
		item = (struct bytes){ list.p + from, to - from };
		while (is_cookie && item.n && (item.p[0] == ' ' || item.p[0] == '\t'))
			item.p++, item.n--;
		while (is_cookie && item.n &&
		       (item.p[item.n - 1] == ' ' || item.p[item.n - 1] == '\t'))
			item.n--;
		if (item.n > len && memcmp(item.p, name, len) == 0 && item.p[len] == '=')
			return (struct bytes){ item.p + len + 1, item.n - len - 1 };
		if (!is_cookie && item.n == len && len && memcmp(item.p, name, len) == 0)
			return (struct bytes){ item.p + len, 0 };
	}
	return (struct bytes){ NULL, 0 };
}

static void check_lists(struct http_request *r, const char *name, struct bytes text)
{
	struct bytes got = query_parameter(text, name), expected = find(text, name, '&', false);

	must_be_inside(got, text);
	if (*name && !strpbrk(name, "&="))
		must(got.p == expected.p && got.n == expected.n);
	r->headers[HTTP_COOKIE] = text;
	got = http_request_cookie(r, name);
	expected = find(text, name, ';', true);
	must_be_inside(got, text);
	if (*name && !strpbrk(name, "; \t="))
		must(got.p == expected.p && got.n == expected.n);
}

static void check_etags(const char *needle, struct bytes list)
{
	struct bytes etag = bytes_of(needle);
	bool matches;

	if (etag.n < 2 || needle[0] != '"' || needle[etag.n - 1] != '"' ||
	    memchr(needle + 1, '"', etag.n - 2))
		return;
	matches = http_etag_matches(list, etag);
	must(!matches || bytes_equal(list, BYTES("*")) || memmem(list.p, list.n, etag.p, etag.n));
	if (bytes_equal(list, etag))
		must(matches);
}

/* --- origins ---------------------------------------------------------------------- */

static bool may_be_subdomain(struct bytes origin)
{
	static const char before[] = "https://", after[] = ".example.com";
	size_t b = sizeof(before) - 1, a = sizeof(after) - 1;

	if (origin.n <= b + a || strncasecmp(origin.p, before, b) != 0 ||
	    strncasecmp(origin.p + origin.n - a, after, a) != 0)
		return false;
	for (size_t i = b; i < origin.n - a; i++)
		if (!isalnum((unsigned char)origin.p[i]) && !memchr("-._[]", origin.p[i], 5))
			return false;
	return true;
}

static void check_origin(struct http_request *r, struct bytes origin)
{
	struct http_origin_rule rules[] = { http_origin_rule(BYTES("https://*.example.com")),
		http_origin_rule(BYTES("http://exact.example:81")) };
	struct http_client client = { .host = BYTES("us.example") };
	struct http_origins origins = { .allowed = rules, .count = 2 };
	struct http_head head;
	bool allowed, expected;

	http_origin_is_valid(origin);
	r->headers[HTTP_ORIGIN] = origin;
	if (origin.n == 0)
		return;
	allowed =
	    http_origin_check(&origins, &client, r, HTTP_ORIGIN_IF_SHOWN) == HTTP_ORIGIN_ALLOWED;
	expected = may_be_subdomain(origin) || bytes_equal_nocase(origin, rules[1].text) ||
	           bytes_equal_nocase(origin, BYTES("http://us.example"));
	must(allowed == (expected && origin.n <= HTTP_ECHO_MAX));
	http_head_init(&head, 200);
	http_origin_add_headers(&origins, &client, r, &head);
	must((memmem(head.text, head.len, "Access-Control-Allow-Origin", 27) != NULL) == allowed);
	must(memmem(head.text, head.len, "Vary: Origin\r\n", 14) != NULL);
}

/* --- proxies ---------------------------------------------------------------------- */

/* What is read of a Forwarded header stands in it. */
static void check_forwarded(struct bytes text)
{
	struct http_forwarded elements[HTTP_HOPS_MAX];
	size_t count;

	if (!http_forwarded_parse(text, elements, &count))
		return;
	must(count <= text.n);
	for (size_t i = 0; i < count && i < HTTP_HOPS_MAX; i++) {
		must_be_inside(elements[i].node, text);
		must_be_inside(elements[i].host, text);
		must_be_inside(elements[i].proto, text);
	}
}

static void check_host(struct bytes text)
{
	struct bytes rule = BYTES("*.example.com");
	const struct http_hosts hosts = { .local = true, .allowed = &rule, .count = 1 };

	http_host_is_valid(text);
	must(!http_host_is_allowed(&hosts, text) || text.n == 0 || memmem(text.p, text.n, ".", 1) ||
	     memchr(text.p, ':', text.n) || strncasecmp(text.p, "localhost", 9) == 0);
}

/* --- paths ------------------------------------------------------------------------ */

static void check_iframe(struct bytes path)
{
	bool is = path.n >= 12 && memcmp(path.p, "/iframe", 7) == 0 &&
	          memcmp(path.p + path.n - 5, ".html", 5) == 0;

	for (size_t i = 7; is && i < path.n - 5; i++)
		is = memchr("0123456789-.abcdefghijklmnopqrstuvwxyz_", path.p[i], 39) != NULL;
	must(iframe_is_path(path) == is);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct http_conn conn;
	const uint8_t *newline = n ? memchr(p, '\n', n) : NULL;
	struct http_request *r;
	struct bytes text;
	char *needle;

	if (!newline || memchr(p, '\0', (size_t)(newline - p)))
		return 0;
	r = calloc(1, sizeof(*r));
	needle =
	    mem_strndup((const char *)p, (size_t)(newline - p)); /* strndup() may look further */
	must(r && needle);
	r->conn = &conn;
	text = (struct bytes){ (const char *)newline + 1, n - (size_t)(newline - p) - 1 };
	check_escapes(text, false);
	check_escapes(text, true);
	check_lists(r, needle, text);
	check_etags(needle, text);
	check_origin(r, text);
	check_forwarded(text);
	check_host(text);
	check_iframe(text);
	mem_free(needle);
	free(r);
	return 0;
}
