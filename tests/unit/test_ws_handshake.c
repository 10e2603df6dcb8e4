/*
 * tests/unit/test_ws_handshake.c - which requests are let in, which are refused, and how.
 */
#include "ws/ws_handshake.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

#define LONG_KEY                                                                                   \
	"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3ODkr"

enum { HEADERS_MAX = 16 };

/* A request written as its header lines, "Name: value\n" each. */
struct request {
	struct ws_request req;
	struct ws_request_header headers[HEADERS_MAX];
};

static void read_lines(struct request *r, const char *lines)
{
	*r = (struct request){ .req = { .method = BYTES("GET"), .http_1_1 = true } };
	r->req.headers = r->headers;
	while (*lines) {
		struct ws_request_header *h = &r->headers[r->req.header_count++];
		const char *colon = strchr(lines, ':'), *end = strchr(lines, '\n');

		h->name = (struct bytes){ lines, (size_t)(colon - lines) };
		h->value = (struct bytes){ colon + 1, (size_t)(end - colon - 1) };
		lines = end + 1;
	}
}

static struct ws_subprotocols offers;

static struct ws_verdict verdict(const char *lines)
{
	struct request r;

	read_lines(&r, lines);
	return ws_handshake_check(&r.req, &offers);
}

#define HOST       "Host: example.com\n"
#define UPGRADE    "Upgrade: websocket\n"
#define CONNECTION "Connection: Upgrade\n"
#define VERSION    "Sec-WebSocket-Version: 13\n"
#define KEY_LINE   "Sec-WebSocket-Key: " KEY "\n"

START_TEST(the_handshake_of_the_rfc_is_accepted)
{
	struct ws_verdict v = verdict(
	    HOST UPGRADE CONNECTION KEY_LINE "Origin: http://example.com\n"
	                                     "Sec-WebSocket-Protocol: chat, superchat\n" VERSION);

	ck_assert_uint_eq(v.status, 101);
	ck_assert_ptr_null(v.sentence);
	ck_assert_str_eq(v.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}
END_TEST

static const struct {
	unsigned status;
	const char *lines;
} cases[] = {
	/* tolerated */
	{ 101, HOST "UPGRADE:WebSocket\nconnection: keep-alive, uPGRADE\n" VERSION KEY_LINE },
	{ 101, HOST "Upgrade: ,, websocket ,\nConnection:\tupgrade \n" VERSION KEY_LINE },
	{ 101, HOST "Upgrade: h2c\nUpgrade: websocket\nConnection: keep-alive\n" CONNECTION VERSION
	           KEY_LINE },
	{ 101, HOST UPGRADE CONNECTION VERSION VERSION KEY_LINE },
	{ 101, HOST UPGRADE CONNECTION VERSION KEY_LINE "Sec-WebSocket-Protocol: \n" },
	{ 101, HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: \t " KEY "  \n" },
	{ 101, HOST UPGRADE CONNECTION VERSION KEY_LINE "Sec-WebSocket-Extensions: ???\n" },
	/* Host */
	{ 400, UPGRADE CONNECTION VERSION KEY_LINE },
	{ 400, HOST HOST UPGRADE CONNECTION VERSION KEY_LINE },
	{ 400, "Host: \n" UPGRADE CONNECTION VERSION KEY_LINE },
	/* Upgrade and Connection */
	{ 400, HOST CONNECTION VERSION KEY_LINE },
	{ 400, HOST "Upgrade: websockets\n" CONNECTION VERSION KEY_LINE },
	{ 400, HOST "Upgrade: websocket/13\n" CONNECTION VERSION KEY_LINE },
	{ 400, HOST "Upgrade: web socket\n" CONNECTION VERSION KEY_LINE },
	{ 400, HOST "Upgrade: \n" CONNECTION VERSION KEY_LINE },
	{ 400, HOST UPGRADE VERSION KEY_LINE },
	{ 400, HOST UPGRADE "Connection: close\n" VERSION KEY_LINE },
	{ 400, HOST UPGRADE "Connection: keep-alive upgrade\n" VERSION KEY_LINE },
	{ 400, HOST UPGRADE "Connection: close\n" KEY_LINE }, /* before the version */
	/* version */
	{ 426, HOST UPGRADE CONNECTION KEY_LINE },
	{ 426, HOST UPGRADE CONNECTION },
	{ 426, HOST UPGRADE CONNECTION "Sec-WebSocket-Version: \n" KEY_LINE },
	{ 426, HOST UPGRADE CONNECTION "Sec-WebSocket-Version: 8\n" KEY_LINE },
	{ 426, HOST UPGRADE CONNECTION "Sec-WebSocket-Version: 013\n" KEY_LINE },
	{ 426, HOST UPGRADE CONNECTION "Sec-WebSocket-Version: 13.0\n" KEY_LINE },
	{ 426, HOST UPGRADE CONNECTION "Sec-WebSocket-Version: 8, 13\n" KEY_LINE },
	{ 400, HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Version: 8\n" KEY_LINE },
	{ 400, HOST UPGRADE CONNECTION "Sec-WebSocket-Version: \n" VERSION KEY_LINE },
	/* key */
	{ 400, HOST UPGRADE CONNECTION VERSION },
	{ 400, HOST UPGRADE CONNECTION VERSION KEY_LINE KEY_LINE },
	{ 400, HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: \n" },
	{ 400, HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\n" },
	{ 400, HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWE=\n" },
	{ 400, HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWFi\n" },
	{ 400, HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZZ==\n" },
	{ 400, HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhl HNhbXBsZSBub25jZQ==\n" },
	{ 400, HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: " KEY ", " KEY "\n" },
	{ 400, HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: " LONG_KEY "\n" },
	/* subprotocols */
	{ 400, HOST UPGRADE CONNECTION VERSION KEY_LINE "Sec-WebSocket-Protocol: a b\n" },
	{ 400, HOST UPGRADE CONNECTION VERSION KEY_LINE "Sec-WebSocket-Protocol: a, \"b\"\n" },
	{ 400, HOST UPGRADE CONNECTION VERSION KEY_LINE "Sec-WebSocket-Protocol: \xc3\xa9\n" },
};

START_TEST(each_rule_of_the_handshake_has_its_status)
{
	struct ws_verdict v = verdict(cases[_i].lines);

	ck_assert_msg(v.status == cases[_i].status, "%u for\n%s", v.status, cases[_i].lines);
	ck_assert_int_eq(v.sentence == NULL, v.status == 101);
	ck_assert_uint_eq(strlen(v.accept), v.status == 101 ? WS_ACCEPT_LEN : 0);
}
END_TEST

START_TEST(any_method_but_get_is_not_allowed)
{
	struct request r;

	read_lines(&r, HOST UPGRADE CONNECTION VERSION KEY_LINE);
	r.req.method = BYTES("POST");
	ck_assert_uint_eq(ws_handshake_check(&r.req, &offers).status, 405);
	r.req.method = BYTES("get"); /* methods have a case */
	ck_assert_uint_eq(ws_handshake_check(&r.req, &offers).status, 405);
	r.req.http_1_1 = false;
	ck_assert_uint_eq(ws_handshake_check(&r.req, &offers).status, 405);
}
END_TEST

START_TEST(http_1_0_cannot_upgrade)
{
	struct request r;

	read_lines(&r, HOST UPGRADE CONNECTION VERSION KEY_LINE);
	r.req.http_1_1 = false;
	ck_assert_uint_eq(ws_handshake_check(&r.req, &offers).status, 400);
}
END_TEST

START_TEST(a_request_without_headers_is_refused)
{
	struct ws_request req = { .method = BYTES("GET"), .http_1_1 = true };

	ck_assert_uint_eq(ws_handshake_check(&req, &offers).status, 400);
}
END_TEST

START_TEST(a_header_without_value_is_an_empty_one)
{
	struct request r;

	read_lines(&r, HOST UPGRADE CONNECTION VERSION KEY_LINE);
	r.headers[3].value = (struct bytes){ NULL, 0 };
	ck_assert_uint_eq(ws_handshake_check(&r.req, &offers).status, 426);
}
END_TEST

START_TEST(only_a_key_of_the_right_length_has_an_accept_key)
{
	char out[WS_ACCEPT_LEN + 1];

	ck_assert_int_eq(ws_accept_key(out, BYTES("x3JJHMbDL1EzLkh9GBhXDw==")), 0);
	ck_assert_str_eq(out, "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
	ck_assert_int_eq(ws_accept_key(out, BYTES("short")), -EINVAL);
}
END_TEST

/* The tokens with '|' behind each, or "malformed", or "too many". */
static const char *offered(const struct ws_request *req)
{
	static char text[1024];
	size_t n = 0;
	int err = ws_subprotocols_read(req, &offers);

	if (err < 0)
		return err == -E2BIG ? "too many" : "malformed";
	text[0] = '\0';
	for (size_t i = 0; i < offers.count; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s|", (int)offers.tokens[i].n,
		    offers.tokens[i].p);
	return text;
}

static const char *offered_by(const char *lines)
{
	struct request r;

	read_lines(&r, lines);
	return offered(&r.req);
}

START_TEST(subprotocols_of_all_lines_are_offered_in_the_clients_order)
{
	ck_assert_str_eq(offered_by("Sec-WebSocket-Protocol: v10.stomp ,,\tv11.stomp,\n" HOST
	                            "sec-websocket-protocol: v12.stomp, mqtt\n"),
	    "v10.stomp|v11.stomp|v12.stomp|mqtt|");
	ck_assert_str_eq(offered_by(HOST), "");
	ck_assert_str_eq(offered_by("Sec-WebSocket-Protocol: ,, ,\n"), "");
}
END_TEST

START_TEST(a_list_that_is_malformed_anywhere_is_so_as_a_whole)
{
	struct ws_request_header nul = { BYTES("Sec-WebSocket-Protocol"), BYTES("a\0b") };
	struct ws_request req = { .headers = &nul, .header_count = 1 };

	ck_assert_str_eq(offered(&req), "malformed");
	ck_assert_str_eq(
	    offered_by("Sec-WebSocket-Protocol: x\nSec-WebSocket-Protocol: y z\n"), "malformed");
	ck_assert_str_eq(offered_by("Sec-WebSocket-Protocol: a/b\n"), "malformed");
	ck_assert_str_eq(offered_by("Sec-WebSocket-Protocol: a\x7f\n"), "malformed");
}
END_TEST

/* Whatever a head has room for, no more work is done than for so many. */
START_TEST(more_subprotocols_than_there_is_room_for_are_refused)
{
	char lines[4096] = HOST UPGRADE CONNECTION VERSION KEY_LINE "Sec-WebSocket-Protocol: t0";
	struct ws_verdict v;

	for (int i = 1; i < WS_SUBPROTOCOLS_MAX; i++)
		snprintf(lines + strlen(lines), sizeof(lines) - strlen(lines),
		    i % 10 ? ",t%d" : "\nSec-WebSocket-Protocol: t%d", i);
	strcat(lines, "\n");
	ck_assert_uint_eq(verdict(lines).status, 101);
	ck_assert_uint_eq(offers.count, WS_SUBPROTOCOLS_MAX);
	strcat(lines, "Sec-WebSocket-Protocol: one\n");
	v = verdict(lines);
	ck_assert_uint_eq(v.status, 400);
	ck_assert_str_eq(v.sentence, "Sec-WebSocket-Protocol names too many subprotocols.");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ws_handshake");
	TCase *tc = tcase_create("ws_handshake");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(tc, the_handshake_of_the_rfc_is_accepted);
	tcase_add_loop_test(
	    tc, each_rule_of_the_handshake_has_its_status, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tc, any_method_but_get_is_not_allowed);
	tcase_add_test(tc, http_1_0_cannot_upgrade);
	tcase_add_test(tc, a_request_without_headers_is_refused);
	tcase_add_test(tc, a_header_without_value_is_an_empty_one);
	tcase_add_test(tc, only_a_key_of_the_right_length_has_an_accept_key);
	tcase_add_test(tc, subprotocols_of_all_lines_are_offered_in_the_clients_order);
	tcase_add_test(tc, a_list_that_is_malformed_anywhere_is_so_as_a_whole);
	tcase_add_test(tc, more_subprotocols_than_there_is_room_for_are_refused);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
