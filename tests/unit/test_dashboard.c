/*
 * tests/unit/test_dashboard.c - the parts of the dashboard that count: addresses in bounded memory,
 * ten minutes of history, how long loops keep somebody waiting. What is told of them is tested from
 * outside (tests/dashboard/).
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "server/dashboard_private.h"

static struct dashboard *d;
static struct sockjs_server server;

static void setup(void)
{
	server.reactor_count = 2;
	d = mem_zalloc(sizeof(*d));
	ck_assert_ptr_nonnull(d);
	d->server = &server;
	d->waits = mem_zalloc(2 * sizeof(*d->waits));
	ck_assert_ptr_nonnull(d->waits);
	crowd_init(&d->crowd, d);
	crowd_begin(&d->crowd);
}

static void teardown(void)
{
	crowd_fini(&d->crowd);
	mem_free(d->waits);
	mem_free(d);
}

/* --- addresses -------------------------------------------------------------------- */

static void count_address(unsigned i)
{
	char key[6] = { '4', 32, (char)(i >> 24), (char)(i >> 16), (char)(i >> 8), (char)i };

	crowd_count(&d->crowd, (struct bytes){ key, sizeof(key) });
}

static const char *told(size_t i)
{
	static char text[ADDR_TEXT_MAX];
	const struct crowd_row *row = &d->crowd.told[i];

	return visitor_print((struct bytes){ row->key, row->key_len }, text);
}

START_TEST(as_many_addresses_as_there_is_room_for_are_counted_exactly)
{
	for (unsigned i = 0; i < CROWD_ADDRESSES; i++)
		for (unsigned n = 0; n <= i % 50; n++)
			count_address(i);
	crowd_conclude(&d->crowd);
	ck_assert_uint_eq(d->crowd.told_lost, 0);
	ck_assert_uint_eq(d->crowd.told_count, CROWD_TOLD);
	for (size_t i = 0; i < CROWD_TOLD; i++)
		ck_assert_uint_eq(d->crowd.told[i].sessions, 50);
	crowd_begin(&d->crowd);
	count_address(0x7f000001);
	crowd_conclude(&d->crowd);
	ck_assert_uint_eq(d->crowd.told_count, 1);
	ck_assert_str_eq(told(0), "127.0.0.1");
}
END_TEST

/* Whatever the order in which they come. */
START_TEST(who_has_many_is_told_among_ten_thousand_with_one_each)
{
	const unsigned most = 900, more = 400;
	unsigned one = 0;

	for (unsigned i = 0; i < most; i++) {
		count_address(0x0a000001);
		if (i < more)
			count_address(0x0a000002);
		for (unsigned n = 0; n < 11; n++)
			count_address(0x20000000 + one++);
	}
	crowd_conclude(&d->crowd);
	ck_assert_str_eq(told(0), "10.0.0.1");
	ck_assert_uint_le(d->crowd.told[0].sessions, most);
	ck_assert_uint_ge(d->crowd.told[0].sessions + d->crowd.told_lost, most);
	ck_assert_str_eq(told(1), "10.0.0.2");
	ck_assert_uint_ge(d->crowd.told[1].sessions + d->crowd.told_lost, more);
	ck_assert_uint_gt(d->crowd.told_lost, 0);
	ck_assert_uint_le(d->crowd.told_lost, (most + more + one) / CROWD_ADDRESSES + 1);
}
END_TEST

START_TEST(without_memory_addresses_are_not_counted)
{
	mem_fail_at(1);
	for (unsigned i = 0; i < 3 * CROWD_ADDRESSES; i++)
		count_address(i);
	mem_fail_at(0);
	crowd_conclude(&d->crowd);
	crowd_begin(&d->crowd);
	count_address(7);
	crowd_conclude(&d->crowd);
	ck_assert_uint_eq(d->crowd.told_count, 1);
}
END_TEST

/* --- history ------------------------------------------------------------------------ */

START_TEST(the_last_ten_minutes_are_remembered_in_their_order)
{
	struct figures f = { 0 };

	for (unsigned i = 0; i < HISTORY_SAMPLES + 7; i++) {
		f.at = 1000 + i;
		f.sessions.now = i;
		f.sessions.closed[CLOSE_ROW_NORMAL] = i;
		f.sessions.closed[CLOSE_CODE_OTHER] = 1;
		f.refused[HTTP_REFUSED_TOKEN] = 2 * i;
		history_add(&d->history, &f);
		ck_assert_uint_eq(history_at(&d->history, d->history.count - 1)->at, f.at);
	}
	ck_assert_uint_eq(d->history.count, HISTORY_SAMPLES);
	for (unsigned i = 0; i < HISTORY_SAMPLES; i++) {
		const struct sample *s = history_at(&d->history, i);

		ck_assert_uint_eq(s->at, 1007 + i);
		ck_assert_uint_eq(s->sessions, 7 + i);
		ck_assert_uint_eq(s->closed, 8 + i);
		ck_assert_uint_eq(s->refused, 2 * (7 + i));
	}
}
END_TEST

/* --- waits ---------------------------------------------------------------------------- */

START_TEST(the_longest_wait_of_any_loop_is_told_and_then_forgotten)
{
	waits_note(&d->waits[0], 3000);
	waits_note(&d->waits[1], 9000);
	waits_note(&d->waits[1], 1000);
	ck_assert_uint_eq(waits_read(d), 9);
	ck_assert_uint_eq(d->waits[0].worst_us, 3);
	ck_assert_uint_eq(d->waits[1].worst_us, 9);
	ck_assert_uint_eq(d->waits[1].mean_us, 5);
	ck_assert_uint_eq(waits_read(d), 0);
}
END_TEST

/* Its call was sent at the beginning of time, and has not come there. */
START_TEST(a_loop_that_stands_still_is_seen)
{
	atomic_store(&d->waits[1].is_out, true);
	ck_assert_uint_gt(waits_read(d), 1000);
	ck_assert_uint_eq(d->waits[0].worst_us, 0);
	ck_assert_uint_gt(d->waits[1].worst_us, 1000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dashboard");
	TCase *tc = tcase_create("counting");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, as_many_addresses_as_there_is_room_for_are_counted_exactly);
	tcase_add_test(tc, who_has_many_is_told_among_ten_thousand_with_one_each);
	tcase_add_test(tc, without_memory_addresses_are_not_counted);
	tcase_add_test(tc, the_last_ten_minutes_are_remembered_in_their_order);
	tcase_add_test(tc, the_longest_wait_of_any_loop_is_told_and_then_forgotten);
	tcase_add_test(tc, a_loop_that_stands_still_is_seen);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
