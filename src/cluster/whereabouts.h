/*
 * cluster/whereabouts.h - at which gateway a session is, for those that requests have come for. One table for all
 * threads, in shards with a lock each, and of bounded size: of a shard that is full, what was not used for longest is
 * forgotten.
 */
#ifndef CLUSTER_WHEREABOUTS_H
#define CLUSTER_WHEREABOUTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"

#define WHEREABOUTS_SHARDS   16 /* a power of two */
#define WHEREABOUTS_OF_SHARD 16384

struct whereabouts {
	struct map_seed seed;
	struct whereabouts_shard {
		pthread_mutex_t lock;
		struct map map;
		struct list by_use; /* the last used is the last */
	} shards[WHEREABOUTS_SHARDS];
	atomic_bool has_any; /* something was noted once */
};

struct whereabout {
	uint64_t gateway;
	uint64_t until; /* it is a guess, and good up to then; 0: it was found there, or has answered */
};

void whereabouts_init(struct whereabouts *all);
void whereabouts_fini(struct whereabouts *all);
/* False: it is not known. */
bool whereabouts_find(struct whereabouts *all, struct bytes name, struct whereabout *found);
/* It is there; known already or not. 0 or -ENOMEM. */
int whereabouts_note(struct whereabouts *all, struct bytes name, struct whereabout known);
/* Whether nothing was ever noted; without a lock. */
static inline bool whereabouts_are_none(const struct whereabouts *all)
{
	return !atomic_load_explicit(&((struct whereabouts *)(uintptr_t)all)->has_any, memory_order_relaxed);
}

#endif
