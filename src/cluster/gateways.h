/*
 * cluster/gateways.h - which gateways there are, as one of them knows it at a moment. Nobody changes it any more:
 * every thread has a reference to the one of now, and gets the next one when something has changed.
 *
 * A view is a number of all that take new sessions: whoever has the same one finds the same owners.
 */
#ifndef CLUSTER_GATEWAYS_H
#define CLUSTER_GATEWAYS_H

#include <stdatomic.h>

#include "cluster/gateway_card.h"

#define GATEWAYS_MOST 256 /* whoever speaks to the engine may invent some */

struct gateway {
	uint64_t id;
	bool is_self;
	struct gateway_card card;
};

struct gateways {
	atomic_uint refs;
	uint64_t view;
	/* All are where everybody looks for them; else it is asked for each session that is not here */
	bool is_calm;
	size_t count; /* with us; 1: we are alone */
	struct gateway all[];
};

/* `list` is copied. One reference; NULL: memory is out. */
struct gateways *gateways_new(const struct gateway *list, size_t count, bool is_calm);
struct gateways *gateways_ref(struct gateways *g);
void gateways_unref(struct gateways *g); /* NULL is fine */
/* By its id; NULL: it is not there. */
const struct gateway *gateways_find(const struct gateways *g, uint64_t id);
/* Whose a new session of this key is: of all that take some, and that may be (NULL: all may). We, if there are none. */
const struct gateway *gateways_owner(const struct gateways *g, uint64_t key,
    bool (*may_be)(const struct gateway *one, void *arg), void *arg);
/* Whether somebody at this address is one of them. */
bool gateways_has_address(const struct gateways *g, const struct addr *a);

#endif
