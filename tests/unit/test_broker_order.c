/*
 * tests/unit/test_broker_order.c - one order for all: whatever the parts do before or after one
 * another, whoever comes and goes.
 *
 * Witnesses in each part have subscribed each destination from the first message to the last; the
 * one in the owner's part hears a message when it gets its place, so that what it has heard is the
 * order. All others must have heard a piece of it without a gap, from the time on at
 * which they subscribed.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker_fixture.h"

enum { PARTS = 4, SUBSCRIBERS = 24, SEEDS = 40, ROUNDS = 4000 };

/* What is published, and what of it each of them is as it is heard. */
static const char *const destinations[] = { "/topic/a", "/topic/b", "/topic/a/b", "/x/a",
	"/user/u%2Fv/q", "/user/w/q" };
static const char *const shown[] = { "/topic/a", "/topic/b", "/topic/a/b", "/x/a", "/user/q",
	"/user/q" };
static const char *const patterns[] = { "/topic/a", "/topic/*", "/topic/**", "/*/a", "/**",
	"/*/*/b", "/user/q", "/user/*" };
static const char *const names[] = { "u/v", "w" };

enum {
	DESTINATIONS = sizeof(destinations) / sizeof(*destinations),
	PATTERNS = sizeof(patterns) / sizeof(*patterns),
	PRIVATE = DESTINATIONS - 2 /* the first of them; one for each name */
};

struct subscriber {
	struct broker_member *member;
	struct broker_subscription *subscription; /* NULL: has none */
	unsigned part, name;
	const char *pattern;
	unsigned since[DESTINATIONS]; /* the order was so long when it subscribed */
	struct hearer ears;
};

static struct hearer witnesses[PARTS][DESTINATIONS];
static struct subscriber subscribers[SUBSCRIBERS];
static unsigned published[PARTS + 1][DESTINATIONS];

static const struct hearer *order_of(unsigned d)
{
	const struct hearer *longest = &witnesses[0][d];

	for (unsigned i = 1; i < PARTS; i++)
		if (witnesses[i][d].count > longest->count)
			longest = &witnesses[i][d];
	return longest;
}

/* Whether a subscriber of that name with that pattern hears it. */
static bool hears(const char *pattern, unsigned name, unsigned d)
{
	return broker_pattern_matches(broker, bytes_of(pattern), bytes_of(shown[d])) &&
	       (d < PRIVATE || d - PRIVATE == name);
}

/* --- what must hold --------------------------------------------------------------- */

/* The next one of this destination, from `at` on; or the end. */
static unsigned next_of(const struct subscriber *s, unsigned d, unsigned at)
{
	while (at < s->ears.count && strcmp(s->ears.heard[at].shown, shown[d]) != 0)
		at++;
	return at;
}

/* What it has heard of one destination is a piece of the order. */
static void check_piece(const struct subscriber *s, unsigned d, bool to_the_end)
{
	const struct hearer *order = order_of(d);
	unsigned at = next_of(s, d, 0), k = 0;

	if (at == s->ears.count) {
		ck_assert(!to_the_end || s->since[d] == order->count);
		return;
	}
	while (k < order->count && order->heard[k].number != s->ears.heard[at].number)
		k++;
	ck_assert_uint_le(k, s->since[d]);
	for (; at < s->ears.count; at = next_of(s, d, at + 1), k++) {
		ck_assert_uint_lt(k, order->count);
		ck_assert_uint_eq(s->ears.heard[at].number, order->heard[k].number);
		ck_assert_uint_eq(s->ears.heard[at].sequence, order->heard[k].sequence);
	}
	ck_assert(!to_the_end || k == order->count);
}

static void check_subscriber(const struct subscriber *s, bool to_the_end)
{
	ck_assert_uint_lt(s->ears.count, HEARD_MAX);
	for (unsigned d = 0; d < DESTINATIONS; d++) {
		if (hears(s->pattern, s->name, d))
			check_piece(s, d, to_the_end);
		else if (d < PRIVATE)
			ck_assert_uint_eq(next_of(s, d, 0), s->ears.count);
	}
}

/* Sequences rise, and each publisher's messages are in the order in which they were published. */
static void check_order(unsigned d)
{
	const struct hearer *order = order_of(d);
	unsigned next[PARTS + 1] = { 0 }, total = 0;

	for (unsigned k = 0; k < order->count; k++) {
		const struct heard *h = &order->heard[k];

		ck_assert_uint_eq(h->owner, order->heard[0].owner);
		ck_assert(k == 0 || h->sequence > h[-1].sequence);
		ck_assert_uint_eq(h->number % 10000, next[h->number / 10000 % 10]++);
	}
	for (unsigned i = 0; i <= PARTS; i++)
		total += published[i][d];
	ck_assert_uint_eq(order->count, total);
	for (unsigned i = 0; i < PARTS; i++)
		ck_assert_uint_eq(witnesses[i][d].count, total);
}

/* --- what may happen -------------------------------------------------------------- */

/* The number says destination, publisher (the last is on a thread without a part) and which. */
static void publish_some(void)
{
	unsigned from = (unsigned)rand() % (PARTS + 1), d = (unsigned)rand() % DESTINATIONS;

	here = from == PARTS ? -1 : (int)from;
	ck_assert_int_eq(
	    publish_numbered(destinations[d], d * 100000 + from * 10000 + published[from][d]), 0);
	published[from][d]++;
}

static void come_or_go(struct subscriber *s)
{
	here = (int)s->part;
	if (s->subscription) {
		broker_unsubscribe(s->subscription);
		s->subscription = NULL;
		check_subscriber(s, false);
		return;
	}
	s->ears.count = 0;
	s->pattern = patterns[rand() % PATTERNS];
	for (unsigned d = 0; d < DESTINATIONS; d++)
		s->since[d] = order_of(d)->count;
	s->subscription = subscribe(s->member, s->pattern, &s->ears, 0);
}

static void join_all(struct broker_member *witnessing[PARTS][2])
{
	char session[16];

	for (unsigned i = 0; i < PARTS; i++)
		for (unsigned k = 0; k < 2; k++) {
			snprintf(session, sizeof(session), "w%u.%u", i, k);
			witnessing[i][k] = join(i, session, names[k]);
			subscribe(witnessing[i][k], "/user/q", &witnesses[i][PRIVATE + k], 0);
		}
	for (unsigned i = 0; i < PARTS; i++)
		for (unsigned d = 0; d < PRIVATE; d++)
			subscribe(witnessing[i][0], destinations[d], &witnesses[i][d], 0);
	for (unsigned i = 0; i < SUBSCRIBERS; i++) {
		snprintf(session, sizeof(session), "s%u", i);
		subscribers[i].part = i % PARTS;
		subscribers[i].name = i / PARTS % 2;
		subscribers[i].member = join(i % PARTS, session, names[i / PARTS % 2]);
	}
}

static void leave_all(struct broker_member *witnessing[PARTS][2])
{
	for (unsigned i = 0; i < PARTS; i++)
		for (unsigned k = 0; k < 2; k++)
			broker_leave(witnessing[i][k]);
	for (unsigned i = 0; i < SUBSCRIBERS; i++)
		broker_leave(subscribers[i].member);
}

START_TEST(all_subscribers_see_one_order_and_miss_nothing)
{
	struct broker_member *witnessing[PARTS][2];

	srand((unsigned)_i + 1);
	memset(witnesses, 0, sizeof(witnesses));
	memset(subscribers, 0, sizeof(subscribers));
	memset(published, 0, sizeof(published));
	start(PARTS, '/', 0);
	join_all(witnessing);
	for (int i = 0; i < ROUNDS; i++) {
		int what = rand() % 100;

		if (what < 30)
			publish_some();
		else if (what < 90)
			step((unsigned)rand() % PARTS);
		else
			come_or_go(&subscribers[rand() % SUBSCRIBERS]);
	}
	settle();
	for (unsigned d = 0; d < DESTINATIONS; d++)
		check_order(d);
	for (unsigned i = 0; i < SUBSCRIBERS; i++)
		if (subscribers[i].subscription)
			check_subscriber(&subscribers[i], true);
	leave_all(witnessing);
	stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("broker_order");
	TCase *tc = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60); /* a machine may be busy */
	tcase_add_loop_test(tc, all_subscribers_see_one_order_and_miss_nothing, 0, SEEDS);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
