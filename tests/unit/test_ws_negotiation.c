/*
 * tests/unit/test_ws_negotiation.c - Sec-WebSocket-Extensions, both roles: each
 * line of a table is an offer or an answer and what comes of it.
 */
#include "ws/ws_negotiation.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct ws_deflate_config plain = { true, false, 15, 1, 1 };
static const struct ws_deflate_config takeover = { true, true, 15, 1, 1 };
static const struct ws_deflate_config small = { true, true, 10, 1, 1 };
static const struct ws_deflate_config off = { false, false, 15, 1, 1 };

#define NO_CONTEXT "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

/* A line feed separates header lines. */
static size_t split(const char *lines, struct ws_request_header out[4])
{
	size_t n = 0;

	for (; *lines || n == 0; n++) {
		size_t len = strcspn(lines, "\n");

		out[n] =
		    (struct ws_request_header){ BYTES("sec-websocket-EXTENSIONS"), { lines, len } };
		lines += len + (lines[len] == '\n');
	}
	return n;
}

/* --- the server --------------------------------------------------------------- */

static const struct {
	const struct ws_deflate_config *config;
	const char *offer;
	const char *answer; /* NULL: malformed; "": nothing agreed */
} offers[] = {
	{ &plain, "permessage-deflate", NO_CONTEXT },
	{ &takeover, "permessage-deflate", "permessage-deflate" },
	{ &small, "permessage-deflate", "permessage-deflate; server_max_window_bits=10" },
	{ &off, "permessage-deflate", "" },
	{ &off, "permessage-deflate; =", NULL },
	{ &plain, "", "" },
	{ &plain, ", ,permessage-deflate , ,", NO_CONTEXT },
	{ &plain, "  permessage-deflate\t", NO_CONTEXT },
	/* each parameter alone */
	{ &takeover, "permessage-deflate; server_no_context_takeover",
	    "permessage-deflate; server_no_context_takeover" },
	{ &takeover, "permessage-deflate; client_no_context_takeover",
	    "permessage-deflate; client_no_context_takeover" },
	{ &takeover, "permessage-deflate; server_max_window_bits=12",
	    "permessage-deflate; server_max_window_bits=12" },
	{ &takeover, "permessage-deflate; server_max_window_bits=15",
	    "permessage-deflate; server_max_window_bits=15" },
	{ &takeover, "permessage-deflate; server_max_window_bits=8",
	    "permessage-deflate; server_max_window_bits=8" },
	{ &small, "permessage-deflate; server_max_window_bits=12",
	    "permessage-deflate; server_max_window_bits=10" },
	{ &takeover, "permessage-deflate; client_max_window_bits", "permessage-deflate" },
	{ &takeover, "permessage-deflate; client_max_window_bits=9",
	    "permessage-deflate; client_max_window_bits=9" },
	{ &small, "permessage-deflate; client_max_window_bits",
	    "permessage-deflate; server_max_window_bits=10; client_max_window_bits=10" },
	{ &small, "permessage-deflate; client_max_window_bits=9",
	    "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9" },
	/* all together, blanks, quotes, in any order */
	{ &takeover,
	    "permessage-deflate;client_max_window_bits=\"11\" ;server_max_window_bits = 9;"
	    "client_no_context_takeover;server_no_context_takeover",
	    NO_CONTEXT "; server_max_window_bits=9; client_max_window_bits=11" },
	{ &takeover, "permessage-deflate; server_max_window_bits=\"1\\2\"",
	    "permessage-deflate; server_max_window_bits=12" },
	/* values that are none: the offer is declined */
	{ &plain, "permessage-deflate; server_max_window_bits", "" },
	{ &plain, "permessage-deflate; server_max_window_bits=7", "" },
	{ &plain, "permessage-deflate; server_max_window_bits=16", "" },
	{ &plain, "permessage-deflate; server_max_window_bits=08", "" },
	{ &plain, "permessage-deflate; server_max_window_bits=010", "" },
	{ &plain, "permessage-deflate; server_max_window_bits=1", "" },
	{ &plain, "permessage-deflate; server_max_window_bits=+9", "" },
	{ &plain, "permessage-deflate; server_max_window_bits=9x", "" },
	{ &plain, "permessage-deflate; server_max_window_bits=12345678901234567890", "" },
	{ &plain, "permessage-deflate; client_max_window_bits=0", "" },
	{ &plain, "permessage-deflate; client_max_window_bits=x", "" },
	{ &plain, "permessage-deflate; server_no_context_takeover=1", "" },
	{ &plain, "permessage-deflate; client_no_context_takeover=true", "" },
	{ &plain, "permessage-deflate; unknown", "" },
	{ &plain, "permessage-deflate; SERVER_NO_CONTEXT_TAKEOVER", "" },
	{ &plain, "permessage-deflate; client_max_window_bits; client_max_window_bits", "" },
	{ &plain, "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
	    "" },
	{ &plain,
	    NO_CONTEXT "; client_max_window_bits; server_max_window_bits=9; client_max_window_bits",
	    "" },
	/* others, and several of ours */
	{ &plain, "x-webkit-deflate-frame, permessage-bzip2; a=b; c=\"d\"; e; f; g; h", "" },
	{ &plain, "permessage-deflate-frame", "" },
	{ &takeover, "foo; bar=baz, permessage-deflate; client_max_window_bits=12",
	    "permessage-deflate; client_max_window_bits=12" },
	{ &takeover, "permessage-deflate; unknown, permessage-deflate; server_max_window_bits=9",
	    "permessage-deflate; server_max_window_bits=9" },
	{ &takeover,
	    "permessage-deflate; server_max_window_bits=11, permessage-deflate; "
	    "server_max_window_bits=9",
	    "permessage-deflate; server_max_window_bits=11" },
	{ &takeover, "foo\npermessage-deflate; server_max_window_bits=9\npermessage-deflate",
	    "permessage-deflate; server_max_window_bits=9" },
	/* malformed, also behind one that is accepted */
	{ &plain, "permessage-deflate;", NULL },
	{ &plain, "permessage-deflate; ;", NULL },
	{ &plain, "; permessage-deflate", NULL },
	{ &plain, "permessage-deflate; a=", NULL },
	{ &plain, "permessage-deflate; a=\"\"", NULL },
	{ &plain, "permessage-deflate; a=\"b", NULL },
	{ &plain, "permessage-deflate; a=\"b\\", NULL },
	{ &plain, "permessage-deflate; a=\"b c\"", NULL },
	{ &plain, "permessage-deflate; a=\"b\"c", NULL },
	{ &plain, "permessage-deflate; a=b c", NULL },
	{ &plain, "permessage deflate", NULL },
	{ &plain, "permessage-deflate=1", NULL },
	{ &plain, "permessage-deflate\n(", NULL },
	{ &plain, "permessage-deflate, foo;", NULL },
};

START_TEST(an_offer_gets_its_answer)
{
	struct ws_request_header headers[4];
	struct ws_request req = { .headers = headers,
		.header_count = split(offers[_i].offer, headers) };
	struct ws_deflate_params params;
	char answer[WS_EXTENSIONS_MAX] = "";
	int err = ws_deflate_negotiate(&req, offers[_i].config, &params);

	if (!offers[_i].answer) {
		ck_assert_msg(err == -EPROTO, "%s is malformed", offers[_i].offer);
		return;
	}
	ck_assert_msg(err == 0, "%s is not malformed", offers[_i].offer);
	if (params.agreed)
		ws_deflate_response(&params, answer);
	ck_assert_msg(strcmp(answer, offers[_i].answer) == 0, "%s: wanted \"%s\", got \"%s\"",
	    offers[_i].offer, offers[_i].answer, answer);
}
END_TEST

/* --- the client --------------------------------------------------------------- */

START_TEST(what_we_offer)
{
	char offer[WS_EXTENSIONS_MAX];

	ws_deflate_offer(&plain, offer);
	ck_assert_str_eq(offer, NO_CONTEXT "; client_max_window_bits");
	ws_deflate_offer(&takeover, offer);
	ck_assert_str_eq(offer, "permessage-deflate; client_max_window_bits");
	ws_deflate_offer(&small, offer);
	ck_assert_str_eq(
	    offer, "permessage-deflate; server_max_window_bits=10; client_max_window_bits=10");
}
END_TEST

static const struct {
	const struct ws_deflate_config *config;
	const char *answer;
	const char *agreed; /* "-": the connection fails; else "snct cnct sbits cbits" */
} answers[] = {
	{ &plain, "", "" },
	{ &off, "", "" },
	{ &off, "permessage-deflate", "-" },
	{ &takeover, "permessage-deflate", "0 0 15 15" },
	{ &takeover, "permessage-deflate; server_no_context_takeover", "1 0 15 15" },
	{ &takeover, "permessage-deflate; client_no_context_takeover", "0 1 15 15" },
	{ &takeover, "permessage-deflate; server_max_window_bits=9", "0 0 9 15" },
	{ &takeover, "permessage-deflate; client_max_window_bits=9", "0 0 15 9" },
	{ &takeover, "permessage-deflate; client_max_window_bits=8", "0 0 15 8" },
	{ &plain, NO_CONTEXT, "1 1 15 15" },
	{ &plain, "permessage-deflate; server_no_context_takeover", "1 1 15 15" },
	{ &plain, "permessage-deflate", "-" },
	{ &small, "permessage-deflate; server_max_window_bits=10; client_max_window_bits=10",
	    "0 0 10 10" },
	{ &small, "permessage-deflate; server_max_window_bits=9", "0 0 9 10" },
	{ &small, "permessage-deflate", "-" },
	{ &small, "permessage-deflate; server_max_window_bits=11", "-" },
	{ &small, "permessage-deflate; server_max_window_bits=9; client_max_window_bits=11", "-" },
	{ &takeover, "permessage-deflate; client_max_window_bits", "-" },
	{ &takeover, "permessage-deflate; server_max_window_bits", "-" },
	{ &takeover, "permessage-deflate; server_max_window_bits=7", "-" },
	{ &takeover, "permessage-deflate; server_no_context_takeover=1", "-" },
	{ &takeover, "permessage-deflate; what", "-" },
	{ &takeover, "permessage-deflate, permessage-deflate", "-" },
	{ &takeover, "permessage-deflate\npermessage-deflate", "-" },
	{ &takeover, "permessage-deflate, foo", "-" },
	{ &takeover, "foo", "-" },
	{ &takeover, "permessage-deflate;", "-" },
};

START_TEST(an_answer_is_taken_or_fails)
{
	struct ws_request_header headers[4];
	struct ws_request req = { .headers = headers,
		.header_count = split(answers[_i].answer, headers) };
	struct ws_deflate_params p;
	char agreed[32] = "";

	if (ws_deflate_accept(&req, answers[_i].config, &p) < 0)
		strcpy(agreed, "-");
	else if (p.agreed)
		snprintf(agreed, sizeof(agreed), "%d %d %u %u", p.server_no_context_takeover,
		    p.client_no_context_takeover, p.server_max_window_bits,
		    p.client_max_window_bits);
	ck_assert_msg(strcmp(agreed, answers[_i].agreed) == 0, "%s: wanted \"%s\", got \"%s\"",
	    answers[_i].answer, answers[_i].agreed, agreed);
}
END_TEST

/* Whatever we offer as a client we agree on as a server, and take. */
START_TEST(both_roles_understand_each_other)
{
	static const struct ws_deflate_config *const configs[] = { &plain, &takeover, &small };
	struct ws_request_header headers[4];
	struct ws_request req = { .headers = headers };
	struct ws_deflate_params server, client;
	char offer[WS_EXTENSIONS_MAX], answer[WS_EXTENSIONS_MAX];

	ws_deflate_offer(configs[_i / 3], offer);
	req.header_count = split(offer, headers);
	ck_assert_int_eq(ws_deflate_negotiate(&req, configs[_i % 3], &server), 0);
	ck_assert(server.agreed);
	ws_deflate_response(&server, answer);
	req.header_count = split(answer, headers);
	ck_assert_int_eq(ws_deflate_accept(&req, configs[_i / 3], &client), 0);
	ck_assert(client.agreed);
	ck_assert_int_eq(client.server_no_context_takeover, server.server_no_context_takeover);
	ck_assert_int_eq(client.server_max_window_bits, server.server_max_window_bits);
	ck_assert_int_le(client.client_max_window_bits, server.client_max_window_bits);
	ck_assert(client.client_no_context_takeover || !server.client_no_context_takeover);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ws_negotiation");
	TCase *tc = tcase_create("all");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(
	    tc, an_offer_gets_its_answer, 0, (int)(sizeof(offers) / sizeof(offers[0])));
	tcase_add_test(tc, what_we_offer);
	tcase_add_loop_test(
	    tc, an_answer_is_taken_or_fails, 0, (int)(sizeof(answers) / sizeof(answers[0])));
	tcase_add_loop_test(tc, both_roles_understand_each_other, 0, 9);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
