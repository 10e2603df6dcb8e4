/*
 * tests/unit/test_broker.c - members, subscriptions, private destinations, limits and counters.
 */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "broker_fixture.h"

static struct hearer anna, bert, carl;

static void setup(void)
{
	anna.count = bert.count = carl.count = 0;
}

static const struct broker_counters *counters(unsigned part)
{
	return broker_counters(broker_part(broker, part));
}

/* --- topics ----------------------------------------------------------------------- */

START_TEST(each_subscription_that_matches_gets_the_message_once)
{
	struct broker_member *a, *b;

	start(1, '/', 0);
	a = join(0, "s1", "anna");
	b = join(0, "s2", "");
	subscribe(a, "/topic/x", &anna, 1);
	subscribe(a, "/topic/x", &anna, 2);
	subscribe(a, "/topic/*", &anna, 3);
	subscribe(b, "/topic/y", &bert, 1);
	subscribe(b, "/topic/**", &bert, 2);
	ck_assert_int_eq(publish("/topic/x"), 0);
	ck_assert_uint_eq(anna.count, 3);
	ck_assert_str_eq(said(&bert), "2:/topic/x");
	ck_assert_uint_eq(fanned, 1);
	broker_leave(a);
	broker_leave(b);
	stop();
}
END_TEST

START_TEST(subscribers_are_served_in_the_order_in_which_they_came)
{
	struct broker_member *m;

	start(1, '/', 0);
	m = join(0, "s", "");
	for (uintptr_t i = 0; i < 100; i++)
		subscribe(m, "/topic/x", &anna, i);
	ck_assert_int_eq(publish("/topic/x"), 0);
	ck_assert_uint_eq(anna.count, 100);
	for (unsigned i = 0; i < 100; i++)
		ck_assert_uint_eq(anna.heard[i].label, i);
	broker_leave(m);
	stop();
}
END_TEST

START_TEST(who_has_unsubscribed_hears_nothing_more_and_the_others_do)
{
	struct broker_subscription *s[64];
	struct broker_member *m;
	bool heard[64] = { false };

	start(1, '/', 0);
	m = join(0, "s", "");
	for (uintptr_t i = 0; i < 64; i++)
		s[i] = subscribe(m, "/topic/x", &anna, i);
	for (unsigned i = 0; i < 64; i += 3)
		broker_unsubscribe(s[i]);
	ck_assert_int_eq(publish("/topic/x"), 0);
	ck_assert_uint_eq(anna.count, 42);
	for (unsigned i = 0; i < 42; i++)
		heard[anna.heard[i].label] = true;
	for (unsigned i = 0; i < 64; i++)
		ck_assert(heard[i] == (i % 3 != 0));
	for (unsigned i = 0; i < 64; i++)
		if (i % 3)
			broker_unsubscribe(s[i]);
	ck_assert_uint_eq(counters(0)->nodes, 0);
	ck_assert_int_eq(publish("/topic/x"), 0);
	ck_assert_uint_eq(anna.count, 42);
	broker_leave(m);
	stop();
}
END_TEST

START_TEST(a_subscription_knows_its_pattern)
{
	struct broker_subscription *s, *own;
	struct broker_member *m;

	start(1, '/', 0);
	m = join(0, "s", "");
	s = subscribe(m, "/topic/*/a/**", &anna, 0);
	own = subscribe(m, "/user/queue/*", &anna, 0);
	ck_assert(bytes_equal(broker_subscription_pattern(s), BYTES("/topic/*/a/**")));
	ck_assert(bytes_equal(broker_subscription_pattern(own), BYTES("/user/queue/*")));
	broker_leave(m);
	stop();
}
END_TEST

START_TEST(with_dots_patterns_go_by_dots)
{
	struct broker_member *m;

	start(1, '.', 0);
	m = join(0, "s", "anna@example.com");
	subscribe(m, "/topic/prices.*", &anna, 1);
	subscribe(m, "/user/queue.*", &anna, 2);
	ck_assert_int_eq(publish("/topic/prices.eur"), 0);
	ck_assert_int_eq(publish("/topic/prices/eur"), 0);
	ck_assert_int_eq(publish("/user/anna@example.com/queue.x"), 0);
	ck_assert_str_eq(said(&anna), "1:/topic/prices.eur 2:/user/queue.x");
	broker_leave(m);
	stop();
}
END_TEST

START_TEST(each_kind_of_subscriber_has_a_fan_of_its_own)
{
	struct broker_subscription *s;
	struct broker_member *a, *b;

	start(1, '/', 0);
	a = join(0, "s1", "anna");
	b = broker_join(broker_part(broker, 0), &hearing_too, BYTES("s2"), BYTES("anna"));
	ck_assert_ptr_nonnull(b);
	subscribe(a, "/topic/x", &anna, 1);
	s = subscribe(b, "/topic/x", &bert, 1);
	subscribe(a, "/topic/**", &anna, 2);
	subscribe(b, "/topic/**", &bert, 2);
	subscribe(b, "/user/x", &bert, 3);
	subscribe(a, "/user/x", &anna, 3);
	ck_assert_int_eq(publish("/topic/x"), 0);
	ck_assert_int_eq(publish("/user/anna/x"), 0);
	ck_assert_uint_eq(anna.count, 3);
	ck_assert_uint_eq(bert.count, 3);
	ck_assert_uint_eq(fanned, 2);
	broker_unsubscribe(s);
	ck_assert_int_eq(publish("/topic/x"), 0);
	ck_assert_uint_eq(anna.count, 5);
	ck_assert_uint_eq(bert.count, 4);
	broker_leave(a);
	broker_leave(b);
	stop();
}
END_TEST

/* --- between parts ---------------------------------------------------------------- */

START_TEST(all_parts_hear_and_see_the_owner_s_numbers)
{
	struct broker_member *m[4];
	static struct hearer h[4];

	start(4, '/', 0);
	for (unsigned i = 0; i < 4; i++) {
		char name[16];

		h[i].count = 0;
		snprintf(name, sizeof(name), "s%u", i);
		m[i] = join(i, name, "");
		subscribe(m[i], "/topic/*", &h[i], i);
	}
	for (unsigned i = 0; i < 10; i++)
		ck_assert_int_eq(publish_numbered("/topic/x", i), 0);
	settle();
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(h[i].count, 10);
		for (unsigned k = 0; k < 10; k++) {
			ck_assert_uint_eq(h[i].heard[k].number, k);
			ck_assert_uint_eq(h[i].heard[k].sequence, k + 1);
			ck_assert_uint_eq(h[i].heard[k].owner, h[0].heard[0].owner);
		}
		broker_leave(m[i]);
	}
	stop();
}
END_TEST

/* A destination whose owner is that part, as a publish from nowhere shows. */
static const char *owned_by(unsigned part)
{
	static char name[32];

	for (unsigned i = 0; i < 1000; i++) {
		bool is_there;

		snprintf(name, sizeof(name), "/topic/%u", i);
		here = -1;
		ck_assert_int_eq(publish(name), 0);
		is_there = waiting(part) > 0;
		settle();
		if (is_there)
			return name;
	}
	ck_abort_msg("no destination belongs to part %u", part);
}

START_TEST(the_owner_delivers_at_once_and_others_by_mail)
{
	struct broker_member *a, *b;
	const char *name;

	start(3, '/', 0);
	name = owned_by(1);
	a = join(0, "s0", "");
	subscribe(a, "/topic/*", &anna, 0);
	b = join(1, "s1", "");
	subscribe(b, "/topic/*", &bert, 0);
	here = 1;
	ck_assert_int_eq(publish(name), 0);
	ck_assert_uint_eq(bert.count, 1);
	ck_assert_uint_eq(waiting(0), 1);
	ck_assert_uint_eq(waiting(1), 0);
	ck_assert_uint_eq(anna.count, 0);
	settle();
	ck_assert_uint_eq(anna.count, 1);
	broker_leave(a);
	broker_leave(b);
	stop();
}
END_TEST

/* --- runs -------------------------------------------------------------------------- */

static void must_have_heard(const struct hearer *h, unsigned count, unsigned runs)
{
	ck_assert_uint_eq(h->count, count);
	ck_assert_uint_eq(h->runs, runs);
	for (unsigned i = 0; i < count; i++) {
		ck_assert_uint_eq(h->heard[i].number, i);
		ck_assert_uint_eq(h->heard[i].sequence, h->heard[0].sequence + i);
		ck_assert_str_eq(h->heard[i].shown, "/topic/x");
	}
}

/* Those who know what it is get it whole, others one by one, in one order with all else. */
START_TEST(a_run_comes_to_all_in_order_in_one_piece_or_one_by_one)
{
	static struct hearer whole[2], single[2];
	struct broker_member *m[2][2];

	memset(whole, 0, sizeof(whole));
	memset(single, 0, sizeof(single));
	start(2, '/', 0);
	for (unsigned i = 0; i < 2; i++) {
		struct broker_subscription *s;

		m[i][0] = join(i, i ? "a1" : "a0", "");
		subscribe(m[i][0], "/topic/*", &single[i], 0);
		m[i][1] = broker_join(broker_part(broker, i), &hearing_runs,
		    bytes_of(i ? "b1" : "b0"), bytes_of(""));
		ck_assert_int_eq(
		    broker_subscribe(m[i][1], BYTES("/topic/x"), &whole[i], 0, &s), 0);
	}
	fanned = 0;
	ck_assert_int_eq(publish_numbered("/topic/x", 0), 0);
	ck_assert_int_eq(publish_run("/topic/x", 1, 5), 0);
	ck_assert_int_eq(publish_numbered("/topic/x", 6), 0);
	settle(); /* the next one may have another owner, and no order with these */
	here = 0;
	ck_assert_int_eq(publish_run("/topic/nobody", 1, 5), 0);
	settle();
	for (unsigned i = 0; i < 2; i++) {
		single[i].count -= 5; /* of /topic/nobody, which "*" is, too */
		must_have_heard(&single[i], 7, 0);
		must_have_heard(&whole[i], 7, 1);
	}
	ck_assert_uint_eq(fanned, 2 * 12);
	for (unsigned i = 0; i < 2; i++) {
		here = (int)i;
		broker_leave(m[i][0]);
		broker_leave(m[i][1]);
	}
	stop();
}
END_TEST

START_TEST(a_run_counts_as_its_messages)
{
	const struct broker_counters *c;
	struct broker_member *m;
	struct broker_message *run[3];

	start(1, '/', 0);
	m = join(0, "s", "");
	subscribe(m, "/topic/x", &anna, 0);
	subscribe(m, "/topic/*", &anna, 0);
	for (unsigned i = 0; i < 3; i++)
		run[i] = message_new("/topic/x", i);
	run[0]->next = run[1];
	run[1]->next = run[2];
	ck_assert_int_eq(broker_publish_run(broker, run[0]), 0);
	c = broker_counters(broker_part(broker, 0));
	ck_assert_uint_eq(c->published, 3);
	ck_assert_uint_eq(c->delivered, 6);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(atomic_load(&run[i]->received), 2);
		ck_assert_ptr_null(run[i]->next);
		broker_message_unref(run[i]);
	}
	ck_assert_int_eq(publish_run("/topic/y", 0, 3), 0);
	ck_assert_uint_eq(c->delivered, 9);
	broker_leave(m);
	ck_assert_int_eq(publish_run("/topic/y", 0, 3), 0);
	ck_assert_uint_eq(c->unheard, 3);
	stop();
}
END_TEST

START_TEST(what_is_private_a_queue_or_not_sent_is_no_run)
{
	const struct broker_limits limits = { .max_queues = 1, .max_queue_messages = 10,
		.max_queue_bytes = 1000, .max_queues_bytes = 1000 };

	start_within(1, '/', &limits);
	ck_assert(broker_takes_runs(broker, BYTES("/topic/x")));
	ck_assert(!broker_takes_runs(broker, BYTES("/queue/x")));
	ck_assert(!broker_takes_runs(broker, BYTES("/user/anna/x")));
	ck_assert_int_eq(publish_run("/queue/x", 0, 2), -EINVAL);
	ck_assert_int_eq(publish_run("/user/anna/x", 0, 2), -EINVAL);
	ck_assert_int_eq(publish_run("/topic//x", 0, 2), -EINVAL);
	spread_fails = true;
	ck_assert_int_eq(publish_run("/topic/x", 0, 2), -ENOMEM);
	stop();
}
END_TEST

START_TEST(who_leaves_while_a_message_is_under_way_does_not_get_it)
{
	struct broker_member *a, *b;
	const char *name;

	start(2, '/', 0);
	name = owned_by(1);
	a = join(0, "s0", "anna");
	subscribe(a, "/topic/**", &anna, 0);
	b = join(0, "s1", "");
	subscribe(b, "/topic/**", &bert, 0);
	here = 1;
	ck_assert_int_eq(publish(name), 0);
	here = 0;
	broker_leave(a);
	settle();
	ck_assert_uint_eq(anna.count, 0);
	ck_assert_uint_eq(bert.count, 1);
	broker_leave(b);
	stop();
}
END_TEST

START_TEST(destinations_are_spread_over_all_parts)
{
	char name[32];

	start(4, '/', 0);
	here = -1;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "/topic/%d", i);
		ck_assert_int_eq(publish(name), 0);
	}
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_gt(waiting(i), 150);
	settle();
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_gt(counters(i)->published, 150);
		ck_assert_uint_eq(counters(i)->unheard, 1000);
	}
	stop();
}
END_TEST

START_TEST(brokers_differ_in_their_epochs)
{
	uint64_t epoch;

	start(1, '/', 0);
	epoch = broker_epoch(broker);
	stop();
	start(1, '/', 0);
	ck_assert_uint_ne(epoch, broker_epoch(broker));
	stop();
}
END_TEST

/* --- private destinations --------------------------------------------------------- */

START_TEST(a_user_is_reached_in_all_sessions_and_nobody_else)
{
	struct broker_member *a, *b, *c;

	start(2, '/', 0);
	a = join(0, "s1", "x/y");
	b = join(1, "s2", "x/y");
	c = join(1, "s3", "x");
	subscribe(a, "/user/queue/news", &anna, 1);
	subscribe(b, "/user/queue/*", &bert, 2);
	subscribe(c, "/user/**", &carl, 3);
	ck_assert_int_eq(publish("/user/x%2Fy/queue/news"), 0);
	settle();
	ck_assert_str_eq(said(&anna), "1:/user/queue/news");
	ck_assert_str_eq(said(&bert), "2:/user/queue/news");
	ck_assert_uint_eq(carl.count, 0);
	ck_assert_int_eq(publish("/user/x/queue/other"), 0);
	settle();
	ck_assert_str_eq(said(&carl), "3:/user/queue/other");
	ck_assert_uint_eq(anna.count + bert.count, 2);
	broker_leave(a);
	broker_leave(b);
	broker_leave(c);
	stop();
}
END_TEST

START_TEST(a_session_is_reached_by_its_name_be_it_anonymous_or_not)
{
	struct broker_member *a, *b;

	start(2, '/', 0);
	a = join(0, "s1", "");
	b = join(1, "s2", "bert");
	subscribe(a, "/user/q", &anna, 1);
	subscribe(b, "/user/q", &bert, 2);
	ck_assert_int_eq(publish("/user/s1/q"), 0);
	settle();
	ck_assert_uint_eq(anna.count, 1);
	ck_assert_uint_eq(bert.count, 0);
	ck_assert_int_eq(publish("/user/s2/q"), 0);
	settle();
	ck_assert_uint_eq(anna.count, 1);
	ck_assert_uint_eq(bert.count, 1);
	broker_leave(a);
	broker_leave(b);
	stop();
}
END_TEST

START_TEST(a_session_that_is_called_like_its_user_hears_once)
{
	struct broker_member *a, *b;

	start(1, '/', 0);
	a = join(0, "anna", "anna");
	b = join(0, "s2", "anna");
	subscribe(a, "/user/q", &anna, 1);
	subscribe(b, "/user/q", &bert, 1);
	ck_assert_int_eq(publish("/user/anna/q"), 0);
	ck_assert_uint_eq(anna.count, 1);
	ck_assert_uint_eq(bert.count, 1);
	broker_leave(a);
	broker_leave(b);
	stop();
}
END_TEST

START_TEST(no_pattern_of_others_finds_what_is_private)
{
	const char *const patterns[] = { "/**", "/*/**", "/*/queue/x", "/*/anna/queue/x",
		"/*/*/queue/x", "/*/*/*/*", "/topic/**", "/user/**", "/user/anna/**",
		"/user/*/queue/x", "/user/*/*/*" };
	struct broker_member *a, *b;

	start(1, '/', 0);
	a = join(0, "s1", "anna");
	b = join(0, "s2", "bert");
	subscribe(a, "/user/queue/x", &anna, 0);
	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++)
		subscribe(b, patterns[i], &bert, i);
	ck_assert_int_eq(publish("/user/anna/queue/x"), 0);
	ck_assert_uint_eq(anna.count, 1);
	ck_assert_uint_eq(bert.count, 0);
	ck_assert_int_eq(publish("/topic/anna/queue/x"), 0);
	ck_assert_uint_eq(bert.count, 6);
	broker_leave(a);
	broker_leave(b);
	stop();
}
END_TEST

START_TEST(patterns_match_as_their_subscribers_hear)
{
	start(1, '/', 0);
	ck_assert(broker_pattern_matches(broker, BYTES("/topic/*"), BYTES("/topic/a")));
	ck_assert(broker_pattern_matches(broker, BYTES("/user/**"), BYTES("/user/queue/x")));
	ck_assert(!broker_pattern_matches(broker, BYTES("/**"), BYTES("/user/queue/x")));
	ck_assert(!broker_pattern_matches(broker, BYTES("/*/queue/x"), BYTES("/user/queue/x")));
	ck_assert(broker_destination_is_valid(broker, BYTES("/user/a%2fb/queue/x")));
	ck_assert(!broker_destination_is_valid(broker, BYTES("/user/a%2/queue/x")));
	ck_assert(!broker_destination_is_valid(broker, BYTES("/user/queue")));
	ck_assert(broker_pattern_is_valid(broker, BYTES("/user/queue")));
	ck_assert(!broker_pattern_is_valid(broker, BYTES("/user")));
	stop();
}
END_TEST

START_TEST(what_goes_to_one_name_has_one_order)
{
	struct broker_member *a;

	start(4, '/', 0);
	a = join(0, "s1", "a b");
	subscribe(a, "/user/**", &anna, 0);
	for (unsigned i = 0; i < 100; i++) {
		char name[64];

		here = (int)(i % 2);
		snprintf(name, sizeof(name), "/user/%s/q%u", i % 2 ? "a b" : "%61%20b", i);
		ck_assert_int_eq(publish(name), 0);
	}
	settle();
	ck_assert_uint_eq(anna.count, 100);
	for (unsigned i = 1; i < 100; i++)
		ck_assert_uint_eq(anna.heard[i].sequence, anna.heard[i - 1].sequence + 1);
	broker_leave(a);
	stop();
}
END_TEST

/* --- limits ----------------------------------------------------------------------- */

START_TEST(what_is_no_destination_is_not_published)
{
	char longest[BROKER_DESTINATION_MAX + 2];
	const char *const bad[] = { "", "/", "topic", "/topic/*", "/topic//x", "/user", "/user/",
		"/user/anna", "/user/anna/", "/user/%zz/q", "/user/*/q", longest };

	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	memcpy(longest, "/user/x/", 8);
	start(2, '/', 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_int_eq(publish(bad[i]), -EINVAL);
	ck_assert_uint_eq(counters(0)->published + counters(1)->published, 0);
	stop();
}
END_TEST

START_TEST(what_is_no_pattern_is_not_subscribed)
{
	const char *const bad[] = { "", "/", "topic", "/topic/a*", "/topic/**/a", "/topic//x",
		"/user", "/user/", "/user/a/**/b" };
	struct broker_subscription *s;
	struct broker_member *m;

	start(1, '/', 0);
	m = join(0, "s", "");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_int_eq(broker_subscribe(m, bytes_of(bad[i]), &anna, 0, &s), -EINVAL);
	broker_leave(m);
	stop();
}
END_TEST

START_TEST(a_member_has_as_many_subscriptions_as_the_limit_says)
{
	struct broker_subscription *s, *first;
	struct broker_member *m;

	start(1, '/', 3);
	m = join(0, "s", "");
	first = subscribe(m, "/topic/a", &anna, 0);
	subscribe(m, "/topic/a", &anna, 0);
	subscribe(m, "/user/a", &anna, 0);
	ck_assert_int_eq(broker_subscribe(m, BYTES("/topic/b"), &anna, 0, &s), -ENOSPC);
	ck_assert_int_eq(broker_subscribe(m, BYTES("/user/b"), &anna, 0, &s), -ENOSPC);
	broker_unsubscribe(first);
	subscribe(m, "/user/b", &anna, 0);
	ck_assert_int_eq(broker_subscribe(m, BYTES("/topic/b"), &anna, 0, &s), -ENOSPC);
	broker_leave(m);
	stop();
}
END_TEST

START_TEST(a_session_has_a_name_that_no_other_has)
{
	struct broker_part *part;
	struct broker_member *m;

	start(1, '/', 0);
	part = broker_part(broker, 0);
	m = join(0, "s", "anna");
	ck_assert_ptr_null(broker_join(part, &hearing, BYTES("s"), BYTES("bert")));
	ck_assert_ptr_null(broker_join(part, &hearing, BYTES(""), BYTES("bert")));
	ck_assert_uint_eq(counters(0)->members, 1);
	ck_assert_uint_eq(counters(0)->users, 1);
	broker_leave(m);
	stop();
}
END_TEST

/* --- counters --------------------------------------------------------------------- */

START_TEST(counters_say_what_is_there_and_what_has_been)
{
	struct broker_member *a, *b;

	start(1, '/', 0);
	a = join(0, "s1", "anna");
	b = join(0, "s2", "anna");
	subscribe(a, "/topic/a/b", &anna, 0);
	subscribe(b, "/topic/a/b", &bert, 0);
	subscribe(b, "/topic/a/*", &bert, 0);
	subscribe(b, "/user/x", &bert, 0);
	ck_assert_uint_eq(broker_count(broker_part(broker, 0), BYTES("/topic/a/b")), 3);
	ck_assert_uint_eq(broker_count(broker_part(broker, 0), BYTES("/user/anna/x")), 1);
	ck_assert_uint_eq(broker_count(broker_part(broker, 0), BYTES("/user/x")), 0);
	ck_assert_int_eq(publish("/topic/a/b"), 0);
	ck_assert_int_eq(publish("/user/s2/x"), 0);
	ck_assert_int_eq(publish("/topic/nobody"), 0);
	ck_assert_int_eq(publish("/user/nobody/x"), 0);
	ck_assert_uint_eq(counters(0)->members, 2);
	ck_assert_uint_eq(counters(0)->users, 1);
	ck_assert_uint_eq(counters(0)->subscriptions, 4);
	ck_assert_uint_eq(counters(0)->nodes, 4);
	ck_assert_uint_eq(counters(0)->published, 4);
	ck_assert_uint_eq(counters(0)->delivered, 4);
	ck_assert_uint_eq(counters(0)->unheard, 2);
	broker_leave(a);
	broker_leave(b);
	stop();
}
END_TEST

static void count_member(struct broker_member *m, void *arg)
{
	int *n = arg;

	ck_assert_uint_gt(broker_member_session(m).n, 0);
	++*n;
}

START_TEST(members_can_be_walked_over_all_or_of_a_user)
{
	struct broker_member *m[10];
	int all = 0, annas = 0, none = 0;

	start(1, '/', 0);
	for (int i = 0; i < 10; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%d", i);
		m[i] = join(0, name, i < 4 ? "anna" : "");
	}
	ck_assert(bytes_equal(broker_member_user(m[0]), BYTES("anna")));
	ck_assert_uint_eq(broker_member_user(m[9]).n, 0);
	broker_each_member(broker_part(broker, 0), count_member, &all);
	broker_each_of_user(broker_part(broker, 0), BYTES("anna"), count_member, &annas);
	broker_each_of_user(broker_part(broker, 0), BYTES(""), count_member, &none);
	ck_assert_int_eq(all, 10);
	ck_assert_int_eq(annas, 4);
	ck_assert_int_eq(none, 0);
	for (int i = 0; i < 10; i++)
		broker_leave(m[i]);
	stop();
}
END_TEST

/* --- what goes wrong -------------------------------------------------------------- */

/* One life; true if nothing of it failed for want of memory. */
static bool live(void)
{
	const char *const patterns[] = { "/topic/a/*", "/topic/a/*", "/user/q", "/topic/a/**",
		"/topic/a/*" };
	struct broker_subscription *s;
	struct broker_member *m[2];
	bool all = true;

	m[0] = broker_join(broker_part(broker, 0), &hearing, BYTES("s1"), BYTES("anna"));
	m[1] = broker_join(broker_part(broker, 0), &hearing_too, BYTES("s2"), BYTES("anna"));
	for (int k = 0; k < 2; k++) {
		all = all && m[k];
		for (size_t i = 0; m[k] && i < sizeof(patterns) / sizeof(*patterns); i++)
			if (broker_subscribe(m[k], bytes_of(patterns[i]), &anna, 0, &s) < 0)
				all = false;
	}
	all = publish("/user/anna/q") == 0 && all;
	all = publish("/topic/a/b") == 0 && all;
	for (int k = 0; k < 2; k++)
		if (m[k])
			broker_leave(m[k]);
	return all;
}

START_TEST(every_allocation_may_fail_and_nothing_is_left)
{
	unsigned long n = 0;
	bool all = false;

	while (!all) {
		start(1, '/', 0);
		mem_fail_at(++n);
		all = live();
		ck_assert(all == !mem_failed());
		mem_fail_at(0);
		ck_assert_uint_lt(n, 200);
		stop();
	}
	ck_assert_uint_gt(n, 20);
	ck_assert_uint_gt(anna.count, 0);
}
END_TEST

START_TEST(a_broker_that_does_not_fit_into_memory_is_none)
{
	const struct broker_carrier carrier = { .parts = 3 };
	const struct broker_limits limits = { 0 };
	struct broker *b = NULL;

	for (unsigned long n = 1; !b; n++) {
		mem_fail_at(n);
		b = broker_new(&carrier, '/', &limits);
		ck_assert_int_eq(b == NULL, mem_failed());
		mem_fail_at(0);
	}
	broker_free(b);
	broker_free(NULL);
}
END_TEST

START_TEST(a_message_that_cannot_be_sent_stays_the_publisher_s)
{
	start(2, '/', 0);
	spread_fails = true;
	ck_assert_int_eq(publish("/topic/a"), -ENOMEM);
	ck_assert_int_eq(publish("/user/anna/q"), -ENOMEM);
	stop();
}
END_TEST

static struct broker_member *meddler;

static void subscribe_from_within(
    void *receiver, uintptr_t label, struct broker_message *m, struct broker_fan *fan)
{
	struct broker_subscription *s;

	(void)m;
	(void)fan;
	broker_subscribe(meddler, BYTES("/topic/b"), receiver, label, &s);
}

static void publish_from_within(
    void *receiver, uintptr_t label, struct broker_message *m, struct broker_fan *fan)
{
	(void)receiver;
	(void)label;
	(void)m;
	(void)fan;
	publish("/topic/b");
}

static void meddle(const struct broker_ops *ops)
{
	start(1, '/', 0);
	meddler = broker_join(broker_part(broker, 0), ops, BYTES("s"), BYTES(""));
	subscribe(meddler, "/topic/a", &anna, 0);
	publish("/topic/a");
}

START_TEST(to_subscribe_from_within_a_delivery_is_a_bug_that_shows)
{
	meddle(&(const struct broker_ops){ .deliver = subscribe_from_within });
}
END_TEST

START_TEST(to_publish_from_within_a_delivery_is_a_bug_that_shows)
{
	meddle(&(const struct broker_ops){ .deliver = publish_from_within });
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, each_subscription_that_matches_gets_the_message_once);
	tcase_add_test(tc, subscribers_are_served_in_the_order_in_which_they_came);
	tcase_add_test(tc, who_has_unsubscribed_hears_nothing_more_and_the_others_do);
	tcase_add_test(tc, a_subscription_knows_its_pattern);
	tcase_add_test(tc, with_dots_patterns_go_by_dots);
	tcase_add_test(tc, each_kind_of_subscriber_has_a_fan_of_its_own);
	tcase_add_test(tc, all_parts_hear_and_see_the_owner_s_numbers);
	tcase_add_test(tc, the_owner_delivers_at_once_and_others_by_mail);
	tcase_add_test(tc, a_run_comes_to_all_in_order_in_one_piece_or_one_by_one);
	tcase_add_test(tc, a_run_counts_as_its_messages);
	tcase_add_test(tc, what_is_private_a_queue_or_not_sent_is_no_run);
	tcase_add_test(tc, who_leaves_while_a_message_is_under_way_does_not_get_it);
	tcase_add_test(tc, destinations_are_spread_over_all_parts);
	tcase_add_test(tc, brokers_differ_in_their_epochs);
	tcase_add_test(tc, a_user_is_reached_in_all_sessions_and_nobody_else);
	tcase_add_test(tc, a_session_is_reached_by_its_name_be_it_anonymous_or_not);
	tcase_add_test(tc, a_session_that_is_called_like_its_user_hears_once);
	tcase_add_test(tc, no_pattern_of_others_finds_what_is_private);
	tcase_add_test(tc, patterns_match_as_their_subscribers_hear);
	tcase_add_test(tc, what_goes_to_one_name_has_one_order);
	tcase_add_test(tc, what_is_no_destination_is_not_published);
	tcase_add_test(tc, what_is_no_pattern_is_not_subscribed);
	tcase_add_test(tc, a_member_has_as_many_subscriptions_as_the_limit_says);
	tcase_add_test(tc, a_session_has_a_name_that_no_other_has);
	tcase_add_test(tc, counters_say_what_is_there_and_what_has_been);
	tcase_add_test(tc, members_can_be_walked_over_all_or_of_a_user);
	tcase_add_test(tc, every_allocation_may_fail_and_nothing_is_left);
	tcase_add_test(tc, a_broker_that_does_not_fit_into_memory_is_none);
	tcase_add_test(tc, a_message_that_cannot_be_sent_stays_the_publisher_s);
	tcase_add_test_raise_signal(
	    tc, to_subscribe_from_within_a_delivery_is_a_bug_that_shows, SIGABRT);
	tcase_add_test_raise_signal(
	    tc, to_publish_from_within_a_delivery_is_a_bug_that_shows, SIGABRT);
}

int main(void)
{
	Suite *suite = suite_create("broker");
	TCase *tc = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60); /* a machine may be busy */
	tcase_add_checked_fixture(tc, setup, NULL);
	add_tests(tc);
	srunner_set_fork_status(runner, CK_FORK); /* none leaves anything to another */
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
