/*
 * Histories that peers keep: what is here of them is a part of theirs without holes, and what it lacks is
 * asked of them. The peers are a model: a list of sequences, of which the last few are kept.
 */
#include <stdlib.h>
#include <string.h>

#include "broker_fixture.h"

#define TOPIC "/topic/a"

enum { MOST = 4096, THEY_KEEP = 40, WE_KEEP = 10 };

static struct broker_history_rule rule = { { "/topic/*", 8 }, WE_KEEP, 0 };

/* What was published there ever; from the last THEY_KEEP on it is kept. */
static uint64_t all[MOST];
static size_t count;
static bool is_joined; /* what is published comes here */

static unsigned loads, kept;
static struct {
	bool is_open;
	unsigned part;
	uint64_t since;
} asked;

static int keep(void *arg, struct broker_message *m)
{
	(void)arg;
	(void)m;
	kept++;
	return 0;
}

static int load(void *arg, unsigned part, struct bytes destination, uint64_t since)
{
	(void)arg;
	ck_assert(bytes_equal(destination, BYTES(TOPIC)));
	ck_assert(!asked.is_open);
	asked.is_open = true;
	asked.part = part;
	asked.since = since;
	loads++;
	return 0;
}

static void begin(size_t octets)
{
	const struct broker_limits limits = { .history = &rule, .history_rules = 1, .max_history_bytes = octets };
	const struct broker_peers peers = { .keep = keep, .load = load };

	start_within(2, '/', &limits);
	broker_use_peers(broker, &peers);
	count = 0;
	loads = kept = 0;
	is_joined = asked.is_open = false;
}

static uint64_t at(size_t i)
{
	return i == 0 ? 0 : all[i - 1];
}

static struct broker_message *message_of(size_t i)
{
	struct broker_message *m = message_new(TOPIC, (unsigned)i);

	m->is_foreign = true;
	m->owner = BROKER_OF_PEERS;
	m->sequence = at(i);
	m->octets = 100;
	return m;
}

/* From another reactor than the owner's, as the hub does. */
static void bring(size_t i)
{
	struct broker_message *m = message_of(i);

	m->before = at(i - 1);
	here = 0;
	ck_assert_int_eq(broker_publish(broker, m), 0);
	broker_message_unref(m);
}

static void publish_there(unsigned step)
{
	all[count] = at(count) + step;
	count++;
	if (is_joined)
		bring(count);
}

/* The peers' answer. */
static void answer(bool is_failed)
{
	struct broker_message *those[MOST];
	uint64_t ages[MOST] = { 0 };
	struct broker_loaded l = { .since = asked.since, .messages = those, .ages_ms = ages, .is_failed = is_failed };
	size_t first = count > THEY_KEEP ? count - THEY_KEEP + 1 : 1;

	l.is_all = asked.since > 0 && asked.since >= at(first - 1);
	for (size_t i = first; i <= count; i++)
		if (at(i) > asked.since)
			those[l.count++] = message_of(i);
	l.until = at(count) > asked.since ? at(count) : asked.since;
	asked.is_open = false;
	here = (int)asked.part;
	broker_loaded(broker_part(broker, asked.part), BYTES(TOPIC), &l);
	here = -1;
	for (size_t i = 0; i < l.count; i++)
		broker_message_unref(those[i]);
}

struct recalled {
	bool is_there, recovered;
	size_t count;
	uint64_t sequences[MOST], until;
};

static void on_recalled(void *arg, struct broker_message *const *those, size_t n, bool recovered,
    const struct broker_place *until)
{
	struct recalled *r = arg;

	r->is_there = true;
	r->recovered = recovered;
	ck_assert_uint_eq(until->owner, BROKER_OF_PEERS);
	r->until = until->sequence;
	r->count = n;
	for (size_t i = 0; i < n; i++) {
		r->sequences[i] = those[i]->sequence;
		ck_assert_uint_eq(those[i]->owner, BROKER_OF_PEERS);
	}
}

static unsigned drops;

static void on_dropped(void *arg)
{
	(void)arg;
	drops++;
}

static void ask(struct recalled *r, uint64_t since)
{
	struct broker_place place = { BROKER_OF_PEERS, since };

	*r = (struct recalled){ .is_there = false };
	here = 0;
	ck_assert_int_eq(
	    broker_recall(broker_part(broker, 0), BYTES(TOPIC), since ? &place : NULL, on_recalled, on_dropped, r),
	    0);
	here = -1;
	settle();
}

static struct recalled recall(uint64_t since)
{
	struct recalled r;

	ask(&r, since);
	while (!r.is_there && asked.is_open) {
		answer(false);
		settle();
	}
	ck_assert(r.is_there);
	return r;
}

/* It is an end of all there is, and all behind `since` if that is said. */
static void check_answer(const struct recalled *r, uint64_t since)
{
	size_t first = count - r->count;

	for (size_t i = 0; i < r->count; i++)
		ck_assert_uint_eq(r->sequences[i], at(first + i + 1));
	if (r->count > 0)
		ck_assert_uint_gt(r->sequences[0], since);
	ck_assert_uint_ge(r->until, at(count));
	if (r->recovered)
		ck_assert_uint_le(at(first), since);
}

START_TEST(what_is_published_is_theirs_to_keep)
{
	begin(100000);
	here = 0;
	ck_assert_int_eq(publish(TOPIC), 0);
	ck_assert_uint_eq(kept, 1);
	ck_assert(broker_is_kept_by_peers(broker, BYTES(TOPIC)));
	ck_assert(!broker_is_kept_by_peers(broker, BYTES("/topic/a/b")));
	ck_assert_int_eq(publish("/topic/a/b"), 0);
	ck_assert_uint_eq(kept, 1);
	settle();
	stop();
}
END_TEST

START_TEST(what_is_here_is_asked_once)
{
	begin(100000);
	is_joined = true;
	for (int i = 0; i < 5; i++)
		publish_there(3);
	settle();
	ck_assert(recall(at(2)).recovered);
	ck_assert_uint_eq(loads, 1);
	ck_assert_uint_eq(asked.since, at(5)); /* only whether there is more */
	ck_assert_uint_eq(recall(at(2)).count, 3);
	stop();
}
END_TEST

START_TEST(who_asks_while_it_is_asked_waits_for_another_answer)
{
	struct recalled first, second, third;

	begin(100000);
	for (int i = 0; i < 5; i++)
		publish_there(1);
	ask(&first, at(4));
	ask(&second, at(1));
	ask(&third, at(4)); /* for all it knows, something came between */
	ck_assert_uint_eq(loads, 1);
	answer(false);
	settle();
	ck_assert(first.is_there && first.recovered);
	ck_assert(!second.is_there && !third.is_there);
	answer(false);
	settle();
	ck_assert(second.is_there && second.recovered);
	ck_assert_uint_eq(second.count, 4);
	ck_assert(third.is_there && third.recovered);
	stop();
}
END_TEST

START_TEST(without_an_answer_nothing_is_promised)
{
	struct recalled r;

	begin(100000);
	publish_there(1);
	ask(&r, 1);
	for (int i = 0; i < 5 && asked.is_open; i++) {
		answer(true);
		settle();
	}
	ck_assert(r.is_there && !r.recovered && r.count == 0);
	ask(&r, 1);
	here = 1;
	broker_end_loads(broker_part(broker, 1));
	here = 0;
	broker_end_loads(broker_part(broker, 0));
	here = -1;
	settle();
	ck_assert(!r.is_there);
	ck_assert_uint_eq(drops, 1);
	asked.is_open = false;
	stop();
}
END_TEST

static void by_chance(size_t octets)
{
	for (int round = 0; round < 40; round++) {
		srand((unsigned)round);
		begin(octets);
		for (int i = 0; i < 300; i++) {
			switch (rand() % 8) {
			case 0:
				is_joined = !is_joined;
				break;
			case 1:
			case 2: {
				bool was_joined = is_joined;
				size_t back = (size_t)rand() % (count < 60 ? count + 1 : 60);
				uint64_t since = at(count - back);
				struct recalled r;

				is_joined = true; /* who asks has subscribed before */
				r = recall(since);
				check_answer(&r, since);
				if (octets >= 100000 && since > 0 && back <= WE_KEEP)
					ck_assert(r.recovered);
				is_joined = was_joined;
				break;
			}
			default:
				publish_there((unsigned)rand() % 3 + 1);
			}
			if (rand() % 2)
				settle();
		}
		settle();
		stop();
	}
}

START_TEST(by_chance_with_room)
{
	by_chance(100000);
}
END_TEST

START_TEST(by_chance_with_little_room)
{
	by_chance(1500);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("broker_peers");
	TCase *tc = tcase_create("broker_peers");
	SRunner *r;
	int failed;

	tcase_add_test(tc, what_is_published_is_theirs_to_keep);
	tcase_add_test(tc, what_is_here_is_asked_once);
	tcase_add_test(tc, who_asks_while_it_is_asked_waits_for_another_answer);
	tcase_add_test(tc, without_an_answer_nothing_is_promised);
	tcase_add_test(tc, by_chance_with_room);
	tcase_add_test(tc, by_chance_with_little_room);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
