/*
 * stomp/stomp_heart_beat.h - the header heart-beat, and what both sides make of it (STOMP 1.2,
 * "Heart-beating").
 */
#ifndef STOMP_STOMP_HEART_BEAT_H
#define STOMP_STOMP_HEART_BEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

#define STOMP_HEART_BEAT_MOST 86400000u /* a day; what is more is as good as never */

/* "x,y", of whoever says so: it can send one every x, and wants one every y; 0: none. */
struct stomp_heart_beat {
	uint32_t sends_every_ms, wants_every_ms;
};

/* p may be NULL: there is no header, and nothing changes. False: it is none. */
bool stomp_heart_beat_read(struct bytes value, struct stomp_heart_beat *out);

/* Both have to want it; then the slower one decides. */
static inline uint32_t stomp_heart_beat_agree(uint32_t one, uint32_t other)
{
	if (one == 0 || other == 0)
		return 0;
	return one > other ? one : other;
}

/* How often to send one: a little early, for the interval is what comes between two of them at the
 * other end. */
static inline uint32_t stomp_heart_beat_interval(uint32_t every_ms)
{
	uint32_t early = every_ms / 10;

	return every_ms - (early < 1000 ? early : 1000);
}

/* The sooner of two times from now; `a` of 0 is never. */
static inline uint32_t stomp_heart_beat_sooner(uint32_t a, uint64_t b)
{
	uint32_t ms = b > STOMP_HEART_BEAT_MOST ? STOMP_HEART_BEAT_MOST : b < 1 ? 1 : (uint32_t)b;

	return a == 0 || ms < a ? ms : a;
}

#endif
