/*
 * fakes/fake_loop.c - a loop with time moved by hand; see fake_loop.h.
 */
#include "fakes/fake_loop.h"

#include <check.h>

#include "base/clock.h"

#define BEGIN_MS 1000000

static uint64_t now;

struct loop *fake_loop_new(void)
{
	struct loop *loop = NULL;

	now = BEGIN_MS;
	clock_set(now);
	ck_assert_int_eq(loop_new(&loop), 0);
	fake_loop_turn(loop);
	return loop;
}

void fake_loop_free(struct loop *loop)
{
	loop_free(loop);
	clock_set(0);
}

void fake_loop_turn(struct loop *loop)
{
	ck_assert_int_eq(loop_turn(loop, 0), 0);
}

void fake_loop_pass(struct loop *loop, unsigned ms)
{
	now += ms;
	clock_set(now);
	fake_loop_turn(loop);
}

bool fake_loop_is_restless(struct loop *loop)
{
	return timer_wheel_timeout(loop_timers(loop), loop_now(loop)) == 0;
}
