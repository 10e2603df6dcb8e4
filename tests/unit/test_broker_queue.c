/*
 * tests/unit/test_broker_queue.c - queues: each message to one consumer, in its turn, once or with
 * the mark; nothing is lost, whatever the parts do before or after one another, and whoever leaves.
 *
 * The parts are threads that the test steps by hand.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "broker/broker.h"

enum { PARTS = 3, HEARD_MAX = 20000 };

/* --- the carrier ----------------------------------------------------------------------- */

struct letter {
	struct letter *next;
	void (*fn)(void *arg);
	void (*drop)(void *arg);
	void *arg;
};

static struct letter *boxes[PARTS];
static struct broker *broker;
static unsigned parts;
static int here;

static int fake_here(void *arg)
{
	(void)arg;
	return here;
}

static int fake_spread(void *arg, unsigned owner, broker_step_fn order, broker_step_fn deliver,
    struct broker_message *m)
{
	(void)arg, (void)owner, (void)order, (void)deliver, (void)m;
	ck_abort_msg("a queue's message is not for all");
	return 0;
}

static int fake_post(
    void *arg, unsigned part, void (*fn)(void *arg2), void (*drop)(void *arg2), void *arg2)
{
	struct letter *l = malloc(sizeof(*l)), **end = &boxes[part];

	(void)arg;
	*l = (struct letter){ NULL, fn, drop, arg2 };
	while (*end)
		end = &(*end)->next;
	*end = l;
	return 0;
}

static bool step(unsigned part)
{
	struct letter *l = boxes[part];

	if (!l)
		return false;
	boxes[part] = l->next;
	here = (int)part;
	l->fn(l->arg);
	free(l);
	return true;
}

static void settle(void)
{
	for (bool some = true; some;) {
		some = false;
		for (unsigned i = 0; i < parts; i++)
			some |= step(i);
	}
}

/* --- messages ---------------------------------------------------------------------------- */

struct text_message {
	struct broker_message base;
	unsigned number;
	char destination[40];
};

static unsigned messages, refused, accepted, died[2];
static unsigned last_death; /* the number of the message */

static void free_message(struct broker_message *m)
{
	messages--;
	free(m);
}

static void on_settled(struct broker_message *m, int verdict)
{
	ck_assert_int_eq(here, (int)m->owner);
	ck_assert(verdict == 0 || verdict == -ENOSPC);
	if (verdict == 0)
		accepted++;
	else
		refused++;
}

static void on_died(void *arg, struct broker_message *m, enum broker_death why, unsigned deliveries)
{
	(void)arg, (void)deliveries;
	died[why]++;
	last_death = ((struct text_message *)m)->number;
}

static void send(int from, const char *queue, unsigned number)
{
	struct text_message *m = calloc(1, sizeof(*m));

	snprintf(m->destination, sizeof(m->destination), "%s", queue);
	broker_message_init(&m->base, bytes_of(m->destination), free_message);
	m->base.settled = on_settled;
	m->base.octets = 100;
	m->number = number;
	messages++;
	here = from;
	ck_assert_int_eq(broker_publish(broker, &m->base), 0);
	broker_message_unref(&m->base);
}

/* --- consumers ------------------------------------------------------------------------------ */

struct got {
	struct broker_place place;
	unsigned number, deliveries;
};

struct eater {
	struct broker_member *member;
	struct broker_subscription *sub;
	unsigned part;
	unsigned count;
	bool full; /* each message fills it */
	bool shut; /* it has no room at all */
	struct got got[HEARD_MAX];
};

static enum broker_taken on_take(
    void *receiver, uintptr_t label, struct broker_message *m, unsigned deliveries)
{
	struct eater *e = receiver;
	struct got *g = &e->got[e->count % HEARD_MAX];

	ck_assert_uint_eq(label, 7);
	ck_assert_int_eq(here, (int)e->part);
	if (e->shut)
		return BROKER_FULL;
	e->count++;
	*g = (struct got){ { m->owner, m->sequence }, ((struct text_message *)m)->number, deliveries };
	return e->full ? BROKER_TAKEN_AND_FULL : BROKER_TAKEN;
}

static unsigned refusals;

static void on_refused(void *receiver, uintptr_t label)
{
	ck_assert_int_eq(here, (int)((struct eater *)receiver)->part);
	ck_assert_uint_eq(label, 7);
	refusals++;
}

static const struct broker_ops ops = { .take = on_take, .refused = on_refused };
static struct eater eaters[16];

static struct eater *come(unsigned i, unsigned part)
{
	static unsigned last;
	struct eater *e = &eaters[i];
	char name[20];

	*e = (struct eater){ .part = part };
	here = (int)part;
	snprintf(name, sizeof(name), "s%u", ++last);
	e->member = broker_join(broker_part(broker, part), &ops, bytes_of(name), bytes_of(""));
	return e;
}

static struct eater *consume(
    unsigned i, unsigned part, const char *queue, enum broker_ack ack, unsigned prefetch)
{
	struct eater *e = come(i, part);

	ck_assert_int_eq(
	    broker_consume(e->member, bytes_of(queue), e, 7, ack, prefetch, &e->sub), 0);
	return e;
}

static void leave(struct eater *e)
{
	here = (int)e->part;
	broker_leave(e->member);
	e->member = NULL;
}

static void answer(struct eater *e, struct broker_place place, bool good)
{
	here = (int)e->part;
	broker_acknowledge(e->sub, place, good);
}

/* "1 2 3*": numbers, and a star for each delivery before. */
static const char *ate(const struct eater *e)
{
	static char text[4000];
	size_t n = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < e->count; i++) {
		n += (size_t)snprintf(
		    text + n, sizeof(text) - n, "%s%u", i ? " " : "", e->got[i].number);
		for (unsigned k = 0; k < e->got[i].deliveries; k++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "*");
	}
	return text;
}

/* --- life ------------------------------------------------------------------------------------ */

static struct broker_limits limits;

static void start(unsigned count)
{
	const struct broker_carrier carrier = {
		.parts = count, .here = fake_here, .spread = fake_spread, .post = fake_post
	};

	parts = count;
	here = 0;
	messages = refused = accepted = died[0] = died[1] = 0;
	broker = broker_new(&carrier, '/', &limits);
}

static void setup(void)
{
	limits = (struct broker_limits){ .max_queues = 100,
		.max_queue_messages = 1000,
		.max_queue_bytes = 1000000,
		.max_queues_bytes = 10000000,
		.max_deliveries = 3,
		.died = on_died };
	start(1);
}

static void stop(void)
{
	settle();
	for (size_t i = 0; i < sizeof(eaters) / sizeof(*eaters); i++)
		if (eaters[i].member)
			leave(&eaters[i]);
	settle();
	broker_free(broker);
	ck_assert_uint_eq(messages, 0);
}

static void with_parts(unsigned count)
{
	stop();
	start(count);
}

static uint64_t queued(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < parts; i++)
		n += broker_counters(broker_part(broker, i))->queued;
	return n;
}

static uint64_t queues(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < parts; i++)
		n += broker_counters(broker_part(broker, i))->queues;
	return n;
}

/* --- tests -------------------------------------------------------------------------------------
 */

START_TEST(a_message_waits_for_a_consumer_and_goes_to_one)
{
	struct eater *a, *b;

	for (unsigned i = 1; i <= 4; i++)
		send(0, "/queue/q", i);
	ck_assert_uint_eq(queued(), 4);
	a = consume(0, 0, "/queue/q", BROKER_AUTO, 10);
	b = consume(1, 0, "/queue/q", BROKER_AUTO, 10);
	ck_assert_str_eq(ate(a), "1 2 3 4");
	for (unsigned i = 5; i <= 8; i++)
		send(0, "/queue/q", i);
	ck_assert_str_eq(ate(a), "1 2 3 4 5 7");
	ck_assert_str_eq(ate(b), "6 8");
	ck_assert_uint_eq(queued(), 0);
	ck_assert_uint_eq(accepted, 8);
	leave(a);
	leave(b);
	ck_assert_uint_eq(queues(), 0);
}
END_TEST

START_TEST(no_more_than_the_prefetch_is_unacknowledged)
{
	struct eater *a = consume(0, 0, "/queue/q", BROKER_INDIVIDUAL, 2);

	for (unsigned i = 1; i <= 5; i++)
		send(0, "/queue/q", i);
	ck_assert_str_eq(ate(a), "1 2");
	answer(a, a->got[1].place, true);
	ck_assert_str_eq(ate(a), "1 2 3");
	answer(a, a->got[1].place, true); /* again: nothing */
	answer(a, (struct broker_place){ a->got[0].place.owner, 999 }, true);
	ck_assert_str_eq(ate(a), "1 2 3");
	ck_assert(broker_has_pending(a->sub, a->got[0].place));
	ck_assert(!broker_has_pending(a->sub, a->got[1].place));
	ck_assert(!broker_has_pending(a->sub, (struct broker_place){ 77, a->got[0].place.sequence }));
	answer(a, a->got[0].place, true);
	ck_assert_str_eq(ate(a), "1 2 3 4");
	ck_assert_uint_eq(queued(), 3);
}
END_TEST

START_TEST(a_cumulative_answer_is_for_all_before_it)
{
	struct eater *a = consume(0, 0, "/queue/q", BROKER_CUMULATIVE, 3);

	for (unsigned i = 1; i <= 9; i++)
		send(0, "/queue/q", i);
	answer(a, a->got[2].place, true);
	ck_assert_str_eq(ate(a), "1 2 3 4 5 6");
	answer(a, a->got[4].place, true);
	ck_assert_str_eq(ate(a), "1 2 3 4 5 6 7 8");
	ck_assert_uint_eq(queued(), 4);
}
END_TEST

START_TEST(what_is_given_back_comes_again_first_and_in_order_until_it_is_given_up)
{
	struct eater *a = consume(0, 0, "/queue/q", BROKER_CUMULATIVE, 3);

	for (unsigned i = 1; i <= 4; i++)
		send(0, "/queue/q", i);
	answer(a, a->got[2].place, false);
	ck_assert_uint_eq(a->count, 6);
	ck_assert_uint_eq(queued(), 4);
	leave(a);
	a = consume(0, 0, "/queue/q", BROKER_INDIVIDUAL, 1);
	ck_assert_str_eq(ate(a), "1**");
	answer(a, a->got[0].place, false);
	ck_assert_uint_eq(died[BROKER_REJECTED], 1);
	ck_assert_uint_eq(last_death, 1);
	ck_assert_str_eq(ate(a), "1** 2**");
}
END_TEST

START_TEST(what_a_consumer_had_when_it_left_goes_to_another_in_the_old_order)
{
	struct eater *a = consume(0, 0, "/queue/q", BROKER_INDIVIDUAL, 3), *b;

	for (unsigned i = 1; i <= 5; i++)
		send(0, "/queue/q", i);
	answer(a, a->got[1].place, true);
	ck_assert_str_eq(ate(a), "1 2 3 4");
	leave(a);
	b = consume(1, 0, "/queue/q", BROKER_AUTO, 10);
	ck_assert_str_eq(ate(b), "1* 3* 4* 5");
}
END_TEST

START_TEST(a_full_queue_refuses_and_says_so)
{
	limits.max_queue_messages = 3;
	with_parts(1);
	for (unsigned i = 1; i <= 5; i++)
		send(0, "/queue/q", i);
	ck_assert_uint_eq(accepted, 3);
	ck_assert_uint_eq(refused, 2);
	ck_assert_str_eq(ate(consume(0, 0, "/queue/q", BROKER_AUTO, 10)), "1 2 3");
	limits.max_queue_messages = 1000;
	limits.max_queue_bytes = 500;
	limits.max_queues = 1;
	with_parts(1);
	for (unsigned i = 1; i <= 5; i++)
		send(0, "/queue/q", i);
	ck_assert_uint_eq(accepted, 2);
	send(0, "/queue/other", 1);
	ck_assert_uint_eq(refused, 4);
}
END_TEST

START_TEST(a_message_that_waited_too_long_is_given_up)
{
	struct eater *a;

	limits.queue_expires_ms = 500; /* more than it takes on a busy machine */
	with_parts(1);
	send(0, "/queue/q", 1);
	usleep(510000);
	send(0, "/queue/q", 2);
	ck_assert_uint_eq(died[BROKER_EXPIRED], 1);
	ck_assert_uint_eq(last_death, 1);
	a = consume(0, 0, "/queue/q", BROKER_AUTO, 10);
	ck_assert_str_eq(ate(a), "2");
}
END_TEST

START_TEST(who_is_full_gets_nothing_until_it_asks_for_more)
{
	struct eater *a = consume(0, 0, "/queue/q", BROKER_AUTO, 2);

	a->full = true;
	for (unsigned i = 1; i <= 6; i++)
		send(0, "/queue/q", i);
	ck_assert_str_eq(ate(a), "1 2");
	ck_assert_uint_eq(queued(), 4); /* they are acknowledged all the same */
	a->full = false;
	broker_more(a->sub);
	ck_assert_str_eq(ate(a), "1 2 3 4 5 6");
	broker_more(a->sub);
	ck_assert_uint_eq(queued(), 0);
}
END_TEST

START_TEST(what_there_is_no_room_for_waits_for_it_in_order)
{
	static const enum broker_ack modes[] = { BROKER_AUTO, BROKER_CUMULATIVE,
		BROKER_INDIVIDUAL };

	for (unsigned i = 0; i < 3 * PARTS; i++) {
		struct eater *a;

		with_parts(PARTS);
		a = consume(0, i / 3, "/queue/q", modes[i % 3], 4);
		a->shut = true;
		for (unsigned k = 1; k <= 6; k++)
			send(0, "/queue/q", k);
		settle();
		ck_assert_uint_eq(a->count, 0);
		here = (int)a->part;
		broker_more(a->sub);
		settle();
		ck_assert_uint_eq(queued(), 6);
		a->shut = false;
		here = (int)a->part;
		broker_more(a->sub);
		settle();
		ck_assert_str_eq(ate(a), i % 3 ? "1 2 3 4" : "1 2 3 4 5 6");
		if (i % 3)
			answer(a, a->got[3].place, true);
		settle();
		ck_assert_uint_eq(a->count, i % 3 == 0 ? 6 : i % 3 == 1 ? 6 : 5);
		leave(a);
	}
}
END_TEST

START_TEST(what_a_consumer_had_no_room_for_is_not_counted_when_it_leaves)
{
	for (unsigned part = 0; part < PARTS; part++) {
		struct eater *a, *b;

		with_parts(PARTS);
		a = consume(0, part, "/queue/q", BROKER_INDIVIDUAL, 4);
		settle();
		send(0, "/queue/q", 1);
		settle();
		a->shut = true;
		for (unsigned k = 2; k <= 6; k++)
			send(0, "/queue/q", k);
		settle();
		ck_assert_str_eq(ate(a), "1");
		leave(a);
		settle();
		b = consume(1, (part + 1) % PARTS, "/queue/q", BROKER_AUTO, 10);
		settle();
		ck_assert_str_eq(ate(b), "1* 2 3 4 5 6");
		leave(b);
	}
}
END_TEST

START_TEST(a_delivery_that_meets_a_leaving_consumer_goes_to_another)
{
	struct eater *a, *b;

	with_parts(PARTS);
	for (unsigned part = 0; part < PARTS; part++) {
		a = consume(0, part, "/queue/q", BROKER_AUTO, 10);
		settle();
		send((int)part, "/queue/q", part);
		while (boxes[(part + 1) % PARTS] || boxes[(part + 2) % PARTS]) {
			step((part + 1) % PARTS);
			step((part + 2) % PARTS);
		}
		leave(a); /* a DELIVER may wait for it */
		settle();
		b = consume(1, (part + 1) % PARTS, "/queue/q", BROKER_AUTO, 10);
		settle();
		ck_assert_uint_eq(eaters[0].count + b->count, 1);
		leave(b);
		settle();
	}
	ck_assert_uint_eq(queued(), 0);
}
END_TEST

START_TEST(a_consumer_for_which_there_is_no_place_is_told)
{
	limits.max_queues = 1;
	refusals = 0;
	for (unsigned count = 1; count <= PARTS; count += PARTS - 1) {
		with_parts(count);
		refusals = 0;
		for (unsigned i = 0; i < 8; i++) {
			char name[20];

			snprintf(name, sizeof(name), "/queue/%u", i);
			consume(i, i % count, name, BROKER_AUTO, 1);
		}
		settle();
		ck_assert_uint_eq(refusals, 8 - queues());
		ck_assert_uint_le(queues(), count);
	}
}
END_TEST

START_TEST(what_is_no_queue_has_no_consumers)
{
	static const char *const bad[] = { "/queue/", "/queue", "/topic/a", "/queue/*",
		"/queue/a//b", "/user/queue/a" };
	struct eater *e = come(0, 0);

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_int_eq(
		    broker_consume(e->member, bytes_of(bad[i]), e, 7, BROKER_AUTO, 1, &e->sub),
		    -EINVAL);
}
END_TEST

/* --- by chance
 * ------------------------------------------------------------------------------------ */

static uint64_t seed;

static unsigned dice(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((seed >> 33) % n);
}

enum { SENT = 3000 };

static unsigned char done[SENT], marked[SENT];

/* Everything that was got since the last look, and is not marked as got before, is new. */
static void look(struct eater *e, unsigned *from)
{
	for (; *from < e->count; ++*from) {
		const struct got *g = &e->got[*from];

		if (g->deliveries == 0)
			ck_assert_uint_eq(marked[g->number], 0);
		marked[g->number] = 1;
	}
}

static void play(void)
{
	static const enum broker_ack modes[] = { BROKER_AUTO, BROKER_CUMULATIVE,
		BROKER_INDIVIDUAL };
	unsigned sent = 0, looked[16] = { 0 }, answered[16] = { 0 };
	unsigned mode[16] = { 0 };

	memset(done, 0, sizeof(done));
	memset(marked, 0, sizeof(marked));
	while (sent < SENT) {
		unsigned i = dice(8);
		struct eater *e = &eaters[i];

		switch (dice(6)) {
		case 0:
		case 1:
			send((int)dice(PARTS), "/queue/q", sent++);
			break;
		case 2:
			if (e->member)
				break;
			mode[i] = dice(3);
			consume(i, dice(PARTS), "/queue/q", modes[mode[i]], 1 + dice(5));
			looked[i] = answered[i] = 0;
			break;
		case 3:
			if (!e->member)
				break;
			look(e, &looked[i]);
			if (mode[i] == 0)
				while (answered[i] < e->count)
					done[e->got[answered[i]++].number]++;
			if (dice(4) == 0)
				leave(e);
			break;
		case 4:
			if (!e->member || mode[i] == 0 || answered[i] >= e->count)
				break;
			/* individual: the oldest; cumulative: all */
			look(e, &looked[i]);
			if (mode[i] == 2) {
				done[e->got[answered[i]].number]++;
				answer(e, e->got[answered[i]++].place, true);
			} else {
				unsigned all = e->count;

				for (unsigned k = answered[i]; k < all; k++)
					done[e->got[k].number]++;
				answered[i] = all;
				answer(e, e->got[all - 1].place, true);
			}
			break;
		default:
			step(dice(PARTS));
		}
	}
	settle();
	for (unsigned i = 0; i < 8; i++) {
		struct eater *e = &eaters[i];

		if (!e->member)
			continue;
		look(e, &looked[i]);
		while (mode[i] == 0 && answered[i] < e->count)
			done[e->got[answered[i]++].number]++;
		leave(e);
	}
	settle();
}

/* At the end one more consumer takes the rest: then each message was done once. With a consumer
 * that acknowledges as it takes, who leaves before the owner hears of that, it may come twice, and
 * then it has the mark. */
START_TEST(nothing_is_lost_and_nothing_comes_twice_without_the_mark)
{
	unsigned looked = 0;
	struct eater *last;

	limits.max_deliveries = 1000000;
	limits.max_queue_messages = SENT;
	seed = (uint64_t)_i + 1;
	with_parts(PARTS);
	play();
	last = consume(15, 0, "/queue/q", BROKER_AUTO, 10);
	settle();
	look(last, &looked);
	for (unsigned i = 0; i < last->count; i++)
		done[last->got[i].number]++;
	ck_assert_uint_eq(accepted, SENT);
	ck_assert_uint_eq(queued(), 0);
	for (unsigned i = 0; i < SENT; i++)
		ck_assert_uint_ge(done[i], 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("broker_queue");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, stop);
	tcase_add_test(tc, a_message_waits_for_a_consumer_and_goes_to_one);
	tcase_add_test(tc, no_more_than_the_prefetch_is_unacknowledged);
	tcase_add_test(tc, a_cumulative_answer_is_for_all_before_it);
	tcase_add_test(tc, what_is_given_back_comes_again_first_and_in_order_until_it_is_given_up);
	tcase_add_test(tc, what_a_consumer_had_when_it_left_goes_to_another_in_the_old_order);
	tcase_add_test(tc, a_full_queue_refuses_and_says_so);
	tcase_add_test(tc, a_message_that_waited_too_long_is_given_up);
	tcase_add_test(tc, who_is_full_gets_nothing_until_it_asks_for_more);
	tcase_add_test(tc, what_there_is_no_room_for_waits_for_it_in_order);
	tcase_add_test(tc, what_a_consumer_had_no_room_for_is_not_counted_when_it_leaves);
	tcase_add_test(tc, a_delivery_that_meets_a_leaving_consumer_goes_to_another);
	tcase_add_test(tc, a_consumer_for_which_there_is_no_place_is_told);
	tcase_add_test(tc, what_is_no_queue_has_no_consumers);
	tcase_add_loop_test(tc, nothing_is_lost_and_nothing_comes_twice_without_the_mark, 0, 30);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
