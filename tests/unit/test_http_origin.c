/*
 * tests/unit/test_http_origin.c - which pages may talk to us: exact rules, exact headers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/http_origin.h"
#include "http_fixture.h"

static struct bytes rules[8];
static struct http_origins origins;
static struct cidr proxies[1];
static struct http_trust trust;
static char seen[4096];

static void allow(const char *list)
{
	origins = (struct http_origins){ .allowed = rules, .trust = &trust };
	for (; *list; list += strcspn(list, " ") + (list[strcspn(list, " ")] != '\0')) {
		rules[origins.count] = (struct bytes){ list, strcspn(list, " ") };
		ck_assert(http_origin_is_valid(rules[origins.count]));
		origins.any |= bytes_equal(rules[origins.count], BYTES("*"));
		origins.count++;
	}
}

static void check_origin(struct http_request *r)
{
	struct http_head head;

	http_head_init(&head, http_origin_check(&origins, r) == HTTP_ORIGIN_ALLOWED ? 200 : 403);
	http_origin_add_headers(&origins, r, &head);
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

START_TEST(requested_headers_come_back_if_they_are_few)
{
	char header[3000] =
	    "Origin: https://example.com\r\nAccess-Control-Request-Headers: X-A, x-b\r\n";

	allow("https://example.com");
	ck_assert(allowed_with(header));
	ck_assert_uint_eq(count_of(seen, "Access-Control-Allow-Headers: X-A, x-b\r\n"), 1);
	strcpy(header, "Access-Control-Request-Headers: ");
	memset(header + strlen(header), 'x', HTTP_ECHO_MAX + 1);
	strcpy(header + 32 + HTTP_ECHO_MAX + 1, "\r\n");
	allowed_with(header);
	ck_assert_uint_eq(count_of(seen, "Access-Control-Allow-Headers"), 0);
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

START_TEST(behind_a_trusted_proxy_its_scheme_is_ours)
{
	allow("");
	ck_assert(!allowed_with("Origin: https://us.example:8080\r\nX-Forwarded-Proto: https\r\n"));
	ck_assert_int_eq(cidr_parse(BYTES("127.0.0.0/8"), proxies), 0);
	trust = (struct http_trust){ proxies, 1 };
	ck_assert(allowed_with("Origin: https://us.example:8080\r\nX-Forwarded-Proto: https\r\n"));
	ck_assert(!allowed_with("Origin: http://us.example:8080\r\nX-Forwarded-Proto: https\r\n"));
	trust.count = 0;
}
END_TEST

/* --- who the client is ------------------------------------------------------------------------ */

static void tell_client(struct http_request *r)
{
	char text[ADDR_TEXT_MAX];
	struct addr client = http_client_address(&trust, r);

	http_respond_text(r, 200, addr_print(&client, false, text));
}

static const char *client_of(const char *forwarded)
{
	char request[1000];

	serving = tell_client;
	snprintf(request, sizeof(request),
	    "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: %s\r\n\r\n", forwarded);
	snprintf(seen, sizeof(seen), "%s", ask(request));
	seen[strlen(seen) - 1] = '\0';
	return strstr(seen, "\r\n\r\n") + 4;
}

START_TEST(only_a_trusted_proxy_may_say_who_the_client_is)
{
	trust.count = 0;
	ck_assert_str_eq(client_of("192.0.2.1"), "127.0.0.1");
	ck_assert_int_eq(cidr_parse(BYTES("127.0.0.0/8"), proxies), 0);
	trust = (struct http_trust){ proxies, 1 };
	ck_assert_str_eq(client_of("192.0.2.1"), "192.0.2.1");
	ck_assert_str_eq(client_of("192.0.2.1:4711"), "192.0.2.1");
	ck_assert_str_eq(client_of("[2001:db8::1]:4711"), "2001:db8::1");
	ck_assert_str_eq(client_of("2001:db8::1"), "2001:db8::1");
	ck_assert_str_eq(client_of("10.9.9.9, 192.0.2.1"), "192.0.2.1"); /* the rest is hearsay */
	ck_assert_str_eq(client_of("10.9.9.9, 192.0.2.1 ,127.0.0.7"), "192.0.2.1");
	ck_assert_str_eq(client_of("192.0.2.1, nonsense"), "127.0.0.1");
	ck_assert_str_eq(client_of(",,,"), "127.0.0.1");
	trust.count = 0;
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

START_TEST(frame_ancestors_are_the_list)
{
	struct http_head head;

	allow("https://example.com null https://*.example.org");
	http_head_init(&head, 200);
	http_origin_add_frame_ancestors(&origins, &head);
	head.text[head.len] = '\0';
	ck_assert_str_eq(head.text,
	    "Content-Security-Policy: frame-ancestors 'self' https://example.com "
	    "https://*.example.org\r\n");
	allow("*");
	http_head_init(&head, 200);
	http_origin_add_frame_ancestors(&origins, &head);
	ck_assert_uint_eq(head.len, 0);
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
	tcase_add_test(tc, requested_headers_come_back_if_they_are_few);
	tcase_add_test(tc, an_origin_that_is_too_long_is_refused);
	tcase_add_test(tc, behind_a_trusted_proxy_its_scheme_is_ours);
	tcase_add_test(tc, only_a_trusted_proxy_may_say_who_the_client_is);
	tcase_add_test(tc, a_rule_is_an_origin_and_nothing_more);
	tcase_add_test(tc, frame_ancestors_are_the_list);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
