/*
 * base/clock.h - monotonic time in milliseconds.
 *
 * clock_now() asks the kernel; the loop asks once per turn and hands out the
 * cached value (loop_now()), so that everything in a turn sees one time.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_now(void);
/* The same clock in nanoseconds. */
uint64_t clock_ns(void);

/* For tests: from now on clock_now() returns `ms`; 0 gives the real clock back. */
void clock_set(uint64_t ms);

#endif
