/*
 * tests/unit/test_stomp_frame.c - frames whole and cut, in each version, right and wrong.
 *
 * What holds for one way of cutting must hold for all: each input is fed whole, octet by octet, and
 * cut in two at every place.
 */
#include "stomp/stomp_frame.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define T(literal) ((struct bytes){ (literal), sizeof(literal) - 1 })

static const struct stomp_limits usual = { 128, 1024, 8192, 65536 };

static struct stomp_parser parser;
static struct stomp_frame frame;
static struct stomp_limits limits;

static void setup(void)
{
	memset(&frame, 0, sizeof(frame));
	stomp_frame_init(&frame);
	limits = usual;
	stomp_parser_init(&parser, &limits);
}

static void teardown(void)
{
	stomp_parser_fini(&parser);
	stomp_frame_fini(&frame);
}

static void start(enum stomp_version version)
{
	stomp_parser_fini(&parser);
	stomp_parser_init(&parser, &limits);
	parser.version = (uint8_t)version;
}

/* --- frames as text -------------------------------------------------------------- */

static char got[1 << 17];
static size_t got_n;

static void write_down(const char *p, size_t n)
{
	ck_assert_uint_lt(got_n + n + 1, sizeof(got));
	memcpy(got + got_n, p, n);
	got_n += n;
	got[got_n] = '\0';
}

#define write_text(literal) write_down(literal, sizeof(literal) - 1)

static void write_frame(const struct stomp_frame *f)
{
	const char *name = stomp_command_name(f->command);

	write_text("<");
	write_down(name, strlen(name));
	for (size_t i = 0; i < f->header_count; i++) {
		write_text("|");
		write_down(f->headers[i].name.p, f->headers[i].name.n);
		write_text("=");
		write_down(f->headers[i].value.p, f->headers[i].value.n);
	}
	write_text("|");
	write_down(f->body.p, f->body.n);
	write_text(">");
}

static void write_failure(const struct stomp_frame *f)
{
	const char *name = stomp_error_counter(f->error);

	ck_assert_ptr_nonnull(f->why);
	write_text("!");
	write_down(name, strlen(name));
	if (f->receipt.n) {
		write_text("@");
		write_down(f->receipt.p, f->receipt.n);
	}
}

/* A block of just that size, so that ASan sees every octet too far. False: it has failed. */
static bool feed(const char *p, size_t n)
{
	while (n > 0) {
		char *copy = malloc(n);
		ssize_t used;

		memcpy(copy, p, n);
		used = stomp_parse(&parser, copy, n, &frame);
		if (used < 0)
			write_failure(&frame);
		else if (frame.command != STOMP_NONE)
			write_frame(&frame);
		else
			ck_assert_int_eq(used, (ssize_t)n);
		free(copy);
		if (used < 0)
			return false;
		ck_assert_int_gt(used, 0);
		ck_assert_int_le(used, (ssize_t)n);
		p += used;
		n -= (size_t)used;
	}
	return true;
}

static void assert_got(const char *how, size_t at, struct bytes expected)
{
	ck_assert_msg(got_n == expected.n && memcmp(got, expected.p, got_n) == 0,
	    "%s %zu: got %s, expected %s", how, at, got, expected.p);
}

static void begin(enum stomp_version version)
{
	start(version);
	got_n = 0;
	got[0] = '\0';
}

static void assert_reads(enum stomp_version version, struct bytes input, struct bytes expected)
{
	bool goes_on = true;

	begin(version);
	feed(input.p, input.n);
	assert_got("whole", 0, expected);
	for (size_t at = 1; at < input.n; at += 1 + input.n / 500) {
		begin(version);
		if (feed(input.p, at))
			feed(input.p + at, input.n - at);
		assert_got("cut at", at, expected);
	}
	begin(version);
	for (size_t i = 0; i < input.n && goes_on; i++)
		goes_on = feed(input.p + i, 1);
	assert_got("octets", 0, expected);
}

#define reads(version, input, expected) assert_reads(version, T(input), T(expected))

static void all_read(struct bytes input, struct bytes expected)
{
	for (int v = STOMP_UNDECIDED; v <= STOMP_1_2; v++)
		assert_reads((enum stomp_version)v, input, expected);
}

#define all_versions_read(input, expected) all_read(T(input), T(expected))

/* --- frames ---------------------------------------------------------------------- */

START_TEST(a_frame_has_command_headers_and_body)
{
	all_versions_read(
	    "SEND\ndestination:/q\nx:y\n\nhello\0", "<SEND|destination=/q|x=y|hello>");
	all_versions_read("DISCONNECT\n\n\0", "<DISCONNECT|>");
	all_versions_read("SEND\na:\n\n\0", "<SEND|a=|>");
}
END_TEST

START_TEST(every_command_is_known)
{
	for (int c = STOMP_NONE + 1; c < STOMP_COMMANDS; c++) {
		char text[64], expected[64];
		const char *name = stomp_command_name((enum stomp_command)c);
		int n = snprintf(text, sizeof(text), "%s\n\n", name) + 1;

		snprintf(expected, sizeof(expected), "<%s|>", name);
		all_read((struct bytes){ text, (size_t)n }, bytes_of(expected));
	}
	ck_assert_str_eq(stomp_command_name(STOMP_NONE), "");
}
END_TEST

START_TEST(several_frames_in_one_feed_come_one_by_one)
{
	all_versions_read(
	    "SEND\na:b\n\nx\0SEND\n\ny\0\n\nSEND\ncontent-length:3\n\n\0z\0\0BEGIN\n\n\0",
	    "<SEND|a=b|x><SEND|y><SEND|content-length=3|\0z\0><BEGIN|>");
}
END_TEST

START_TEST(line_feeds_between_frames_are_skipped)
{
	all_versions_read("\n", "");
	all_versions_read("\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n", "");
	all_versions_read(
	    "\n\n\n\n\n\n\n\n\n\nSEND\n\n\0\n\n\n\n\n\n\n\n\nSEND\n\n\0\n", "<SEND|><SEND|>");
}
END_TEST

START_TEST(crlf_between_frames_is_skipped_in_1_2_and_undecided)
{
	reads(STOMP_1_2, "\r\n\r\n\n\r\nSEND\n\n\0\r\n", "<SEND|>");
	reads(STOMP_UNDECIDED, "\r\nCONNECT\n\n\0\r\n\r\n", "<CONNECT|>");
	reads(STOMP_1_1, "\r\nSEND\n\n\0", "!unknown_command");
	reads(STOMP_1_0, "\n\r\nSEND\n\n\0", "!unknown_command");
	reads(STOMP_1_2, "\rSEND\n\n\0", "!unknown_command");
	reads(STOMP_1_2, "\n\r\r\n", "!unknown_command");
}
END_TEST

START_TEST(a_line_end_in_halves_costs_no_memory)
{
	start(STOMP_1_2);
	ck_assert(feed("\r", 1));
	ck_assert_uint_eq(stomp_parser_held(&parser), 0);
	ck_assert_int_eq(stomp_parser_progress(&parser), STOMP_BETWEEN_FRAMES);
}
END_TEST

START_TEST(lines_of_the_head_may_end_in_crlf_in_1_2_and_undecided)
{
	reads(STOMP_1_2, "SEND\r\na:b\r\nc:\r\n\r\nx\r\n\0", "<SEND|a=b|c=|x\r\n>");
	reads(STOMP_UNDECIDED, "CONNECT\r\naccept-version:1.2\r\n\r\n\0",
	    "<CONNECT|accept-version=1.2|>");
	reads(STOMP_1_2, "SEND\na:b\r\n\n\0", "<SEND|a=b|>");
}
END_TEST

START_TEST(a_carriage_return_belongs_to_its_line_before_1_2)
{
	reads(STOMP_1_1, "SEND\na:b\r\n\n\0", "<SEND|a=b\r|>");
	reads(STOMP_1_0, "SEND\na:b\r\n\n\0", "<SEND|a=b\r|>");
	reads(STOMP_1_1, "SEND\r\na:b\n\n\0", "!unknown_command");
	reads(STOMP_1_0, "SEND\na:b\n\r\n\0", "!malformed");
}
END_TEST

START_TEST(a_body_without_content_length_ends_at_the_first_nul)
{
	all_versions_read("SEND\n\na\n\nb:\\\r\n\xff\0", "<SEND|a\n\nb:\\\r\n\xff>");
}
END_TEST

START_TEST(a_body_of_content_length_may_hold_nul)
{
	all_versions_read("SEND\ncontent-length:5\n\n\0SEND\0", "<SEND|content-length=5|\0SEND>");
	all_versions_read("SEND\ncontent-length:0\n\n\0", "<SEND|content-length=0|>");
	all_versions_read("ERROR\ncontent-length:0002\n\nab\0", "<ERROR|content-length=0002|ab>");
}
END_TEST

START_TEST(the_first_of_repeated_headers_wins)
{
	all_versions_read("SEND\ncontent-length:2\ncontent-length:9\na:1\na:2\n\nab\0",
	    "<SEND|content-length=2|content-length=9|a=1|a=2|ab>");
	begin(STOMP_1_2);
	ck_assert_int_gt(stomp_parse(&parser, "SEND\na:1\na:2\nA:3\n\n", 19, &frame), 0);
	ck_assert(bytes_equal(stomp_header_get(&frame, "a"), T("1")));
	ck_assert(bytes_equal(stomp_header_get(&frame, "A"), T("3")));
	ck_assert_ptr_null(stomp_header_get(&frame, "b").p);
	ck_assert_ptr_null(stomp_header_get(&frame, "").p);
}
END_TEST

START_TEST(blanks_and_more_colons_are_kept)
{
	all_versions_read("SEND\n a : b \nc:d:e:\n\n\0", "<SEND| a = b |c=d:e:|>");
}
END_TEST

START_TEST(a_server_s_frames_are_read_as_well)
{
	reads(STOMP_UNDECIDED, "CONNECTED\nversion:1.2\nserver:a\\b\n\n\0",
	    "<CONNECTED|version=1.2|server=a\\b|>");
	reads(STOMP_1_2, "MESSAGE\nsubscription:0\nmessage-id:1\ndestination:/a\n\nhello\0",
	    "<MESSAGE|subscription=0|message-id=1|destination=/a|hello>");
	reads(STOMP_1_1, "RECEIPT\nreceipt-id:\\c\n\n\0", "<RECEIPT|receipt-id=:|>");
	reads(STOMP_1_0, "ERROR\nmessage:no\n\nwhy\0", "<ERROR|message=no|why>");
}
END_TEST

/* --- escapes --------------------------------------------------------------------- */

START_TEST(headers_are_unescaped_as_the_version_says)
{
	reads(
	    STOMP_1_2, "SEND\na\\cb:\\n\\r\\\\\\c.\nplain:x\n\n\0", "<SEND|a:b=\n\r\\:.|plain=x|>");
	reads(STOMP_1_1, "SEND\na\\cb:\\n\\\\\\c\n\n\0", "<SEND|a:b=\n\\:|>");
	reads(STOMP_1_0, "SEND\na\\cb:\\n\\x\\\n\n\0", "<SEND|a\\cb=\\n\\x\\|>");
	reads(STOMP_1_2, "SEND\na:\\\\n\n\n\0", "<SEND|a=\\n|>");
	reads(STOMP_1_2, "SEND\na:b\n\n\\n\\x\0", "<SEND|a=b|\\n\\x>");
}
END_TEST

START_TEST(headers_of_connect_and_connected_are_never_unescaped)
{
	all_versions_read("CONNECT\nlogin:a\\cb\\\n\n\0", "<CONNECT|login=a\\cb\\|>");
	all_versions_read("STOMP\npasscode:\\t\n\n\0", "<STOMP|passcode=\\t|>");
	all_versions_read("CONNECTED\nx:\\n\n\n\0", "<CONNECTED|x=\\n|>");
}
END_TEST

START_TEST(an_unknown_escape_is_named)
{
	reads(STOMP_1_2, "SEND\na:\\t\n\n\0", "!malformed");
	ck_assert_str_eq(frame.why, "a header has the escape \\t, which STOMP 1.2 does not know");
	reads(STOMP_1_1, "SEND\nreceipt:\\n\na:\\r\n\n\0", "!malformed@\n");
	ck_assert_str_eq(frame.why, "a header has the escape \\r, which STOMP 1.1 does not know");
	reads(STOMP_1_2, "SEND\n\\q:1\nreceipt:\\z\n\n\0", "!malformed");
	ck_assert_str_eq(frame.why, "a header has the escape \\q, which STOMP 1.2 does not know");
	reads(STOMP_1_2, "SEND\na:b\\\n\n\0", "!malformed");
	ck_assert_str_eq(frame.why, "a header ends in a lone backslash");
	reads(STOMP_1_2, "SEND\na:\\\xc3\xa9\n\n\0", "!malformed");
	ck_assert_ptr_nonnull(strstr(frame.why, "backslash before"));
	reads(STOMP_1_2, "SEND\na\\:b\n\n\0", "!malformed");
}
END_TEST

START_TEST(only_1_0_may_have_heads_that_are_not_utf8)
{
	reads(STOMP_1_2, "SEND\na:\xc3\xa9\n\n\xff\0", "<SEND|a=\xc3\xa9|\xff>");
	reads(STOMP_1_2, "SEND\na:\xff\n\n\0", "!malformed");
	ck_assert_str_eq(frame.why, "the head is not UTF-8");
	reads(STOMP_1_1, "SEND\n\xc3:a\n\n\0", "!malformed");
	reads(STOMP_UNDECIDED, "CONNECT\na:\xff\n\n\0", "!malformed");
	reads(STOMP_1_0, "SEND\na:\xff\n\n\0", "<SEND|a=\xff|>");
}
END_TEST

START_TEST(half_of_a_surrogate_pair_is_named)
{
	reads(STOMP_1_2, "SEND\nreceipt:7\na:\xed\xa0\xbd\n\n\0", "!malformed@7");
	ck_assert_ptr_nonnull(strstr(frame.why, "surrogate"));
	reads(STOMP_1_2, "SEND\nreceipt:\xed\xa0\xbd\n\n\0", "!malformed");
}
END_TEST

/* --- what is wrong ---------------------------------------------------------------- */

START_TEST(commands_match_exactly)
{
	all_versions_read("send\n\n\0", "!unknown_command");
	all_versions_read("SEND \n\n\0", "!unknown_command");
	all_versions_read(" SEND\n\n\0", "!unknown_command");
	all_versions_read("SENDS\n\n\0", "!unknown_command");
	all_versions_read("GET / HTTP/1.1\r\n\r\n", "!unknown_command");
	all_versions_read("SE\r\n", "!unknown_command");
}
END_TEST

START_TEST(a_header_needs_a_name_and_a_colon)
{
	all_versions_read("SEND\nreceipt:1\nab\n\n\0", "!malformed@1");
	ck_assert_str_eq(frame.why, "a header line has no colon");
	all_versions_read("SEND\n:b\n\n\0", "!malformed");
	ck_assert_str_eq(frame.why, "a header line has no name before its colon");
	all_versions_read("SEND\n:\n\n\0", "!malformed");
	all_versions_read("SEND\n \n\n\0", "!malformed");
}
END_TEST

START_TEST(a_nul_in_the_head_is_malformed)
{
	all_versions_read("\0", "!malformed");
	all_versions_read("SEND\0", "!malformed");
	all_versions_read("SEND\n\0", "!malformed");
	all_versions_read("SE\0ND\n\n\0", "!malformed");
	all_versions_read("SEND\nreceipt:x\na:b\0c\n\n\0", "!malformed@x");
	all_versions_read("CONNECT\naccept-version:1.2\n\0", "!malformed");
	ck_assert_ptr_nonnull(strstr(frame.why, "blank line"));
}
END_TEST

START_TEST(content_length_is_digits_alone)
{
	all_versions_read("SEND\nreceipt:r\ncontent-length:\n\n\0", "!malformed@r");
	all_versions_read("SEND\ncontent-length:+1\n\na\0", "!malformed");
	all_versions_read("SEND\ncontent-length:-1\n\na\0", "!malformed");
	all_versions_read("SEND\ncontent-length: 1\n\na\0", "!malformed");
	all_versions_read("SEND\ncontent-length:1 \n\na\0", "!malformed");
	all_versions_read("SEND\ncontent-length:0x1\n\na\0", "!malformed");
	all_versions_read("SEND\ncontent-length:1.0\n\na\0", "!malformed");
	all_versions_read("SEND\ncontent-length:99999999999999999999999999x\n\na\0", "!malformed");
}
END_TEST

START_TEST(a_number_that_overflows_is_too_large)
{
	limits.max_body_bytes = SIZE_MAX / 100;
	all_versions_read(
	    "SEND\nreceipt:r\ncontent-length:18446744073709551616\n\n", "!too_large@r");
	all_versions_read("SEND\ncontent-length:18446744073709551617\n\na\0", "!too_large");
	all_versions_read(
	    "SEND\ncontent-length:184467440737095516170000000000000001\n\n", "!too_large");
	all_versions_read(
	    "SEND\ncontent-length:99999999999999999999999999999999999\n\n", "!too_large");
}
END_TEST

START_TEST(behind_content_length_stands_a_nul)
{
	static const char far[] =
	    "SEND\nreceipt:r\ncontent-length:1\n\nab"
	    "0123456789012345678901234567890123456789012345678901234567890123\0";
	static const char near[] =
	    "SEND\nreceipt:r\ncontent-length:1\n\nab"
	    "012345678901234567890123456789012345678901234567890123456789012\0";

	assert_reads(STOMP_1_2, T(far), T("!malformed@r"));
	assert_reads(STOMP_1_2, T(near), T("!malformed@r"));
	begin(STOMP_1_2);
	feed(far, sizeof(far) - 1);
	ck_assert_ptr_null(strstr(frame.why, "surrogate"));
	begin(STOMP_1_2);
	feed(near, sizeof(near) - 1);
	ck_assert_ptr_nonnull(strstr(frame.why, "splitLargeFrames"));
}
END_TEST

START_TEST(only_send_message_and_error_have_bodies)
{
	for (int v = STOMP_UNDECIDED; v <= STOMP_1_2; v++) {
		if (v == STOMP_1_0)
			continue;
		reads((enum stomp_version)v, "CONNECT\nreceipt:1\n\nx\0", "!unexpected_body@1");
		reads((enum stomp_version)v, "SUBSCRIBE\ncontent-length:1\n\n", "!unexpected_body");
		reads((enum stomp_version)v, "ACK\ncontent-length:0\n\n\0",
		    "<ACK|content-length=0|>");
	}
}
END_TEST

START_TEST(in_1_0_a_body_of_other_commands_is_ignored)
{
	reads(STOMP_1_0, "ABORT\n\nx\0SUBSCRIBE\ncontent-length:2\n\n\0\0\0\nSEND\n\n\0",
	    "<ABORT|><SUBSCRIBE|content-length=2|><SEND|>");
}
END_TEST

START_TEST(binary_that_has_become_text_is_recognised)
{
	all_versions_read("[object ArrayBuffer]", "!binary_as_text");
	all_versions_read("\n[object Uint8Array]", "!binary_as_text");
	all_versions_read("[object Blob]\n\n", "!binary_as_text");
	all_versions_read("67,79,78,78,69,67,84,10,10,0", "!binary_as_text");
	all_versions_read("10,255,\n", "!binary_as_text");
	all_versions_read("6", "");
	all_versions_read("67,79", "");
	all_versions_read("67,79\n", "!unknown_command");
	all_versions_read("6777,79,\n", "!unknown_command");
	all_versions_read("[object Object]\n", "!unknown_command");
	all_versions_read(",6,7,\n", "!unknown_command");
}
END_TEST

/* --- limits ------------------------------------------------------------------------ */

START_TEST(a_frame_at_its_limits_is_read)
{
	limits = (struct stomp_limits){ 2, 16, 23, 4 };
	all_versions_read("SEND\ncontent-length:4\n\n1234\0", "<SEND|content-length=4|1234>");
	all_versions_read("SEND\na:1\nb:2\n\n1234\0", "<SEND|a=1|b=2|1234>");
	limits.max_head_bytes = 22;
	all_versions_read("SEND\ncontent-length:4\n\n1234\0", "!too_large");
}
END_TEST

START_TEST(one_more_than_a_limit_is_too_large)
{
	limits = (struct stomp_limits){ 2, 16, 24, 4 };
	all_versions_read("SEND\na:1\nb:2\nc:3\n\n1234\0", "!too_large");
	ck_assert_str_eq(frame.why, "the frame has too many headers");
	all_versions_read("SEND\na:1\n\n12345\0", "!too_large");
	ck_assert_str_eq(frame.why, "the body is too large");
	all_versions_read("SEND\ncontent-length:5\n\n", "!too_large");
	ck_assert_ptr_nonnull(strstr(frame.why, "announces"));
	all_versions_read("SEND\na:345678901234567", "!too_large");
	ck_assert_str_eq(frame.why, "a line of the head is too long");
	all_versions_read("SENDSENDSENDSENDS", "!too_large");
	ck_assert_str_eq(frame.why, "a line of the head is too long");
	all_versions_read("SEND\na:3456789\nb:3456789\n", "!too_large");
	ck_assert_str_eq(frame.why, "the command and the headers are too large");
}
END_TEST

START_TEST(a_line_that_is_too_long_is_found_in_a_whole_frame_too)
{
	limits = (struct stomp_limits){ 2, 8, 24, 4 };
	all_versions_read("SEND\na:345678\n\n\0", "<SEND|a=345678|>");
	all_versions_read("SEND\na:3456789\n\n\0", "!too_large");
	all_versions_read("SUBSCRIBE\n\n\0", "!too_large");
	ck_assert_str_eq(frame.why, "a line of the head is too long");
}
END_TEST

START_TEST(the_octet_at_fault_first_decides)
{
	limits = (struct stomp_limits){ 2, 16, 24, 4 };
	all_versions_read("SEND\na:\000123456789012345\n\n\0", "!malformed");
	all_versions_read("SEND\na:34567890123456\0\n\n\0", "!malformed"); /* the octet too many */
	all_versions_read("SEND\na:345678901234567\0\n\n\0", "!too_large");
	ck_assert_str_eq(frame.why, "a line of the head is too long");
	limits.max_head_bytes = 16;
	all_versions_read("SEND\na:345678901234567\0\n\n\0", "!too_large");
	ck_assert_str_eq(frame.why, "the command and the headers are too large");
}
END_TEST

START_TEST(an_announced_length_takes_no_memory)
{
	static const char head[] = "SEND\ncontent-length:65536\n\n";

	start(STOMP_1_2);
	ck_assert(feed(head, sizeof(head) - 1));
	ck_assert_uint_lt(stomp_parser_held(&parser), 1024);
	ck_assert_int_eq(stomp_parser_progress(&parser), STOMP_IN_BODY);
	ck_assert_int_eq(stomp_parser_command(&parser), STOMP_SEND);
}
END_TEST

START_TEST(what_is_held_stays_within_the_limits)
{
	size_t most = 0;

	limits = (struct stomp_limits){ 128, 1000, 5000, 40000 };
	start(STOMP_1_2);
	ck_assert(feed("SEND\n\n", 6));
	for (int i = 0; i < 40000; i++) {
		ck_assert(feed("x", 1));
		most = stomp_parser_held(&parser) > most ? stomp_parser_held(&parser) : most;
	}
	ck_assert_uint_lt(most, 40000 + 6 + 1 + 200);
	begin(parser.version); /* drops it */
	ck_assert_uint_eq(stomp_parser_held(&parser), 0);
	for (int i = 0; i < 5; i++) {
		char line[1001];

		memset(line, 'x', sizeof(line));
		memcpy(line, i ? "a:" : "SEND\n", i ? 2 : 5);
		line[i ? 999 : 4] = '\n';
		if (!feed(line, i ? 1000 : 5))
			break;
		ck_assert_uint_lt(stomp_parser_held(&parser), 5000 + 200);
	}
}
END_TEST

/* --- what is under way ------------------------------------------------------------- */

START_TEST(a_parser_tells_what_is_under_way)
{
	start(STOMP_UNDECIDED);
	ck_assert_int_eq(stomp_parser_progress(&parser), STOMP_BETWEEN_FRAMES);
	ck_assert(feed("CONN", 4));
	ck_assert_int_eq(stomp_parser_progress(&parser), STOMP_IN_HEAD);
	ck_assert(feed("ECT\n", 4));
	ck_assert_int_eq(stomp_parser_progress(&parser), STOMP_IN_HEAD);
	ck_assert_int_eq(stomp_parser_command(&parser), STOMP_NONE);
	ck_assert(feed("a:b\n\n", 5));
	ck_assert_int_eq(stomp_parser_progress(&parser), STOMP_IN_BODY);
	ck_assert_int_eq(stomp_parser_command(&parser), STOMP_CONNECT);
	ck_assert_uint_gt(stomp_parser_held(&parser), 0);
	ck_assert(feed("\0", 1));
	ck_assert_int_eq(stomp_parser_progress(&parser), STOMP_BETWEEN_FRAMES);
	ck_assert_uint_eq(stomp_parser_held(&parser), 0);
}
END_TEST

START_TEST(a_whole_frame_is_not_copied)
{
	static const char text[] = "SEND\na:b\n\nhello";

	start(STOMP_1_2);
	mem_fail_at(1);
	ck_assert_int_eq(stomp_parse(&parser, text, sizeof(text), &frame), sizeof(text));
	ck_assert(!mem_failed());
	mem_fail_at(0);
	ck_assert_ptr_eq(frame.body.p, text + 10);
}
END_TEST

/* Each allocation of a frame in three pieces, with escapes. */
START_TEST(without_memory_it_fails_in_order)
{
	static const char *const pieces[] = { "SEND\nreceipt:a\\c", "b\n\n", "0123456789" };

	for (unsigned long nth = 1;; nth++) {
		ssize_t r = 0;

		start(STOMP_1_2);
		mem_fail_at(nth);
		for (int i = 0; i < 3 && r >= 0; i++)
			r = stomp_parse(&parser, pieces[i], strlen(pieces[i]), &frame);
		if (r >= 0)
			r = stomp_parse(&parser, "", 1, &frame);
		if (!mem_failed()) {
			ck_assert_uint_gt(nth, 2);
			break;
		}
		ck_assert_int_eq(r, -1);
		ck_assert_int_eq(frame.error, STOMP_E_INTERNAL);
		stomp_frame_fini(&frame);
		stomp_frame_init(&frame);
	}
	mem_fail_at(0);
}
END_TEST

/* --- writing ----------------------------------------------------------------------- */

static struct buf out;

static void assert_out(struct bytes expected)
{
	ck_assert_uint_eq(buf_len(&out), expected.n);
	ck_assert_mem_eq(buf_data(&out), expected.p, expected.n);
	buf_fini(&out);
}

START_TEST(a_frame_is_written_with_its_length_in_octets)
{
	ck_assert_int_eq(stomp_write_begin(&out, STOMP_MESSAGE), 0);
	ck_assert_int_eq(stomp_write_plain(&out, "subscription", T("sub-0")), 0);
	ck_assert_int_eq(stomp_write_header(&out, STOMP_1_2, T("a"), T("b")), 0);
	ck_assert_int_eq(stomp_write_end(&out, T("\xc3\xa9\0")), 0);
	assert_out(T("MESSAGE\nsubscription:sub-0\na:b\ncontent-length:3\n\n\xc3\xa9\0\0"));
}
END_TEST

START_TEST(a_frame_without_a_body_has_no_content_length)
{
	ck_assert_int_eq(stomp_write_begin(&out, STOMP_RECEIPT), 0);
	ck_assert_int_eq(stomp_write_plain(&out, "receipt-id", (struct bytes){ NULL, 0 }), 0);
	ck_assert_int_eq(stomp_write_end(&out, (struct bytes){ NULL, 0 }), 0);
	assert_out(T("RECEIPT\nreceipt-id:\n\n\0"));
}
END_TEST

static void assert_header(enum stomp_version version, struct bytes expected)
{
	ck_assert_int_eq(
	    stomp_write_header(&out, version, T("a:\n\\\t"), T(" 1:\r\n\\\0\t\xc3\xa9 ")), 0);
	assert_out(expected);
}

START_TEST(a_header_is_escaped_as_the_version_knows)
{
	assert_header(STOMP_1_2, T("a\\c\\n\\\\\t: 1\\c\\r\\n\\\\ \t\xc3\xa9 \n"));
	assert_header(STOMP_1_1, T("a\\c\\n\\\\\t: 1\\c \\n\\\\ \t\xc3\xa9 \n"));
	assert_header(STOMP_1_0, T("a  \\\t: 1:  \\ \t\xc3\xa9 \n"));
	assert_header(STOMP_UNDECIDED, T("a  \\\t: 1:  \\ \t\xc3\xa9 \n"));
}
END_TEST

START_TEST(what_is_written_in_1_2_is_read_again)
{
	static const char octets[] = "\n\r\\:ab \t~\x01\x7f";
	unsigned seed = 5;

	for (int i = 0; i < 2000; i++) {
		struct bytes header = { octets + rand_r(&seed) % 6,
			(size_t)(1 + rand_r(&seed) % 5) };
		struct bytes body = { octets, (size_t)(rand_r(&seed) % 11) };

		begin(STOMP_1_2);
		ck_assert_int_eq(stomp_write_begin(&out, STOMP_SEND), 0);
		ck_assert_int_eq(stomp_write_header(&out, STOMP_1_2, header, header), 0);
		ck_assert_int_eq(stomp_write_end(&out, body), 0);
		ck_assert_int_eq(stomp_parse(&parser, buf_data(&out), buf_len(&out), &frame),
		    (ssize_t)buf_len(&out));
		ck_assert_int_eq(frame.command, STOMP_SEND);
		ck_assert(bytes_equal(frame.headers[0].name, header));
		ck_assert(bytes_equal(frame.headers[0].value, header));
		ck_assert(bytes_equal(frame.body, body));
		buf_fini(&out);
	}
}
END_TEST

START_TEST(writing_without_memory_says_so)
{
	mem_fail_at(1);
	ck_assert_int_eq(stomp_write_begin(&out, STOMP_SEND), -ENOMEM);
	mem_fail_at(1);
	ck_assert_int_eq(stomp_write_header(&out, STOMP_1_2, T("a"), T("b")), -ENOMEM);
	mem_fail_at(1);
	ck_assert_int_eq(stomp_write_plain(&out, "a", T("b")), -ENOMEM);
	mem_fail_at(1);
	ck_assert_int_eq(stomp_write_end(&out, T("b")), -ENOMEM);
	mem_fail_at(0);
	ck_assert_uint_eq(buf_len(&out), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stomp_frame");
	TCase *tc = tcase_create("stomp_frame");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60); /* a machine may be busy */
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_frame_has_command_headers_and_body);
	tcase_add_test(tc, every_command_is_known);
	tcase_add_test(tc, several_frames_in_one_feed_come_one_by_one);
	tcase_add_test(tc, line_feeds_between_frames_are_skipped);
	tcase_add_test(tc, crlf_between_frames_is_skipped_in_1_2_and_undecided);
	tcase_add_test(tc, a_line_end_in_halves_costs_no_memory);
	tcase_add_test(tc, lines_of_the_head_may_end_in_crlf_in_1_2_and_undecided);
	tcase_add_test(tc, a_carriage_return_belongs_to_its_line_before_1_2);
	tcase_add_test(tc, a_body_without_content_length_ends_at_the_first_nul);
	tcase_add_test(tc, a_body_of_content_length_may_hold_nul);
	tcase_add_test(tc, the_first_of_repeated_headers_wins);
	tcase_add_test(tc, blanks_and_more_colons_are_kept);
	tcase_add_test(tc, a_server_s_frames_are_read_as_well);
	tcase_add_test(tc, headers_are_unescaped_as_the_version_says);
	tcase_add_test(tc, headers_of_connect_and_connected_are_never_unescaped);
	tcase_add_test(tc, an_unknown_escape_is_named);
	tcase_add_test(tc, only_1_0_may_have_heads_that_are_not_utf8);
	tcase_add_test(tc, half_of_a_surrogate_pair_is_named);
	tcase_add_test(tc, commands_match_exactly);
	tcase_add_test(tc, a_header_needs_a_name_and_a_colon);
	tcase_add_test(tc, a_nul_in_the_head_is_malformed);
	tcase_add_test(tc, content_length_is_digits_alone);
	tcase_add_test(tc, a_number_that_overflows_is_too_large);
	tcase_add_test(tc, behind_content_length_stands_a_nul);
	tcase_add_test(tc, only_send_message_and_error_have_bodies);
	tcase_add_test(tc, in_1_0_a_body_of_other_commands_is_ignored);
	tcase_add_test(tc, binary_that_has_become_text_is_recognised);
	tcase_add_test(tc, a_frame_at_its_limits_is_read);
	tcase_add_test(tc, one_more_than_a_limit_is_too_large);
	tcase_add_test(tc, a_line_that_is_too_long_is_found_in_a_whole_frame_too);
	tcase_add_test(tc, the_octet_at_fault_first_decides);
	tcase_add_test(tc, an_announced_length_takes_no_memory);
	tcase_add_test(tc, what_is_held_stays_within_the_limits);
	tcase_add_test(tc, a_parser_tells_what_is_under_way);
	tcase_add_test(tc, a_whole_frame_is_not_copied);
	tcase_add_test(tc, without_memory_it_fails_in_order);
	tcase_add_test(tc, a_frame_is_written_with_its_length_in_octets);
	tcase_add_test(tc, a_frame_without_a_body_has_no_content_length);
	tcase_add_test(tc, a_header_is_escaped_as_the_version_knows);
	tcase_add_test(tc, what_is_written_in_1_2_is_read_again);
	tcase_add_test(tc, writing_without_memory_says_so);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
