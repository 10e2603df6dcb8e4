/*
 * base/pace.h - how fast at least something has to come in that is under way: a request's body, a
 * message. Anybody may take his time for a while; then what has come must have been worth it.
 */
#ifndef BASE_PACE_H
#define BASE_PACE_H

#include <stdint.h>

struct pace {
	unsigned grace_ms;         /* for whatever it is */
	unsigned bytes_per_second; /* then, on the average; not 0 */
};

/* How long something of which so many octets are here may have taken, in milliseconds. */
static inline uint64_t pace_ms(const struct pace *p, uint64_t octets)
{
	return p->grace_ms + octets * 1000 / p->bytes_per_second;
}

#endif
