/*
 * base/clock.c - monotonic time; see clock.h.
 */
#include "base/clock.h"

#include <time.h>

static uint64_t fake;

uint64_t clock_now(void)
{
	struct timespec ts;

	if (__builtin_expect(fake != 0, 0))
		return fake;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t clock_ns(void)
{
	struct timespec ts;

	if (__builtin_expect(fake != 0, 0))
		return fake * 1000000;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void clock_set(uint64_t ms)
{
	fake = ms;
}
