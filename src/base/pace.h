/*
 * base/pace.h - how fast at least something has to come in that is under way: a request's body, a
 * message. It is looked at when its time of grace is over, and then after each half of that: each
 * time it must have brought bytes_per_second since the last look.
 */
#ifndef BASE_PACE_H
#define BASE_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
	unsigned grace_ms;
	unsigned bytes_per_second;
};

/* Of one thing under way; zeroed before it begins. */
struct pace_watch {
	uint64_t began;   /* the present look's time, in milliseconds */
	uint64_t look_at; /* and its end; 0: nobody has looked yet */
	uint64_t octets;  /* that were here at its beginning */
};

/* Whether it has been too slow, now that so many octets of it are here. If not, w->look_at is when
 * to ask again; asking earlier is harmless. The first call begins the time of grace. */
static inline bool pace_is_too_slow(
    struct pace_watch *w, const struct pace *p, uint64_t now, uint64_t octets)
{
	if (w->look_at != 0 && now < w->look_at)
		return false;
	if (w->look_at != 0 &&
	    octets - w->octets < p->bytes_per_second * (w->look_at - w->began) / 1000)
		return true;
	w->octets = w->look_at ? octets : 0;
	w->look_at = now + (w->look_at ? p->grace_ms / 2 + 1 : p->grace_ms);
	w->began = now;
	return false;
}

#endif
