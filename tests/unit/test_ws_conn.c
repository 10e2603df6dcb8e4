/*
 * tests/unit/test_ws_conn.c - RFC 6455 sections 5 to 8, as a peer on the wire
 * would see them.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ws_conn_fixture.h"

/* --- messages ------------------------------------------------------------------ */

START_TEST(a_text_message_arrives)
{
	put(FIN | WS_TEXT, "Hello");
	expect("text(Hello)");
}
END_TEST

START_TEST(an_empty_message_is_a_message)
{
	put(FIN | WS_TEXT, "");
	put(FIN | WS_BINARY, "");
	expect("text()binary()");
}
END_TEST

START_TEST(many_frames_in_one_read_keep_their_order)
{
	put(FIN | WS_TEXT, "a");
	put(FIN | WS_BINARY, "\xff");
	put(FIN | WS_PING, "p");
	put(FIN | WS_TEXT, "b");
	expect("text(a)binary(\xff)write(pong p)text(b)");
}
END_TEST

START_TEST(fragments_make_one_message)
{
	put(WS_TEXT, "fra");
	put(WS_CONTINUATION, "g");
	put(FIN | WS_CONTINUATION, "ments");
	put(FIN | WS_TEXT, "next");
	expect("text(fragments)text(next)");
}
END_TEST

START_TEST(fragments_may_be_empty)
{
	put(WS_BINARY, "");
	put(WS_CONTINUATION, "");
	put(FIN | WS_CONTINUATION, "");
	put(WS_TEXT, "");
	put(WS_CONTINUATION, "x");
	put(FIN | WS_CONTINUATION, "");
	expect("binary()text(x)");
}
END_TEST

START_TEST(control_frames_may_stand_between_fragments)
{
	put(WS_TEXT, "a");
	put(FIN | WS_PING, "ping");
	put(WS_CONTINUATION, "b");
	put(FIN | WS_PONG, "");
	put(FIN | WS_CONTINUATION, "c");
	expect("write(pong ping)pong()text(abc)");
}
END_TEST

START_TEST(a_message_of_any_length_arrives_at_once_and_in_pieces)
{
	static const size_t sizes[] = { 125, 126, 127, 128, 511, 512, 513, 65535, 65536, 100000 };
	static char body[100000];
	size_t n = sizes[_i];

	memset(body, 'x', n);
	for (size_t piece = 1; piece < 70000; piece = piece * 7 + 1) {
		begin(WS_SERVER);
		put_n(FIN | WS_TEXT, body, n);
		for (size_t i = 0; i < w.n; i += piece) {
			size_t here = piece < w.n - i ? piece : w.n - i;

			ck_assert_int_eq(
			    ws_conn_feed(&w.conn, w.wire + i, here, NULL), (ssize_t)here);
		}
		ck_assert_uint_eq(w.delivered, n);
		ck_assert_uint_eq(strncmp(w.said, n <= 200 ? "text(xxx" : "text[", 5), 0);
		ck_assert_ptr_null(strchr(w.said + 5, '('));
	}
}
END_TEST

START_TEST(nothing_is_kept_between_messages)
{
	put(FIN | WS_TEXT, "whole");
	ck_assert_int_eq(ws_conn_feed(&w.conn, w.wire, 3, NULL), 3);
	ck_assert_ptr_nonnull(w.conn.partial);
	ck_assert_int_eq(ws_conn_feed(&w.conn, w.wire + 3, w.n - 3, NULL), (ssize_t)w.n - 3);
	ck_assert_ptr_null(w.conn.partial);
	w.n = 0;
	put(FIN | WS_PING, "cut");
	ck_assert_int_eq(ws_conn_feed(&w.conn, w.wire, 8, NULL), 8);
	ck_assert_ptr_nonnull(w.conn.partial);
	ck_assert_int_eq(ws_conn_feed(&w.conn, w.wire + 8, w.n - 8, NULL), (ssize_t)w.n - 8);
	ck_assert_ptr_null(w.conn.partial);
	ck_assert_str_eq(w.said, "text(whole)write(pong cut)");
}
END_TEST

START_TEST(whole_frames_cost_no_allocation)
{
	for (int i = 0; i < 100; i++) {
		put(FIN | WS_TEXT, "abc");
		put(FIN | WS_PING, "ping");
		put(FIN | WS_PONG, "pong");
	}
	put(FIN | WS_CLOSE, "\x03\xe8");
	mem_fail_at(1);
	feed_all();
	ck_assert(!mem_failed());
	mem_fail_at(0);
	ck_assert_uint_eq(w.delivered, 300);
}
END_TEST

START_TEST(nothing_is_allocated_from_an_announced_length)
{
	put_raw("\x82\xff\0\0\x10\0\0\0\0\0mask", 14); /* 16 TiB */
	put_raw("0123456789", 10);
	feed_all(); /* malloc of 16 TiB would fail, under the sanitizers loudly */
	ck_assert_str_eq(w.said, "");
}
END_TEST

/* --- the rules on headers --------------------------------------------------------- */

START_TEST(a_reserved_bit_fails_the_connection)
{
	static const uint8_t bits[] = { 0x40, 0x20, 0x10, 0x70 };

	put(FIN | bits[_i] | WS_TEXT, "x");
	expect(FAILED_1002("reserved bit set without an extension"));
	w.n = 0;
	begin(WS_SERVER);
	put(FIN | bits[_i] | WS_PING, "x");
	expect(FAILED_1002("reserved bit set without an extension"));
}
END_TEST

START_TEST(an_unknown_opcode_fails_the_connection)
{
	static const uint8_t opcodes[] = { 3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf };

	put(FIN | WS_TEXT, "before");
	put(FIN | opcodes[_i], "");
	put(FIN | WS_PING, "after");
	expect("text(before)" FAILED_1002("unknown opcode"));
}
END_TEST

START_TEST(a_client_must_mask)
{
	put_raw("\x81\x01x", 3);
	expect(FAILED_1002("frame from a client is not masked"));
}
END_TEST

START_TEST(a_client_must_mask_even_nothing)
{
	put_raw("\x89\x00", 2);
	expect(FAILED_1002("frame from a client is not masked"));
}
END_TEST

START_TEST(a_server_must_not_mask)
{
	begin(WS_CLIENT);
	put_raw("\x81\x81\0\0\0\0x", 7);
	expect(FAILED_1002("frame from a server is masked"));
}
END_TEST

START_TEST(a_length_that_is_not_minimal_fails_the_connection)
{
	put_raw("\x81\xfe\x00\x01\0\0\0\0x", 9);
	expect(FAILED_1002("frame length is not minimal or too large"));
}
END_TEST

START_TEST(a_length_over_63_bits_fails_the_connection)
{
	put_raw("\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0", 14);
	expect(FAILED_1002("frame length is not minimal or too large"));
}
END_TEST

START_TEST(a_control_frame_must_not_be_fragmented)
{
	static const uint8_t opcodes[] = { WS_CLOSE, WS_PING, WS_PONG };

	put(opcodes[_i], "");
	expect(FAILED_1002("control frame is fragmented"));
}
END_TEST

START_TEST(a_control_frame_has_at_most_125_octets)
{
	static const uint8_t opcodes[] = { WS_CLOSE, WS_PING, WS_PONG };
	char body[126];

	memset(body, 'x', sizeof(body));
	put_n(FIN | WS_PONG, body, 125);
	put_n(FIN | opcodes[_i], body, 126);
	feed_all();
	ck_assert_ptr_nonnull(strstr(w.said, FAILED_1002("control frame is over 125 octets")));
	ck_assert_int_eq(strncmp(w.said, "pong(xxx", 8), 0);
}
END_TEST

START_TEST(a_continuation_needs_a_message)
{
	put(FIN | WS_CONTINUATION, "x");
	expect(FAILED_1002("continuation without a message"));
}
END_TEST

START_TEST(a_continuation_after_the_last_fragment_fails)
{
	put(WS_TEXT, "a");
	put(FIN | WS_CONTINUATION, "b");
	put(WS_CONTINUATION, "c");
	expect("text(ab)" FAILED_1002("continuation without a message"));
}
END_TEST

START_TEST(a_message_must_not_begin_within_another)
{
	put(WS_TEXT, "a");
	put(FIN | WS_TEXT, "b");
	expect(FAILED_1002("message begun within another"));
}
END_TEST

/* --- limits ------------------------------------------------------------------------- */

START_TEST(a_message_may_reach_the_limit_and_not_exceed_it)
{
	w.limits.max_message_bytes = 5;
	put(FIN | WS_TEXT, "12345");
	put(WS_TEXT, "123");
	put(FIN | WS_CONTINUATION, "45");
	put(FIN | WS_TEXT, "123456");
	expect("text(12345)text(12345)write(close 1009 message is too big)failed(1009)");
}
END_TEST

START_TEST(fragments_are_summed_against_the_limit)
{
	w.limits.max_message_bytes = 5;
	put(WS_BINARY, "1234");
	put(FIN | WS_PING, "control frames do not count");
	put(FIN | WS_CONTINUATION, "56");
	expect("write(pong control frames do not count)write(close 1009 message is too "
	       "big)failed(1009)");
}
END_TEST

START_TEST(a_frame_too_big_is_refused_by_its_header_alone)
{
	w.limits.max_message_bytes = 65536;
	put_raw("\x82\xff\0\0\0\0\0\1\0\1", 10);
	feed_all();
	ck_assert_str_eq(w.said, "");
	put_raw("mask", 4);
	feed_all();
	ck_assert_str_eq(w.said, "write(close 1009 message is too big)failed(1009)");
}
END_TEST

START_TEST(a_huge_length_does_not_wrap_around_the_limit)
{
	w.limits.max_message_bytes = 100;
	put(WS_BINARY, "12345");
	put_raw("\x80\xff\x7f\xff\xff\xff\xff\xff\xff\xff"
	        "mask",
	    14);
	feed_all();
	ck_assert_str_eq(w.said, "write(close 1009 message is too big)failed(1009)");
}
END_TEST

START_TEST(fragments_are_counted)
{
	w.limits.max_fragments = 3;
	put(WS_BINARY, "");
	put(WS_CONTINUATION, "");
	put(FIN | WS_CONTINUATION, "ok");
	put(WS_BINARY, "");
	put(WS_CONTINUATION, "");
	put(WS_CONTINUATION, "");
	put(FIN | WS_CONTINUATION, "");
	expect("binary(ok)write(close 1009 message has too many fragments)failed(1009)");
}
END_TEST

START_TEST(one_fragment_may_be_all_that_is_allowed)
{
	w.limits.max_fragments = 1;
	put(FIN | WS_BINARY, "a");
	put(WS_BINARY, "b");
	put(FIN | WS_CONTINUATION, "c");
	expect("binary(a)write(close 1009 message has too many fragments)failed(1009)");
}
END_TEST

/* --- UTF-8 ---------------------------------------------------------------------------- */

START_TEST(text_may_be_cut_within_a_code_point)
{
	put(WS_TEXT, "\xf0");
	put(WS_CONTINUATION, "\x9f\x98");
	put(FIN | WS_PING, "\x80"); /* control frames do not touch the state */
	put(WS_CONTINUATION, "");
	put(FIN | WS_CONTINUATION, "\x80\xc3\xa9");
	expect("write(pong \x80)text(\xf0\x9f\x98\x80\xc3\xa9)");
}
END_TEST

START_TEST(text_that_is_not_utf8_fails)
{
	static const char *bad[] = { "\xff", "a\x80", "\xc0\x80", "\xed\xa0\x80",
		"\xf4\x90\x80\x80", "\xe2\x82", "abc\xc3" };

	put(FIN | WS_TEXT, bad[_i]);
	expect(BAD_TEXT);
}
END_TEST

START_TEST(text_that_ends_within_a_code_point_fails_at_its_empty_last_fragment)
{
	put(WS_TEXT, "\xe2\x82");
	put(FIN | WS_CONTINUATION, "");
	expect(BAD_TEXT);
}
END_TEST

START_TEST(bad_text_fails_at_the_very_octet_within_an_unfinished_frame)
{
	/* Autobahn 6.4: valid, then F4 90, in a frame that never ends */
	static const char text[] = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80";

	put_n(FIN | WS_TEXT, text, 15);
	for (size_t i = 0; i < 6 + 12; i++)
		ck_assert_int_eq(ws_conn_feed(&w.conn, w.wire + i, 1, NULL), 1);
	ck_assert_str_eq(w.said, "");
	ck_assert_int_eq(ws_conn_feed(&w.conn, w.wire + 18, 1, NULL), 1);
	ck_assert_str_eq(w.said, BAD_TEXT);
}
END_TEST

START_TEST(bad_text_fails_before_its_last_fragment)
{
	put(WS_TEXT, "abc\xff");
	expect(BAD_TEXT);
}
END_TEST

START_TEST(binary_messages_are_not_text)
{
	put(WS_TEXT, "t");
	put(FIN | WS_CONTINUATION, "\xc3\xa9");
	put(WS_BINARY, "\xc3");
	put(FIN | WS_CONTINUATION, "\xff");
	put(FIN | WS_TEXT, "t");
	expect("text(t\xc3\xa9)binary(\xc3\xff)text(t)");
}
END_TEST

/* --- control frames --------------------------------------------------------------------- */

START_TEST(a_ping_is_answered_with_its_payload)
{
	put(FIN | WS_PING, "");
	put_n(FIN | WS_PING, "a\xff\x01", 3);
	expect("write(pong )write(pong a\xff\x01)");
}
END_TEST

START_TEST(a_ping_of_125_octets_is_answered)
{
	char body[126] = { 0 }, want[160];

	memset(body, 'p', 125);
	snprintf(want, sizeof(want), "write(pong %s)", body);
	put(FIN | WS_PING, body);
	expect(want);
}
END_TEST

START_TEST(an_unasked_pong_is_harmless)
{
	struct ws_conn_ops without = ops;

	without.pong = NULL;
	put(FIN | WS_PONG, "x");
	expect("pong(x)");
	begin(WS_SERVER);
	w.conn.ops = &without;
	put(FIN | WS_PONG, "x");
	put(FIN | WS_TEXT, "y");
	feed_all();
	ck_assert_str_eq(w.said, "text(y)");
}
END_TEST

START_TEST(a_ping_can_be_sent)
{
	char long_one[200];

	memset(long_one, 'x', sizeof(long_one));
	ws_conn_ping(&w.conn, "hi", 2);
	ws_conn_ping(&w.conn, NULL, 0);
	ck_assert_str_eq(w.said, "write(ping hi)write(ping )");
	ws_conn_ping(&w.conn, long_one, sizeof(long_one)); /* on_write checks that it is legal */
	ws_conn_close(&w.conn, 1000, NULL, 0);
	w.said[0] = '\0';
	ws_conn_ping(&w.conn, "late", 4);
	ck_assert_str_eq(w.said, "");
}
END_TEST

START_TEST(a_client_masks_what_it_sends_with_fresh_keys)
{
	char a[] = "same text", b[] = "same text", header_a[WS_HEADER_MAX], header_b[WS_HEADER_MAX];
	struct ws_frame f, g;

	begin(WS_CLIENT);
	put(FIN | WS_PING, "ping");
	put(FIN | WS_TEXT, "x");
	expect("write(pong ping)text(x)");
	ck_assert_uint_eq(ws_conn_data_header(&w.conn, header_a, 0, WS_TEXT, a, 9), 6);
	ck_assert_uint_eq(ws_conn_data_header(&w.conn, header_b, 0, WS_TEXT, b, 9), 6);
	ck_assert_int_eq(ws_frame_parse(&f, header_a, 6), 6);
	ck_assert_int_eq(ws_frame_parse(&g, header_b, 6), 6);
	ck_assert(f.fin && f.masked && f.opcode == WS_TEXT && f.length == 9);
	ck_assert_mem_ne(f.mask, g.mask, 4); /* wrong once in 2^32 runs */
	ws_mask(a, 9, f.mask, 0);
	ck_assert_str_eq(a, "same text");
}
END_TEST

START_TEST(a_server_does_not_mask)
{
	char text[] = "text", header[WS_HEADER_MAX];

	ck_assert_uint_eq(ws_conn_data_header(&w.conn, header, 0, WS_BINARY, text, 4), 2);
	ck_assert_mem_eq(header, "\x82\x04", 2);
	ck_assert_str_eq(text, "text");
}
END_TEST

/* --- closing ------------------------------------------------------------------------------ */

START_TEST(a_close_is_answered_once_with_its_code)
{
	put(FIN | WS_CLOSE, "\x0f\xa0"
	                    "goodbye");
	put(FIN | WS_CLOSE, "\x03\xe8");
	expect("write(close 4000)close(4000 goodbye)");
}
END_TEST

START_TEST(an_empty_close_is_answered_by_an_empty_one)
{
	put(FIN | WS_CLOSE, "");
	expect("write(close )close(1005)");
}
END_TEST

START_TEST(nothing_after_a_close_is_looked_at)
{
	put(FIN | WS_TEXT, "before");
	put(FIN | WS_CLOSE, "\x03\xe8");
	put(FIN | WS_PING, "after");
	put(FIN | WS_TEXT, "\xff");
	put_raw("\xff\xff\xff\xff", 4);
	expect("text(before)write(close 1000)close(1000)");
	ck_assert_ptr_null(w.conn.partial);
}
END_TEST

START_TEST(nothing_after_a_failure_is_looked_at)
{
	put(FIN | 0x3, "");
	put(FIN | WS_TEXT, "after");
	put(FIN | WS_CLOSE, "\x03\xe8");
	expect(FAILED_1002("unknown opcode"));
	ck_assert_ptr_null(w.conn.partial);
}
END_TEST

START_TEST(a_close_may_come_between_fragments)
{
	put(WS_TEXT, "never finished");
	put(FIN | WS_CLOSE, "\x03\xe9");
	put(FIN | WS_CONTINUATION, "ignored");
	expect("write(close 1001)close(1001)");
	ck_assert_ptr_null(w.conn.partial);
}
END_TEST

START_TEST(the_answer_to_our_close_is_not_answered)
{
	ws_conn_close(&w.conn, 1001, "going", 5);
	ws_conn_close(&w.conn, 1000, "again", 5);
	put(FIN | WS_TEXT, "was on its way");
	put(FIN | WS_PING, "so was this");
	put(FIN | WS_CLOSE, "\x03\xe9");
	feed_all();
	ck_assert_str_eq(w.said, "write(close 1001 going)text(was on its way)"
	                         "write(pong so was this)close(1001)");
}
END_TEST

START_TEST(a_failure_after_our_close_sends_no_second_one)
{
	ws_conn_close(&w.conn, 1000, NULL, 0);
	put(FIN | 0x3, "");
	feed_all();
	ck_assert_str_eq(w.said, "write(close 1000)failed(1002)");
}
END_TEST

START_TEST(an_op_may_close)
{
	w.close_on_message = true;
	put(FIN | WS_TEXT, "a");
	put(WS_TEXT, "b");
	put(FIN | WS_CONTINUATION, "c");
	put(FIN | WS_CLOSE, "\x03\xe8");
	feed_all();
	ck_assert_str_eq(w.said, "text(a)write(close 1000 bye)text(bc)close(1000)");
}
END_TEST

START_TEST(a_close_of_one_octet_fails)
{
	put(FIN | WS_CLOSE, "\x03");
	expect(FAILED_1002("close frame of one octet"));
}
END_TEST

static const unsigned good_codes[] = { 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012,
	1013, 1014, 3000, 3999, 4000, 4999 };
static const unsigned bad_codes[] = { 0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999,
	5000, 65535 };

START_TEST(codes_for_the_wire_are_echoed)
{
	unsigned code = good_codes[_i];
	char body[2] = { (char)(code >> 8), (char)code }, want[64];

	snprintf(want, sizeof(want), "write(close %u)close(%u)", code, code);
	put_n(FIN | WS_CLOSE, body, 2);
	expect(want);
}
END_TEST

START_TEST(codes_not_for_the_wire_fail)
{
	unsigned code = bad_codes[_i];
	char body[2] = { (char)(code >> 8), (char)code };

	put_n(FIN | WS_CLOSE, body, 2);
	expect(FAILED_1002("invalid close code"));
}
END_TEST

START_TEST(codes_not_for_the_wire_are_not_sent)
{
	ws_conn_close(&w.conn, bad_codes[_i], "why", 3);
	ck_assert_str_eq(w.said,
	    bad_codes[_i] == WS_CLOSE_NO_STATUS ? "write(close )" : "write(close 1000 why)");
}
END_TEST

START_TEST(a_reason_that_is_not_utf8_fails)
{
	static const char *reasons[] = { "\x03\xe8\xff", "\x03\xe8ok\xc3", "\x03\xe8\xed\xa0\x80" };

	put(FIN | WS_CLOSE, reasons[_i]);
	expect("write(close 1007 close reason is not UTF-8)failed(1007)");
}
END_TEST

START_TEST(a_reason_of_123_octets_arrives)
{
	char body[126] = "\x03\xe8", want[200];

	memset(body + 2, 'r', 123);
	snprintf(want, sizeof(want), "write(close 1000)close(1000 %s)", body + 2);
	put_n(FIN | WS_CLOSE, body, 125);
	expect(want);
}
END_TEST

START_TEST(a_long_reason_is_cut_at_a_code_point)
{
	char reason[200], want[200];

	memset(reason, 'r', sizeof(reason));
	memcpy(reason + 122, "\xe2\x82\xac", 3);
	ws_conn_close(&w.conn, 1000, reason, sizeof(reason));
	snprintf(want, sizeof(want), "write(close 1000 %.122s)", reason);
	ck_assert_str_eq(w.said, want);
	begin(WS_SERVER);
	memcpy(reason + 120, "\xe2\x82\xac", 3);
	ws_conn_close(&w.conn, 1000, reason, sizeof(reason));
	snprintf(want, sizeof(want), "write(close 1000 %.123s)", reason);
	ck_assert_str_eq(w.said, want);
}
END_TEST

START_TEST(a_reason_is_cut_before_what_is_not_utf8)
{
	ws_conn_close(&w.conn, 1000,
	    "good\xff"
	    "bad",
	    8);
	ck_assert_str_eq(w.said, "write(close 1000 good)");
}
END_TEST

/* --- pause and resume ------------------------------------------------------------- */

/* Feeds like an owner that keeps what was not consumed; counts how often it was stopped. */
static unsigned feed_with_pauses(void)
{
	unsigned stops = 0;
	size_t at = 0;

	while (at < w.n) {
		ssize_t r = ws_conn_feed(&w.conn, w.wire + at, w.n - at, NULL);

		ck_assert_int_ge(r, 0);
		at += (size_t)r;
		if (w.conn.paused) {
			stops++;
			if (at < w.n && !w.conn.close_received)
				ck_assert_int_eq(
				    ws_conn_feed(&w.conn, w.wire + at, w.n - at, NULL), 0);
			ws_conn_resume(&w.conn);
		}
	}
	w.n = 0;
	return stops;
}

START_TEST(pausing_in_a_message_stops_right_behind_its_frame)
{
	size_t first;

	put(FIN | WS_TEXT, "one");
	first = w.n;
	put(FIN | WS_TEXT, "two");
	w.pause_on_message = true;
	ck_assert_int_eq(ws_conn_feed(&w.conn, w.wire, w.n, NULL), (ssize_t)first);
	ck_assert_str_eq(w.said, "text(one)");
	ck_assert_int_eq(ws_conn_feed(&w.conn, w.wire + first, w.n - first, NULL), 0);
	ws_conn_resume(&w.conn);
	ck_assert_int_eq(
	    ws_conn_feed(&w.conn, w.wire + first, w.n - first, NULL), (ssize_t)(w.n - first));
	ck_assert_str_eq(w.said, "text(one)text(two)");
}
END_TEST

START_TEST(every_message_may_pause_and_none_is_lost)
{
	w.pause_on_message = true;
	put(FIN | WS_TEXT, "a");
	put(WS_TEXT, "b");
	put(FIN | WS_PING, "p");
	put(FIN | WS_CONTINUATION, "c");
	put(FIN | WS_BINARY, "");
	put(FIN | WS_TEXT, "d");
	ck_assert_uint_eq(feed_with_pauses(), 4);
	ck_assert_str_eq(w.said, "text(a)write(pong p)text(bc)binary()text(d)");
}
END_TEST

START_TEST(a_flood_of_pings_can_be_paused)
{
	w.pause_on_write = true;
	for (int i = 0; i < 10; i++)
		put(FIN | WS_PING, "");
	ck_assert_uint_eq(feed_with_pauses(), 10);
}
END_TEST

START_TEST(a_pause_from_outside_holds_within_a_frame)
{
	put(FIN | WS_TEXT, "cut in two");
	ck_assert_int_eq(ws_conn_feed(&w.conn, w.wire, 9, NULL), 9);
	ws_conn_pause(&w.conn);
	ck_assert_int_eq(ws_conn_feed(&w.conn, w.wire + 9, w.n - 9, NULL), 0);
	ws_conn_resume(&w.conn);
	ck_assert_int_eq(ws_conn_feed(&w.conn, w.wire + 9, w.n - 9, NULL), (ssize_t)w.n - 9);
	ck_assert_str_eq(w.said, "text(cut in two)");
}
END_TEST

START_TEST(a_paused_connection_swallows_everything_after_its_close)
{
	put(FIN | WS_CLOSE, "\x03\xe8");
	feed_all();
	ws_conn_pause(&w.conn);
	put(FIN | WS_TEXT, "x");
	feed_all();
	ck_assert_str_eq(w.said, "write(close 1000)close(1000)");
}
END_TEST

/* --- memory ----------------------------------------------------------------------- */

START_TEST(running_out_of_memory_anywhere_fails_with_1011)
{
	static char body[5000];
	unsigned long nth = 0;
	ssize_t r;

	memset(body, 'x', sizeof(body));
	for (;;) {
		begin(WS_SERVER);
		put_n(WS_TEXT, body, 100);
		put(FIN | WS_PING, "p");
		put_n(WS_CONTINUATION, body, 1000);
		put_n(FIN | WS_CONTINUATION, body, 5000);
		put(FIN | WS_TEXT, "");
		mem_fail_at(++nth);
		r = 0;
		for (size_t i = 0; i < w.n && r >= 0; i += 7)
			r = ws_conn_feed(&w.conn, w.wire + i, w.n - i < 7 ? w.n - i : 7, NULL);
		mem_fail_at(0);
		if (!mem_failed() && r > 0 && strstr(w.said, "text[6100]text()"))
			break;
		ck_assert_int_eq(r, -ENOMEM);
		ck_assert_ptr_nonnull(
		    strstr(w.said, "write(close 1011 out of memory)failed(1011)"));
		ck_assert_ptr_null(w.conn.partial);
		w.n = 0;
		put(FIN | WS_PING, "swallowed");
		feed_all();
		ck_assert_ptr_null(strstr(w.said, "swallowed"));
	}
	ck_assert_uint_gt(nth, 5);
}
END_TEST

START_TEST(a_message_that_trickles_in_is_moved_a_few_times_only)
{
	static char body[100000];

	memset(body, 'x', sizeof(body));
	put_n(FIN | WS_BINARY, body, sizeof(body));
	mem_fail_at(12); /* one for the start, then doubling from 512 */
	for (size_t i = 0; i < w.n; i++)
		ck_assert_int_eq(ws_conn_feed(&w.conn, w.wire + i, 1, NULL), 1);
	mem_fail_at(0);
	ck_assert_str_eq(w.said, "binary[100000]");
}
END_TEST

START_TEST(a_cut_message_takes_no_more_memory_than_it_can_need)
{
	static char body[10000];

	memset(body, 'x', sizeof(body));
	put_n(FIN | WS_BINARY, body, sizeof(body));
	for (size_t i = 0; i < w.n - 1; i++)
		ck_assert_int_eq(ws_conn_feed(&w.conn, w.wire + i, 1, NULL), 1);
	ck_assert_uint_lt(malloc_usable_size(w.conn.partial), sizeof(body) + 512);
	w.n = 0;
	begin(WS_SERVER);
	w.limits.max_message_bytes = 600; /* in fragments, the limit is the bound */
	put_n(WS_BINARY, body, 590);
	for (size_t i = 0; i < w.n; i++)
		ck_assert_int_eq(ws_conn_feed(&w.conn, w.wire + i, 1, NULL), 1);
	ck_assert_uint_lt(malloc_usable_size(w.conn.partial), 600 + 400);
}
END_TEST

START_TEST(a_connection_may_end_in_the_middle_of_anything)
{
	put(WS_TEXT, "abc");
	put(FIN | WS_PING, "ping");
	put(FIN | WS_CONTINUATION, "def");
	for (size_t n = 0; n < w.n; n++) { /* the leak checker is the judge */
		struct ws_conn c;
		char copy[64];

		memcpy(copy, w.wire, n);
		ws_conn_init(&c, WS_SERVER, &ops, &w.limits);
		ck_assert_int_eq(ws_conn_feed(&c, copy, n, NULL), (ssize_t)n);
		ws_conn_fini(&c);
		ck_assert_ptr_null(c.partial);
	}
}
END_TEST

static void add_messages(TCase *tc)
{
	ADD(a_text_message_arrives);
	ADD(an_empty_message_is_a_message);
	ADD(many_frames_in_one_read_keep_their_order);
	ADD(fragments_make_one_message);
	ADD(fragments_may_be_empty);
	ADD(control_frames_may_stand_between_fragments);
	ADD_LOOP(a_message_of_any_length_arrives_at_once_and_in_pieces, 10);
	ADD(nothing_is_kept_between_messages);
	ADD(whole_frames_cost_no_allocation);
	ADD(nothing_is_allocated_from_an_announced_length);
}

static void add_header_rules(TCase *tc)
{
	ADD_LOOP(a_reserved_bit_fails_the_connection, 4);
	ADD_LOOP(an_unknown_opcode_fails_the_connection, 10);
	ADD(a_client_must_mask);
	ADD(a_client_must_mask_even_nothing);
	ADD(a_server_must_not_mask);
	ADD(a_length_that_is_not_minimal_fails_the_connection);
	ADD(a_length_over_63_bits_fails_the_connection);
	ADD_LOOP(a_control_frame_must_not_be_fragmented, 3);
	ADD_LOOP(a_control_frame_has_at_most_125_octets, 3);
	ADD(a_continuation_needs_a_message);
	ADD(a_continuation_after_the_last_fragment_fails);
	ADD(a_message_must_not_begin_within_another);
}

static void add_limits(TCase *tc)
{
	ADD(a_message_may_reach_the_limit_and_not_exceed_it);
	ADD(fragments_are_summed_against_the_limit);
	ADD(a_frame_too_big_is_refused_by_its_header_alone);
	ADD(a_huge_length_does_not_wrap_around_the_limit);
	ADD(fragments_are_counted);
	ADD(one_fragment_may_be_all_that_is_allowed);
}

static void add_text(TCase *tc)
{
	ADD(text_may_be_cut_within_a_code_point);
	ADD_LOOP(text_that_is_not_utf8_fails, 7);
	ADD(text_that_ends_within_a_code_point_fails_at_its_empty_last_fragment);
	ADD(bad_text_fails_at_the_very_octet_within_an_unfinished_frame);
	ADD(bad_text_fails_before_its_last_fragment);
	ADD(binary_messages_are_not_text);
}

static void add_control(TCase *tc)
{
	ADD(a_ping_is_answered_with_its_payload);
	ADD(a_ping_of_125_octets_is_answered);
	ADD(an_unasked_pong_is_harmless);
	ADD(a_ping_can_be_sent);
	ADD(a_client_masks_what_it_sends_with_fresh_keys);
	ADD(a_server_does_not_mask);
}

static void add_closing(TCase *tc)
{
	ADD(a_close_is_answered_once_with_its_code);
	ADD(an_empty_close_is_answered_by_an_empty_one);
	ADD(nothing_after_a_close_is_looked_at);
	ADD(nothing_after_a_failure_is_looked_at);
	ADD(a_close_may_come_between_fragments);
	ADD(the_answer_to_our_close_is_not_answered);
	ADD(a_failure_after_our_close_sends_no_second_one);
	ADD(an_op_may_close);
	ADD(a_close_of_one_octet_fails);
	ADD_LOOP(codes_for_the_wire_are_echoed, COUNT(good_codes));
	ADD_LOOP(codes_not_for_the_wire_fail, COUNT(bad_codes));
	ADD_LOOP(codes_not_for_the_wire_are_not_sent, COUNT(bad_codes));
	ADD_LOOP(a_reason_that_is_not_utf8_fails, 3);
	ADD(a_reason_of_123_octets_arrives);
	ADD(a_long_reason_is_cut_at_a_code_point);
	ADD(a_reason_is_cut_before_what_is_not_utf8);
}

static void add_pause(TCase *tc)
{
	ADD(pausing_in_a_message_stops_right_behind_its_frame);
	ADD(every_message_may_pause_and_none_is_lost);
	ADD(a_flood_of_pings_can_be_paused);
	ADD(a_pause_from_outside_holds_within_a_frame);
	ADD(a_paused_connection_swallows_everything_after_its_close);
}

static void add_memory(TCase *tc)
{
	ADD(running_out_of_memory_anywhere_fails_with_1011);
	ADD(a_message_that_trickles_in_is_moved_a_few_times_only);
	ADD(a_cut_message_takes_no_more_memory_than_it_can_need);
	ADD(a_connection_may_end_in_the_middle_of_anything);
}

int main(void)
{
	static const struct ws_group groups[] = {
		{ "messages", add_messages },
		{ "headers", add_header_rules },
		{ "limits", add_limits },
		{ "text", add_text },
		{ "control", add_control },
		{ "closing", add_closing },
		{ "pause", add_pause },
		{ "memory", add_memory },
	};

	return run_ws_groups("ws_conn", groups, COUNT(groups));
}
