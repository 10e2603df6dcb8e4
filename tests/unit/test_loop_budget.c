/*
 * tests/unit/test_loop_budget.c - what a turn has time for, and who has to wait (net/loop.h).
 * Time is what the watches say that they cost.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/loop.h"

enum { MS = 1000000, MANY = 8 };

struct source {
	struct watch watch;
	char name;
	int64_t cost;
	bool goes_on;    /* pokes itself each time */
	bool goes_first; /* likewise, before others */
	int64_t slice;   /* what it was given last */
	void (*then)(struct source *s);
};

static struct loop *loop;
static struct source s[MANY];
static char trace[64];

static void note(char c)
{
	size_t n = strlen(trace);

	ck_assert_uint_lt(n + 1, sizeof(trace));
	trace[n] = c;
	trace[n + 1] = '\0';
}

static void on_source(struct watch *w, uint32_t events)
{
	struct source *source = container_of(w, struct source, watch);

	(void)events;
	note(source->name);
	source->slice = loop_budget(loop)->left;
	budget_spend(loop_budget(loop), (uint64_t)source->cost);
	if (source->goes_first)
		loop_poke_first(loop, w);
	else if (source->goes_on)
		loop_poke(loop, w);
	if (source->then)
		source->then(source);
}

/* Nine tenths of what stage 1 has. */
static const int64_t much = 4 * MS * 9 / 10;

static void setup(void)
{
	clock_set(1000);
	ck_assert_int_eq(loop_new(&loop), 0);
	trace[0] = '\0';
	memset(s, 0, sizeof(s));
	for (int i = 0; i < MANY; i++) {
		s[i].watch.fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
		s[i].watch.fn = on_source;
		s[i].name = (char)('a' + i);
	}
}

static void teardown(void)
{
	for (int i = 0; i < MANY; i++) {
		loop_unwatch(loop, &s[i].watch);
		close(s[i].watch.fd);
	}
	loop_free(loop);
	clock_set(0);
}

/* Their descriptors have always something to say. */
static void watch_first(int n)
{
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(loop_watch(loop, &s[i].watch, EPOLLIN), 0);
}

static void turn_runs(const char *names)
{
	trace[0] = '\0';
	ck_assert_int_eq(loop_turn(loop, 0), 0);
	ck_assert_str_eq(trace, names);
}

/* --- events ------------------------------------------------------------------- */

START_TEST(who_does_little_is_called_in_every_turn)
{
	watch_first(4);
	turn_runs("abcd");
	turn_runs("abcd");
}
END_TEST

START_TEST(events_there_is_no_time_for_come_in_the_next_turn_before_others)
{
	watch_first(4);
	s[0].cost = s[1].cost = s[2].cost = much;
	turn_runs("ab");
	turn_runs("cd");
	turn_runs("ab");
}
END_TEST

START_TEST(who_ends_while_his_event_waits_is_not_called)
{
	watch_first(4);
	s[0].cost = 2 * much;
	turn_runs("a");
	loop_unwatch(loop, &s[2].watch);
	memset(
	    &s[2].watch.events, 0xff, sizeof(s[2].watch.events)); /* as if its memory were used */
	turn_runs("bd");
	s[2].watch.events = 0;
}
END_TEST

static void take_time(struct source *source)
{
	(void)source;
	clock_set(clock_now() + 20);
}

START_TEST(the_clock_is_asked_whether_work_was_what_it_was_said_to_be)
{
	watch_first(4);
	s[0].cost = s[1].cost = MS / 4;
	s[1].then = take_time;
	turn_runs("ab");
	turn_runs("cd");
}
END_TEST

START_TEST(who_comes_first_may_do_more_than_who_comes_when_much_was_done)
{
	watch_first(3);
	s[0].cost = 2 * MS;
	turn_runs("abc");
	ck_assert_int_gt(s[0].slice, 4 * s[1].slice);
	ck_assert_int_eq(s[1].slice, s[2].slice);
	ck_assert_int_gt(s[1].slice, 0);
}
END_TEST

START_TEST(while_some_are_ready_slices_are_small)
{
	watch_first(1);
	turn_runs("a");
	s[7].goes_on = true;
	loop_poke(loop, &s[7].watch);
	ck_assert(loop_is_busy(loop));
	{
		int64_t alone = s[0].slice;

		turn_runs("ah");
		ck_assert_int_gt(alone, 4 * s[0].slice);
	}
}
END_TEST

/* --- those who are ready -------------------------------------------------------- */

static void poke_last(int n)
{
	for (int i = MANY - n; i < MANY; i++)
		loop_poke(loop, &s[i].watch);
}

START_TEST(who_has_much_to_do_comes_after_who_has_little)
{
	s[7].goes_on = true;
	s[7].cost = much;
	loop_poke(loop, &s[7].watch);
	watch_first(3);
	turn_runs("abch");
	turn_runs("abch");
}
END_TEST

START_TEST(those_who_are_ready_take_turns)
{
	for (int i = 4; i < MANY; i++) {
		s[i].goes_on = true;
		s[i].cost = much;
	}
	poke_last(4);
	turn_runs("ef");
	turn_runs("gh");
	turn_runs("ef");
}
END_TEST

START_TEST(who_asks_to_be_first_is_before_those_who_wait_longer)
{
	for (int i = 5; i < MANY; i++)
		s[i].cost = 2 * much;
	s[5].goes_first = true;
	poke_last(3);
	turn_runs("f");
	turn_runs("f");
	s[5].goes_first = false;
	turn_runs("f");
	turn_runs("g");
	turn_runs("h");
}
END_TEST

START_TEST(those_who_are_ready_get_something_however_many_events_there_are)
{
	watch_first(4);
	for (int i = 0; i < 4; i++)
		s[i].cost = 2 * much;
	s[7].goes_on = true;
	loop_poke(loop, &s[7].watch);
	turn_runs("ah");
	turn_runs("bh");
}
END_TEST

START_TEST(a_loop_does_not_sleep_while_somebody_waits)
{
	watch_first(2);
	s[0].cost = 2 * much;
	turn_runs("a");
	trace[0] = '\0';
	ck_assert_int_eq(loop_turn(loop, -1), 0);
	ck_assert_str_eq(trace, "b");
	loop_unwatch(loop, &s[0].watch);
	loop_unwatch(loop, &s[1].watch);
	s[6].cost = s[7].cost = 2 * much;
	poke_last(2);
	turn_runs("g");
	trace[0] = '\0';
	ck_assert_int_eq(loop_turn(loop, -1), 0);
	ck_assert_str_eq(trace, "h");
}
END_TEST

/* --- mail ------------------------------------------------------------------------ */

static struct mail letters[4];

static void on_letter(struct mail *m, struct loop *receiver)
{
	note((char)('0' + (m - letters)));
	budget_spend(loop_budget(receiver), (uint64_t)much);
}

START_TEST(mail_there_is_no_time_for_comes_in_the_next_turn_before_what_is_newer)
{
	for (int i = 0; i < 3; i++)
		loop_post(loop, &letters[i], on_letter);
	turn_runs("01");
	ck_assert(loop_has_mail(loop));
	loop_post(loop, &letters[3], on_letter);
	turn_runs("23");
	ck_assert(!loop_has_mail(loop));
}
END_TEST

START_TEST(a_loop_that_ends_delivers_mail_it_had_no_time_for)
{
	for (int i = 0; i < 4; i++)
		loop_post(loop, &letters[i], on_letter);
	turn_runs("01");
	teardown();
	ck_assert_str_eq(trace, "0123");
	setup();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("loop_budget");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, who_does_little_is_called_in_every_turn);
	tcase_add_test(tc, events_there_is_no_time_for_come_in_the_next_turn_before_others);
	tcase_add_test(tc, who_ends_while_his_event_waits_is_not_called);
	tcase_add_test(tc, the_clock_is_asked_whether_work_was_what_it_was_said_to_be);
	tcase_add_test(tc, who_comes_first_may_do_more_than_who_comes_when_much_was_done);
	tcase_add_test(tc, while_some_are_ready_slices_are_small);
	tcase_add_test(tc, who_has_much_to_do_comes_after_who_has_little);
	tcase_add_test(tc, those_who_are_ready_take_turns);
	tcase_add_test(tc, who_asks_to_be_first_is_before_those_who_wait_longer);
	tcase_add_test(tc, those_who_are_ready_get_something_however_many_events_there_are);
	tcase_add_test(tc, a_loop_does_not_sleep_while_somebody_waits);
	tcase_add_test(tc, mail_there_is_no_time_for_comes_in_the_next_turn_before_what_is_newer);
	tcase_add_test(tc, a_loop_that_ends_delivers_mail_it_had_no_time_for);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
