/*
 * tests/unit/test_timer.c - the wheel of deadlines, against a sorted reference.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/timer.h"

#define BEGIN 1000003u /* not at a slot's edge */

struct probe {
	struct timer timer;
	unsigned id;
	void (*then)(struct probe *p);
};

static struct timer_wheel *wheel;
static unsigned fired[4096];
static unsigned fired_n;

static void on_fire(struct timer *t)
{
	struct probe *p = container_of(t, struct probe, timer);

	ck_assert(!timer_is_active(t));
	fired[fired_n++ % 4096] = p->id;
	if (p->then)
		p->then(p);
}

static void probe_init(struct probe *p, unsigned id)
{
	timer_init(&p->timer, on_fire);
	p->id = id;
	p->then = NULL;
}

static void setup(void)
{
	ck_assert_int_eq(timer_wheel_new(&wheel, BEGIN), 0);
	fired_n = 0;
}

static void teardown(void)
{
	timer_wheel_free(wheel);
}

START_TEST(a_timer_fires_at_its_deadline_and_not_before)
{
	static const uint64_t delays[] = { 1, 2, 63, 64, 65, 4095, 4096, 5000, 25000, 262144,
		86400000, 1ull << 40 };
	uint64_t now = BEGIN;
	struct probe p;

	probe_init(&p, 1);
	for (size_t i = 0; i < sizeof(delays) / sizeof(*delays); i++) {
		fired_n = 0;
		timer_start(wheel, &p.timer, delays[i]);
		now += delays[i] - 1;
		timer_wheel_advance(wheel, now);
		ck_assert_uint_eq(fired_n, 0);
		ck_assert(timer_is_active(&p.timer));
		timer_wheel_advance(wheel, ++now);
		ck_assert_uint_eq(fired_n, 1);
		ck_assert(!timer_is_active(&p.timer));
	}
}
END_TEST

START_TEST(a_stopped_timer_does_not_fire_and_stopping_twice_is_harmless)
{
	struct probe p;

	probe_init(&p, 1);
	timer_stop(wheel, &p.timer);
	timer_start(wheel, &p.timer, 100);
	timer_stop(wheel, &p.timer);
	timer_stop(wheel, &p.timer);
	ck_assert_int_eq(timer_wheel_timeout(wheel, BEGIN), -1);
	timer_wheel_advance(wheel, BEGIN + 1000);
	ck_assert_uint_eq(fired_n, 0);
}
END_TEST

START_TEST(a_restart_replaces_the_deadline)
{
	struct probe p;

	probe_init(&p, 1);
	timer_start(wheel, &p.timer, 10);
	timer_start(wheel, &p.timer, 5000);
	timer_wheel_advance(wheel, BEGIN + 4999);
	ck_assert_uint_eq(fired_n, 0);
	timer_wheel_advance(wheel, BEGIN + 5000);
	ck_assert_uint_eq(fired_n, 1);
}
END_TEST

static void start_again_at_once(struct probe *p)
{
	timer_start(wheel, &p->timer, 0);
}

START_TEST(a_timer_started_with_no_delay_in_a_callback_fires_in_the_next_advance)
{
	struct probe p;

	probe_init(&p, 1);
	p.then = start_again_at_once;
	timer_start(wheel, &p.timer, 7);
	timer_wheel_advance(wheel, BEGIN + 100);
	ck_assert_uint_eq(fired_n, 1);
	ck_assert_int_eq(timer_wheel_timeout(wheel, BEGIN + 100), 0);
	timer_wheel_advance(wheel, BEGIN + 100);
	ck_assert_uint_eq(fired_n, 2);
}
END_TEST

static struct probe *victim, *late;

static void stop_victim_and_delay_late(struct probe *p)
{
	(void)p;
	timer_stop(wheel, &victim->timer);
	timer_start(wheel, &late->timer, 50);
}

START_TEST(a_callback_may_stop_and_restart_timers_that_are_due)
{
	struct probe p[3];

	for (unsigned i = 0; i < 3; i++) {
		probe_init(&p[i], i);
		timer_start(wheel, &p[i].timer, 10);
	}
	p[0].then = stop_victim_and_delay_late;
	victim = &p[1];
	late = &p[2];
	timer_wheel_advance(wheel, BEGIN + 10);
	ck_assert_uint_eq(fired_n, 1);
	timer_wheel_advance(wheel, BEGIN + 59);
	ck_assert_uint_eq(fired_n, 1);
	timer_wheel_advance(wheel, BEGIN + 60);
	ck_assert_uint_eq(fired_n, 2);
	ck_assert_uint_eq(fired[1], 2);
}
END_TEST

START_TEST(a_sleep_is_not_counted_for_a_timer_started_after_it)
{
	struct probe p;

	probe_init(&p, 1);
	timer_wheel_set_now(wheel, BEGIN + 30000);
	timer_start(wheel, &p.timer, 25000);
	timer_wheel_advance(wheel, BEGIN + 30000);
	ck_assert_uint_eq(fired_n, 0);
	timer_wheel_advance(wheel, BEGIN + 54999);
	ck_assert_uint_eq(fired_n, 0);
	timer_wheel_advance(wheel, BEGIN + 55000);
	ck_assert_uint_eq(fired_n, 1);
}
END_TEST

START_TEST(the_timeout_never_passes_a_deadline_and_following_it_takes_few_steps)
{
	struct probe p;
	uint64_t now = BEGIN;
	unsigned steps = 0;

	probe_init(&p, 1);
	timer_start(wheel, &p.timer, 3600000);
	for (; fired_n == 0; steps++) {
		int ms = timer_wheel_timeout(wheel, now);

		ck_assert_int_ge(ms, 0);
		now += (uint64_t)ms;
		ck_assert_uint_le(now, BEGIN + 3600000);
		timer_wheel_advance(wheel, now);
	}
	ck_assert_uint_eq(now, BEGIN + 3600000);
	ck_assert_uint_le(steps, 11);
}
END_TEST

START_TEST(time_that_goes_back_or_overflows_does_no_harm)
{
	struct probe p[2];

	probe_init(&p[0], 0);
	probe_init(&p[1], 1);
	timer_start(wheel, &p[0].timer, UINT64_MAX);
	timer_start(wheel, &p[1].timer, 10);
	timer_wheel_advance(wheel, 5);
	ck_assert_uint_eq(fired_n, 0);
	timer_wheel_advance(wheel, BEGIN + 10);
	ck_assert_uint_eq(fired_n, 1);
	ck_assert(timer_is_active(&p[0].timer));
	timer_wheel_advance(wheel, UINT64_MAX);
	ck_assert_uint_eq(fired_n, 2);
}
END_TEST

/* --- random sequences against a reference ------------------------------- */

#define PROBES 300

static struct probe probes[PROBES];
static uint64_t ref_deadline[PROBES], ref_order[PROBES], order;

static uint32_t seed;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below;
}

static uint64_t random_delay(void)
{
	switch (rnd(4)) {
	case 0:
		return rnd(4);
	case 1:
		return rnd(64);
	case 2:
		return rnd(5000) / 100 * 100; /* many equal deadlines */
	default:
		return rnd(300000);
	}
}

/* The reference: the due one with the least (deadline, order of starting). */
static int ref_next(uint64_t now)
{
	int best = -1;

	for (int i = 0; i < PROBES; i++) {
		if (!ref_deadline[i] || ref_deadline[i] > now)
			continue;
		if (best < 0 || ref_deadline[i] < ref_deadline[best] ||
		    (ref_deadline[i] == ref_deadline[best] && ref_order[i] < ref_order[best]))
			best = i;
	}
	return best;
}

static void random_start_or_stop(uint64_t now)
{
	uint32_t i = rnd(PROBES);

	if (rnd(8) == 0) {
		timer_stop(wheel, &probes[i].timer);
		ref_deadline[i] = 0;
		return;
	}
	uint64_t delay = random_delay();

	timer_start(wheel, &probes[i].timer, delay);
	ref_deadline[i] = now + delay;
	ref_order[i] = ++order;
}

START_TEST(timers_fire_in_the_order_of_deadlines_and_equal_ones_in_the_order_started)
{
	uint64_t now = BEGIN;

	seed = (uint32_t)_i * 7919 + 1;
	order = 0;
	memset(ref_deadline, 0, sizeof(ref_deadline));
	for (unsigned i = 0; i < PROBES; i++)
		probe_init(&probes[i], i);
	for (int step = 0; step < 1500; step++) {
		int want;

		for (uint32_t n = rnd(6); n > 0; n--)
			random_start_or_stop(now);
		now += rnd(3) ? rnd(80) : rnd(9000);
		fired_n = 0;
		timer_wheel_advance(wheel, now);
		for (unsigned k = 0; k < fired_n; k++) {
			want = ref_next(now);
			ck_assert_int_eq((int)fired[k], want);
			ref_deadline[want] = 0;
		}
		ck_assert_int_eq(ref_next(now), -1);
	}
}
END_TEST

START_TEST(no_memory_no_wheel)
{
	struct timer_wheel *none = NULL;

	mem_fail_at(1);
	ck_assert_int_eq(timer_wheel_new(&none, 1), -ENOMEM);
	ck_assert(mem_failed());
	mem_fail_at(0);
	ck_assert_ptr_null(none);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("timer");
	TCase *tc = tcase_create("timer");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_timer_fires_at_its_deadline_and_not_before);
	tcase_add_test(tc, a_stopped_timer_does_not_fire_and_stopping_twice_is_harmless);
	tcase_add_test(tc, a_restart_replaces_the_deadline);
	tcase_add_test(tc, a_timer_started_with_no_delay_in_a_callback_fires_in_the_next_advance);
	tcase_add_test(tc, a_callback_may_stop_and_restart_timers_that_are_due);
	tcase_add_test(tc, a_sleep_is_not_counted_for_a_timer_started_after_it);
	tcase_add_test(tc, the_timeout_never_passes_a_deadline_and_following_it_takes_few_steps);
	tcase_add_test(tc, time_that_goes_back_or_overflows_does_no_harm);
	tcase_add_loop_test(
	    tc, timers_fire_in_the_order_of_deadlines_and_equal_ones_in_the_order_started, 0, 10);
	tcase_add_test(tc, no_memory_no_wheel);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
