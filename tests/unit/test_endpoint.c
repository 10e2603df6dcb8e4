/*
 * tests/unit/test_endpoint.c - the grammar of URLs: which path is answered by what,
 * whatever the method. What the answers look like is for the wire scenarios.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fakes/gateway.h"
#include "fakes/raw_client.h"
#include "sockjs.h"

static struct gateway gateway;
static const struct sockjs_callbacks app;

static void setup(void)
{
	static const char *const one[] = { "threads", "1", NULL };
	static const char *const all[] = { "allowed_origins", "*", NULL };
	static const char *const few[] = { "allowed_origins", "*", "transports",
		"jsonp,eventsource", NULL };
	static const char *const polling[] = { "transports", "jsonp", NULL };

	gateway_init(&gateway, one);
	gateway_add(&gateway, "/a", &app, NULL, all);
	gateway_add(&gateway, "/a/b", &app, NULL, few);
	gateway_add(&gateway, "/same", &app, NULL, polling);
	gateway_start(&gateway);
}

static void teardown(void)
{
	gateway_fini(&gateway);
}

static unsigned status_with(const char *method, const char *path, const char *lines)
{
	struct raw_client c;
	char text[2048];
	int n = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: here.example\r\n%s\r\n",
	    method, path, lines);
	unsigned status;

	raw_open(&c, gateway.port);
	raw_write(&c, text, (size_t)n);
	raw_expect_next(&c, "HTTP/1.1 ");
	raw_expect_more(&c, 3);
	status = (unsigned)atoi(c.in);
	raw_close(&c);
	return status;
}

struct answer {
	const char *method, *path;
	unsigned status;
};

/* "SEND" is a POST of one message. */
static unsigned status_of(const char *method, const char *path)
{
	if (strcmp(method, "SEND") == 0)
		return status_with("POST", path, "Content-Length: 5\r\n\r\n[\"x\"]");
	return status_with(
	    method, path, strcmp(method, "POST") == 0 ? "Content-Length: 0\r\n" : "");
}

static void check(const struct answer *answers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned status = status_of(answers[i].method, answers[i].path);

		ck_assert_msg(status == answers[i].status, "%s %s is %u, and not %u",
		    answers[i].method, answers[i].path, status, answers[i].status);
	}
}

#define CHECK(answers) check(answers, sizeof(answers) / sizeof(*(answers)))

START_TEST(a_prefix_is_whole_segments_and_the_longest_counts)
{
	static const struct answer answers[] = {
		{ "GET", "/a", 200 },
		{ "GET", "/a/", 200 },
		{ "GET", "/a?q", 200 },
		{ "HEAD", "/a", 200 },
		{ "POST", "/a", 405 },
		{ "GET", "/", 404 },
		{ "GET", "/ab", 404 },
		{ "GET", "/A", 404 },
		{ "GET", "/a//", 404 },
		{ "GET", "/a/b", 200 },
		{ "GET", "/a/b/info", 200 },
		{ "GET", "/a/c", 404 },
		{ "GET", "/%61", 404 },
		{ "POST", "/a/x/y/xhr", 200 },
		{ "POST", "/a/b/y/xhr", 404 },
	};

	CHECK(answers);
}
END_TEST

START_TEST(fixed_pages_have_their_names_and_methods)
{
	static const struct answer answers[] = {
		{ "GET", "/a/info", 200 },
		{ "OPTIONS", "/a/info", 204 },
		{ "PUT", "/a/info", 405 },
		{ "GET", "/a/info/", 404 },
		{ "GET", "/a/infos", 404 },
		{ "GET", "/a/iframe.html", 200 },
		{ "GET", "/a/iframe-1.2-x.html?t=1", 200 },
		{ "GET", "/a/IFRAME.html", 404 },
		{ "GET", "/a/iframe.htm", 404 },
		{ "GET", "/a/iframe/.html", 404 },
		{ "GET", "/a/iframe", 404 },
	};

	CHECK(answers);
}
END_TEST

START_TEST(a_session_url_has_three_segments_and_the_first_two_are_neither_empty_nor_dotted)
{
	static const struct answer answers[] = {
		{ "POST", "/a/0/s1/xhr", 200 },
		{ "POST", "/a/0/s1/xhr/", 404 },
		{ "POST", "/a/0/s1/xhr/x", 404 },
		{ "POST", "/a//s1/xhr", 404 },
		{ "POST", "/a/0//xhr", 404 },
		{ "POST", "/a/0/s1//xhr", 404 },
		{ "POST", "/a/s1/xhr", 404 },
		{ "POST", "/a/0/s1", 404 },
		{ "POST", "/a/0/s1/", 404 },
		{ "POST", "/a/0.0/s1/xhr", 404 },
		{ "POST", "/a/0/s.1/xhr", 404 },
		{ "POST", "/a/0/%2e/xhr", 404 },
		{ "GET", "/a/0/s.1/xhr", 404 },
		{ "DELETE", "/a/0/s.1/xhr", 404 },
		{ "POST", "/a/0/s1;x=y/xhr", 404 },
		{ "POST", "/a/0/s1/XHR", 404 },
		{ "POST", "/a/0/s1/poll", 404 },
		{ "POST", "/a/0/s1/websocket_raw", 404 },
	};

	CHECK(answers);
}
END_TEST

START_TEST(an_escape_in_an_id_is_decoded_and_is_never_structure)
{
	static const struct answer answers[] = {
		{ "POST", "/a/0/x%41/xhr", 200 },
		{ "SEND", "/a/0/xA/xhr_send", 204 },
		{ "SEND", "/a/1/x%41/xhr_send", 204 },
		{ "SEND", "/a/0/xa/xhr_send", 404 },
		{ "SEND", "/a/0/x%2541/xhr_send", 404 },
		{ "POST", "/a/0/x%2Fy/xhr", 200 },
		{ "SEND", "/a/0/x%2fy/xhr_send", 204 },
		{ "SEND", "/a/0/x/y/xhr_send", 404 },
		{ "POST", "/a/0/nul%00one/xhr", 400 },
		{ "SEND", "/a/0/nul/xhr_send", 404 },
		{ "POST", "/a/0/%zz/xhr", 404 },
	};

	CHECK(answers);
}
END_TEST

START_TEST(an_id_has_a_greatest_length)
{
	char path[1024] = "/a/0/";
	size_t n = strlen(path);

	memset(path + n, 'x', 256);
	strcpy(path + n + 256, "/xhr");
	ck_assert_uint_eq(status_of("POST", path), 200);
	memset(path + n, 'x', 257);
	strcpy(path + n + 257, "/xhr");
	ck_assert_uint_eq(status_of("POST", path), 404);
}
END_TEST

START_TEST(each_transport_has_its_method)
{
	static const struct answer answers[] = {
		{ "GET", "/a/0/s/xhr", 405 },
		{ "OPTIONS", "/a/0/s/xhr", 204 },
		{ "GET", "/a/0/s/xhr_send", 405 },
		{ "OPTIONS", "/a/0/s/xhr_send", 204 },
		{ "GET", "/a/0/s/xhr_streaming", 405 },
		{ "POST", "/a/0/s/eventsource", 405 },
		{ "POST", "/a/0/s/htmlfile", 405 },
		{ "OPTIONS", "/a/0/s/htmlfile", 405 },
		{ "POST", "/a/0/s/jsonp", 405 },
		{ "GET", "/a/0/s/jsonp_send", 405 },
		{ "GET", "/a/0/s/jsonp", 500 },
		{ "POST", "/a/0/s/websocket", 405 },
		{ "GET", "/a/0/s/websocket", 400 },
		{ "GET", "/a/websocket", 400 },
		{ "POST", "/a/websocket", 405 },
	};

	CHECK(answers);
}
END_TEST

START_TEST(what_an_endpoint_does_not_offer_is_not_there)
{
	static const struct answer answers[] = {
		{ "POST", "/a/b/0/s/xhr", 404 },
		{ "POST", "/a/b/0/s/xhr_streaming", 404 },
		{ "GET", "/a/b/0/s/htmlfile?c=x", 404 },
		{ "GET", "/a/b/0/s/websocket", 404 },
		{ "GET", "/a/b/websocket", 404 },
		{ "GET", "/a/b/0/s/jsonp", 500 },
		{ "POST", "/a/b/0/s/jsonp_send", 500 },
		{ "POST", "/a/b/0/s/xhr_send", 500 }, /* eventsource needs it */
		{ "POST", "/same/0/s/xhr_send", 404 },
	};

	CHECK(answers);
}
END_TEST

START_TEST(origins_are_checked_before_anything_of_a_session)
{
	ck_assert_uint_eq(
	    status_with("GET", "/same/0/s/jsonp", "Origin: http://there.example\r\n"), 403);
	ck_assert_uint_eq(
	    status_with("GET", "/same/info", "Origin: http://there.example\r\n"), 403);
	ck_assert_uint_eq(
	    status_with("GET", "/same/0/s/jsonp", "Origin: http://here.example\r\n"), 500);
	ck_assert_uint_eq(status_with("GET", "/same/0/s/jsonp", ""), 403);
	ck_assert_uint_eq(
	    status_with("GET", "/same/0/s/jsonp", "Sec-Fetch-Site: same-origin\r\n"), 500);
	ck_assert_uint_eq(
	    status_with("GET", "/same/0/s/jsonp", "Referer: http://here.example/a\r\n"), 500);
	ck_assert_uint_eq(
	    status_with("GET", "/a/0/s/jsonp", "Origin: http://there.example\r\n"), 500);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("endpoint");
	TCase *tc = tcase_create("endpoint");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_prefix_is_whole_segments_and_the_longest_counts);
	tcase_add_test(tc, fixed_pages_have_their_names_and_methods);
	tcase_add_test(
	    tc, a_session_url_has_three_segments_and_the_first_two_are_neither_empty_nor_dotted);
	tcase_add_test(tc, an_escape_in_an_id_is_decoded_and_is_never_structure);
	tcase_add_test(tc, an_id_has_a_greatest_length);
	tcase_add_test(tc, each_transport_has_its_method);
	tcase_add_test(tc, what_an_endpoint_does_not_offer_is_not_there);
	tcase_add_test(tc, origins_are_checked_before_anything_of_a_session);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
