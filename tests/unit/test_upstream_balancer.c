/*
 * tests/unit/test_upstream_balancer.c - who gets a session, who is left alone, who comes back.
 */
#include "upstream/balancer.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { COUNT = 4, REST = 1000, REST_MAX = 8000 };

static struct target targets[BALANCER_MAX];
static struct balancer balancer;
static const uint64_t start = 100000;
static uint64_t trial; /* of the last pick */
static char names[BALANCER_MAX][8];

static void setup(void)
{
	log_set_level(LOG_SILENT);
	memset(targets, 0, sizeof(targets));
	memset(&balancer, 0, sizeof(balancer));
	balancer.targets = targets;
	balancer.count = COUNT;
	for (size_t i = 0; i < BALANCER_MAX; i++) {
		targets[i].url = names[i];
		targets[i].key = i + 1;
		balancer_set_weight(&balancer, &targets[i], 1);
	}
	balancer.rest_ms = REST;
	balancer.rest_max_ms = REST_MAX;
}

static int pick(uint64_t tried, uint64_t hash, uint64_t now)
{
	struct target *t = balancer_pick(&balancer, tried, hash, now, &trial);

	return t ? (int)(t - targets) : -1;
}

/* It fails, and this long it rests. */
static uint64_t let_fail(struct target *t, uint64_t now)
{
	balancer_failed(&balancer, t, now, now);
	return atomic_load(&t->rests_until) - now;
}

/* --- for /readyz ----------------------------------------------------------------- */

START_TEST(a_balancer_is_down_when_each_of_it_has_failed_and_one_that_works_is_enough)
{
	ck_assert(!balancer_is_down(&balancer, start)); /* nobody knows */
	for (int i = 0; i < COUNT; i++) {
		ck_assert(!balancer_is_down(&balancer, start));
		let_fail(&targets[i], start);
	}
	ck_assert(balancer_is_down(&balancer, start));
	balancer_worked(&targets[2], start + 1);
	ck_assert(!balancer_is_down(&balancer, start + 1));
}
END_TEST

/* Else it would never be tried again where the balancer before us believes it. */
START_TEST(a_balancer_that_was_down_is_given_a_chance_after_a_while)
{
	for (int i = 0; i < COUNT; i++)
		let_fail(&targets[i], start);
	ck_assert(balancer_is_down(&balancer, start + 9999)); /* though all rests are over */
	ck_assert(!balancer_is_down(&balancer, start + 10000));
	for (int i = 0; i < COUNT; i++)
		let_fail(&targets[i], start + 10000);
	ck_assert(balancer_is_down(&balancer, start + 10001));
}
END_TEST

/* --- balance -------------------------------------------------------------------- */

START_TEST(each_has_its_turn)
{
	for (int i = 0; i < 3 * COUNT; i++)
		ck_assert_int_eq(pick(0, 0, start), i % COUNT);
	for (int i = 0; i < COUNT; i++)
		ck_assert_uint_eq(atomic_load(&targets[i].connections), 3);
}
END_TEST

START_TEST(what_was_tried_is_passed_over)
{
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(pick(~UINT64_C(4), 0, start), 2);
	ck_assert_int_eq(pick(~UINT64_C(0), 0, start), -1);
	ck_assert(balancer_has_more(&balancer, 7, start));
	ck_assert(!balancer_has_more(&balancer, 15, start));
}
END_TEST

START_TEST(the_least_used_is_next)
{
	balancer.method = BALANCER_LEAST_CONNECTIONS;
	for (int i = 0; i < 2 * COUNT; i++)
		pick(0, 0, start);
	for (int i = 0; i < COUNT; i++)
		ck_assert_uint_eq(atomic_load(&targets[i].connections), 2);
	balancer_release(&targets[2]);
	balancer_release(&targets[2]);
	ck_assert_int_eq(pick(0, 0, start), 2);
	ck_assert_int_eq(pick(0, 0, start), 2);
	balancer_release(&targets[1]);
	ck_assert_int_eq(pick(0, 0, start), 1);
}
END_TEST

START_TEST(a_hash_has_its_place_and_others_keep_theirs)
{
	int before[200], moved = 0;
	unsigned seen[COUNT] = { 0 };

	balancer.method = BALANCER_HASH;
	for (int i = 0; i < 200; i++) {
		before[i] = pick(0, (uint64_t)i * 7919, start);
		ck_assert_int_eq(pick(0, (uint64_t)i * 7919, start), before[i]);
		seen[before[i]]++;
	}
	for (int i = 0; i < COUNT; i++)
		ck_assert_uint_ge(seen[i], 25);
	let_fail(&targets[1], start);
	for (int i = 0; i < 200; i++) {
		int now = pick(0, (uint64_t)i * 7919, start);

		ck_assert_int_ne(now, 1);
		moved += now != before[i];
	}
	ck_assert_int_eq(moved, (int)seen[1]);
}
END_TEST

START_TEST(there_may_be_64)
{
	balancer.count = BALANCER_MAX;
	for (int i = 0; i < BALANCER_MAX; i++)
		ck_assert_int_eq(pick(0, 0, start), i);
	ck_assert_int_eq(pick(~balancer_bit(&balancer, &targets[63]), 0, start), 63);
}
END_TEST

/* --- weights -------------------------------------------------------------------- */

static const unsigned weights[COUNT] = { 5, 1, 2, 0 };

static void weigh(const unsigned w[COUNT])
{
	for (int i = 0; i < COUNT; i++)
		balancer_set_weight(&balancer, &targets[i], w[i]);
}

/* So many sessions; how many each of them gets. */
static void count_picks(unsigned n, unsigned seen[COUNT])
{
	memset(seen, 0, COUNT * sizeof(*seen));
	for (unsigned i = 0; i < n; i++) {
		int who = pick(0, i * UINT64_C(0x9e3779b97f4a7c15), start);

		ck_assert_int_ge(who, 0);
		seen[who]++;
	}
}

START_TEST(in_turn_each_gets_its_share_of_every_round)
{
	unsigned seen[COUNT];

	weigh(weights);
	for (int round = 0; round < 50; round++) {
		count_picks(8, seen);
		for (int i = 0; i < COUNT; i++)
			ck_assert_uint_eq(seen[i], weights[i]);
	}
}
END_TEST

/* Not five for the first, and then the others. */
START_TEST(in_turn_the_large_share_is_spread_over_the_round)
{
	int in_a_row = 0;

	weigh(weights);
	for (int i = 0; i < 80; i++) {
		in_a_row = pick(0, 0, start) == 0 ? in_a_row + 1 : 0;
		ck_assert_int_le(in_a_row, 4);
	}
}
END_TEST

/* Weight 0 is none, 256 the most. */
START_TEST(shares_may_differ_much)
{
	unsigned seen[COUNT];

	weigh((const unsigned[COUNT]){ 256, 1, 0, 0 });
	count_picks(257 * 4, seen);
	ck_assert_uint_eq(seen[0], 256 * 4);
	ck_assert_uint_eq(seen[1], 4);
}
END_TEST

START_TEST(the_others_keep_their_shares_when_one_is_away)
{
	unsigned seen[COUNT];

	weigh((const unsigned[COUNT]){ 4, 3, 2, 1 });
	let_fail(&targets[0], start);
	count_picks(600, seen);
	ck_assert_uint_eq(seen[0], 0);
	ck_assert_uint_eq(seen[1], 300);
	ck_assert_uint_eq(seen[2], 200);
	ck_assert_uint_eq(seen[3], 100);
}
END_TEST

/* Or it would get all sessions until it had made up for what it missed. */
START_TEST(who_comes_back_gets_its_share_and_no_more)
{
	unsigned seen[COUNT];

	let_fail(&targets[0], start);
	count_picks(3000, seen);
	balancer_worked(&targets[0], start);
	count_picks(COUNT * 5, seen);
	ck_assert_uint_ge(seen[0], 5);
	ck_assert_uint_le(seen[0], 6);
}
END_TEST

START_TEST(the_least_used_is_so_for_its_weight)
{
	unsigned seen[COUNT];

	balancer.method = BALANCER_LEAST_CONNECTIONS;
	weigh(weights);
	count_picks(80, seen);
	for (int i = 0; i < COUNT; i++)
		ck_assert_uint_eq(atomic_load(&targets[i].connections), weights[i] * 10);
	for (int i = 0; i < 5; i++)
		balancer_release(&targets[2]);
	count_picks(5, seen);
	ck_assert_uint_eq(seen[2], 5);
}
END_TEST

/* By chance, but the same each time: within a tenth of what it should be. */
START_TEST(hashed_clients_are_shared_by_weight)
{
	unsigned seen[COUNT];

	balancer.method = BALANCER_HASH;
	weigh(weights);
	count_picks(8000, seen);
	for (int i = 0; i < COUNT; i++) {
		ck_assert_uint_ge(seen[i], weights[i] * 900);
		ck_assert_uint_le(seen[i], weights[i] * 1100);
	}
}
END_TEST

START_TEST(a_hashed_client_moves_only_to_whom_has_got_more_weight)
{
	int before[500], moved = 0;

	balancer.method = BALANCER_HASH;
	for (uint64_t i = 0; i < 500; i++)
		before[i] = pick(0, i * 7919, start);
	balancer_set_weight(&balancer, &targets[2], 3);
	for (uint64_t i = 0; i < 500; i++) {
		int now = pick(0, i * 7919, start);

		ck_assert(now == before[i] || now == 2);
		moved += now != before[i];
	}
	ck_assert_int_gt(moved, 50);
}
END_TEST

START_TEST(a_new_weight_holds_at_once)
{
	unsigned seen[COUNT];

	count_picks(COUNT * 100, seen);
	balancer_set_weight(&balancer, &targets[1], 0);
	count_picks(30, seen);
	ck_assert_uint_eq(seen[1], 0);
	balancer_set_weight(&balancer, &targets[1], 7);
	count_picks(100, seen);
	ck_assert_uint_ge(seen[1], 68);
	ck_assert_uint_le(seen[1], 72);
}
END_TEST

START_TEST(where_all_weigh_nothing_nobody_gets_anything)
{
	weigh((const unsigned[COUNT]){ 0 });
	balancer.method = (enum balancer_method)_i;
	ck_assert_int_eq(pick(0, 1, start), -1);
	ck_assert(balancer_is_down(&balancer, start));
	ck_assert_uint_eq(balancer_rests_for(&balancer, start), 0);
}
END_TEST

/* --- backups -------------------------------------------------------------------- */

static void make_backups(void)
{
	targets[2].is_backup = targets[3].is_backup = true;
}

START_TEST(backups_wait_until_no_other_does_well)
{
	unsigned seen[COUNT];

	balancer.method = (enum balancer_method)_i;
	make_backups();
	count_picks(100, seen);
	ck_assert_uint_eq(seen[2] + seen[3], 0);
	let_fail(&targets[0], start);
	count_picks(100, seen);
	ck_assert_uint_eq(seen[1], 100);
	balancer_set_health(&targets[1], TARGET_FAILS, "a test", start);
	count_picks(100, seen);
	ck_assert_uint_eq(seen[0] + seen[1], 0);
	ck_assert_uint_gt(seen[2], 0);
	ck_assert_uint_gt(seen[3], 0);
	balancer_set_health(&targets[1], TARGET_PASSES, "a test", start);
	count_picks(100, seen);
	ck_assert_uint_eq(seen[1], 100);
}
END_TEST

/* One session finds out, as elsewhere; the backups serve meanwhile. */
START_TEST(a_primary_comes_back_by_its_trial)
{
	uint64_t end;

	balancer.count = 3;
	make_backups();
	let_fail(&targets[0], start);
	end = start + let_fail(&targets[1], start);
	targets[0].rests_until = end + 10000;
	ck_assert_int_eq(pick(0, 0, end), 1);
	ck_assert_int_eq(pick(0, 0, end), 2);
	balancer_worked(&targets[1], end);
	ck_assert_int_eq(pick(0, 0, end), 1);
}
END_TEST

START_TEST(who_was_refused_everywhere_else_is_sent_to_a_backup)
{
	make_backups();
	ck_assert(balancer_has_more(&balancer, 3, start));
	ck_assert_int_ge(pick(3, 0, start), 2);
	ck_assert(!balancer_has_more(&balancer, 15, start));
}
END_TEST

/* --- who is full ---------------------------------------------------------------- */

START_TEST(who_is_full_gets_nothing_until_somebody_leaves)
{
	unsigned seen[COUNT];

	balancer.method = (enum balancer_method)_i;
	targets[0].max_sessions = targets[1].max_sessions = 3;
	targets[2].is_backup = targets[3].is_backup = true;
	count_picks(6, seen);
	ck_assert_uint_eq(seen[0], 3);
	ck_assert_uint_eq(seen[1], 3);
	ck_assert_int_ge(pick(0, 0, start), 2);
	ck_assert_int_eq(pick(12, 0, start), -1);
	ck_assert(!balancer_is_down(&balancer, start));
	balancer_release(&targets[1]);
	ck_assert_int_eq(pick(0, 0, start), 1);
}
END_TEST

/* --- who is out ------------------------------------------------------------------- */

/* Whatever the reason: nothing new, not even if there is no other. */
START_TEST(who_is_out_gets_nothing_new)
{
	for (int i = 1; i < COUNT; i++)
		let_fail(&targets[i], start);
	if (_i == 0)
		balancer_set_mode(&targets[0], TARGET_DRAIN, "a test", start);
	else if (_i == 1)
		balancer_set_mode(&targets[0], TARGET_DOWN, "a test", start);
	else
		balancer_set_health(&targets[0], TARGET_FAILS, "a test", start);
	ck_assert_int_eq(pick(0, 0, start), -1);
	ck_assert(balancer_is_down(&balancer, start));
	ck_assert(!balancer_is_down(&balancer, start + 10000)); /* the others have a chance then */
	balancer_set_mode(&targets[0], TARGET_READY, "a test", start);
	balancer_set_health(&targets[0], TARGET_PASSES, "a test", start);
	ck_assert_int_eq(pick(0, 0, start), 0);
	ck_assert(!balancer_is_down(&balancer, start));
}
END_TEST

START_TEST(where_all_are_out_nobody_knows_for_how_long)
{
	for (int i = 0; i < COUNT; i++)
		balancer_set_mode(&targets[i], TARGET_DRAIN, "a test", start);
	ck_assert_uint_eq(balancer_rests_for(&balancer, start), 0);
	ck_assert(balancer_is_down(&balancer, start + 1000000));
}
END_TEST

START_TEST(checks_that_pass_end_a_rest_too)
{
	balancer.count = 1;
	balancer_set_health(&targets[0], TARGET_FAILS, "a test", start);
	let_fail(&targets[0], start);
	balancer_set_health(&targets[0], TARGET_PASSES, "a test", start + 1);
	ck_assert_int_eq(pick(0, 0, start + 1), 0);
	ck_assert_uint_eq(trial, 0);
}
END_TEST

/* But one that was never found failing has passed a check that did not find what sessions found. */
START_TEST(a_first_check_ends_no_rest)
{
	balancer.count = 1;
	let_fail(&targets[0], start);
	balancer_set_health(&targets[0], TARGET_PASSES, "a test", start + 1);
	ck_assert_int_eq(pick(0, 0, start + 1), -1);
}
END_TEST

START_TEST(the_last_change_is_known_with_its_reason)
{
	char why[TARGET_WHY_MAX + 1];

	ck_assert_uint_eq(target_noted(&targets[0], why), 0);
	ck_assert_str_eq(why, "");
	balancer_set_health(&targets[0], TARGET_FAILS, "status 500", start);
	balancer_set_health(&targets[0], TARGET_FAILS, "status 501", start + 5);
	ck_assert_uint_eq(target_noted(&targets[0], why), start);
	ck_assert_str_eq(why, "status 500");
	let_fail(&targets[1], start + 7);
	ck_assert_uint_eq(target_noted(&targets[1], why), start + 7);
	ck_assert_str_eq(why, "a session could not reach it");
}
END_TEST

START_TEST(what_operators_have_set_goes_over_to_who_succeeds)
{
	struct target heirs[3] = { { .url = names[1] }, { .url = names[0] }, { .url = names[2] } };
	struct balancer heir = { .targets = heirs, .count = 3 };
	char why[TARGET_WHY_MAX + 1];

	for (int i = 0; i < 3; i++) {
		names[i][0] = (char)('a' + i);
		targets[i].own_weight = 1;
		heirs[i].own_weight = i == 0 ? 3 : 1;
	}
	balancer_set_mode(&targets[0], TARGET_DRAIN, "a test", start);
	balancer_set_weight(&balancer, &targets[0], 7);
	balancer_set_weight(&balancer, &targets[1], 5);
	balancer_succeed(&heir, &balancer);
	ck_assert_int_eq(target_load_word(&heirs[1].mode), TARGET_DRAIN);
	ck_assert_uint_eq(target_load_count(&heirs[1].weight), 7);
	ck_assert_uint_eq(target_noted(&heirs[1], why), start);
	ck_assert_str_eq(why, "a test");
	ck_assert_int_eq(target_load_word(&heirs[0].mode), TARGET_READY);
	ck_assert_uint_eq(target_load_count(&heirs[0].weight), 3); /* the configuration's new one */
	ck_assert_uint_eq(target_load_count(&heirs[2].weight), 1);
	ck_assert_uint_eq(target_noted(&heirs[2], why), 0);
}
END_TEST

/* --- health ----------------------------------------------------------------------- */

START_TEST(who_failed_rests_longer_each_time)
{
	struct target *t = &targets[0];
	uint64_t now = start, expected = REST;

	for (int i = 0; i < 8; i++) {
		uint64_t rest = let_fail(t, now);

		ck_assert_uint_ge(rest, expected * 3 / 4);
		ck_assert_uint_le(rest, expected * 5 / 4);
		now += rest + 1;
		expected = expected * 2 < REST_MAX ? expected * 2 : REST_MAX;
	}
}
END_TEST

START_TEST(the_rest_is_not_the_same_for_all)
{
	uint64_t first = let_fail(&targets[0], start), others = 0;

	for (int i = 1; i < COUNT; i++)
		others += let_fail(&targets[i], start) != first;
	ck_assert_uint_gt(others, 0);
}
END_TEST

START_TEST(one_goes_first_when_the_rest_is_over)
{
	uint64_t rest;

	balancer.count = 1;
	rest = let_fail(&targets[0], start);
	ck_assert_int_eq(pick(0, 0, start + rest - 1), -1);
	ck_assert_int_eq(pick(0, 0, start + rest), 0);
	ck_assert_int_eq(pick(0, 0, start + rest), -1);
	balancer_worked(&targets[0], start + rest + 5);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(pick(0, 0, start + rest + 5), 0);
}
END_TEST

START_TEST(a_trial_that_is_never_heard_of_is_followed_by_another)
{
	uint64_t rest;

	balancer.count = 1;
	rest = let_fail(&targets[0], start);
	ck_assert_int_eq(pick(0, 0, start + rest), 0);
	ck_assert_int_eq(pick(0, 0, start + rest + 60000), 0);
}
END_TEST

/* The client has left before there was an answer. */
START_TEST(a_trial_without_a_verdict_is_followed_by_another_at_once)
{
	uint64_t end, first;

	balancer.count = 1;
	end = start + let_fail(&targets[0], start);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(pick(0, 0, end), 0);
		first = trial;
		ck_assert_uint_ne(first, 0);
		ck_assert_int_eq(pick(0, 0, end), -1);
		balancer_end_trial(&targets[0], first);
	}
	ck_assert_uint_eq(atomic_load(&targets[0].failures), 1);
}
END_TEST

START_TEST(what_is_no_trial_ends_without_a_trace)
{
	ck_assert_int_eq(pick(0, 0, start), 0);
	ck_assert_uint_eq(trial, 0);
	let_fail(&targets[0], start);
	balancer_end_trial(&targets[0], 0);
	ck_assert_uint_gt(atomic_load(&targets[0].rests_until), start);
}
END_TEST

/* What has been found out meanwhile, by this trial or by others, stands. */
START_TEST(a_trial_with_a_verdict_gives_nothing_back)
{
	uint64_t end, first, rest;

	balancer.count = 1;
	end = start + let_fail(&targets[0], start);
	ck_assert_int_eq(pick(0, 0, end), 0);
	first = trial;
	if (_i == 0) {
		rest = let_fail(&targets[0], end + 1);
		balancer_end_trial(&targets[0], first);
		ck_assert_uint_gt(rest, 0);
		ck_assert_int_eq(pick(0, 0, end + 1), -1);
	} else if (_i == 1) {
		balancer_worked(&targets[0], end + 1);
		balancer_end_trial(&targets[0], first);
		ck_assert_uint_eq(atomic_load(&targets[0].rests_until), 0);
	} else { /* it has taken too long, and the next has begun */
		ck_assert_int_eq(pick(0, 0, end + 60000), 0);
		balancer_end_trial(&targets[0], first);
		ck_assert_int_eq(pick(0, 0, end + 60000), -1);
	}
}
END_TEST

/* --- 503 -------------------------------------------------------------------------- */

static bool rests(const struct target *t, uint64_t now)
{
	return atomic_load((atomic_uint_fast64_t *)(uintptr_t)&t->rests_until) > now;
}

START_TEST(the_third_503_in_a_row_counts)
{
	for (unsigned i = 0; i < 2; i++)
		balancer_unavailable(&balancer, &targets[0], start + i, start + i);
	ck_assert(!rests(&targets[0], start + 2));
	balancer_unavailable(&balancer, &targets[0], start + 2, start + 2);
	ck_assert(rests(&targets[0], start + 2));
}
END_TEST

START_TEST(any_other_answer_ends_the_row)
{
	for (unsigned i = 0; i < 30; i++) {
		uint64_t now = start + i;

		if (i % 3 == 2)
			balancer_worked(&targets[0], now);
		else
			balancer_unavailable(&balancer, &targets[0], now, now);
		ck_assert(!rests(&targets[0], now));
	}
}
END_TEST

/* Sessions that were begun before others were accepted, or before it was sent to rest. */
START_TEST(late_503s_are_no_news)
{
	balancer_worked(&targets[0], start + 5);
	for (unsigned i = 0; i < 9; i++)
		balancer_unavailable(&balancer, &targets[0], start, start + 6);
	ck_assert(!rests(&targets[0], start + 6));
	let_fail(&targets[1], start + 5);
	for (unsigned i = 0; i < 9; i++)
		balancer_unavailable(&balancer, &targets[1], start, start + 6);
	ck_assert_uint_eq(atomic_load(&targets[1].failures), 1);
}
END_TEST

/* One session cannot send it back to rest; three, one after the other, can. */
START_TEST(a_503_in_a_trial_is_no_verdict_yet)
{
	uint64_t end;

	balancer.count = 1;
	end = start + let_fail(&targets[0], start);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(pick(0, 0, end), 0);
		balancer_unavailable(&balancer, &targets[0], end, end);
		balancer_end_trial(&targets[0], trial);
	}
	ck_assert_int_eq(pick(0, 0, end), -1);
	ck_assert_uint_eq(atomic_load(&targets[0].failures), 2);
}
END_TEST

/* --- those who say nothing --------------------------------------------------------- */

enum { LEFT_MS = 1000, UNANSWERED_MAX = 3 };

/* A client comes at `now`, and leaves without an answer after so long. */
static uint64_t let_leave(struct target *t, uint64_t now, unsigned after_ms)
{
	balancer_left(&balancer, t, now, now + after_ms);
	return now + after_ms;
}

/* So often that it is at the back. */
static uint64_t let_be_silent(struct target *t, uint64_t now)
{
	for (int i = 0; i < UNANSWERED_MAX; i++)
		now = let_leave(t, now, LEFT_MS);
	return now;
}

START_TEST(who_has_not_answered_three_in_a_row_is_at_the_back)
{
	uint64_t now = start;

	balancer.method = (enum balancer_method)_i;
	for (int i = 0; i < UNANSWERED_MAX - 1; i++)
		now = let_leave(&targets[1], now, LEFT_MS);
	ck_assert(!rests(&targets[1], now));
	now = let_leave(&targets[1], now, LEFT_MS);
	for (uint64_t i = 0; i < 200; i++)
		ck_assert_int_ne(pick(0, i * 7919, now), 1);
}
END_TEST

/* Else anybody could send a backend there. */
START_TEST(who_leaves_within_a_second_says_nothing)
{
	uint64_t now = start;

	for (int i = 0; i < 100; i++)
		now = let_leave(&targets[0], now, LEFT_MS - 1);
	ck_assert(!rests(&targets[0], now));
}
END_TEST

START_TEST(any_answer_ends_a_row_of_silence)
{
	uint64_t now = start;

	for (int i = 0; i < 30; i++) {
		if (i % 3 < 2)
			now = let_leave(&targets[0], now, 5000);
		else if (_i == 0)
			balancer_worked(&targets[0], ++now);
		else
			balancer_unavailable(&balancer, &targets[0], now, now);
		if (i % 6 == 5)
			balancer_worked(&targets[0], ++now); /* nor are these 503s in a row */
		ck_assert(!rests(&targets[0], now));
	}
}
END_TEST

/* Twenty who came at once and left at once are three attempts and seventeen that say nothing new.
 */
START_TEST(a_crowd_that_leaves_at_once_sends_to_the_back_once)
{
	for (int i = 0; i < 20; i++)
		balancer_left(&balancer, &targets[0], start, start + 1500);
	ck_assert_uint_eq(atomic_load(&targets[0].failures), 1);
}
END_TEST

START_TEST(who_is_at_the_back_is_asked_if_there_is_no_other)
{
	uint64_t now = let_be_silent(&targets[0], start);

	for (int i = 1; i < COUNT; i++)
		let_fail(&targets[i], now);
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(pick(0, 0, now), 0);
		ck_assert_uint_eq(trial, 0);
	}
	ck_assert_uint_eq(balancer_rests_for(&balancer, now), 0);
	ck_assert(
	    !balancer_has_more(&balancer, 0, now)); /* nobody leaves one that answers for it */
}
END_TEST

START_TEST(one_finds_out_whether_who_is_at_the_back_answers)
{
	uint64_t now = let_be_silent(&targets[0], start), end;
	int met = 0;

	end = atomic_load(&targets[0].rests_until);
	for (int i = 0; i < 3 * COUNT; i++)
		met += pick(0, 0, end) == 0;
	ck_assert_int_eq(met, 1);
	ck_assert_uint_gt(end, now);
	if (_i == 0) {
		balancer_worked(&targets[0], end + 10);
		for (int i = 0; i < 3 * COUNT; i++)
			met += pick(0, 0, end + 10) == 0;
		ck_assert_int_ge(met, 4); /* a quarter, and it has the first */
		ck_assert_int_le(met, 5);
	} else {
		let_leave(&targets[0], end, LEFT_MS);
		ck_assert_uint_gt(atomic_load(&targets[0].rests_until), end + LEFT_MS + REST);
	}
}
END_TEST

/* Two that cannot answer one request are no proof; neither are two that nobody has waited for. */
START_TEST(a_time_out_counts_as_a_503)
{
	for (unsigned i = 0; i < 2; i++)
		balancer_late(&balancer, &targets[0], start + i, start + 5000 + i);
	ck_assert(!rests(&targets[0], start + 5002));
	if (_i == 0)
		balancer_late(&balancer, &targets[0], start + 2, start + 5002);
	else
		balancer_unavailable(&balancer, &targets[0], start + 2, start + 5002);
	ck_assert(rests(&targets[0], start + 5002));
	ck_assert_uint_gt(atomic_load(&targets[0].barred_until), start + 5002);
}
END_TEST

/* --- nobody else --------------------------------------------------------------------- */

/* It has failed for a minute. */
static uint64_t let_fail_for_long(struct target *t)
{
	uint64_t now = start;

	for (int i = 0; i < 10; i++)
		now += let_fail(t, now) + 1;
	return now;
}

START_TEST(who_is_alone_never_rests_for_long)
{
	uint64_t now = let_fail_for_long(&targets[0]);

	balancer.count = 1;
	let_fail(&targets[0], now);
	ck_assert_int_eq(pick(0, 0, now), -1);
	ck_assert_uint_le(balancer_rests_for(&balancer, now), REST * 5 / 4);
	ck_assert_int_eq(pick(0, 0, now + REST * 5 / 4), 0);
	ck_assert_int_eq(pick(0, 0, now + REST * 5 / 4), -1); /* one at a time */
	balancer_worked(&targets[0], now + REST * 5 / 4 + 1);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(pick(0, 0, now + REST * 5 / 4 + 1), 0);
}
END_TEST

START_TEST(where_all_have_failed_nobody_rests_for_long)
{
	uint64_t now = 0;

	for (int i = 0; i < COUNT; i++)
		now = let_fail_for_long(&targets[i]);
	for (int i = 0; i < COUNT; i++)
		let_fail(&targets[i], now);
	ck_assert_int_eq(pick(0, 0, now), -1);
	ck_assert_int_ge(pick(0, 0, now + REST * 5 / 4), 0);
}
END_TEST

START_TEST(where_another_does_well_who_failed_for_long_rests_for_long)
{
	uint64_t now = let_fail_for_long(&targets[0]);

	let_fail(&targets[0], now);
	for (int i = 0; i < 3 * COUNT; i++)
		ck_assert_int_ne(pick(0, 0, now + REST_MAX / 2), 0);
}
END_TEST

/* --- failures, one after the other ------------------------------------------------ */

START_TEST(a_success_forgets_all_failures)
{
	uint64_t now = start;

	for (int i = 0; i < 5; i++)
		now += let_fail(&targets[0], now) + 1;
	balancer_worked(&targets[0], now);
	ck_assert_uint_le(let_fail(&targets[0], now + 1), REST * 5 / 4);
}
END_TEST

/* A hundred sessions that were under way when it went are one failure, not a hundred. */
START_TEST(what_was_begun_before_says_nothing_new)
{
	let_fail(&targets[0], start + 10);
	for (int i = 0; i < 100; i++)
		balancer_failed(&balancer, &targets[0], start + 9, start + 20);
	ck_assert_uint_eq(atomic_load(&targets[0].failures), 1);
	ck_assert_uint_le(atomic_load(&targets[0].rests_until), start + 10 + REST * 5 / 4);
}
END_TEST

/* One slow session does not speak against a target that has taken another meanwhile. */
START_TEST(what_was_begun_before_it_last_worked_is_no_reproach)
{
	balancer_worked(&targets[0], start + 5);
	balancer_failed(&balancer, &targets[0], start, start + 5000);
	ck_assert_uint_eq(atomic_load(&targets[0].rests_until), 0);
	balancer_failed(&balancer, &targets[0], start + 6, start + 5000);
	ck_assert_uint_gt(atomic_load(&targets[0].rests_until), start + 5000);
}
END_TEST

START_TEST(all_may_rest)
{
	for (int i = 0; i < COUNT; i++)
		let_fail(&targets[i], start);
	for (int balance = BALANCER_ROUND_ROBIN; balance <= BALANCER_HASH; balance++) {
		balancer.method = (enum balancer_method)balance;
		ck_assert_int_eq(pick(0, 1, start), -1);
	}
	ck_assert(!balancer_has_more(&balancer, 0, start));
}
END_TEST

START_TEST(a_rest_of_all_ends_with_the_shortest)
{
	uint64_t shortest = UINT64_MAX;

	for (int i = 0; i < COUNT; i++) {
		uint64_t rest;

		ck_assert_uint_eq(balancer_rests_for(&balancer, start), 0);
		rest = let_fail(&targets[i], start);
		shortest = rest < shortest ? rest : shortest;
	}
	ck_assert_uint_eq(balancer_rests_for(&balancer, start), shortest);
	ck_assert_uint_eq(balancer_rests_for(&balancer, start + shortest - 1), 1);
	ck_assert_uint_eq(balancer_rests_for(&balancer, start + shortest), 0);
}
END_TEST

START_TEST(one_that_is_on_trial_may_be_tried_when_that_is_over)
{
	uint64_t rest;

	balancer.count = 1;
	rest = let_fail(&targets[0], start);
	ck_assert_int_eq(pick(0, 0, start + rest), 0);
	ck_assert_uint_gt(balancer_rests_for(&balancer, start + rest), 0);
	balancer_end_trial(&targets[0], trial);
	ck_assert_uint_eq(balancer_rests_for(&balancer, start + rest), 0);
}
END_TEST

/* --- threads ------------------------------------------------------------------------ */

/* Comes and goes, fails and works, at random. */
static void *use(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	for (uint64_t i = 0; i < 20000; i++) {
		uint64_t own_trial;
		struct target *t =
		    balancer_pick(&balancer, 0, (uint64_t)rand_r(&seed), start + i, &own_trial);
		int fate = rand_r(&seed) % 8;

		if (!t)
			continue;
		if (fate == 0)
			balancer_failed(&balancer, t, start + i, start + i);
		else if (fate == 1)
			balancer_unavailable(&balancer, t, start + i, start + i);
		else if (fate == 2)
			balancer_left(&balancer, t, start + i, start + i + LEFT_MS);
		else if (fate == 3)
			balancer_late(&balancer, t, start + i, start + i);
		else if (fate > 4)
			balancer_worked(t, start + i);
		balancer_end_trial(t, own_trial);
		balancer_release(t);
	}
	return NULL;
}

START_TEST(threads_lose_no_count)
{
	pthread_t threads[4];

	balancer.rest_ms = balancer.rest_max_ms = 2;
	balancer.method = (enum balancer_method)_i;
	for (uintptr_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, use, (void *)(i + 1)), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < COUNT; i++)
		ck_assert_uint_eq(atomic_load(&targets[i].connections), 0);
	ck_assert_int_ge(pick(0, 0, start + 1000000), 0);
}
END_TEST

/* Of all threads that see the rest end, one is let through. */
static void *knock(void *arg)
{
	uint64_t own_trial;

	if (balancer_pick(&balancer, 0, 0, start + 2 * REST, &own_trial))
		atomic_fetch_add((atomic_uint *)arg, 1);
	return NULL;
}

START_TEST(one_of_many_threads_goes_first)
{
	pthread_t threads[8];
	atomic_uint through = 0;

	balancer.count = 1;
	let_fail(&targets[0], start);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, knock, &through), 0);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(atomic_load(&through), 1);
}
END_TEST

/* Takes what it can, and keeps it. */
static void *take_all(void *arg)
{
	uint64_t own_trial;

	for (int i = 0; i < 5000; i++)
		if (balancer_pick(&balancer, 0, (uint64_t)i, start, &own_trial))
			atomic_fetch_add((atomic_uint *)arg, 1);
	return NULL;
}

START_TEST(threads_never_have_more_than_there_may_be)
{
	pthread_t threads[4];
	atomic_uint taken = 0;

	for (int i = 0; i < COUNT; i++)
		targets[i].max_sessions = 1000;
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, take_all, &taken), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(atomic_load(&taken), COUNT * 1000);
	for (int i = 0; i < COUNT; i++)
		ck_assert_uint_eq(atomic_load(&targets[i].connections), 1000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("upstream_balancer");
	TCase *tc = tcase_create("balancer");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(
	    tc, a_balancer_is_down_when_each_of_it_has_failed_and_one_that_works_is_enough);
	tcase_add_test(tc, a_balancer_that_was_down_is_given_a_chance_after_a_while);
	tcase_add_test(tc, each_has_its_turn);
	tcase_add_test(tc, what_was_tried_is_passed_over);
	tcase_add_test(tc, the_least_used_is_next);
	tcase_add_test(tc, a_hash_has_its_place_and_others_keep_theirs);
	tcase_add_test(tc, there_may_be_64);
	tcase_add_test(tc, in_turn_each_gets_its_share_of_every_round);
	tcase_add_test(tc, in_turn_the_large_share_is_spread_over_the_round);
	tcase_add_test(tc, shares_may_differ_much);
	tcase_add_test(tc, the_others_keep_their_shares_when_one_is_away);
	tcase_add_test(tc, who_comes_back_gets_its_share_and_no_more);
	tcase_add_test(tc, the_least_used_is_so_for_its_weight);
	tcase_add_test(tc, hashed_clients_are_shared_by_weight);
	tcase_add_test(tc, a_hashed_client_moves_only_to_whom_has_got_more_weight);
	tcase_add_test(tc, a_new_weight_holds_at_once);
	tcase_add_loop_test(tc, where_all_weigh_nothing_nobody_gets_anything, BALANCER_ROUND_ROBIN,
	    BALANCER_HASH + 1);
	tcase_add_loop_test(tc, backups_wait_until_no_other_does_well, BALANCER_ROUND_ROBIN,
	    BALANCER_HASH + 1);
	tcase_add_test(tc, a_primary_comes_back_by_its_trial);
	tcase_add_test(tc, who_was_refused_everywhere_else_is_sent_to_a_backup);
	tcase_add_loop_test(tc, who_is_full_gets_nothing_until_somebody_leaves,
	    BALANCER_ROUND_ROBIN, BALANCER_HASH + 1);
	tcase_add_test(tc, threads_never_have_more_than_there_may_be);
	tcase_add_loop_test(tc, who_is_out_gets_nothing_new, 0, 3);
	tcase_add_test(tc, where_all_are_out_nobody_knows_for_how_long);
	tcase_add_test(tc, checks_that_pass_end_a_rest_too);
	tcase_add_test(tc, a_first_check_ends_no_rest);
	tcase_add_test(tc, the_last_change_is_known_with_its_reason);
	tcase_add_test(tc, what_operators_have_set_goes_over_to_who_succeeds);
	tcase_add_test(tc, who_failed_rests_longer_each_time);
	tcase_add_test(tc, the_rest_is_not_the_same_for_all);
	tcase_add_test(tc, one_goes_first_when_the_rest_is_over);
	tcase_add_test(tc, a_trial_that_is_never_heard_of_is_followed_by_another);
	tcase_add_test(tc, a_trial_without_a_verdict_is_followed_by_another_at_once);
	tcase_add_test(tc, what_is_no_trial_ends_without_a_trace);
	tcase_add_loop_test(tc, a_trial_with_a_verdict_gives_nothing_back, 0, 3);
	tcase_add_test(tc, the_third_503_in_a_row_counts);
	tcase_add_test(tc, any_other_answer_ends_the_row);
	tcase_add_test(tc, late_503s_are_no_news);
	tcase_add_test(tc, a_503_in_a_trial_is_no_verdict_yet);
	tcase_add_loop_test(tc, who_has_not_answered_three_in_a_row_is_at_the_back,
	    BALANCER_ROUND_ROBIN, BALANCER_HASH + 1);
	tcase_add_test(tc, who_leaves_within_a_second_says_nothing);
	tcase_add_loop_test(tc, any_answer_ends_a_row_of_silence, 0, 2);
	tcase_add_test(tc, a_crowd_that_leaves_at_once_sends_to_the_back_once);
	tcase_add_test(tc, who_is_at_the_back_is_asked_if_there_is_no_other);
	tcase_add_loop_test(tc, one_finds_out_whether_who_is_at_the_back_answers, 0, 2);
	tcase_add_loop_test(tc, a_time_out_counts_as_a_503, 0, 2);
	tcase_add_test(tc, who_is_alone_never_rests_for_long);
	tcase_add_test(tc, where_all_have_failed_nobody_rests_for_long);
	tcase_add_test(tc, where_another_does_well_who_failed_for_long_rests_for_long);
	tcase_add_test(tc, a_success_forgets_all_failures);
	tcase_add_test(tc, what_was_begun_before_says_nothing_new);
	tcase_add_test(tc, what_was_begun_before_it_last_worked_is_no_reproach);
	tcase_add_test(tc, all_may_rest);
	tcase_add_test(tc, a_rest_of_all_ends_with_the_shortest);
	tcase_add_test(tc, one_that_is_on_trial_may_be_tried_when_that_is_over);
	tcase_add_loop_test(tc, threads_lose_no_count, BALANCER_ROUND_ROBIN, BALANCER_HASH + 1);
	tcase_add_test(tc, one_of_many_threads_goes_first);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
