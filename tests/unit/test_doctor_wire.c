/*
 * test_doctor_wire.c - what the doctor reads of the network: URLs, answers of HTTP, frames in their
 * wrappings, and what the other side says of us. All at once, octet by octet, and when memory is
 * out.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "checkup/answer.h"
#include "checkup/frames.h"
#include "checkup/place.h"
#include "checkup/talk.h"

/* --- places -------------------------------------------------------------------------------- */

static const struct {
	const char *url, *host, *authority, *connect, *prefix; /* no host: it is wrong */
	bool is_tls;
} urls[] = {
	{ "http://a.example/echo", "a.example", "a.example", "a.example:80", "/echo", false },
	{ "https://a.example:443/echo/", "a.example", "a.example", "a.example:443", "/echo", true },
	{ "http://a.example:8080", "a.example", "a.example:8080", "a.example:8080", "", false },
	{ "http://[2001:db8::1]:81/a/b//", "2001:db8::1", "[2001:db8::1]:81", "[2001:db8::1]:81",
	    "/a/b", false },
	{ "https://[::1]", "::1", "[::1]", "[::1]:443", "", true },
	{ .url = "" },
	{ .url = "a.example/echo" },
	{ .url = "ftp://a.example" },
	{ .url = "http://" },
	{ .url = "http:///echo" },
	{ .url = "http://:80/" },
	{ .url = "http://a:0/" },
	{ .url = "http://a:65536/" },
	{ .url = "http://a:8a/" },
	{ .url = "http://a:/" },
	{ .url = "http://[::1/" },
	{ .url = "http://[a]/" },
	{ .url = "http://me@a/" },
	{ .url = "http://a/?q" },
	{ .url = "http://a/#f" },
	{ .url = "http://a/b c" },
	{ .url = "http://a/b\r\nX: y" },
	{ .url = "http://\xc3\xa4/" },
};

START_TEST(a_url_is_read_or_refused)
{
	struct place p;
	int err = place_parse(&p, urls[_i].url);

	ck_assert_msg(err == (urls[_i].host ? 0 : -EINVAL), "%s: %d", urls[_i].url, err);
	if (err < 0)
		return;
	ck_assert_str_eq(p.host, urls[_i].host);
	ck_assert_str_eq(p.authority, urls[_i].authority);
	ck_assert_str_eq(p.connect, urls[_i].connect);
	ck_assert_str_eq(p.prefix, urls[_i].prefix);
	ck_assert(p.is_tls == urls[_i].is_tls);
}
END_TEST

START_TEST(a_place_too_long_is_refused)
{
	char url[2000];
	struct place p;

	for (int n = 200; n < 1900; n += 100) {
		snprintf(url, sizeof(url), "http://%0*d", n, 1);
		ck_assert_int_eq(place_parse(&p, url), n > 255 ? -EINVAL : 0);
		snprintf(url, sizeof(url), "http://a/%0*d", n, 1);
		ck_assert_int_eq(place_parse(&p, url), n > 510 ? -EINVAL : 0);
	}
	ck_assert_int_eq(place_parse_proxy(&p, "proxy:3128"), 0);
	ck_assert_int_eq(p.port, 3128);
	ck_assert_int_eq(place_parse_proxy(&p, "http://proxy:3128/"), 0);
	ck_assert_int_eq(place_parse_proxy(&p, "http://proxy:3128/x"), -EINVAL);
}
END_TEST

/* --- answers ------------------------------------------------------------------------------- */

static const struct {
	const char *text, *body; /* no body: it is wrong */
	unsigned status;
	bool is_whole;
} answers[] = {
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", 200, true },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", "hello", 200, true },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "hel", 200, false },
	{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\nVia: 1.1 x\r\n\r\n", "", 204, true },
	{ "HTTP/1.0 200 OK\r\n\r\nto the end", "to the end", 200, false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
	  "chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
	    "hello", 200, true },
	{ "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n", "he", 403, false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", NULL, 0,
	    false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", NULL, 0, false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", NULL, 0, false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", NULL, 0,
	    false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", NULL, 0, false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhex\r\n", NULL, 0, false },
	{ "220 mail.example ESMTP\r\n", NULL, 0, false },
	{ "HTTP/2 200\r\n\r\n", NULL, 0, false },
};

/* As an exchange reads: what is not used stays. */
static void read_answer(struct answer *a, struct buf *in, struct buf *body, const char *p, size_t n)
{
	struct bytes rest, data;
	size_t before;
	bool more = true;

	ck_assert_int_eq(buf_add(in, p, n), 0);
	rest = (struct bytes){ buf_data(in), buf_len(in) };
	before = rest.n;
	while (more) {
		more = answer_next(a, &rest, &data);
		ck_assert_int_eq(buf_add(body, data.p ? data.p : "", data.n), 0);
	}
	buf_consume(in, before - rest.n);
}

START_TEST(an_answer_is_read_whatever_its_pieces)
{
	const char *text = answers[_i].text;

	for (size_t piece = 1; piece <= strlen(text); piece++) {
		struct answer a;
		struct buf in = BUF_INIT, body = BUF_INIT;

		answer_init(&a);
		for (size_t at = 0; at < strlen(text); at += piece)
			read_answer(&a, &in, &body, text + at,
			    strlen(text) - at < piece ? strlen(text) - at : piece);
		ck_assert_msg(!a.wrong == !!answers[_i].body, "%s: %s", text, a.wrong);
		if (!a.wrong) {
			ck_assert_uint_eq(a.facts.status, answers[_i].status);
			ck_assert_uint_eq(buf_len(&body), strlen(answers[_i].body));
			ck_assert(buf_len(&body) == 0 ||
			          memcmp(buf_data(&body), answers[_i].body, buf_len(&body)) == 0);
			ck_assert(answer_is_whole(&a) == answers[_i].is_whole);
		}
		answer_fini(&a);
		buf_fini(&in);
		buf_fini(&body);
	}
}
END_TEST

START_TEST(what_those_on_the_way_write_is_noted_and_bounded)
{
	char text[4000] = "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nX-Mine: no\r\n";
	struct answer a;
	struct bytes in, data;

	for (int i = 0; i < FACT_HEADERS + 3; i++)
		snprintf(
		    text + strlen(text), sizeof(text) - strlen(text), "via: 1.%d %0200d\r\n", i, i);
	strcat(text, "\r\n");
	in = bytes_of(text);
	answer_init(&a);
	while (answer_next(&a, &in, &data))
		;
	ck_assert_ptr_null(a.wrong);
	ck_assert_uint_eq(a.facts.minor, 0);
	ck_assert_uint_eq(a.facts.count, FACT_HEADERS);
	ck_assert_str_eq(a.facts.headers[0].name, "via");
	ck_assert_uint_eq(strlen(a.facts.headers[0].value), sizeof(a.facts.headers[0].value) - 1);
	answer_fini(&a);
}
END_TEST

/* --- frames -------------------------------------------------------------------------------- */

static const struct {
	enum wrapping wrapping;
	const char *text, *frames; /* each with a line end */
} wrapped[] = {
	{ WRAPPED_LINES, "hhhhhhhh\no\na[\"x\"]\nh\nc[1,\"\"]\nrest",
	    "o\na[\"x\"]\nh\nc[1,\"\"]\n" },
	{ WRAPPED_LINES, "\n\r\no\r\n", "o\n" },
	{ WRAPPED_EVENTS,
	    "\r\ndata: o\r\n\r\n: comment\r\nevent: x\r\ndata: a[\"50%25\"]\r\n\r\ndata: %zz\r\n",
	    "o\na[\"50%\"]\n" },
	{ WRAPPED_SCRIPTS,
	    "<html>\n<script>\np(\"o\");\n</script>\r\n<script>\np(\"a[\\\"\\u003cx\\\"]\");\n</"
	    "script>\r\n",
	    "o\na[\"<x\"]\n" },
	{ WRAPPED_SCRIPTS, "p(\"o\")\np(o);\np();\np(\");\np\n", "" },
	{ WRAPPED_CALLS,
	    "/**/c(\"o\");\r\n/**/c(\"a[\\\"x\\\"]\");\r\n/**/d(\"o\");\r\nc(\"h\");\n",
	    "o\na[\"x\"]\nh\n" },
	{ WRAPPED_CALLS, "/**/\n/**/c\n/**/c(\n/**/c();\n/**/c(1);\n", "" },
};

static void take(struct frames *f, struct buf *out)
{
	struct bytes frame;

	while (frames_next(f, &frame)) {
		ck_assert_int_eq(buf_add(out, frame.p, frame.n), 0);
		ck_assert_int_eq(buf_add(out, "\n", 1), 0);
	}
}

START_TEST(frames_come_out_of_their_wrappings)
{
	const char *text = wrapped[_i].text;

	for (size_t piece = 1; piece <= strlen(text); piece++) {
		struct frames f = { .wrapping = wrapped[_i].wrapping };
		struct buf out = BUF_INIT;

		for (size_t at = 0; at < strlen(text); at += piece) {
			size_t left = strlen(text) - at;

			ck_assert_int_eq(frames_feed(&f, (struct bytes){ text + at,
			                                     left < piece ? left : piece }),
			    0);
			take(&f, &out);
		}
		ck_assert_int_eq(buf_add(&out, "", 1), 0);
		ck_assert_str_eq(buf_data(&out), wrapped[_i].frames);
		frames_fini(&f);
		buf_fini(&out);
	}
}
END_TEST

START_TEST(a_line_without_an_end_has_an_end)
{
	static char piece[65536];
	struct frames f = { .wrapping = WRAPPED_LINES };
	struct bytes frame;
	int err = 0, n = 0;

	memset(piece, 'x', sizeof(piece));
	for (; err == 0; n++) {
		err = frames_feed(&f, (struct bytes){ piece, sizeof(piece) });
		ck_assert(!frames_next(&f, &frame));
	}
	ck_assert_int_eq(err, -E2BIG);
	ck_assert_int_eq(n, (int)(FRAMES_LINE_MAX / sizeof(piece)) + 1);
	frames_fini(&f);
}
END_TEST

/* --- talk ---------------------------------------------------------------------------------- */

START_TEST(an_echo_and_a_doctor_are_understood)
{
	struct saw_facts saw = { 0 };
	struct buf out = BUF_INIT;
	struct reply r;

	ck_assert_int_eq(talk_echo(&out, 7, 100), 0);
	r = talk_read((struct bytes){ buf_data(&out), buf_len(&out) }, &saw);
	ck_assert_int_eq(r.id, 7);
	ck_assert(!r.is_doctor && !r.is_push);
	r = talk_read(
	    BYTES("{\"is\":\"push\",\"id\":900,\"at_ms\":157,\"seq\":2,\"of\":20}"), &saw);
	ck_assert(r.is_doctor && r.is_push && r.id == 900 && r.at_ms == 157 && r.seq == 2);
	r = talk_read(
	    BYTES("{\"is\":\"seen\",\"id\":1,\"http\":\"1.1\",\"host\":\"a\",\"origin\":null,"
	          "\"headers\":"
	          "[{\"name\":\"Host\",\"value\":\"a\"},{\"name\":\"Via\",\"value\":\"1.1 squid\"},"
	          "{\"name\":\"Cookie\",\"octets\":5},7]}"),
	    &saw);
	ck_assert(saw.is_known && r.id == 1);
	ck_assert_str_eq(saw.protocol, "1.1");
	ck_assert_str_eq(saw.origin, "");
	ck_assert_uint_eq(saw.count, 2);
	ck_assert_str_eq(saw.headers[0].value, "1.1 squid");
	ck_assert_str_eq(saw.headers[1].name, "Cookie");
	buf_fini(&out);
}
END_TEST

START_TEST(anything_else_is_no_answer)
{
	static const char *const texts[] = { "", "x", "[]", "{}", "{\"id\":\"1\"}", "{\"id\":1.5}",
		"\"id\"", "{\"id\":1", "{\"is\":7}", "[[[[", "null",
		"{\"is\":\"seen\",\"headers\":{}}",
		"{\"is\":\"seen\",\"headers\":[[],{},{\"name\":7}],\"host\":[]}" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct saw_facts saw = { 0 };

		ck_assert_int_eq(talk_read(bytes_of(texts[i]), &saw).id, -1);
		ck_assert_uint_eq(saw.count, 0);
	}
}
END_TEST

START_TEST(memory_that_is_out_is_an_error_and_no_crash)
{
	for (unsigned long nth = 1; nth < 12; nth++) {
		struct frames f = { .wrapping = WRAPPED_CALLS };
		struct buf out = BUF_INIT;
		struct bytes frame;
		struct answer a;
		struct bytes in = bytes_of(answers[0].text), data;

		answer_init(&a);
		mem_fail_at(nth);
		if (frames_feed(&f, BYTES("/**/c(\"o\");\r\n")) == 0)
			frames_next(&f, &frame);
		talk_echo(&out, 1, 5000);
		while (answer_next(&a, &in, &data))
			;
		mem_fail_at(0);
		answer_fini(&a);
		frames_fini(&f);
		buf_fini(&out);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("doctor_wire");
	TCase *tc = tcase_create("wire");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, a_url_is_read_or_refused, 0, sizeof(urls) / sizeof(*urls));
	tcase_add_test(tc, a_place_too_long_is_refused);
	tcase_add_loop_test(
	    tc, an_answer_is_read_whatever_its_pieces, 0, sizeof(answers) / sizeof(*answers));
	tcase_add_test(tc, what_those_on_the_way_write_is_noted_and_bounded);
	tcase_add_loop_test(
	    tc, frames_come_out_of_their_wrappings, 0, sizeof(wrapped) / sizeof(*wrapped));
	tcase_add_test(tc, a_line_without_an_end_has_an_end);
	tcase_add_test(tc, an_echo_and_a_doctor_are_understood);
	tcase_add_test(tc, anything_else_is_no_answer);
	tcase_add_test(tc, memory_that_is_out_is_an_error_and_no_crash);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
