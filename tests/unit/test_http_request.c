/*
 * tests/unit/test_http_request.c - what a request says, and which requests are
 * refused because two servers could read them differently.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/percent.h"
#include "http_fixture.h"

#define WITH(header)      "GET / HTTP/1.1\r\nHost: x\r\n" header "\r\n\r\n"
#define POST_WITH(header) "POST / HTTP/1.1\r\nHost: x\r\n" header "\r\n\r\n"

/* --- refusals --------------------------------------------------------------------------------- */

START_TEST(two_lengths_are_refused)
{
	ck_assert_uint_eq(status_of(POST_WITH("Content-Length: 2\r\nContent-Length: 2") "ab"), 400);
	ck_assert_uint_eq(status_of(POST_WITH("Content-Length: 2\r\nContent-Length: 3") "ab"), 400);
	ck_assert_uint_eq(served, 0);
	ck_assert_uint_eq(status_of(POST_WITH("Content-Length: 2") "ab"), 200);
}
END_TEST

START_TEST(a_length_with_chunks_is_refused)
{
	ck_assert_uint_eq(
	    status_of(POST_WITH("Content-Length: 5\r\nTransfer-Encoding: chunked") "0\r\n\r\n"),
	    400);
	ck_assert_uint_eq(
	    status_of(POST_WITH("Transfer-Encoding: chunked\r\nContent-Length: 5") "0\r\n\r\n"),
	    400);
	ck_assert_uint_eq(served, 0);
}
END_TEST

START_TEST(an_unknown_transfer_encoding_is_refused)
{
	ck_assert_uint_eq(status_of(POST_WITH("Transfer-Encoding: gzip") "0\r\n\r\n"), 400);
	ck_assert_uint_eq(
	    status_of(POST_WITH("Transfer-Encoding: gzip, chunked") "0\r\n\r\n"), 400);
	ck_assert_uint_eq(status_of(POST_WITH("Transfer-Encoding: xchunked") "0\r\n\r\n"), 400);
	ck_assert_uint_eq(
	    status_of(
	        POST_WITH("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked") "0\r\n\r\n"),
	    400);
	ck_assert_uint_eq(
	    status_of("POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	    400);
	ck_assert_uint_eq(served, 0);
	ck_assert_ptr_nonnull(
	    strstr(ask(POST_WITH("Transfer-Encoding: chunked") "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
	        "POST /? abc"));
}
END_TEST

START_TEST(a_length_that_is_no_number_is_refused)
{
	static const char *const bad[] = { "+1", "-1", "0x1", "1 1", "1,1", "a", "1a", "",
		"99999999999999999999", "9999999999999999999" };
	char request[200];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		unsigned status;

		snprintf(request, sizeof(request), POST_WITH("Content-Length: %s"), bad[i]);
		status = status_of(request);
		ck_assert_msg(status == 400 || status == 413, "%s: %u", bad[i], status);
	}
	ck_assert_uint_eq(served, 0);
	/* White space around a value is not part of it (RFC 9110 section 5.5) */
	ck_assert_uint_eq(status_of(POST_WITH("Content-Length:   2  ") "ab"), 200);
	ck_assert_uint_eq(status_of(POST_WITH("Content-Length:\t2\t ") "ab"), 200);
}
END_TEST

START_TEST(a_malformed_header_name_is_refused)
{
	ck_assert_uint_eq(status_of(WITH("Bad Name: 1")), 400);
	ck_assert_uint_eq(status_of(WITH("Name : 1")), 400);
	ck_assert_uint_eq(status_of(WITH("Na(me: 1")), 400);
	ck_assert_uint_eq(status_of(WITH("N\xc3\xa9: 1")), 400);
	ck_assert_uint_eq(status_of(WITH(": 1")), 400);
	ck_assert_uint_eq(status_of(WITH(":")), 400);
	ck_assert_uint_eq(status_of(WITH(":\r\nContent-Length: 5") "GET /"), 400);
	ck_assert_uint_eq(status_of("GET / HTTP/1.0\r\n: 1\r\n\r\n"), 400);
	ck_assert_uint_eq(status_of(WITH("Content-Length : 0")), 400);
	ck_assert_uint_eq(served, 0);
}
END_TEST

START_TEST(a_folded_header_is_refused)
{
	ck_assert_uint_eq(status_of(WITH("A: b\r\n c")), 400);
	ck_assert_uint_eq(status_of(WITH("A: b\r\n\tc\r\n: d")), 400);
	ck_assert_uint_eq(status_of(WITH("A:\r\n b")), 400);
	ck_assert_uint_eq(served, 0);
	ck_assert_uint_eq(status_of(WITH("A: b \t ")), 200);
	ck_assert_uint_eq(status_of(WITH("A:")), 200);
	ck_assert_uint_eq(status_of(WITH("A: b \t \r\nB: c ")), 200);
}
END_TEST

/* RFC 9112 section 2.2. */
START_TEST(line_ends_are_as_the_standard_wants_them)
{
	ck_assert_uint_eq(status_of("GET / HTTP/1.1\nHost: x\n\n"), 400);
	ck_assert_uint_eq(status_of("\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
	ck_assert_uint_eq(status_of("GET / HTTP/1.1\rHost: x\r\r"), 400);
}
END_TEST

#define CHUNKED POST_WITH("Transfer-Encoding: chunked") "1\r\na\r\n0\r\n"

START_TEST(a_trailer_does_not_change_the_head)
{
	ck_assert_uint_eq(status_of(CHUNKED " folded\r\nX: y\r\n\r\n"), 400);
	ck_assert_uint_eq(status_of(CHUNKED "\t\x01\r\nX: y\r\n\r\n"), 400);
	ck_assert_uint_eq(served, 0);
	ck_assert_uint_eq(status_of(CHUNKED "X: y\r\n\r\n"), 200);
	ck_assert_uint_eq(status_of(CHUNKED "\r\n"), 200);
}
END_TEST

/* One would end the text here, and not elsewhere: two servers would see two requests. */
START_TEST(a_nul_in_the_head_is_refused)
{
#define HOST "Host: x\r\n"
	static const struct bytes bad[] = {
		BYTES("GET /a\0b HTTP/1.1\r\n" HOST "\r\n"),
		BYTES("GET /a\0 HTTP/1.1\r\n" HOST "\r\n"),
		BYTES("GET /a\0HTTP/1.1\0/b HTTP/1.1\r\n" HOST "\r\n"),
		BYTES("GET /a\0?b HTTP/1.1\r\n" HOST "\r\n"),
		BYTES("GET /a?b\0c HTTP/1.1\r\n" HOST "\r\n"),
		BYTES("GET\0 /a HTTP/1.1\r\n" HOST "\r\n"),
		BYTES("GET /a HTTP/1.1\0\r\n" HOST "\r\n"),
		BYTES("GET /a HTTP/1.1\r\n" HOST "A: b\0c\r\n\r\n"),
		BYTES("GET /a HTTP/1.1\r\n" HOST "A: b\0c\r\nB: c\r\n\r\n"),
		BYTES("GET /a HTTP/1.1\r\n" HOST "A: b\0\r\nB: c\r\n\r\n"),
		BYTES("GET /a HTTP/1.1\r\n" HOST "A: b\0\r\n\r\n"),
		BYTES("GET /a HTTP/1.1\r\n" HOST "A:\0\r\n\r\n"),
		BYTES("GET /a HTTP/1.1\r\n" HOST "A\0: b\r\n\r\n"),
		BYTES("GET /a HTTP/1.1\r\nHost: x\0y\r\n\r\n"),
		BYTES("GET /a HTTP/1.1\r\n\0" HOST "\r\n"),
		BYTES("GET /a HTTP/1.1\r\n" HOST "Content-Length: 0\0 5\r\n\r\n"),
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		unsigned status = status_of_bytes(bad[i].p, bad[i].n);

		ck_assert_msg(status >= 400 && status < 500, "%zu: %u", i, status);
	}
	ck_assert_uint_eq(served, 0);
}
END_TEST

START_TEST(a_control_character_in_a_value_is_refused)
{
	ck_assert_uint_eq(status_of(WITH("A: b\x01")), 400);
	ck_assert_uint_eq(status_of(WITH("A: b\x7f")), 400);
	ck_assert_uint_eq(served, 0);
	ck_assert_uint_eq(status_of(WITH("A: b\tc")), 200);
	ck_assert_uint_eq(status_of(WITH("A: \xc3\xa9")), 200);
}
END_TEST

START_TEST(a_host_stands_once)
{
	ck_assert_uint_eq(status_of("GET / HTTP/1.1\r\n\r\n"), 400);
	ck_assert_uint_eq(status_of(WITH("Host: y")), 400);
	ck_assert_uint_eq(status_of(WITH("hOST: x")), 400);
	ck_assert_uint_eq(served, 0);
	ck_assert_uint_eq(status_of("GET / HTTP/1.0\r\n\r\n"), 200);
}
END_TEST

START_TEST(two_origins_are_refused)
{
	ck_assert_uint_eq(status_of(WITH("Origin: http://a\r\nOrigin: http://b")), 400);
	ck_assert_uint_eq(served, 0);
}
END_TEST

START_TEST(a_nul_in_the_path_is_refused)
{
	ck_assert_uint_eq(status_of(GET("/a%00b")), 400);
	ck_assert_uint_eq(status_of(GET("/%00")), 400);
	ck_assert_uint_eq(served, 0);
	ck_assert_uint_eq(status_of(GET("/a?b=%00")), 200); /* who decodes it sees to it */
}
END_TEST

START_TEST(a_target_that_is_no_path_is_refused)
{
	ck_assert_uint_eq(status_of(GET("relative")), 400);
	ck_assert_uint_eq(status_of(GET("?query")), 400);
	ck_assert_uint_eq(status_of(GET("*x")), 400);
	ck_assert_uint_eq(status_of(GET("ftp://x/y")), 400);
	ck_assert_uint_eq(served, 0);
	ck_assert_uint_eq(status_of("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
}
END_TEST

/* What no method begins with need not end to be refused. */
START_TEST(what_is_no_request_is_answered_at_once)
{
	static const struct bytes foreign[] = { BYTES("\0"), BYTES("\0\0\0GET / HTTP/1.1\r\n"),
		BYTES("\x16\x03\x01"), BYTES("\x05\x01"), BYTES(" GET"), BYTES("\r\n\x80") };

	for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++) {
		int fd = client_new();

		say_bytes(fd, foreign[i].p, foreign[i].n);
		hear(fd, "HTTP/1.1 400 ");
		ck_assert_uint_eq(count_of(hear_end(fd), "HTTP/1.1 "), 1);
		close(fd);
	}
}
END_TEST

START_TEST(chunks_may_have_extensions)
{
	ck_assert_ptr_nonnull(strstr(
	    ask(POST_WITH("Transfer-Encoding: chunked") "2;a=b;c=\"d\"\r\nab\r\n1 ; x\r\nc\r\n"
	                                                "0;last\r\nX: y\r\n\r\n"),
	    "POST /? abc"));
	ck_assert_uint_eq(
	    status_of(POST_WITH("Transfer-Encoding: chunked") "1\r\nab\r\n0\r\n\r\n"), 400);
	ck_assert_uint_eq(
	    status_of(POST_WITH("Transfer-Encoding: chunked") "-1\r\na\r\n0\r\n\r\n"), 400);
	ck_assert_uint_eq(
	    status_of(POST_WITH("Transfer-Encoding: chunked") "1\na\n0\n\n"), 400);
	ck_assert_uint_eq(
	    status_of(POST_WITH("Transfer-Encoding: chunked") "fffffffffffffffff\r\n"), 400);
}
END_TEST

START_TEST(garbage_is_answered_with_400)
{
	ck_assert_uint_eq(status_of("garbage\r\n\r\n"), 400);
	ck_assert_uint_eq(status_of("\x16\x03\x01\x02\x00\x01\r\n\r\n"), 400);
	ck_assert_uint_eq(served, 0);
}
END_TEST

/* Not only when the time for a head is over. */
START_TEST(more_than_any_head_without_a_blank_is_answered)
{
	char flood[40000];
	unsigned status;

	memset(flood, 'X', sizeof(flood) - 1);
	flood[sizeof(flood) - 1] = '\0';
	status = status_of(flood);
	ck_assert_msg(status == 400 || status == 414, "%u", status);
	memcpy(flood, "FOO /", 5);
	status = status_of(flood);
	ck_assert_msg(status == 400 || status == 414, "%u", status);
	ck_assert_uint_eq(served, 0);
}
END_TEST

/* --- how long a head may be ------------------------------------------------------------ */

/* What is repeated, in a request that is complete without it. */
struct head_of_many {
	const char *before, *many, *after;
};

/* Answered if it fits, refused if it does not, and there is nothing between. */
static unsigned status_with(const struct head_of_many *head, size_t n)
{
	static char request[60000];
	size_t at = strlen(head->before), len = strlen(head->many);
	unsigned before = served, status;

	ck_assert_uint_lt(at + n * len + strlen(head->after), sizeof(request));
	memcpy(request, head->before, at);
	for (; n > 0; n--, at += len)
		memcpy(request + at, head->many, len);
	strcpy(request + at, head->after);
	status = status_of(request);
	ck_assert_msg(status == 200 || status == 431, "%s: %u", head->many, status);
	ck_assert_uint_eq(served, status == 200 ? before + 1 : before);
	return status;
}

START_TEST(a_head_of_header_bytes_is_the_longest)
{
	static const struct head_of_many head = { "GET / HTTP/1.1\r\nHost: x\r\nA: ", "a",
		"\r\n\r\n" };
	size_t rest = strlen(head.before) + strlen(head.after);

	for (size_t n = limits.header_bytes - 700; n <= limits.header_bytes + 700; n += 25)
		ck_assert_uint_eq(
		    status_with(&head, n - rest), n <= limits.header_bytes ? 200 : 431);
	ck_assert_uint_eq(status_with(&head, limits.header_bytes - rest), 200);
	ck_assert_uint_eq(status_with(&head, limits.header_bytes - rest + 1), 431);
}
END_TEST

/* Each costs libmicrohttpd memory beside its text. */
START_TEST(a_head_of_very_many_fields_is_answered)
{
	static const struct head_of_many heads[] = {
		{ "GET / HTTP/1.1\r\nHost: x\r\n", "A: b\r\n", "\r\n" },
		{ "GET / HTTP/1.1\r\nHost: x\r\n", "A:\r\n", "\r\n" },
		{ "GET / HTTP/1.1\r\nHost: x\r\n", "Cookie: a=b\r\n", "\r\n" },
		{ "GET / HTTP/1.1\r\nHost: x\r\nCookie: a=b", ";a=b", "\r\n\r\n" },
		{ "GET / HTTP/1.1\r\nHost: x\r\nCookie: ", ";", "\r\n\r\n" },
		{ "GET / HTTP/1.1\r\nHost: x\r\nCookie: ", ",", "\r\n\r\n" },
		{ POST("/", "0\r\n"), "A: b\r\n", "\r\n" },
		{ CHUNKED, "A: b\r\n", "\r\n" },
	};

	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		ck_assert_uint_eq(status_with(&heads[i], 200), 200);
		for (size_t n = 205; n < 400; n += 3)
			status_with(&heads[i], n);
		if (strncmp(heads[i].many, "A", 1) == 0)
			ck_assert_uint_eq(status_with(&heads[i], 5000), 431);
	}
}
END_TEST

START_TEST(a_refusal_closes_and_says_so)
{
	const char *response = ask(POST_WITH(
	    "Content-Length: 2\r\nContent-Length: 3") "abGET / HTTP/1.1\r\nHost: x\r\n\r\n");

	ck_assert_uint_eq(count_of(response, "HTTP/1.1 "), 1);
	ck_assert_ptr_nonnull(strstr(response, "Connection: close\r\n"));
	ck_assert_uint_eq(http_server_counters(server)->bad_requests, 1);
}
END_TEST

/* --- the view --------------------------------------------------------------------- */

START_TEST(path_and_query_are_raw)
{
	ck_assert_ptr_nonnull(
	    strstr(ask(GET("/a%2Fb/%C3%A9?x=%20&y")), "GET /a%2Fb/%C3%A9?x=%20&y "));
	ck_assert_ptr_nonnull(strstr(ask(GET("/a?b?c")), "GET /a?b?c "));
	ck_assert_ptr_nonnull(strstr(ask(GET("/a?")), "GET /a? "));
	ck_assert_ptr_nonnull(strstr(ask(GET("//a//")), "GET //a//? "));
}
END_TEST

/* libmicrohttpd must not take it apart: its pool holds some 250 parameters. */
START_TEST(a_query_may_have_very_many_parameters)
{
	static char request[3000];
	size_t n;

	memset(request, '&', sizeof(request));
	memcpy(request, "GET /a?", 7);
	for (size_t first = 100; first <= 2000; first += 1900) {
		int fd = client_new();

		n = (size_t)snprintf(request + 2000, 1000, "x=1 HTTP/1.1\r\nHost: x\r\n\r\n") +
		    2000;
		for (int again = 0; again < 2; again++) {
			say_bytes(fd, request, first);
			settle();
			say_bytes(fd, request + first, n - first);
			ck_assert_ptr_nonnull(strstr(hear(fd, "&&x=1 "), "GET /a?&&&"));
			hear_anew(fd);
		}
		close(fd);
	}
}
END_TEST

START_TEST(the_absolute_form_is_a_path_too)
{
	ck_assert_ptr_nonnull(strstr(ask(GET("http://x/a?b")), "GET /a?b "));
	ck_assert_ptr_nonnull(strstr(ask(GET("HTTPS://x:1")), "GET /? "));
	ck_assert_ptr_nonnull(strstr(ask(GET("http://x/")), "GET /? "));
}
END_TEST

static struct {
	bool found, is_1_1, keeps;
	char value[64];
	unsigned headers;
	int lines;
} seen;

static void copy(struct bytes b)
{
	seen.found = b.p != NULL;
	ck_assert_uint_lt(b.n, sizeof(seen.value));
	if (b.n)
		memcpy(seen.value, b.p, b.n);
	seen.value[b.n] = '\0';
}

static void count_header(struct bytes name, struct bytes value, void *arg)
{
	ck_assert_ptr_eq(arg, &seen);
	ck_assert(name.n > 0 && value.p);
	seen.headers++;
}

static void look_at_cookie(struct http_request *r)
{
	copy(http_request_cookie(r, "id"));
	http_respond_text(r, 200, "ok");
}

static const char *cookie(const char *header)
{
	char request[300];

	serving = look_at_cookie;
	snprintf(request, sizeof(request), WITH("Cookie: %s"), header);
	ck_assert_uint_eq(status_of(request), 200);
	return seen.found ? seen.value : NULL;
}

START_TEST(a_cookie_is_found_by_its_whole_name)
{
	ck_assert_str_eq(cookie("id=1"), "1");
	ck_assert_str_eq(cookie("a=b; id=1; c=d"), "1");
	ck_assert_str_eq(cookie("a=b;id=1 ;c=d"), "1");
	ck_assert_str_eq(cookie("id=a=b"), "a=b");
	ck_assert_str_eq(cookie("id="), "");
	ck_assert_str_eq(cookie("id=1; id=2"), "1");
	ck_assert_ptr_null(cookie("xid=1"));
	ck_assert_ptr_null(cookie("idx=1"));
	ck_assert_ptr_null(cookie("ID=1"));
	ck_assert_ptr_null(cookie("id"));
	ck_assert_ptr_null(cookie("a=id=1"));
	ck_assert_ptr_null(cookie(";;; "));
}
END_TEST

static void look_at_headers(struct http_request *r)
{
	struct buf joined = BUF_INIT;

	seen.headers = 0;
	http_request_each_header(r, count_header, &seen);
	seen.lines = http_request_join_header(r, "x-own", &joined);
	copy((struct bytes){ buf_data(&joined), buf_len(&joined) });
	buf_fini(&joined);
	ck_assert(bytes_equal(http_request_header(r, HTTP_CONTENT_TYPE), BYTES("text/plain")));
	ck_assert_ptr_null(http_request_header(r, HTTP_COOKIE).p);
	ck_assert_int_eq(http_request_peer(r)->family, AF_INET);
	ck_assert(!http_request_is_tls(r));
	http_respond_text(r, 200, "ok");
}

START_TEST(headers_are_found_by_name_in_any_case)
{
	serving = look_at_headers;
	ck_assert_uint_eq(
	    status_of(WITH("content-TYPE: text/plain\r\nX-OWN: v w\r\nX-Own: second")), 200);
	ck_assert(seen.found);
	ck_assert_str_eq(seen.value, "v w, second");
	ck_assert_int_eq(seen.lines, 2);
	ck_assert_uint_eq(seen.headers, 4);
}
END_TEST

static enum http_header looked_for;

static void look_at_one(struct http_request *r)
{
	copy(http_request_header(r, looked_for));
	http_respond_text(r, 200, "ok");
}

/* What two lines of a header are read as; "400" if they are refused. */
static const char *read_twice(const char *name, enum http_header h)
{
	char request[300];

	looked_for = h;
	serving = look_at_one;
	snprintf(request, sizeof(request),
	    "GET / HTTP/1.1\r\n%s%s: a\r\nX-Between: -\r\n%s:b , c \r\n\r\n",
	    h == HTTP_HOST ? "" : "Host: x\r\n", name, name);
	if (status_of(request) == 400)
		return "400";
	return seen.found ? seen.value : "nothing";
}

START_TEST(the_lines_of_a_list_are_one_list)
{
	ck_assert_str_eq(read_twice("x-forwarded-FOR", HTTP_X_FORWARDED_FOR), "a, b , c");
	ck_assert_str_eq(read_twice("X-Forwarded-Proto", HTTP_X_FORWARDED_PROTO), "a, b , c");
	ck_assert_str_eq(read_twice("X-Forwarded-Host", HTTP_X_FORWARDED_HOST), "a, b , c");
	ck_assert_str_eq(read_twice("Forwarded", HTTP_FORWARDED), "a, b , c");
	ck_assert_str_eq(read_twice("Connection", HTTP_CONNECTION), "a, b , c");
	ck_assert_str_eq(read_twice("If-None-Match", HTTP_IF_NONE_MATCH), "a, b , c");
	ck_assert_str_eq(
	    read_twice("Access-Control-Request-Headers", HTTP_ACCESS_CONTROL_REQUEST_HEADERS),
	    "a, b , c");
	ck_assert_str_eq(read_twice("Cookie", HTTP_COOKIE), "a; b , c");
}
END_TEST

START_TEST(what_may_stand_once_only_is_refused_twice)
{
	static const struct {
		const char *name;
		enum http_header h;
	} single[] = {
		{ "Host", HTTP_HOST },
		{ "Origin", HTTP_ORIGIN },
		{ "referer", HTTP_REFERER },
		{ "Authorization", HTTP_AUTHORIZATION },
		{ "Content-Type", HTTP_CONTENT_TYPE },
		{ "Sec-Fetch-Site", HTTP_SEC_FETCH_SITE },
	};

	for (size_t i = 0; i < sizeof(single) / sizeof(*single); i++)
		ck_assert_msg(strcmp(read_twice(single[i].name, single[i].h), "400") == 0, "%s",
		    single[i].name);
	ck_assert_uint_eq(served, 0);
}
END_TEST

/* Two of them, so that the one does not move the other. */
static void look_at_two(struct http_request *r)
{
	struct bytes a = http_request_header(r, HTTP_X_FORWARDED_FOR),
	             b = http_request_header(r, HTTP_COOKIE);
	char text[200];

	snprintf(text, sizeof(text), "%.*s|%.*s", (int)a.n, a.p, (int)b.n, b.p);
	http_respond_text(r, 200, text);
}

START_TEST(several_headers_may_come_on_several_lines)
{
	serving = look_at_two;
	ck_assert_ptr_nonnull(
	    strstr(ask(WITH("X-Forwarded-For: 1\r\nCookie: a=1\r\nX-Forwarded-For: 2\r\n"
	                    "Cookie: b=2\r\nCookie:\r\nX-Forwarded-For: 3\r\nConnection: close")),
	        "1, 2, 3|a=1; b=2; "));
}
END_TEST

START_TEST(a_cookie_may_stand_in_any_line)
{
	ck_assert_str_eq(cookie("a=1\r\nCookie: id=2"), "2");
	ck_assert_str_eq(cookie("a=1;\r\nCookie: b=3\r\nCookie: id=2; id=4"), "2");
}
END_TEST

static void look_at_version(struct http_request *r)
{
	seen.is_1_1 = http_request_is_1_1(r);
	seen.keeps = http_request_keeps_alive(r);
	http_respond_text(r, 200, "ok");
}

START_TEST(a_connection_is_kept_as_version_and_header_say)
{
	serving = look_at_version;
	status_of("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	ck_assert(seen.is_1_1 && seen.keeps);
	status_of("GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade, Close\r\n\r\n");
	ck_assert(seen.is_1_1 && !seen.keeps);
	status_of("GET / HTTP/1.0\r\nHost: x\r\n\r\n");
	ck_assert(!seen.is_1_1 && !seen.keeps);
	status_of("GET / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n");
	ck_assert(!seen.is_1_1 && seen.keeps);
	status_of("GET / HTTP/1.1\r\nHost: x\r\nConnection: closed\r\n\r\n");
	ck_assert(seen.keeps);
}
END_TEST

/* --- URL pieces ------------------------------------------------------------------- */

static ssize_t decode(const char *raw, bool plus, char out[16])
{
	ssize_t n = percent_decode(bytes_of(raw), plus, out, 15);

	out[n > 0 ? n : 0] = '\0';
	return n;
}

START_TEST(percent_escapes_are_decoded)
{
	char out[16];

	ck_assert_int_eq(decode("a%41%4a%4Ab", false, out), 5);
	ck_assert_str_eq(out, "aAJJb");
	ck_assert_int_eq(decode("%00", false, out), 1);
	ck_assert_int_eq(out[0], '\0');
	ck_assert_int_eq(decode("%2541", false, out), 3); /* once */
	ck_assert_str_eq(out, "%41");
	ck_assert_int_eq(decode("a+b", false, out), 3);
	ck_assert_str_eq(out, "a+b");
	ck_assert_int_eq(decode("a+b", true, out), 3);
	ck_assert_str_eq(out, "a b");
	ck_assert_int_eq(decode("", false, out), 0);
}
END_TEST

START_TEST(a_bad_escape_is_refused)
{
	char out[16];

	ck_assert_int_eq(decode("%", false, out), -EINVAL);
	ck_assert_int_eq(decode("%4", false, out), -EINVAL);
	ck_assert_int_eq(decode("%g0", false, out), -EINVAL);
	ck_assert_int_eq(decode("%0g", false, out), -EINVAL);
	ck_assert_int_eq(decode("%%41", false, out), -EINVAL);
	ck_assert_int_eq(decode("%-1", false, out), -EINVAL);
	ck_assert_int_eq(decode("0123456789abcdef", false, out), -E2BIG);
}
END_TEST

START_TEST(an_escape_is_decoded_in_place)
{
	char text[] = "%61%62c";

	ck_assert_int_eq(percent_decode((struct bytes){ text, 7 }, false, text, 7), 3);
	ck_assert_mem_eq(text, "abc", 3);
}
END_TEST

static const char *parameter(const char *query, const char *name)
{
	struct bytes b = query_parameter(bytes_of(query), name);

	copy(b);
	return seen.found ? seen.value : NULL;
}

START_TEST(a_parameter_is_found_by_its_whole_name)
{
	ck_assert_str_eq(parameter("c=1", "c"), "1");
	ck_assert_str_eq(parameter("a=b&c=1&d", "c"), "1");
	ck_assert_str_eq(parameter("c=1&c=2", "c"), "1");
	ck_assert_str_eq(parameter("c=a=b", "c"), "a=b");
	ck_assert_str_eq(parameter("c=%20", "c"), "%20");
	ck_assert_str_eq(parameter("c", "c"), "");
	ck_assert_str_eq(parameter("c=", "c"), "");
	ck_assert_str_eq(parameter("&&c=1", "c"), "1");
	ck_assert_ptr_null(parameter("cc=1", "c"));
	ck_assert_ptr_null(parameter("xc=1", "c"));
	ck_assert_ptr_null(parameter("a=c", "c"));
	ck_assert_ptr_null(parameter("", "c"));
	ck_assert_ptr_null(parameter("C=1", "c"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_request");
	TCase *wire = tcase_create("wire"), *url = tcase_create("url");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(wire, http_setup, http_teardown);
	tcase_set_timeout(wire, 60);
	tcase_add_test(wire, two_lengths_are_refused);
	tcase_add_test(wire, a_length_with_chunks_is_refused);
	tcase_add_test(wire, an_unknown_transfer_encoding_is_refused);
	tcase_add_test(wire, a_length_that_is_no_number_is_refused);
	tcase_add_test(wire, a_malformed_header_name_is_refused);
	tcase_add_test(wire, a_folded_header_is_refused);
	tcase_add_test(wire, line_ends_are_as_the_standard_wants_them);
	tcase_add_test(wire, a_trailer_does_not_change_the_head);
	tcase_add_test(wire, a_nul_in_the_head_is_refused);
	tcase_add_test(wire, a_control_character_in_a_value_is_refused);
	tcase_add_test(wire, a_host_stands_once);
	tcase_add_test(wire, two_origins_are_refused);
	tcase_add_test(wire, a_nul_in_the_path_is_refused);
	tcase_add_test(wire, a_target_that_is_no_path_is_refused);
	tcase_add_test(wire, what_is_no_request_is_answered_at_once);
	tcase_add_test(wire, chunks_may_have_extensions);
	tcase_add_test(wire, garbage_is_answered_with_400);
	tcase_add_test(wire, more_than_any_head_without_a_blank_is_answered);
	tcase_add_test(wire, a_head_of_header_bytes_is_the_longest);
	tcase_add_test(wire, a_head_of_very_many_fields_is_answered);
	tcase_add_test(wire, a_refusal_closes_and_says_so);
	tcase_add_test(wire, path_and_query_are_raw);
	tcase_add_test(wire, a_query_may_have_very_many_parameters);
	tcase_add_test(wire, the_absolute_form_is_a_path_too);
	tcase_add_test(wire, a_cookie_is_found_by_its_whole_name);
	tcase_add_test(wire, headers_are_found_by_name_in_any_case);
	tcase_add_test(wire, the_lines_of_a_list_are_one_list);
	tcase_add_test(wire, what_may_stand_once_only_is_refused_twice);
	tcase_add_test(wire, several_headers_may_come_on_several_lines);
	tcase_add_test(wire, a_cookie_may_stand_in_any_line);
	tcase_add_test(wire, a_connection_is_kept_as_version_and_header_say);
	suite_add_tcase(suite, wire);
	tcase_add_test(url, percent_escapes_are_decoded);
	tcase_add_test(url, a_bad_escape_is_refused);
	tcase_add_test(url, an_escape_is_decoded_in_place);
	tcase_add_test(url, a_parameter_is_found_by_its_whole_name);
	suite_add_tcase(suite, url);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
