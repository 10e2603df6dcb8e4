/*
 * upstream/balancer_private.h - between balancer.c (who gets a session), balancer_rest.c (who is
 * left alone), balancer_state.c (who is out) and balancer_snapshot.c (what another process is told of them); for them
 * alone.
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

/* --- balancer_state.c ------------------------------------------------------------- */

/* What operators have set for a target, and when and why its state was last changed. */
struct target_orders {
	enum target_mode mode;
	unsigned weight, own_weight; /* its share; that of the configuration which it had then */
	uint64_t since;
	char why[TARGET_WHY_MAX + 1];
};

void balancer_orders(struct target *t, struct target_orders *o);
/* They hold for this one from now on, but for a weight, if the configuration has meanwhile changed its mind. */
void balancer_obey(struct balancer *balancer, struct target *t, const struct target_orders *o);

#endif
