/*
 * tests/unit/test_http_origin.c - which pages may talk to us: exact rules, exact headers;
 * and which hosts may be asked for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/hosts.h"
#include "policy/origin.h"
#include "http_fixture.h"

static struct http_origin_rule rules[64];
static struct http_origins origins;
static struct cidr proxies[1];
static struct http_trust trust;
static enum http_origin_evidence evidence;
static char seen[4096];

static void allow(const char *list)
{
	origins = (struct http_origins){ .allowed = rules };
	evidence = HTTP_ORIGIN_UNLESS_FOREIGN;
	for (; *list; list += strcspn(list, " ") + (list[strcspn(list, " ")] != '\0')) {
		struct bytes text = { list, strcspn(list, " ") };

		rules[origins.count] = http_origin_rule(text);
		ck_assert(http_origin_is_valid(text));
		origins.any |= bytes_equal(text, BYTES("*"));
		origins.count++;
	}
}

static void check_origin(struct http_request *r)
{
	struct http_client client;
	struct http_head head;

	ck_assert_ptr_null(http_client_read(&trust, r, &client));
	http_head_init(&head,
	    http_origin_check(&origins, &client, r, evidence) == HTTP_ORIGIN_ALLOWED ? 200 : 403);
	http_origin_add_headers(&origins, &client, r, &head);
	http_respond(r, &head, (struct bytes){ 0 });
}

static bool allowed_with(const char *headers)
{
	char request[4096];

	snprintf(
	    request, sizeof(request), "GET / HTTP/1.1\r\nHost: us.example:8080\r\n%s\r\n", headers);
	serving = check_origin;
	snprintf(seen, sizeof(seen), "%s", ask(request));
	return atoi(seen + 9) == 200;
}

static bool allowed(const char *origin)
{
	char header[3000];

	snprintf(header, sizeof(header), "Origin: %s\r\n", origin);
	return allowed_with(header);
}

START_TEST(an_origin_matches_as_a_whole)
{
	allow("https://example.com https://port.example:8443");
	ck_assert(allowed("https://example.com"));
	ck_assert(allowed("HTTPS://Example.COM"));
	ck_assert(allowed("https://port.example:8443"));
	ck_assert(!allowed("http://example.com"));
	ck_assert(!allowed("https://example.com:443"));
	ck_assert(!allowed("https://port.example"));
	ck_assert(!allowed("https://www.example.com"));
	ck_assert(!allowed("https://example.com.evil"));
	ck_assert(!allowed("https://evilexample.com"));
	ck_assert(!allowed("https://example.co"));
	ck_assert(!allowed("https://example.com/"));
	ck_assert(!allowed("https://example.com https://evil"));
	ck_assert(!allowed("null"));
	ck_assert(!allowed("*"));
}
END_TEST

START_TEST(a_star_stands_for_whole_labels)
{
	allow("https://*.example.com http://*.example.org:81");
	ck_assert(allowed("https://a.example.com"));
	ck_assert(allowed("https://a.b.example.com"));
	ck_assert(allowed("https://A.EXAMPLE.com"));
	ck_assert(allowed("http://a.example.org:81"));
	ck_assert(!allowed("https://example.com"));
	ck_assert(!allowed("https://.example.com"));
	ck_assert(!allowed("https://evilexample.com"));
	ck_assert(!allowed("http://a.example.com"));
	ck_assert(!allowed("https://a.example.com:1"));
	ck_assert(!allowed("https://evil/.example.com"));
	ck_assert(!allowed("https://evil?.example.com"));
	ck_assert(!allowed("https://evil#.example.com"));
	ck_assert(!allowed("https://evil@.example.com"));
	ck_assert(!allowed("https://evil:1.example.com"));
	ck_assert(!allowed("https://evil .example.com"));
	ck_assert(!allowed("http://a.example.org"));
}
END_TEST

START_TEST(our_own_pages_are_always_allowed)
{
	allow("");
	ck_assert(allowed("http://us.example:8080"));
	ck_assert(!allowed("https://us.example:8080"));
	ck_assert(!allowed("http://us.example"));
	ck_assert(!allowed("http://other.example:8080"));
	ck_assert(!allowed("null"));
}
END_TEST

START_TEST(null_is_allowed_if_it_is_listed)
{
	allow("null");
	ck_assert(allowed("null"));
	ck_assert(!allowed("https://example.com"));
}
END_TEST

START_TEST(an_allowed_origin_is_named_with_credentials)
{
	allow("https://example.com");
	allowed("https://example.com");
	ck_assert_uint_eq(
	    count_of(seen, "Access-Control-Allow-Origin: https://example.com\r\n"), 1);
	ck_assert_uint_eq(count_of(seen, "Access-Control-Allow-Credentials: true\r\n"), 1);
	ck_assert_uint_eq(count_of(seen, "Vary: Origin\r\n"), 1);
	allowed("https://evil.example");
	ck_assert_uint_eq(count_of(seen, "Access-Control-Allow-"), 0);
	ck_assert_uint_eq(count_of(seen, "Vary: Origin\r\n"), 1);
}
END_TEST

START_TEST(a_star_is_never_told_with_credentials)
{
	allow("*");
	ck_assert(allowed("https://anybody.example"));
	ck_assert_uint_eq(
	    count_of(seen, "Access-Control-Allow-Origin: https://anybody.example\r\n"), 1);
	ck_assert(allowed_with(""));
	ck_assert_uint_eq(count_of(seen, "Access-Control-Allow-Origin: *\r\n"), 1);
	ck_assert_uint_eq(count_of(seen, "Credentials"), 0);
}
END_TEST

START_TEST(a_request_without_origin_is_allowed_but_not_from_another_site)
{
	allow("");
	ck_assert(allowed_with(""));
	ck_assert(allowed_with("Sec-Fetch-Site: same-origin\r\n"));
	ck_assert(allowed_with("Sec-Fetch-Site: none\r\n"));
	ck_assert(!allowed_with("Sec-Fetch-Site: cross-site\r\n"));
	allow("*");
	ck_assert(allowed_with("Sec-Fetch-Site: cross-site\r\n"));
}
END_TEST

/* A script element, say, and plain http, to which browsers send no Sec-Fetch-Site. */
START_TEST(where_evidence_is_wanted_silence_is_refused)
{
	allow("https://friend.example");
	evidence = HTTP_ORIGIN_IF_SHOWN;
	ck_assert(!allowed_with(""));
	ck_assert(!allowed_with("Sec-Fetch-Site: none\r\n"));
	ck_assert(!allowed_with("Sec-Fetch-Site: same-site\r\n"));
	ck_assert(!allowed_with("Sec-Fetch-Site: cross-site\r\n"));
	ck_assert(!allowed_with("Referer: http://evil.example/\r\n"));
	ck_assert(!allowed_with("Referer: http://us.example:8080.evil.example/\r\n"));
	ck_assert(!allowed_with("Referer: http://evil.example/http://us.example:8080/\r\n"));
	ck_assert(!allowed_with("Origin: http://evil.example\r\n"
	                        "Referer: http://us.example:8080/\r\n"));
	ck_assert(allowed_with("Sec-Fetch-Site: same-origin\r\n"));
	ck_assert(allowed_with("Referer: http://us.example:8080/page?x#y\r\n"));
	ck_assert(allowed_with("Referer: https://friend.example/\r\n"));
	ck_assert(allowed_with("Referer: https://friend.example\r\n"));
	ck_assert(
	    allowed_with("Sec-Fetch-Site: cross-site\r\nReferer: https://friend.example/\r\n"));
	ck_assert(allowed_with("Origin: https://friend.example\r\n"));
	allow("*");
	evidence = HTTP_ORIGIN_IF_SHOWN;
	ck_assert(allowed_with(""));
	ck_assert(allowed_with("Sec-Fetch-Site: cross-site\r\n"));
}
END_TEST

START_TEST(requested_headers_come_back)
{
	allow("https://example.com");
	ck_assert(
	    allowed_with("Origin: https://example.com\r\nAccess-Control-Request-Headers: X-A\r\n"
	                 "Access-Control-Request-Headers: x-b\r\n"));
	ck_assert_uint_eq(count_of(seen, "Access-Control-Allow-Headers: X-A, x-b\r\n"), 1);
}
END_TEST

START_TEST(an_origin_that_is_too_long_is_refused)
{
	char origin[HTTP_ECHO_MAX + 2] = "https://";

	allow("*");
	memset(origin + 8, 'x', HTTP_ECHO_MAX - 8);
	ck_assert(allowed(origin));
	origin[HTTP_ECHO_MAX] = 'x';
	ck_assert(!allowed(origin));
	ck_assert_uint_eq(count_of(seen, "xxxxxxxx"), 0);
}
END_TEST

static void trust_loopback(void)
{
	ck_assert_int_eq(cidr_parse(BYTES("127.0.0.0/8"), proxies), 0);
	trust = (struct http_trust){ .proxies = proxies, .count = 1 };
}

#define OUR_HTTPS "Origin: https://us.example:8080\r\n"

START_TEST(behind_a_trusted_proxy_its_scheme_is_ours)
{
	allow("");
	ck_assert(!allowed_with(OUR_HTTPS "X-Forwarded-Proto: https\r\n"));
	trust_loopback();
	ck_assert(allowed_with(OUR_HTTPS "X-Forwarded-Proto: https\r\n"));
	ck_assert(allowed_with(OUR_HTTPS "X-Forwarded-Proto: wss\r\n"));
	ck_assert(allowed_with(OUR_HTTPS "X-Forwarded-Proto: http, HTTPS\r\n"));
	ck_assert(
	    allowed_with(OUR_HTTPS "X-Forwarded-Proto: http\r\nX-Forwarded-Proto: https\r\n"));
	ck_assert(allowed_with(OUR_HTTPS "Forwarded: proto=https\r\n"));
	ck_assert(!allowed_with(OUR_HTTPS "X-Forwarded-Proto: https, ws\r\n"));
	ck_assert(!allowed_with(OUR_HTTPS "X-Forwarded-Proto: spdy\r\n"));
	ck_assert(!allowed_with("Origin: http://us.example:8080\r\nX-Forwarded-Proto: https\r\n"));
	ck_assert(allowed_with("Origin: http://us.example:8080\r\nX-Forwarded-Proto: ws\r\n"));
	trust.count = 0;
}
END_TEST

#define PAGE "Origin: https://page.example\r\nX-Forwarded-Proto: https\r\n"

START_TEST(behind_a_trusted_proxy_the_host_it_was_asked_for_is_ours)
{
	allow("");
	ck_assert(!allowed_with(PAGE "X-Forwarded-Host: page.example\r\n"));
	trust_loopback();
	ck_assert(allowed_with(PAGE "X-Forwarded-Host: page.example\r\n"));
	ck_assert(allowed_with(PAGE "X-Forwarded-Host: page.example:443\r\n"));
	ck_assert(allowed_with(PAGE "X-Forwarded-Host: evil.example, page.example\r\n"));
	ck_assert(allowed_with("Origin: https://page.example\r\n"
	                       "Forwarded: host=page.example;proto=https\r\n"));
	ck_assert(!allowed_with(PAGE "X-Forwarded-Host: page.example, us.example\r\n"));
	ck_assert(!allowed_with(PAGE "X-Forwarded-Host: page.example:80\r\n"));
	/* Not a host: as if it were not there */
	ck_assert(!allowed_with(PAGE "X-Forwarded-Host: page.example/\r\n"));
	ck_assert(allowed_with(OUR_HTTPS "X-Forwarded-Proto: https\r\nX-Forwarded-Host: a b\r\n"));
	trust.count = 0;
}
END_TEST

/* --- who the client is ------------------------------------------------------------------------ */

static void tell_client(struct http_request *r)
{
	char text[ADDR_TEXT_MAX], all[400];
	struct http_client client;
	const char *wrong = http_client_read(&trust, r, &client);

	snprintf(all, sizeof(all), "%s %s://%.*s", addr_print(&client.address, false, text),
	    client.is_tls ? "https" : "http", (int)client.host.n, client.host.p);
	http_respond_text(r, wrong ? 400 : 200, wrong ? wrong : all);
}

/* "ADDRESS SCHEME://HOST", or what is wrong. */
static const char *told(const char *headers)
{
	char request[4000];

	serving = tell_client;
	snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", headers);
	snprintf(seen, sizeof(seen), "%s", ask(request));
	seen[strlen(seen) - 1] = '\0';
	return strstr(seen, "\r\n\r\n") + 4;
}

/* The address alone. */
static const char *client_of(const char *forwarded)
{
	static char text[200];
	char header[2000];

	snprintf(header, sizeof(header), "X-Forwarded-For: %s\r\n", forwarded);
	snprintf(text, sizeof(text), "%s", told(header));
	*strchr(text, ' ') = '\0';
	return text;
}

START_TEST(only_a_trusted_proxy_may_say_who_the_client_is)
{
	trust.count = 0;
	ck_assert_str_eq(client_of("192.0.2.1"), "127.0.0.1");
	ck_assert_str_eq(
	    told("Forwarded: for=192.0.2.1;proto=https;host=y\r\n"), "127.0.0.1 http://x");
	ck_assert_str_eq(told("Forwarded: \"\r\n"), "127.0.0.1 http://x");
	trust_loopback();
	ck_assert_str_eq(client_of("192.0.2.1"), "192.0.2.1");
	ck_assert_str_eq(client_of("192.0.2.1:4711"), "192.0.2.1");
	ck_assert_str_eq(client_of("[2001:db8::1]:4711"), "2001:db8::1");
	ck_assert_str_eq(client_of("2001:db8::1"), "2001:db8::1");
	ck_assert_str_eq(client_of("10.9.9.9, 192.0.2.1"), "192.0.2.1"); /* the rest is hearsay */
	ck_assert_str_eq(client_of("10.9.9.9, 192.0.2.1 ,127.0.0.7"), "192.0.2.1");
	ck_assert_str_eq(client_of("192.0.2.1, nonsense"), "127.0.0.1");
	ck_assert_str_eq(client_of(",,,"), "127.0.0.1");
	ck_assert_str_eq(client_of("192.0.2.1,, "), "192.0.2.1");
	ck_assert_str_eq(client_of("192.0.2.1, unknown"), "127.0.0.1");
	trust.count = 0;
}
END_TEST

/* HAProxy's option forwardfor appends a line of its own. */
START_TEST(a_line_that_the_client_has_sent_does_not_hide_that_of_the_proxy)
{
	trust_loopback();
	ck_assert_str_eq(
	    told("X-Forwarded-For: 10.0.0.1\r\nX-Own: 1\r\nx-forwarded-for: 203.0.113.9\r\n"),
	    "203.0.113.9 http://x");
	ck_assert_str_eq(told("Forwarded: for=10.0.0.1;host=evil;proto=https\r\n"
	                      "Forwarded: for=203.0.113.9;host=y;proto=http\r\n"),
	    "203.0.113.9 http://y");
	ck_assert_str_eq(told("X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Host: evil\r\n"
	                      "X-Forwarded-Host: y\r\nX-Forwarded-Proto: https\r\n"
	                      "X-Forwarded-Proto: http\r\n"),
	    "203.0.113.9 http://y");
	trust.count = 0;
}
END_TEST

/* The scheme and the host are those that the outermost trusted proxy was asked for, if all say so.
 */
START_TEST(behind_several_trusted_proxies_the_outermost_tells)
{
	trust_loopback();
	ck_assert_str_eq(told("X-Forwarded-For: evil, 203.0.113.9, 127.0.0.2\r\n"
	                      "X-Forwarded-Proto: http, https, http\r\n"
	                      "X-Forwarded-Host: evil, outer, inner\r\n"),
	    "203.0.113.9 https://outer");
	ck_assert_str_eq(told("X-Forwarded-For: 203.0.113.9, 127.0.0.2\r\n"
	                      "X-Forwarded-Proto: https\r\nX-Forwarded-Host: outer\r\n"),
	    "203.0.113.9 https://outer");
	ck_assert_str_eq(
	    told("Forwarded: for=evil;host=evil, for=203.0.113.9;host=outer;proto=https, "
	         "for=127.0.0.2;host=inner;proto=http\r\n"),
	    "203.0.113.9 https://outer");
	trust.count = 0;
}
END_TEST

START_TEST(forwarded_is_read_as_rfc_7239_has_it)
{
	static const struct {
		const char *value, *told;
	} cases[] = {
		{ "for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60 http://x" },
		{ "For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17 http://x" },
		{ "for=\"[2001:db8::1]\"", "2001:db8::1 http://x" },
		{ "for=\"192.0.2.1:80\"", "192.0.2.1 http://x" },
		{ "for=192.0.2.1:80", "192.0.2.1 http://x" }, /* not by the book, but frequent */
		{ "for=192.0.2.43, for=198.51.100.17", "198.51.100.17 http://x" },
		{ "for=192.0.2.43,for=127.0.0.9", "192.0.2.43 http://x" },
		{ "for=unknown;proto=wss;host=y", "127.0.0.1 https://y" },
		{ "for=_hidden, for=127.0.0.9;host=inner", "127.0.0.9 http://x" },
		{ "for=\"_gazonk\";host=\"y:8080\"", "127.0.0.1 http://y:8080" },
		{ "by=\"a, for=10.0.0.1\";for=192.0.2.1", "192.0.2.1 http://x" },
		{ "by=\"\\\", for=10.0.0.1\";for=192.0.2.1", "192.0.2.1 http://x" },
		{ " , ;for=192.0.2.1 ; host=y;, ", "192.0.2.1 http://y" },
		{ "host=\"y\\\"z\"", "127.0.0.1 http://x" },
		{ "", "127.0.0.1 http://x" },
	};
	static const char *const malformed[] = { "for=\"192.0.2.1", "for", "for=", "=1",
		"for=a;for=b", "for=\"a\"b", "for=a b", "\"for=a\"", "for=\"\\" };
	char header[300];

	trust_loopback();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(header, sizeof(header), "Forwarded: %s\r\n", cases[i].value);
		ck_assert_msg(strcmp(told(header), cases[i].told) == 0, "%s: %s", cases[i].value,
		    told(header));
	}
	for (size_t i = 0; i < sizeof(malformed) / sizeof(*malformed); i++) {
		snprintf(header, sizeof(header), "Forwarded: %s\r\n", malformed[i]);
		ck_assert_msg(strcmp(told(header), "The Forwarded header is malformed.") == 0,
		    "%s: %s", malformed[i], told(header));
	}
	trust.count = 0;
}
END_TEST

#define BOTH "X-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.2;host=y;proto=https\r\n"

/* A client may send what its proxy does not set. */
START_TEST(one_family_of_headers_counts_and_no_mixture)
{
	trust_loopback();
	ck_assert_str_eq(told(BOTH), "192.0.2.1 http://x");
	ck_assert_str_eq(
	    told("X-Forwarded-Proto: http\r\nForwarded: for=192.0.2.2\r\n"), "127.0.0.1 http://x");
	trust.headers = HTTP_PROXY_FORWARDED;
	ck_assert_str_eq(told(BOTH), "192.0.2.2 https://y");
	ck_assert_str_eq(told("X-Forwarded-For: 192.0.2.1\r\n"), "127.0.0.1 http://x");
	trust.headers = HTTP_PROXY_X_FORWARDED;
	ck_assert_str_eq(told(BOTH), "192.0.2.1 http://x");
	ck_assert_str_eq(told("Forwarded: for=192.0.2.2\r\n"), "127.0.0.1 http://x");
	trust = (struct http_trust){ 0 };
}
END_TEST

/* So that the way back to the client is not longer than the list of those we trust times so many.
 */
START_TEST(the_way_through_proxies_has_an_end)
{
	char list[1500] = "X-Forwarded-For: 192.0.2.1",
	     forwarded[1500] = "Forwarded: for=192.0.2.1";

	trust_loopback();
	for (int i = 1; i < HTTP_HOPS_MAX; i++) {
		strcat(list, ",127.0.0.2");
		strcat(forwarded, ",for=127.0.0.2");
	}
	strcat(list, "\r\n");
	strcat(forwarded, "\r\n");
	ck_assert_str_eq(told(list), "192.0.2.1 http://x");
	ck_assert_str_eq(told(forwarded), "192.0.2.1 http://x");
	strcat(list, "X-Forwarded-For: 127.0.0.3\r\n");
	strcat(forwarded, "Forwarded: for=127.0.0.3\r\n");
	ck_assert_str_eq(told(list), "Too many proxies.");
	ck_assert_str_eq(told(forwarded), "Too many proxies.");
	trust.count = 0;
}
END_TEST

/* --- hosts ------------------------------------------------------------------------------------ */

static bool serves(const char *const *list, bool local, const char *host)
{
	struct bytes allowed[8];
	struct http_hosts hosts = { .local = local, .allowed = allowed };

	for (; *list; list++) {
		ck_assert(http_host_is_valid(bytes_of(*list)));
		allowed[hosts.count++] = bytes_of(*list);
	}
	return http_host_is_allowed(&hosts, bytes_of(host));
}

START_TEST(a_host_is_allowed_by_its_whole_name)
{
	static const char *const list[] = { "a.example", "*.b.example", "192.0.2.1", "2001:db8::1",
		NULL };
	static const char *const good[] = { "a.example", "A.Example:8080", "a.example.",
		"x.b.example", "x.y.b.example:1", "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]",
		"[2001:DB8:0::1]:80", "" };
	static const char *const bad[] = { "b.example", "xb.example", "a.example.evil",
		"evil-a.example", "a.example:80.evil", "[::1]x", "[::1]:80:80", ".b.example.evil",
		"192.0.2.2", "[::1]", "localhost", "[a.example]", "a.example]", ":80" };

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		ck_assert_msg(serves(list, false, good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(!serves(list, false, bad[i]), "%s", bad[i]);
}
END_TEST

START_TEST(the_internal_address_may_be_asked_for_by_what_nobody_can_rebind)
{
	static const char *const list[] = { "metrics.example", NULL };
	static const char *const good[] = { "localhost", "LOCALHOST:9", "127.0.0.1:9", "[::1]:9",
		"10.1.2.3", "metrics.example:9" };
	static const char *const bad[] = { "evil.example", "localhost.evil.example",
		"127.0.0.1.evil", "1.2.3" };

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		ck_assert_msg(serves(list, true, good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(!serves(list, true, bad[i]), "%s", bad[i]);
}
END_TEST

START_TEST(a_star_allows_every_host)
{
	static const char *const list[] = { "*", NULL };

	ck_assert(serves(list, false, "evil.example"));
	ck_assert(serves(list, false, "192.0.2.1:80"));
}
END_TEST

START_TEST(a_rule_for_hosts_is_a_name_or_an_address_and_nothing_more)
{
	static const char *const bad[] = { "", "a:80", "http://a", "a/", "*.", "*a", "a.*", "[a]",
		".a", "a.", "a b", "**" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(!http_host_is_valid(bytes_of(bad[i])), "%s", bad[i]);
}
END_TEST

/* --- rules ------------------------------------------------------------------------ */

START_TEST(a_rule_is_an_origin_and_nothing_more)
{
	static const char *const good[] = { "*", "null", "http://a", "https://*.a.b:1",
		"https://[::1]:80", "capacitor://localhost" };
	static const char *const bad[] = { "", "a", "://a", "http://", "http://a/", "http://a b",
		"http://a?b", "http://*", "http://a.*.b", "http://*.", "ht tp://a", "http://u@a",
		"http://**.a" };

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		ck_assert_msg(http_origin_is_valid(bytes_of(good[i])), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(!http_origin_is_valid(bytes_of(bad[i])), "%s", bad[i]);
}
END_TEST

static const char *ancestors(void)
{
	static char text[4096];
	struct buf line = BUF_INIT;

	ck_assert_int_eq(http_origin_frame_ancestors(&origins, &line), 0);
	ck_assert_uint_lt(buf_len(&line), sizeof(text));
	snprintf(text, sizeof(text), "%.*s", (int)buf_len(&line), line.data ? buf_data(&line) : "");
	buf_fini(&line);
	return text;
}

START_TEST(frame_ancestors_are_the_list)
{
	allow("https://example.com null https://*.example.org");
	ck_assert_str_eq(ancestors(),
	    "Content-Security-Policy: frame-ancestors 'self' https://example.com "
	    "https://*.example.org\r\n");
	allow("");
	ck_assert_str_eq(ancestors(), "Content-Security-Policy: frame-ancestors 'self'\r\n");
	allow("*");
	ck_assert_str_eq(ancestors(), "");
}
END_TEST

START_TEST(frame_ancestors_are_all_of_a_long_list)
{
	char list[60 * 64] = "";

	for (int i = 0; i < 60; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list),
		    "%shttps://customer-number-%02d.example.com", i ? " " : "", i);
	allow(list);
	ck_assert_uint_eq(count_of(ancestors(), " https://customer-number-"), 60);
	ck_assert_ptr_nonnull(strstr(ancestors(), " https://customer-number-59.example.com\r\n"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_origin");
	TCase *tc = tcase_create("origin");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, http_setup, http_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, an_origin_matches_as_a_whole);
	tcase_add_test(tc, a_star_stands_for_whole_labels);
	tcase_add_test(tc, our_own_pages_are_always_allowed);
	tcase_add_test(tc, null_is_allowed_if_it_is_listed);
	tcase_add_test(tc, an_allowed_origin_is_named_with_credentials);
	tcase_add_test(tc, a_star_is_never_told_with_credentials);
	tcase_add_test(tc, a_request_without_origin_is_allowed_but_not_from_another_site);
	tcase_add_test(tc, where_evidence_is_wanted_silence_is_refused);
	tcase_add_test(tc, requested_headers_come_back);
	tcase_add_test(tc, an_origin_that_is_too_long_is_refused);
	tcase_add_test(tc, behind_a_trusted_proxy_its_scheme_is_ours);
	tcase_add_test(tc, behind_a_trusted_proxy_the_host_it_was_asked_for_is_ours);
	tcase_add_test(tc, only_a_trusted_proxy_may_say_who_the_client_is);
	tcase_add_test(tc, a_line_that_the_client_has_sent_does_not_hide_that_of_the_proxy);
	tcase_add_test(tc, behind_several_trusted_proxies_the_outermost_tells);
	tcase_add_test(tc, forwarded_is_read_as_rfc_7239_has_it);
	tcase_add_test(tc, one_family_of_headers_counts_and_no_mixture);
	tcase_add_test(tc, the_way_through_proxies_has_an_end);
	tcase_add_test(tc, a_host_is_allowed_by_its_whole_name);
	tcase_add_test(tc, the_internal_address_may_be_asked_for_by_what_nobody_can_rebind);
	tcase_add_test(tc, a_star_allows_every_host);
	tcase_add_test(tc, a_rule_for_hosts_is_a_name_or_an_address_and_nothing_more);
	tcase_add_test(tc, a_rule_is_an_origin_and_nothing_more);
	tcase_add_test(tc, frame_ancestors_are_the_list);
	tcase_add_test(tc, frame_ancestors_are_all_of_a_long_list);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
