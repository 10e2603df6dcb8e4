/*
 * test_networks.c - what is learned of networks, and what follows from it: scores and their half-life,
 * the rungs of silence, attempts that were given up, and the table of all.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "networks/networks.h"

#define HALF_LIFE 1800000u

static const struct network_settings settings = {
	.adapts = true,
	.refuses_websocket = true,
	.half_life_ms = HALF_LIFE,
	.first_silence_ms = 10000,
	.most_silence_ms = 25000,
	.answer_ms = 3000,
};

static struct networks *all;
static uint64_t now;

static void set_up(void)
{
	all = networks_new();
	now = 1000;
}

static void tear_down(void)
{
	networks_free(all);
}

static struct network_client client(const char *address, const char *number)
{
	struct addr a;

	ck_assert_int_eq(addr_parse_ip(bytes_of(address), &a), 0);
	return network_client(&a, BYTES("Mozilla/5.0"), bytes_of(number));
}

static struct network_policy policy;
static struct network_attempt before;

static enum network_answer opens(
    const char *address, const char *number, enum network_way way, const char *session)
{
	struct network_client c = client(address, number);
	enum network_answer answer;

	answer = networks_open(all, &settings,
	    &(struct network_visit){ &c, way, bytes_of(session), now }, &policy, &before);
	networks_said(all, &c, now);
	return answer;
}

static void learn(const char *address, enum network_evidence what, unsigned times)
{
	struct network_client c = client(address, "123");

	while (times--)
		networks_learn(all, &settings, &c, what, now);
}

/* --- streams ------------------------------------------------------------------------------ */

START_TEST(an_attempt_that_was_given_up_makes_the_next_one_short)
{
	ck_assert_int_eq(opens("192.0.2.1", "123", NETWORK_BY_STREAM, "a"), NETWORK_WELCOME);
	ck_assert(!policy.is_short);
	now += 700;
	ck_assert_int_eq(opens("192.0.2.1", "123", NETWORK_BY_STREAM, "b"), NETWORK_GAVE_UP);
	ck_assert(policy.is_short);
	ck_assert_int_eq(before.id_len, 1);
	ck_assert_int_eq(before.id[0], 'a');
	ck_assert_int_eq(opens("192.0.2.200", "456", NETWORK_BY_STREAM, "c"), NETWORK_WELCOME);
	ck_assert_msg(policy.is_short, "the others of the network are served so, too");
	ck_assert_int_eq(opens("192.0.3.1", "456", NETWORK_BY_STREAM, "d"), NETWORK_WELCOME);
	ck_assert_msg(!policy.is_short, "and nobody else");
}
END_TEST

START_TEST(what_was_learned_is_forgotten)
{
	learn("192.0.2.1", NETWORK_STREAM_HELD, 1);
	now += HALF_LIFE - 1;
	opens("192.0.2.1", "1", NETWORK_BY_STREAM, "a");
	ck_assert(policy.is_short);
	now += HALF_LIFE / 4;
	opens("192.0.2.1", "2", NETWORK_BY_STREAM, "b");
	ck_assert(!policy.is_short);
}
END_TEST

START_TEST(a_stream_that_flows_outweighs_one_that_was_given_up)
{
	learn("192.0.2.1", NETWORK_STREAM_HELD, 1);
	learn("192.0.2.1", NETWORK_STREAM_FLOWS, 1);
	opens("192.0.2.1", "1", NETWORK_BY_STREAM, "a");
	ck_assert(!policy.is_short);
}
END_TEST

START_TEST(who_was_heard_has_given_nothing_up)
{
	struct network_client c = client("192.0.2.1", "123");

	opens("192.0.2.1", "123", NETWORK_BY_STREAM, "a");
	networks_heard(all, &c);
	now += 700;
	ck_assert_int_eq(opens("192.0.2.1", "123", NETWORK_BY_STREAM, "b"), NETWORK_WELCOME);
	ck_assert(!policy.is_short);
}
END_TEST

/* What the second one is, and how much later, in milliseconds. */
static const struct {
	const char *number, *session;
	enum network_way first, second;
	unsigned after;
} nothings[] = {
	{ "123", "b", NETWORK_BY_STREAM, NETWORK_BY_STREAM, 100 },   /* a program, not a client */
	{ "123", "b", NETWORK_BY_STREAM, NETWORK_BY_STREAM, 10001 }, /* another visit */
	{ "123", "b", NETWORK_BY_POLL, NETWORK_BY_STREAM, 700 },     /* nobody goes back, */
	{ "123", "b", NETWORK_BY_WEBSOCKET, NETWORK_BY_WEBSOCKET, 700 }, /* nor tries it twice */
	{ "123", "a", NETWORK_BY_STREAM, NETWORK_BY_STREAM, 700 },   /* the same session */
	{ "000", "b", NETWORK_BY_STREAM, NETWORK_BY_STREAM, 700 },   /* all programs have this number */
	{ "", "b", NETWORK_BY_STREAM, NETWORK_BY_STREAM, 700 },
};

START_TEST(nothing_was_given_up)
{
	opens("192.0.2.1", nothings[_i].number, nothings[_i].first, "a");
	now += nothings[_i].after;
	ck_assert_int_eq(opens("192.0.2.1", nothings[_i].number, nothings[_i].second,
	                     nothings[_i].session),
	    NETWORK_WELCOME);
	ck_assert(!policy.is_short);
}
END_TEST

/* --- WebSockets ---------------------------------------------------------------------------- */

START_TEST(a_client_whose_websocket_failed_is_refused_and_others_have_to_prove_theirs)
{
	learn("192.0.2.1", NETWORK_WEBSOCKET_SILENT, 1);
	ck_assert_int_eq(opens("192.0.2.1", "7", NETWORK_BY_WEBSOCKET, "a"), NETWORK_REFUSED);
	ck_assert_int_eq(opens("192.0.2.2", "7", NETWORK_BY_WEBSOCKET, "b"), NETWORK_WELCOME);
	ck_assert(policy.is_proved);
	ck_assert(policy.is_watched);
	learn("192.0.2.2", NETWORK_WEBSOCKET_SILENT, 1);
	ck_assert_int_eq(opens("192.0.2.3", "7", NETWORK_BY_WEBSOCKET, "c"), NETWORK_REFUSED);
	ck_assert_int_eq(opens("192.0.2.3", "7", NETWORK_BY_STREAM, "d"), NETWORK_WELCOME);
	ck_assert_msg(opens("192.0.2.3", "000", NETWORK_BY_WEBSOCKET, "e") == NETWORK_WELCOME,
	    "who has no other way is not refused");
	now += 3 * HALF_LIFE;
	ck_assert_int_eq(opens("192.0.2.3", "8", NETWORK_BY_WEBSOCKET, "f"), NETWORK_WELCOME);
}
END_TEST

START_TEST(who_has_nothing_but_a_websocket_is_taken_in_the_end)
{
	learn("192.0.2.1", NETWORK_WEBSOCKET_SILENT, 1);
	ck_assert_int_eq(opens("192.0.2.1", "1", NETWORK_BY_WEBSOCKET, "a"), NETWORK_REFUSED);
	ck_assert_int_eq(opens("192.0.2.1", "1", NETWORK_BY_STREAM, "b"), NETWORK_WELCOME);
	ck_assert_int_eq(opens("192.0.2.1", "2", NETWORK_BY_WEBSOCKET, "c"), NETWORK_REFUSED);
	ck_assert_int_eq(opens("192.0.2.1", "3", NETWORK_BY_WEBSOCKET, "d"), NETWORK_REFUSED);
	ck_assert_int_eq(opens("192.0.2.1", "4", NETWORK_BY_WEBSOCKET, "e"), NETWORK_WELCOME);
	ck_assert(policy.is_proved);
	learn("192.0.2.1", NETWORK_WEBSOCKET_SPEAKS, 1);
	ck_assert_int_eq(opens("192.0.2.1", "5", NETWORK_BY_WEBSOCKET, "f"), NETWORK_WELCOME);
}
END_TEST

START_TEST(one_client_that_fails_again_is_one)
{
	learn("192.0.2.1", NETWORK_WEBSOCKET_BLACK, 5);
	ck_assert_int_eq(opens("192.0.2.2", "1", NETWORK_BY_WEBSOCKET, "a"), NETWORK_WELCOME);
	ck_assert(policy.is_proved);
}
END_TEST

START_TEST(an_answer_that_has_not_begun_is_not_the_networks_fault)
{
	struct network_client c = client("192.0.2.1", "123");
	struct network_visit visit = { &c, NETWORK_BY_WEBSOCKET, BYTES("a"), now };

	networks_open(all, &settings, &visit, &policy, &before);
	now += 700;
	ck_assert_int_eq(opens("192.0.2.1", "123", NETWORK_BY_STREAM, "b"), NETWORK_WELCOME);
	ck_assert(!policy.is_short);
}
END_TEST

START_TEST(one_that_failed_among_many_that_speak_is_his_own_trouble)
{
	learn("192.0.2.1", NETWORK_WEBSOCKET_SPEAKS, 20);
	opens("192.0.2.9", "7", NETWORK_BY_WEBSOCKET, "a");
	ck_assert(!policy.is_watched);
	ck_assert(!policy.is_proved);
	learn("192.0.2.5", NETWORK_WEBSOCKET_BLACK, 1);
	ck_assert_int_eq(opens("192.0.2.5", "7", NETWORK_BY_WEBSOCKET, "b"), NETWORK_REFUSED);
	ck_assert_int_eq(opens("192.0.2.9", "8", NETWORK_BY_WEBSOCKET, "c"), NETWORK_WELCOME);
}
END_TEST

START_TEST(without_adapting_nothing_is_learned)
{
	struct network_settings off = settings;
	struct network_client c = client("192.0.2.1", "1");

	off.adapts = false;
	networks_learn(all, &off, &c, NETWORK_WEBSOCKET_BLACK, now);
	networks_learn(all, &off, &c, NETWORK_STREAM_HELD, now);
	ck_assert_int_eq(networks_open(all, &off,
	                     &(struct network_visit){ &c, NETWORK_BY_WEBSOCKET, BYTES("a"), now },
	                     &policy, &before),
	    NETWORK_WELCOME);
	ck_assert_uint_eq(policy.rung, NETWORK_RUNG_TOP);
	ck_assert(!policy.is_short && !policy.is_proved && !policy.is_watched);
	ck_assert_uint_eq(networks_learned(all, NETWORK_STREAM_HELD), 0);
}
END_TEST

/* --- silences -------------------------------------------------------------------------------- */

static unsigned silence_of(struct network_policy p)
{
	return network_silence_ms(p, settings.first_silence_ms, settings.most_silence_ms);
}

START_TEST(silences_rise_as_they_are_survived)
{
	struct network n = { 0 };
	struct network_policy p = network_policy(&n, &settings);
	unsigned longest = 0, rounds = 0;

	ck_assert_uint_eq(silence_of(p), 10000);
	while (p.rung != NETWORK_RUNG_TOP && rounds++ < 100) {
		ck_assert_uint_ge(silence_of(p), longest);
		longest = silence_of(p);
		network_silence(&n, &settings, NETWORK_OUTLASTED, &p);
	}
	ck_assert_uint_eq(silence_of(p), 25000);
	ck_assert_uint_gt(rounds, 15);
	p = network_policy(&n, &settings);
	ck_assert_msg(p.rung == NETWORK_RUNG_TOP, "who comes now begins there");
}
END_TEST

/* As many as go on for an hour, where silences of `cut` milliseconds are not survived; returns how many
 * were cut. */
static unsigned cuts(unsigned sessions, unsigned cut)
{
	struct network n = { 0 };
	struct network_policy p[64];
	unsigned count = 0;

	for (unsigned i = 0; i < sessions; i++)
		p[i] = network_policy(&n, &settings);
	for (unsigned round = 0; round < 200; round++) {
		for (unsigned i = 0; i < sessions; i++) {
			bool is_cut = silence_of(p[i]) >= cut;

			network_silence(&n, &settings, is_cut ? NETWORK_WAS_CUT : NETWORK_OUTLASTED, &p[i]);
			if (is_cut)
				p[i] = network_policy(&n, &settings);
			count += is_cut;
		}
	}
	ck_assert_uint_lt(network_survives_ms(&n, &settings), cut);
	ck_assert_uint_le(n.trials, 2);
	return count;
}

START_TEST(few_are_cut_to_find_how_long_a_silence_may_be)
{
	ck_assert_uint_le(cuts(1, 20000), 1);
	ck_assert_uint_le(cuts(64, 20000), 2);
	ck_assert_uint_le(cuts(64, 14000), 2);
	ck_assert_uint_le(cuts(64, 24000), 2);
}
END_TEST

START_TEST(a_trial_that_nobody_saw_the_end_of_makes_room_for_another)
{
	struct network n = { 0 };
	struct network_policy p = network_policy(&n, &settings);

	for (unsigned i = 0; i < 6; i++)
		network_silence(&n, &settings, NETWORK_OUTLASTED, &p);
	ck_assert(p.is_trial);
	ck_assert_uint_eq(n.trials, 1);
	network_silence(&n, &settings, NETWORK_NOBODY_KNOWS, &p);
	ck_assert(!p.is_trial);
	ck_assert_uint_eq(n.trials, 0);
	ck_assert_uint_eq(silence_of(p), 10000);
}
END_TEST

/* --- the table ---------------------------------------------------------------------------------- */

static bool count_one(const struct network_view *view, void *arg)
{
	(void)view;
	++*(unsigned *)arg;
	return true;
}

START_TEST(there_is_room_for_many_and_no_more)
{
	char text[64];
	unsigned count = 0;

	for (unsigned i = 0; i < 100000; i++) {
		snprintf(text, sizeof(text), "2001:db8:%x::1", i & 0xffff);
		if (i > 0xffff)
			snprintf(text, sizeof(text), "2001:db9:%x::1", i & 0xffff);
		learn(text, NETWORK_STREAM_FLOWS, 1);
	}
	for (unsigned share = 0; share < NETWORKS_SHARDS; share++)
		networks_each_of(all, &settings, share, now, count_one, &count);
	ck_assert_uint_gt(count, 30000);
	ck_assert_uint_le(count, NETWORKS_SHARDS * 2048);
}
END_TEST

START_TEST(one_client_with_many_programs_drives_no_network_out)
{
	struct addr here;
	char agent[32];

	learn("198.51.100.1", NETWORK_STREAM_HELD, 1);
	ck_assert_int_eq(addr_parse_ip(BYTES("192.0.2.1"), &here), 0);
	for (unsigned i = 0; i < 100000; i++) {
		struct network_client c;

		snprintf(agent, sizeof(agent), "program %u", i);
		c = network_client(&here, bytes_of(agent), BYTES("7"));
		networks_learn(all, &settings, &c, NETWORK_WEBSOCKET_SILENT, now);
	}
	opens("198.51.100.1", "1", NETWORK_BY_STREAM, "a");
	ck_assert(policy.is_short);
}
END_TEST

START_TEST(an_unknown_address_is_of_no_network)
{
	struct addr unix_socket = { .family = AF_UNIX };
	struct network_client c = network_client(&unix_socket, BYTES(""), BYTES("7"));

	networks_learn(all, &settings, &c, NETWORK_WEBSOCKET_BLACK, now);
	ck_assert_int_eq(networks_open(all, &settings,
	                     &(struct network_visit){ &c, NETWORK_BY_WEBSOCKET, BYTES("a"), now },
	                     &policy, &before),
	    NETWORK_WELCOME);
	ck_assert_uint_eq(policy.rung, NETWORK_RUNG_TOP);
}
END_TEST

START_TEST(without_memory_nothing_is_learned)
{
	for (unsigned nth = 1; nth <= 2; nth++) {
		mem_fail_at(nth);
		ck_assert_ptr_null(networks_new());
		ck_assert(mem_failed());
	}
	mem_fail_at(1);
	learn("192.0.2.1", NETWORK_WEBSOCKET_BLACK, 1);
	mem_fail_at(0);
	ck_assert_int_eq(opens("192.0.2.1", "7", NETWORK_BY_WEBSOCKET, "a"), NETWORK_WELCOME);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("networks");
	TCase *t = tcase_create("networks");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, an_attempt_that_was_given_up_makes_the_next_one_short);
	tcase_add_test(t, what_was_learned_is_forgotten);
	tcase_add_test(t, a_stream_that_flows_outweighs_one_that_was_given_up);
	tcase_add_test(t, who_was_heard_has_given_nothing_up);
	tcase_add_loop_test(t, nothing_was_given_up, 0, sizeof(nothings) / sizeof(*nothings));
	tcase_add_test(t, a_client_whose_websocket_failed_is_refused_and_others_have_to_prove_theirs);
	tcase_add_test(t, who_has_nothing_but_a_websocket_is_taken_in_the_end);
	tcase_add_test(t, one_client_that_fails_again_is_one);
	tcase_add_test(t, an_answer_that_has_not_begun_is_not_the_networks_fault);
	tcase_add_test(t, one_that_failed_among_many_that_speak_is_his_own_trouble);
	tcase_add_test(t, without_adapting_nothing_is_learned);
	tcase_add_test(t, silences_rise_as_they_are_survived);
	tcase_add_test(t, few_are_cut_to_find_how_long_a_silence_may_be);
	tcase_add_test(t, a_trial_that_nobody_saw_the_end_of_makes_room_for_another);
	tcase_add_test(t, there_is_room_for_many_and_no_more);
	tcase_add_test(t, one_client_with_many_programs_drives_no_network_out);
	tcase_add_test(t, an_unknown_address_is_of_no_network);
	tcase_add_test(t, without_memory_nothing_is_learned);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed > 0;
}
