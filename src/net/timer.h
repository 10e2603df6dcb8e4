/*
 * net/timer.h - hierarchical wheel of deadlines.
 *
 * Starting and stopping cost a few stores; equal deadlines fire in the order
 * they were started. A timer never fires early. Timers are lazy by design:
 * what is touched per message stores a time, and the timer looks at it when it
 * fires and starts itself again.
 */
#ifndef NET_TIMER_H
#define NET_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct timer;
typedef void (*timer_fn)(struct timer *t);

struct timer {
	struct list node;
	uint64_t deadline; /* ms, clock_now(); 0 when not started */
	timer_fn fn;
};

struct timer_wheel;

int timer_wheel_new(struct timer_wheel **out, uint64_t now);
void timer_wheel_free(struct timer_wheel *wheel);

void timer_init(struct timer *t, timer_fn fn);
/* (Re)starts: fires at the first advance at or after now + delay_ms, where now is the time the
 * wheel was last told, by timer_wheel_set_now() or an advance. */
void timer_start(struct timer_wheel *wheel, struct timer *t, uint64_t delay_ms);
void timer_stop(struct timer_wheel *wheel, struct timer *t);

static inline bool timer_is_active(const struct timer *t)
{
	return t->deadline != 0;
}

/* Tells the time without firing anything, so that a timer started after a long sleep but before the
 * advance does not count the sleep. Time never goes back: an earlier `now` is ignored. */
void timer_wheel_set_now(struct timer_wheel *wheel, uint64_t now);
/* Fires all that is due, in the order of deadlines. Callbacks may start and stop any timer, due
 * ones too; they may not advance the wheel. A timer started in a callback with delay 0 fires in the
 * next advance. */
void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now);
/* Milliseconds until the next thing to do (may be a cascade, so earlier than any deadline; never
 * later); -1 when no timer is started. */
int timer_wheel_timeout(struct timer_wheel *wheel, uint64_t now);

#endif
