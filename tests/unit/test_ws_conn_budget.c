/*
 * tests/unit/test_ws_conn_budget.c - a connection does as much as its budget allows, and goes on
 * where it stopped; pings that come in masses; messages that were compressed too much.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "ws_conn_fixture.h"

#define COMPRESSED (FIN | WS_RSV1)

enum { LONG = 100000 };

static char packed[4096];
static size_t packed_len;

/* n times x, as a message that is compressed. */
static void pack(size_t n)
{
	static z_stream z;
	char *plain = malloc(n);

	memset(plain, 'x', n);
	memset(&z, 0, sizeof(z));
	ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (unsigned char *)plain;
	z.avail_in = (uInt)n;
	z.next_out = (unsigned char *)packed;
	z.avail_out = sizeof(packed);
	ck_assert_int_eq(deflate(&z, Z_SYNC_FLUSH), Z_OK);
	packed_len = sizeof(packed) - z.avail_out - 4;
	deflateEnd(&z);
	free(plain);
}

static void agree(bool takeover)
{
	agreed = (struct ws_deflate_params){ true, !takeover, !takeover, 15, 15, false, false };
	begin(WS_SERVER);
}

/* Feeds what is on the wire with so much for each call; how many calls it took. */
static unsigned feed_with(int64_t each)
{
	size_t at = 0;
	unsigned calls = 0;

	do {
		struct budget budget = { each };
		ssize_t taken = ws_conn_feed(&w.conn, w.wire + at, w.n - at, &budget);

		ck_assert_int_ge(taken, 0);
		at += (size_t)taken;
		ck_assert_uint_lt(++calls, 100000);
	} while (at < w.n || ws_conn_is_behind(&w.conn));
	w.n = 0;
	return calls;
}

static void said(const char *events)
{
	ck_assert_str_eq(w.said, events);
	w.said[0] = '\0';
}

/* --- steps ------------------------------------------------------------------------ */

START_TEST(with_nothing_left_one_step_is_done_in_each_call)
{
	put(FIN | WS_TEXT, "a");
	put(FIN | WS_TEXT, "b");
	put(FIN | WS_PING, "c");
	ck_assert_uint_eq(feed_with(0), 3);
	said("text(a)text(b)write(pong c)");
}
END_TEST

START_TEST(frames_cost_something_however_small)
{
	struct budget budget = { 1000000 };

	for (int i = 0; i < 100; i++)
		put(FIN | WS_PONG, "");
	ck_assert_int_eq(ws_conn_feed(&w.conn, w.wire, w.n, &budget), (ssize_t)w.n);
	ck_assert_int_le(budget.left, 1000000 - 100 * COST_FRAME);
}
END_TEST

START_TEST(what_there_is_no_time_for_stays_as_it_was)
{
	struct budget budget = { 0 };
	char before[32];

	put(FIN | WS_TEXT, "a");
	put(FIN | WS_TEXT, "b");
	memcpy(before, w.wire, w.n);
	ck_assert_int_eq(ws_conn_feed(&w.conn, w.wire, w.n, &budget), (ssize_t)w.n / 2);
	ck_assert_mem_eq(w.wire + w.n / 2, before + w.n / 2, w.n / 2);
}
END_TEST

START_TEST(a_message_is_inflated_in_steps)
{
	for (int takeover = 0; takeover <= 1; takeover++) {
		agree(takeover);
		pack(LONG);
		put_n(COMPRESSED | WS_TEXT, packed, packed_len);
		put(FIN | WS_TEXT, "after");
		ck_assert_uint_ge(feed_with((int64_t)cost_of_inflating(LONG) / 8), 8);
		said("text[100000]text(after)");
	}
}
END_TEST

START_TEST(a_message_in_fragments_is_inflated_in_steps_too)
{
	agree(false);
	pack(LONG);
	put_n(WS_RSV1 | WS_TEXT, packed, 10);
	put_n(FIN | WS_CONTINUATION, packed + 10, packed_len - 10);
	ck_assert_uint_ge(feed_with((int64_t)cost_of_inflating(LONG) / 8), 8);
	said("text[100000]");
}
END_TEST

START_TEST(two_connections_may_be_inflating_at_the_same_time)
{
	static struct ws_conn other;
	static char wire[4096];
	struct budget none = { 0 };
	size_t n;

	agree(false);
	pack(LONG);
	put_n(COMPRESSED | WS_TEXT, packed, packed_len);
	n = w.n;
	memcpy(wire, w.wire, n);
	ws_conn_init(&other, WS_SERVER, &ops, &w.limits);
	ws_conn_use_deflate(&other, &agreed);
	ck_assert_int_eq(ws_conn_feed(&w.conn, w.wire, n, &none), (ssize_t)n);
	ck_assert_int_eq(ws_conn_feed(&other, wire, n, &none), (ssize_t)n);
	ck_assert(ws_conn_is_behind(&w.conn) && ws_conn_is_behind(&other));
	ws_conn_feed(&w.conn, NULL, 0, NULL);
	ws_conn_feed(&other, NULL, 0, NULL);
	said("text[100000]text[100000]");
	ws_conn_fini(&other);
}
END_TEST

START_TEST(a_connection_may_end_while_it_inflates)
{
	struct budget none = { 0 };

	for (int takeover = 0; takeover <= 1; takeover++) {
		agree(takeover);
		pack(LONG);
		put_n(COMPRESSED | WS_TEXT, packed, packed_len);
		ws_conn_feed(&w.conn, w.wire, w.n, &none);
		ck_assert(ws_conn_is_behind(&w.conn));
		ck_assert_uint_gt(ws_conn_held(&w.conn), packed_len);
	}
	/* the sanitizers look whether anything is left */
}
END_TEST

START_TEST(a_long_message_is_delivered_first_thing_in_a_call)
{
	struct budget little = { 50000 };
	static char x[LONG];

	memset(x, 'x', sizeof(x));
	put_n(WS_TEXT, x, LONG / 2);
	put_n(FIN | WS_CONTINUATION, x, LONG / 2);
	ck_assert_int_eq(ws_conn_feed(&w.conn, w.wire, w.n, &little), (ssize_t)w.n);
	said("");
	ck_assert(ws_conn_is_behind(&w.conn));
	little.left = 0;
	ws_conn_feed(&w.conn, NULL, 0, &little);
	said("text[100000]");
}
END_TEST

START_TEST(a_paused_connection_delivers_nothing_that_waits)
{
	struct budget none = { 0 };

	agree(false);
	pack(LONG);
	put_n(COMPRESSED | WS_TEXT, packed, packed_len);
	ws_conn_feed(&w.conn, w.wire, w.n, &none);
	ws_conn_pause(&w.conn);
	ws_conn_feed(&w.conn, NULL, 0, NULL);
	said("");
	ws_conn_resume(&w.conn);
	ws_conn_feed(&w.conn, NULL, 0, NULL);
	said("text[100000]");
}
END_TEST

/* --- pings ------------------------------------------------------------------------- */

static void put_pings(int count)
{
	char payload[8];

	for (int i = 1; i <= count; i++) {
		snprintf(payload, sizeof(payload), "%d", i);
		put(FIN | WS_PING, payload);
	}
}

static unsigned count_pongs(void)
{
	unsigned n = 0;

	for (const char *p = w.said; (p = strstr(p, "write(pong")) != NULL; p++)
		n++;
	return n;
}

START_TEST(each_of_a_few_pings_is_answered)
{
	put_pings(WS_PINGS_ANSWERED);
	feed_all();
	ck_assert_uint_eq(count_pongs(), WS_PINGS_ANSWERED);
}
END_TEST

START_TEST(of_many_pings_the_last_is_answered)
{
	put_pings(200);
	feed_all();
	ck_assert_uint_eq(count_pongs(), WS_PINGS_ANSWERED + 1);
	ck_assert_ptr_nonnull(strstr(w.said, "write(pong 32)write(pong 200)"));
}
END_TEST

START_TEST(the_last_of_many_pings_is_answered_before_a_close)
{
	put_pings(40);
	put_n(FIN | WS_CLOSE, "\x03\xe8", 2);
	feed_all();
	ck_assert_ptr_nonnull(strstr(w.said, "write(pong 40)write(close 1000)close(1000)"));
	ck_assert_uint_eq(count_pongs(), WS_PINGS_ANSWERED + 1);
}
END_TEST

/* --- compressed too much -------------------------------------------------------------- */

START_TEST(what_inflates_too_much_is_refused)
{
	agree(false);
	pack(LONG);
	w.limits.max_inflation = 100;
	put_n(COMPRESSED | WS_TEXT, packed, packed_len);
	expect("write(close 1009 message was compressed too much)failed(1009)");
}
END_TEST

START_TEST(short_messages_may_inflate_as_they_like)
{
	agree(false);
	pack(WS_INFLATES_FREELY);
	w.limits.max_inflation = 2;
	put_n(COMPRESSED | WS_TEXT, packed, packed_len);
	expect("text[65536]");
}
END_TEST

START_TEST(a_message_that_is_too_big_is_said_to_be_so)
{
	agree(false);
	pack(LONG);
	w.limits.max_inflation = 1032;
	w.limits.max_message_bytes = LONG - 1;
	put_n(COMPRESSED | WS_TEXT, packed, packed_len);
	expect("write(close 1009 message is too big)failed(1009)");
}
END_TEST

/* --- what is unfinished ----------------------------------------------------------------- */

START_TEST(a_message_is_unfinished_from_its_first_octet_to_its_last)
{
	uint64_t octets;
	struct pace_watch *pace;

	ck_assert_ptr_null(ws_conn_unfinished(&w.conn, &octets));
	put(WS_TEXT, "abc");
	feed_all();
	pace = ws_conn_unfinished(&w.conn, &octets);
	ck_assert_ptr_nonnull(pace);
	ck_assert_uint_eq(octets, 3);
	pace->look_at = 10;
	put(WS_CONTINUATION, "de");
	feed_all();
	ck_assert_uint_eq(ws_conn_unfinished(&w.conn, &octets)->look_at, 10);
	ck_assert_uint_eq(octets, 5);
	put(FIN | WS_CONTINUATION, "");
	put(WS_TEXT, "x");
	feed_all();
	ck_assert_uint_eq(ws_conn_unfinished(&w.conn, &octets)->look_at, 0); /* another one */
}
END_TEST

START_TEST(a_pause_is_not_the_peers_time)
{
	uint64_t octets;

	put(WS_TEXT, "abc");
	feed_all();
	ws_conn_unfinished(&w.conn, &octets)->look_at = 10;
	ws_conn_pause(&w.conn);
	ws_conn_resume(&w.conn);
	ck_assert_uint_eq(ws_conn_unfinished(&w.conn, &octets)->look_at, 0);
}
END_TEST

/* 1,000 octets a second, after 100 ms. */
static const struct pace pace = { 100, 1000 };

START_TEST(in_the_time_of_grace_nothing_is_too_slow)
{
	struct pace_watch watch = { 0 };

	ck_assert(!pace_is_too_slow(&watch, &pace, 1000, 1));
	ck_assert_uint_eq(watch.look_at, 1100);
	ck_assert(!pace_is_too_slow(&watch, &pace, 1099, 1));
	ck_assert(pace_is_too_slow(&watch, &pace, 1100, 99));
}
END_TEST

START_TEST(then_each_look_wants_more)
{
	struct pace_watch watch = { 0 };

	pace_is_too_slow(&watch, &pace, 1000, 1);
	ck_assert(!pace_is_too_slow(&watch, &pace, 1100, 5000));
	ck_assert_uint_eq(watch.look_at, 1151);
	ck_assert(!pace_is_too_slow(&watch, &pace, 1151, 5051));
	ck_assert(pace_is_too_slow(&watch, &pace, 1202, 5101));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ws_conn_budget");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, with_nothing_left_one_step_is_done_in_each_call);
	tcase_add_test(tc, frames_cost_something_however_small);
	tcase_add_test(tc, what_there_is_no_time_for_stays_as_it_was);
	tcase_add_test(tc, a_message_is_inflated_in_steps);
	tcase_add_test(tc, a_message_in_fragments_is_inflated_in_steps_too);
	tcase_add_test(tc, two_connections_may_be_inflating_at_the_same_time);
	tcase_add_test(tc, a_connection_may_end_while_it_inflates);
	tcase_add_test(tc, a_long_message_is_delivered_first_thing_in_a_call);
	tcase_add_test(tc, a_paused_connection_delivers_nothing_that_waits);
	tcase_add_test(tc, each_of_a_few_pings_is_answered);
	tcase_add_test(tc, of_many_pings_the_last_is_answered);
	tcase_add_test(tc, the_last_of_many_pings_is_answered_before_a_close);
	tcase_add_test(tc, what_inflates_too_much_is_refused);
	tcase_add_test(tc, short_messages_may_inflate_as_they_like);
	tcase_add_test(tc, a_message_that_is_too_big_is_said_to_be_so);
	tcase_add_test(tc, a_message_is_unfinished_from_its_first_octet_to_its_last);
	tcase_add_test(tc, a_pause_is_not_the_peers_time);
	tcase_add_test(tc, in_the_time_of_grace_nothing_is_too_slow);
	tcase_add_test(tc, then_each_look_wants_more);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
