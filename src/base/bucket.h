/*
 * base/bucket.h - a token bucket: so much a second, and as much at once as a second brings.
 *
 * It is kept as one number, the time at which it will be full again (the generic cell rate
 * algorithm): nothing has to be filled, and a bucket that nobody has used for a second is as a
 * new one. The caller locks, if need be.
 */
#ifndef BASE_BUCKET_H
#define BASE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#define BUCKET_SECOND UINT64_C(1000000) /* times here are in microseconds */

struct bucket {
	uint64_t full_at; /* in the past: it is full */
};

/* How far it is from full, in microseconds. */
static inline uint64_t bucket_missing(const struct bucket *b, uint64_t now_ms)
{
	uint64_t now = now_ms * 1000;

	return b->full_at > now ? b->full_at - now : 0;
}

/* Takes `n` (at most 2^40) whether they are there or not. Returns how many milliseconds it takes
 * until nothing is owed any more; 0: they were there. */
static inline uint64_t bucket_charge(
    struct bucket *b, uint64_t per_second, uint64_t n, uint64_t now_ms)
{
	uint64_t missing = bucket_missing(b, now_ms) + n * BUCKET_SECOND / per_second;

	b->full_at = now_ms * 1000 + missing;
	return missing > BUCKET_SECOND ? (missing - BUCKET_SECOND + 999) / 1000 : 0;
}

/* Takes one if it is there. */
static inline bool bucket_take(struct bucket *b, uint64_t per_second, uint64_t now_ms)
{
	struct bucket after = *b;

	if (bucket_charge(&after, per_second, 1, now_ms) > 0)
		return false;
	*b = after;
	return true;
}

#endif
