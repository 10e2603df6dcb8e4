/*
 * cluster/whereabouts.h - at which gateway a session is, for those that requests have come for: one table for each
 * thread, of bounded size; what was not used for longest is forgotten.
 */
#ifndef CLUSTER_WHEREABOUTS_H
#define CLUSTER_WHEREABOUTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"

#define WHEREABOUTS_MOST 65536

struct whereabout {
	struct map_node node;
	struct list by_use;
	uint64_t gateway;
	uint64_t until; /* it is a guess, and good up to then; 0: it was found there, or opened */
	uint16_t len;
	char name[];
};

struct whereabouts {
	struct map map;
	struct list by_use; /* the last used is the last */
};

void whereabouts_init(struct whereabouts *all);
void whereabouts_fini(struct whereabouts *all);
/* NULL: it is not known. */
struct whereabout *whereabouts_find(struct whereabouts *all, struct bytes name);
/* It is there; known already or not. 0 or -ENOMEM. */
int whereabouts_note(struct whereabouts *all, struct bytes name, uint64_t gateway, uint64_t until);

#endif
