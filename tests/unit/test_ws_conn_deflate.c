/*
 * tests/unit/test_ws_conn_deflate.c - compressed messages on a connection (RFC 7692), as a
 * peer on the wire would see them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ws_conn_fixture.h"

#define HELLO      "\xf2\x48\xcd\xc9\xc9\x07\x00" /* section 7.2.3.1 */
#define AGAIN      "\xf2\x00\x11\x00\x00"         /* refers to it */
#define DAMAGED    "write(close 1007 compressed message is damaged)failed(1007)"
#define COMPRESSED (FIN | WS_RSV1)

static void agree(bool takeover)
{
	agreed = (struct ws_deflate_params){ true, !takeover, !takeover, 15, 15, false, false };
	begin(w.conn.role);
}

START_TEST(a_compressed_message_arrives)
{
	agree(false);
	put_n(COMPRESSED | WS_TEXT, HELLO, 7);
	put_n(COMPRESSED | WS_BINARY, HELLO, 7);
	put_n(COMPRESSED | WS_TEXT, "", 1);
	put_n(COMPRESSED | WS_TEXT, "", 0);
	expect("text(Hello)binary(Hello)text()text()");
}
END_TEST

START_TEST(a_compressed_message_in_fragments)
{
	agree(false);
	put_n(WS_RSV1 | WS_TEXT, HELLO, 3);
	put(FIN | WS_PING, "p");
	put_n(WS_CONTINUATION, HELLO + 3, 0);
	put_n(WS_CONTINUATION, HELLO + 3, 1);
	put_n(FIN | WS_CONTINUATION, HELLO + 4, 3);
	put_n(WS_RSV1 | WS_TEXT, HELLO, 7);
	put_n(FIN | WS_CONTINUATION, "", 0);
	expect("write(pong p)text(Hello)text(Hello)");
}
END_TEST

START_TEST(plain_and_compressed_messages_mix)
{
	agree(true);
	put_n(COMPRESSED | WS_TEXT, HELLO, 7);
	put(FIN | WS_TEXT, "plain");
	put_n(COMPRESSED | WS_TEXT, AGAIN, 5);
	expect("text(Hello)text(plain)text(Hello)");
}
END_TEST

START_TEST(rsv1_means_nothing_elsewhere)
{
	static const char *const want = FAILED_1002("reserved bit set without an extension");

	agree(false);
	put_n(COMPRESSED | WS_PING, "a", 1);
	expect(want);
	begin(WS_SERVER);
	put_n(COMPRESSED | WS_CLOSE, "", 0);
	expect(want);
	begin(WS_SERVER);
	put_n(WS_RSV1 | WS_TEXT, HELLO, 3);
	put_n(COMPRESSED | WS_CONTINUATION, HELLO + 3, 4);
	expect(want);
	begin(WS_SERVER);
	put_n(COMPRESSED | 3, "", 0);
	expect(want);
}
END_TEST

START_TEST(rsv1_needs_an_agreement)
{
	put_n(COMPRESSED | WS_TEXT, HELLO, 7);
	expect(FAILED_1002("reserved bit set without an extension"));
}
END_TEST

START_TEST(the_other_reserved_bits_mean_nothing_still)
{
	agree(false);
	for (unsigned rsv = 0x10; rsv < 0x80; rsv += 0x10) {
		if (rsv == WS_RSV1)
			continue;
		begin(WS_SERVER);
		put_n(FIN | rsv | WS_TEXT, HELLO, 7);
		expect(FAILED_1002("reserved bit set without an extension"));
	}
}
END_TEST

START_TEST(takeover_is_what_was_agreed)
{
	agree(true);
	put_n(COMPRESSED | WS_TEXT, HELLO, 7);
	put_n(COMPRESSED | WS_TEXT, AGAIN, 5);
	expect("text(Hello)text(Hello)");
	agree(false);
	put_n(COMPRESSED | WS_TEXT, HELLO, 7);
	put_n(COMPRESSED | WS_TEXT, AGAIN, 5);
	expect("text(Hello)" DAMAGED);
	agreed.client_no_context_takeover = false; /* it is the sender's that counts */
	begin(WS_SERVER);
	put_n(COMPRESSED | WS_TEXT, HELLO, 7);
	put_n(COMPRESSED | WS_TEXT, AGAIN, 5);
	expect("text(Hello)text(Hello)");
	begin(WS_CLIENT);
	put_n(COMPRESSED | WS_TEXT, HELLO, 7);
	put_n(COMPRESSED | WS_TEXT, AGAIN, 5);
	expect("text(Hello)" DAMAGED);
}
END_TEST

START_TEST(damaged_messages_fail_with_1007)
{
	agree(false);
	put_n(COMPRESSED | WS_TEXT, "\xff\xff\xff", 3);
	expect(DAMAGED);
	begin(WS_SERVER);
	put_n(COMPRESSED | WS_TEXT, HELLO, 4);
	expect(DAMAGED);
	begin(WS_SERVER);
	put_n(WS_RSV1 | WS_TEXT, HELLO, 2);
	put_n(FIN | WS_CONTINUATION, HELLO + 2, 2);
	expect(DAMAGED);
}
END_TEST

START_TEST(inflated_text_must_be_utf8)
{
	static const char stored[] = "\x00\x02\x00\xfd\xff\xc3\x28\x00";

	agree(false);
	put_n(COMPRESSED | WS_BINARY, stored, 8);
	put_n(COMPRESSED | WS_TEXT, stored, 8);
	expect("binary(\xc3("
	       ")" BAD_TEXT);
}
END_TEST

static size_t bomb(char *out, size_t n)
{
	char *zeros = malloc(n);
	struct ws_deflate_how how = { ws_deflate_new(), 15, 9, false, 1, NULL };
	size_t len;

	memset(zeros, 'x', n);
	len = (size_t)ws_deflate(&how, zeros, n, out);
	ws_deflate_free(how.codec);
	free(zeros);
	return len;
}

START_TEST(limits_hold_after_inflation)
{
	char *out = malloc(2000);
	size_t len = bomb(out, 1000);

	agree(false);
	w.limits.max_message_bytes = 1000;
	put_n(COMPRESSED | WS_TEXT, out, len);
	expect("text[1000]");
	begin(WS_SERVER);
	w.limits.max_message_bytes = 999;
	put_n(COMPRESSED | WS_TEXT, out, len);
	expect("write(close 1009 message is too big)failed(1009)");
	free(out);
}
END_TEST

START_TEST(what_is_compressed_is_limited_too)
{
	char *out = calloc(1, 5000);

	agree(false);
	w.limits.max_message_bytes = 1000;
	put_n(WS_RSV1 | WS_TEXT, out, 2100);
	put_n(FIN | WS_CONTINUATION, out, 50);
	feed_all();
	ck_assert_str_eq(w.said, "write(close 1009 message is too big)failed(1009)");
	free(out);
}
END_TEST

/* One connection of each role; what one compresses the other reads. */
START_TEST(both_roles_compress)
{
	static const struct ws_deflate_config config = { true, true, 15, 6, 10 };
	char *text = malloc(5000), *out = malloc(5000 + WS_DEFLATE_ROOM);
	struct ws_deflate_how how;
	size_t first = 0;

	memset(text, 'x', 5000);
	for (int role = 0; role < 2; role++) {
		agree(_i % 2);
		begin(role == 0 ? WS_SERVER : WS_CLIENT);
		if (_i / 2)
			w.limits.max_message_bytes = 5000;
		ck_assert(ws_conn_deflates(&w.conn, &config, false, &how));
		ck_assert_int_eq(how.takes_over, _i % 2);
		for (int i = 0; i < 3; i++) {
			ssize_t len = ws_deflate(&how, text, 5000, out);

			ck_assert_int_gt(len, 0);
			first = i == 0 ? (size_t)len : first;
			ck_assert_int_eq((size_t)len<first, i> 0 && _i % 2);
			/* it has the parameters of both directions alike, and reads itself */
			put_n(COMPRESSED | WS_TEXT, out, (size_t)len);
			feed_all();
		}
		ck_assert_str_eq(w.said, "text[5000]text[5000]text[5000]");
	}
	free(text);
	free(out);
}
END_TEST

START_TEST(a_message_for_many_breaks_takeover_for_none)
{
	static const struct ws_deflate_config config = { true, true, 15, 6, 10 };
	char *text = malloc(3000), *out = malloc(3000 + WS_DEFLATE_ROOM);
	struct ws_deflate_how how;

	memset(text, 'x', 3000);
	agree(true);
	for (int i = 0; i < 6; i++) {
		bool for_many = i % 3 == 2;
		ssize_t len;

		ck_assert(ws_conn_deflates(&w.conn, &config, for_many, &how));
		len = ws_deflate(&how, text, 3000, out);
		if (for_many)
			ws_conn_sent_for_many(&w.conn);
		put_n(COMPRESSED | WS_TEXT, out, (size_t)len);
		feed_all();
	}
	ck_assert_str_eq(w.said, "text[3000]text[3000]text[3000]text[3000]text[3000]text[3000]");
	free(text);
	free(out);
}
END_TEST

START_TEST(running_out_of_memory_while_inflating_fails_with_1011)
{
	for (unsigned long nth = 1;; nth++) {
		teardown();
		agree(false);
		put_n(COMPRESSED | WS_TEXT, HELLO, 7);
		mem_fail_at(nth);
		ws_conn_feed(&w.conn, w.wire, w.n, NULL);
		if (!mem_failed())
			break;
		mem_fail_at(0);
		ck_assert_str_eq(w.said, "write(close 1011 out of memory)failed(1011)");
	}
	mem_fail_at(0);
	ck_assert_str_eq(w.said, "text(Hello)");
}
END_TEST

static void add(TCase *tc)
{
	ADD(a_compressed_message_arrives);
	ADD(a_compressed_message_in_fragments);
	ADD(plain_and_compressed_messages_mix);
	ADD(rsv1_means_nothing_elsewhere);
	ADD(rsv1_needs_an_agreement);
	ADD(the_other_reserved_bits_mean_nothing_still);
	ADD(takeover_is_what_was_agreed);
	ADD(damaged_messages_fail_with_1007);
	ADD(inflated_text_must_be_utf8);
	ADD(limits_hold_after_inflation);
	ADD(what_is_compressed_is_limited_too);
	ADD_LOOP(both_roles_compress, 4);
	ADD(a_message_for_many_breaks_takeover_for_none);
	ADD(running_out_of_memory_while_inflating_fails_with_1011);
}

int main(void)
{
	static const struct ws_group group = { "compressed", add };

	return run_ws_groups("ws_conn_deflate", &group, 1);
}
