/*
 * tests/unit/test_http_known.c - heads that were read before: the same but for what is plain in
 * their gaps, or not.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "http/http_known.h"

#define OPENING(target, key, more)                                                                 \
	"GET " target " HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"      \
	"Sec-WebSocket-Key: " key "\r\n" more "\r\n"
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define SEND(target, length)                                                                       \
	"POST " target " HTTP/1.1\r\nHost: a\r\nContent-Length: " length "\r\n\r\n"

static const struct http_memo_key key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
static struct http_known known;

/* False: not for recognising. */
static bool hash_of(const char *head, uint64_t hash[2])
{
	struct http_frame frame = { 0 };
	struct http_field fields[32];
	struct bytes in = bytes_of(head);

	ck_assert_int_eq(http_frame_head(&frame, in, 65536), HTTP_FRAME_WHOLE);
	ck_assert_uint_le(frame.fields, 32);
	http_frame_fields(&frame, head, fields);
	return http_known_hash(&key, head, &frame, fields, hash);
}

static void learn(const char *head)
{
	uint64_t hash[2];

	ck_assert(hash_of(head, hash));
	http_known_add(&known, hash);
}

static bool is_known(const char *head)
{
	uint64_t hash[2];

	return hash_of(head, hash) && http_known_has(&known, hash);
}

static void forget(void)
{
	memset(&known, 0, sizeof(known));
}

START_TEST(a_head_is_known_whatever_is_in_its_gaps)
{
	ck_assert(!is_known(OPENING("/echo/123/abc/websocket", KEY, "")));
	learn(OPENING("/echo/123/abc/websocket", KEY, ""));
	ck_assert(is_known(OPENING("/echo/123/abc/websocket", KEY, "")));
	ck_assert(is_known(OPENING("/chat/9/x_y-z~.1/websocket", "AAAAAAAAAAAAAAAAAAA+/A==", "")));
	ck_assert(is_known(OPENING("/", KEY, "")));
	ck_assert(is_known(OPENING("/echo?t=17&n=a-b", KEY, "")));
	ck_assert(is_known(OPENING("/echo?", KEY, "")));
	learn(SEND("/echo/1/a/xhr_send", "5"));
	ck_assert(is_known(SEND("/echo/2/b/xhr_send?t=1", "12345")));
	ck_assert(is_known(SEND("/echo/2/b/xhr_send?t=1", "0")));
}
END_TEST

START_TEST(anything_else_makes_another_head)
{
	static const char *const others[] = {
		"POST /echo HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n",
		"GET /echo HTTP/1.0\r\nHost: a\r\nA: b\r\n\r\n",
		"GET /echo HTTP/1.1\r\nHost: b\r\nA: b\r\n\r\n",
		"GET /echo HTTP/1.1\r\nHost:  a\r\nA: b\r\n\r\n",
		"GET /echo HTTP/1.1\r\nHost: a \r\nA: b\r\n\r\n",
		"GET /echo HTTP/1.1\r\nhost: a\r\nA: b\r\n\r\n",
		"GET /echo HTTP/1.1\r\nA: b\r\nHost: a\r\n\r\n",
		"GET /echo HTTP/1.1\r\nHost: a\r\nA: b\r\nC:\r\n\r\n",
		"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /echo HTTP/1.1\r\nHost: a\r\nA: b\r\nContent-Length: 0\r\n\r\n",
		"GET /echo HTTP/1.1\r\nHost: a\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET /echo HTTP/1.1\r\nHost: a\r\nA: b\r\nX-Real-IP: 1.2.3.4\r\n\r\n",
	};

	learn("GET /echo HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n");
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		ck_assert_msg(!is_known(others[i]), "%s", others[i]);
}
END_TEST

/* What means something to some reader stands in no gap: a target like this is not for recognising,
 * and a value like this makes another head. */
START_TEST(only_what_is_plain_stands_in_a_gap)
{
	static const char *const targets[] = { "*", "http://a/echo", "/a%00b", "/a%2fb", "/a;b",
		"/a\"b", "/a\\b", "/?a?b", "/?a=%41", "/?a=b+c", "/\xc3\xa4", "/a#b", "//a:b",
		"/?a[]=1", "/a{b}" };
	uint64_t hash[2];
	char head[1024];

	for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
		snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", targets[i]);
		ck_assert_msg(!hash_of(head, hash), "%s", targets[i]);
	}
	learn(OPENING("/echo", KEY, ""));
	ck_assert(!is_known(OPENING("/echo", "", "")));
	ck_assert(!is_known(OPENING("/echo", "a b", "")));
	ck_assert(!is_known(OPENING("/echo", "a,b", "")));
	ck_assert(!is_known(OPENING("/echo", "\xc3\xa4", "")));
	ck_assert(!is_known(OPENING("/echo", KEY, "Sec-WebSocket-Key: " KEY "\r\n")));
	learn(SEND("/echo", "5"));
	ck_assert(!is_known(SEND("/echo", "5 ")));
}
END_TEST

START_TEST(what_proxies_say_of_each_client_is_a_gap)
{
	learn("GET /echo HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\n"
	      "X-Request-ID: 7f-3\r\n\r\n");
	ck_assert(is_known("GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 2001:db8::1, 10.0.0.1\r\n"
	                   "X-Real-IP: ::1\r\nX-Request-ID: 0a_b.c\r\n\r\n"));
	ck_assert(!is_known("GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: \"a\"\r\nX-Real-IP: ::1\r\n"
	                    "X-Request-ID: 0\r\n\r\n"));
	ck_assert(!is_known("GET /x HTTP/1.1\r\nHost: a\r\nX-Real-IP: ::1\r\nX-Forwarded-For: ::1\r\n"
	                    "X-Request-ID: 0\r\n\r\n"));
}
END_TEST

/* Nor may one gap be filled with what belongs to the next. */
START_TEST(gaps_stay_where_they_are)
{
	learn("GET /a HTTP/1.1\r\nHost: a\r\nX-Real-IP: 1\r\nX-Request-ID: 2\r\n\r\n");
	ck_assert(is_known("GET /b HTTP/1.1\r\nHost: a\r\nX-Real-IP: 12\r\nX-Request-ID: 3\r\n\r\n"));
	ck_assert(!is_known("GET /b HTTP/1.1\r\nHost: a\r\nX-Real-IP: \r\nX-Request-ID: 3\r\n\r\n"));
	ck_assert(!is_known("GET /b HTTP/1.1\r\nHost: a\r\nX-Request-ID: 3\r\nX-Real-IP: 1\r\n\r\n"));
}
END_TEST

START_TEST(what_is_long_or_has_many_gaps_is_not_for_recognising)
{
	char head[2 * HTTP_MEMO_MAX], *to;
	uint64_t hash[2];

	snprintf(head, sizeof(head), "GET /%0600d HTTP/1.1\r\nHost: a\r\n\r\n", 0);
	ck_assert(!hash_of(head, hash));
	snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: a\r\nA: %0*d\r\n\r\n", HTTP_MEMO_MAX, 0);
	ck_assert(!hash_of(head, hash));
	to = head + sprintf(head, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < 20; i++)
		to += sprintf(to, "X-Real-IP: 1\r\n");
	strcpy(to, "\r\n");
	ck_assert(!hash_of(head, hash));
}
END_TEST

/* The table is bounded: a stranger who sends ever new heads takes places, and gets no others'. */
START_TEST(more_heads_than_places_push_each_other_out)
{
	unsigned left = 0;
	char head[256];

	for (int i = 0; i < 20 * HTTP_KNOWN_HEADS; i++) {
		snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: %d\r\n\r\n", i);
		ck_assert(!is_known(head));
		learn(head);
		ck_assert(is_known(head));
	}
	for (int i = 0; i < 20 * HTTP_KNOWN_HEADS; i++) {
		snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: %d\r\n\r\n", i);
		left += is_known(head);
	}
	ck_assert_uint_le(left, HTTP_KNOWN_HEADS);
	ck_assert_uint_gt(left, HTTP_KNOWN_HEADS / 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_known");
	TCase *tc = tcase_create("http_known");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, forget, NULL);
	tcase_add_test(tc, a_head_is_known_whatever_is_in_its_gaps);
	tcase_add_test(tc, anything_else_makes_another_head);
	tcase_add_test(tc, only_what_is_plain_stands_in_a_gap);
	tcase_add_test(tc, what_proxies_say_of_each_client_is_a_gap);
	tcase_add_test(tc, gaps_stay_where_they_are);
	tcase_add_test(tc, what_is_long_or_has_many_gaps_is_not_for_recognising);
	tcase_add_test(tc, more_heads_than_places_push_each_other_out);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
