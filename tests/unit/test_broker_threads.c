/*
 * tests/unit/test_broker_threads.c - parts in real threads: ThreadSanitizer looks, and what
 * everybody hears is compared afterwards.
 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker/broker.h"

enum { PARTS = 4, EACH = 2000, DESTINATIONS = 3, TOTAL = PARTS * EACH };

struct letter {
	struct letter *next;
	struct broker_message *m;
	broker_step_fn order, deliver; /* `order` NULL: it has its place */
};

struct box {
	pthread_mutex_t lock;
	struct letter *first, **last;
};

struct text_message {
	struct broker_message base;
	unsigned number;
	char destination[32];
};

static struct box boxes[PARTS];
static struct broker *broker;
static _Thread_local int here = -1;
static atomic_int messages;
static unsigned heard[PARTS][DESTINATIONS][TOTAL];
static unsigned heard_count[PARTS][DESTINATIONS];
static atomic_uint finished; /* parts that have heard everything */

/* --- the carrier ------------------------------------------------------------------- */

static int my_part(void *arg)
{
	(void)arg;
	return here;
}

static void put(unsigned part, struct letter letter)
{
	struct letter *l = malloc(sizeof(*l));

	*l = letter;
	l->next = NULL;
	pthread_mutex_lock(&boxes[part].lock);
	*boxes[part].last = l;
	boxes[part].last = &l->next;
	pthread_mutex_unlock(&boxes[part].lock);
}

static struct letter *take_all(unsigned part)
{
	struct letter *first;

	pthread_mutex_lock(&boxes[part].lock);
	first = boxes[part].first;
	boxes[part].first = NULL;
	boxes[part].last = &boxes[part].first;
	pthread_mutex_unlock(&boxes[part].lock);
	return first;
}

static void spread_from_owner(unsigned owner, struct letter l)
{
	l.order(l.m, broker_part(broker, owner));
	l.order = NULL;
	for (unsigned i = 0; i < PARTS; i++)
		if (i != owner) {
			broker_message_ref(l.m);
			put(i, l);
		}
	l.deliver(l.m, broker_part(broker, owner));
	broker_message_unref(l.m);
}

static int spread(void *arg, unsigned owner, broker_step_fn order, broker_step_fn deliver,
    struct broker_message *m)
{
	struct letter l = { .m = m, .order = order, .deliver = deliver };

	(void)arg;
	if (here == (int)owner)
		spread_from_owner(owner, l);
	else
		put(owner, l);
	return 0;
}

static void read_mail(void)
{
	struct letter *l, *next;

	for (l = take_all((unsigned)here); l; l = next) {
		next = l->next;
		if (l->order) {
			spread_from_owner((unsigned)here, *l);
		} else {
			l->deliver(l->m, broker_part(broker, (unsigned)here));
			broker_message_unref(l->m);
		}
		free(l);
	}
}

/* --- publishers and subscribers --------------------------------------------------- */

static void free_message(struct broker_message *m)
{
	atomic_fetch_sub(&messages, 1);
	free(m);
}

static const char *const places[DESTINATIONS] = { "/topic/a", "/topic/a/b", "/user/a%20b/q" };
static const char *const patterns[DESTINATIONS] = { "/topic/a", "/topic/*/b", "/user/q" };

static void publish(unsigned number)
{
	struct text_message *m = malloc(sizeof(*m));

	snprintf(m->destination, sizeof(m->destination), "%s", places[number % DESTINATIONS]);
	broker_message_init(&m->base, bytes_of(m->destination), free_message);
	m->number = number;
	atomic_fetch_add(&messages, 1);
	ck_assert_int_eq(broker_publish(broker, &m->base), 0);
	broker_message_unref(&m->base);
}

static void on_deliver(
    void *receiver, uintptr_t label, struct broker_message *m, struct broker_fan *fan)
{
	unsigned *count = receiver;

	(void)fan;
	if (count)
		heard[here][label][(*count)++] = ((struct text_message *)m)->number;
}

static const struct broker_ops ops = { .deliver = on_deliver };

static bool has_heard_all(void)
{
	unsigned n = 0;

	for (unsigned d = 0; d < DESTINATIONS; d++)
		n += heard_count[here][d];
	return n == TOTAL;
}

/* Others come and go beside the one that stays. */
static void come_and_go(struct broker_member *m, struct broker_subscription **s, unsigned *seed)
{
	static const char *const some[] = { "/**", "/topic/a", "/*/a/*", "/user/q" };

	if (*s) {
		broker_unsubscribe(*s);
		*s = NULL;
	} else {
		ck_assert_int_eq(
		    broker_subscribe(m, bytes_of(some[rand_r(seed) % 4]), NULL, 0, s), 0);
	}
}

static struct broker_member *enter(void)
{
	struct broker_subscription *s;
	struct broker_member *m;
	char name[16];

	snprintf(name, sizeof(name), "s%d", here);
	m = broker_join(broker_part(broker, (unsigned)here), &ops, bytes_of(name), BYTES("a b"));
	ck_assert_ptr_nonnull(m);
	for (unsigned d = 0; d < DESTINATIONS; d++)
		ck_assert_int_eq(
		    broker_subscribe(m, bytes_of(patterns[d]), &heard_count[here][d], d, &s), 0);
	return m;
}

static void *run_part(void *arg)
{
	struct broker_subscription *s = NULL;
	struct broker_member *m;
	unsigned seed;

	here = (int)(intptr_t)arg;
	seed = (unsigned)here;
	m = enter();
	/* All are there before the first message */
	atomic_fetch_add(&finished, 1);
	while (atomic_load(&finished) < PARTS)
		sched_yield();
	for (unsigned i = 0; i < EACH; i++) {
		publish((unsigned)here * EACH + i);
		if (i % 7 == 0)
			read_mail();
		if (i % 5 == 0)
			come_and_go(m, &s, &seed);
	}
	while (!has_heard_all()) {
		read_mail();
		sched_yield();
	}
	broker_leave(m);
	return NULL;
}

START_TEST(parts_in_threads_hear_one_order)
{
	const struct broker_carrier carrier = { .parts = PARTS, .here = my_part, .spread = spread };
	const struct broker_limits limits = { 0 };
	pthread_t threads[PARTS];

	for (int i = 0; i < PARTS; i++) {
		pthread_mutex_init(&boxes[i].lock, NULL);
		boxes[i].last = &boxes[i].first;
	}
	broker = broker_new(&carrier, '/', &limits);
	ck_assert_ptr_nonnull(broker);
	for (intptr_t i = 0; i < PARTS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, run_part, (void *)i), 0);
	for (int i = 0; i < PARTS; i++)
		pthread_join(threads[i], NULL);
	broker_free(broker);
	ck_assert_int_eq(atomic_load(&messages), 0);
	for (unsigned i = 1; i < PARTS; i++)
		ck_assert_int_eq(memcmp(heard[0], heard[i], sizeof(heard[0])), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("broker_threads");
	TCase *tc = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 120); /* a machine may be busy */
	tcase_add_test(tc, parts_in_threads_hear_one_order);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
