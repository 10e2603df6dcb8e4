/*
 * tests/unit/test_nats_parse.c - what a NATS server says, whole and in pieces.
 *
 * Each wire is fed whole, octet by octet, and cut in two at every place: the events must be the
 * same, and so must the fault.
 */
#include "nats/nats_parse.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum { MAX_PAYLOAD = 100 };

static struct nats_parser parser;
static char told[4096];

static void note(const struct nats_event *e)
{
	size_t n = strlen(told);

	if (e->op == NATS_MSG)
		snprintf(told + n, sizeof(told) - n, "MSG(%llu,%.*s,%.*s,%.*s,%.*s)",
		    (unsigned long long)e->sid, (int)e->subject.n, e->subject.p, (int)e->reply.n,
		    e->reply.p ? e->reply.p : "", (int)e->headers.n, e->headers.p,
		    (int)e->payload.n, e->payload.p);
	else if (e->op == NATS_INFO || e->op == NATS_ERR)
		snprintf(told + n, sizeof(told) - n, "%s(%.*s)",
		    e->op == NATS_INFO ? "INFO" : "ERR", (int)e->text.n, e->text.p);
	else
		snprintf(told + n, sizeof(told) - n, "%s",
		    e->op == NATS_PING   ? "PING"
		    : e->op == NATS_PONG ? "PONG"
		                         : "OK");
}

/* From memory of its own, so that nothing can point at what was there. */
static int feed(const char *data, size_t n)
{
	char *copy = malloc(n ? n : 1), *at = copy;
	struct nats_event e;
	ssize_t taken = 0;

	memcpy(copy, data, n);
	do {
		taken = nats_parse(&parser, at, n, &e);
		if (taken < 0)
			break;
		ck_assert_uint_le((size_t)taken, n);
		if (e.op != NATS_NONE)
			note(&e);
		else
			ck_assert_uint_eq((size_t)taken, n);
		at += taken;
		n -= (size_t)taken;
	} while (n > 0);
	free(copy);
	return taken < 0 ? (int)taken : 0;
}

static int whole(const char *wire, size_t n)
{
	int err;

	told[0] = '\0';
	nats_parser_reset(&parser);
	err = feed(wire, n);
	if (err < 0)
		snprintf(told + strlen(told), sizeof(told) - strlen(told), "!%s",
		    parser.why ? parser.why : "");
	return err;
}

static int in_pieces(const char *wire, size_t n, size_t cut)
{
	int err = 0;

	told[0] = '\0';
	nats_parser_reset(&parser);
	for (size_t at = 0; at < n && err == 0;) {
		size_t piece = cut == 0 ? 1 : at < cut ? cut : n - at;

		err = feed(wire + at, piece < n - at ? piece : n - at);
		at += piece;
	}
	if (err < 0)
		snprintf(told + strlen(told), sizeof(told) - strlen(told), "!%s",
		    parser.why ? parser.why : "");
	return err;
}

static int says_n(const char *wire, size_t n)
{
	char expected[sizeof(told)];
	int err = whole(wire, n);

	memcpy(expected, told, sizeof(told));
	for (size_t cut = 0; cut < n && n < 2000; cut++) {
		ck_assert_int_eq(in_pieces(wire, n, cut), err);
		ck_assert_str_eq(told, expected);
	}
	return err;
}

static int says(const char *wire)
{
	return says_n(wire, strlen(wire));
}

static void setup(void)
{
	nats_parser_init(&parser, MAX_PAYLOAD);
}

static void teardown(void)
{
	nats_parser_reset(&parser);
}

START_TEST(each_operation_is_understood)
{
	static const struct {
		const char *wire, *told;
	} table[] = {
		{ "PING\r\n", "PING" },
		{ "pong\r\n", "PONG" },
		{ "+OK\r\n", "OK" },
		{ "-ERR 'Stale Connection'\r\n", "ERR(Stale Connection)" },
		{ "-ERR odd\r\n", "ERR(odd)" },
		{ "INFO {\"a\":1} \r\n", "INFO({\"a\":1} )" },
		{ "MSG a.b 1 5\r\nhello\r\n", "MSG(1,a.b,,,hello)" },
		{ "MSG a.b 17 r.e 0\r\n\r\n", "MSG(17,a.b,r.e,,)" },
		{ "msg  a\t 18446744073709551615  1 \r\n\n\r\n",
		    "MSG(18446744073709551615,a,,,\n)" },
		{ "MSG a 1 6\r\nPING\r\n\r\n", "MSG(1,a,,,PING\r\n)" },
		{ "HMSG a 9 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", "MSG(9,a,,NATS/1.0\r\n\r\n,hi)" },
		{ "HMSG a 9 r 12 12\r\nNATS/1.0\r\n\r\n\r\n", "MSG(9,a,r,NATS/1.0\r\n\r\n,)" },
		{ "PING\r\nMSG a 1 1\r\nx\r\nMSG b 2 1\r\ny\r\nPONG\r\n",
		    "PINGMSG(1,a,,,x)MSG(2,b,,,y)PONG" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		ck_assert_int_eq(says(table[i].wire), 0);
		ck_assert_str_eq(told, table[i].told);
	}
}
END_TEST

START_TEST(what_no_server_says_is_a_fault)
{
	static const char *const wires[] = {
		"\r\n",
		"HELLO\r\n",
		"PING\n",
		"PI\rNG\r\n",
		"PING \r\n",
		"MSG\r\n",
		"MSG a 1\r\n",
		"MSG a 1 r x 1\r\nx\r\n",
		"MSG a b c d e f g\r\n",
		"MSG a x 1\r\nx\r\n",
		"MSG a -1 1\r\nx\r\n",
		"MSG a 18446744073709551616 1\r\nx\r\n",
		"MSG a 1 1x\r\nx\r\n",
		"MSG a 1 0x1\r\nx\r\n",
		"MSG a 1 99999999999999999999999\r\nx\r\n",
		"MSG a 1 1\r\nxx\r\n",
		"MSG a 1 1\r\nx\n\r",
		"MSG a 1 1\r\nx\r\r",
		"HMSG a 1 12\r\nNATS/1.0\r\n\r\n\r\n",
		"HMSG a 1 13 12\r\nNATS/1.0\r\n\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(wires) / sizeof(wires[0]); i++) {
		ck_assert_int_eq(says(wires[i]), -EBADMSG);
		ck_assert_uint_gt(strlen(told), 10);
	}
}
END_TEST

START_TEST(a_message_may_be_as_large_as_agreed_and_no_larger)
{
	char wire[400];
	int n = snprintf(wire, sizeof(wire), "MSG a 1 %d\r\n%0*d\r\n", MAX_PAYLOAD, MAX_PAYLOAD, 7);

	ck_assert_int_eq(says_n(wire, (size_t)n), 0);
	ck_assert_int_eq(says("MSG a 1 101\r\n"), -EMSGSIZE);
	ck_assert_int_eq(says("HMSG a 1 12 101\r\n"), -EMSGSIZE);
	ck_assert_int_eq(says("MSG a 1 18446744073709551615\r\n"), -EMSGSIZE);
}
END_TEST

/* A line of so many octets, CR LF among them. */
static int line_of(const char *name, size_t length, size_t piece)
{
	char *wire = malloc(length);
	int err = 0;

	memset(wire, 'x', length);
	memcpy(wire, name, strlen(name));
	memcpy(wire + length - 2, "\r\n", 2);
	nats_parser_reset(&parser);
	told[0] = '\0';
	for (size_t at = 0; at < length && err == 0; at += piece) {
		char copy[sizeof(told)];

		err = feed(wire + at, piece < length - at ? piece : length - at);
		memcpy(copy, told, sizeof(copy));
	}
	free(wire);
	return err;
}

START_TEST(lines_are_bounded_and_that_of_info_is_longer)
{
	static const size_t pieces[] = { 1, 1000, 100000 };

	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(line_of("-ERR ", NATS_LINE_MAX, pieces[i]), 0);
		ck_assert_int_eq(line_of("-ERR ", NATS_LINE_MAX + 1, pieces[i]), -EBADMSG);
		ck_assert_int_eq(line_of("INFO ", NATS_INFO_MAX, pieces[i]), 0);
		ck_assert_int_eq(line_of("INFO ", NATS_INFO_MAX + 1, pieces[i]), -EBADMSG);
	}
}
END_TEST

START_TEST(a_parser_between_events_holds_little)
{
	ck_assert_int_eq(line_of("INFO ", NATS_INFO_MAX, 50000), 0);
	ck_assert_int_eq(feed("PING\r\n", 6), 0);
	ck_assert_uint_le(parser.partial.cap, 64 * 1024);
}
END_TEST

START_TEST(memory_that_is_out_is_said)
{
	nats_parser_reset(&parser);
	mem_fail_at(1);
	ck_assert_int_eq(feed("MSG a 1 10\r\n12", 14), -ENOMEM);
	mem_fail_at(0);
}
END_TEST

START_TEST(numbers_are_digits_alone)
{
	uint64_t n = 0;

	ck_assert(nats_parse_number(BYTES("007"), &n));
	ck_assert_uint_eq(n, 7);
	ck_assert(!nats_parse_number(BYTES(""), &n));
	ck_assert(!nats_parse_number(BYTES("+7"), &n));
	ck_assert(!nats_parse_number(BYTES("18446744073709551616"), &n));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nats_parse");
	TCase *tc = tcase_create("parse");
	SRunner *runner = srunner_create(suite);
	int bad;

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, each_operation_is_understood);
	tcase_add_test(tc, what_no_server_says_is_a_fault);
	tcase_add_test(tc, a_message_may_be_as_large_as_agreed_and_no_larger);
	tcase_add_test(tc, lines_are_bounded_and_that_of_info_is_longer);
	tcase_add_test(tc, a_parser_between_events_holds_little);
	tcase_add_test(tc, memory_that_is_out_is_said);
	tcase_add_test(tc, numbers_are_digits_alone);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
