/*
 * upstream/balancer_private.h - between balancer.c (who gets a session), balancer_rest.c (who is
 * left alone) and balancer_state.c (who is out); for them alone.
 */
#ifndef UPSTREAM_BALANCER_PRIVATE_H
#define UPSTREAM_BALANCER_PRIVATE_H

#include "upstream/balancer.h"

/* Whom a session may go to: at first those that do well and those whose rest is over; if there are
 * none, those that have had a short one, and those that are at the back. */
enum pass { AT_FIRST, IF_NEED_BE };

static inline uint64_t not_before(const struct target *t, enum pass pass)
{
	return target_load(pass == AT_FIRST ? &t->rests_until : &t->barred_until);
}

/* --- balancer_rest.c -------------------------------------------------------------- */

/* Whether it has rested until now. */
bool balancer_end_rest(struct target *t);

#endif
