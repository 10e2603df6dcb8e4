/*
 * engine/nats_places.h - how far each subject of a stream has come: the sequence of the last message that
 * was passed on. Those that were used least lately are forgotten.
 */
#ifndef ENGINE_NATS_PLACES_H
#define ENGINE_NATS_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"

#define NATS_PLACES_MOST 65536

struct nats_place {
	struct map_node node;
	struct list by_use; /* the last used is the last */
	struct list lacking; /* in the list of those that lack something; else on its own */
	struct list waiting; /* for it to lack nothing any more: the owner's */
	uint64_t last;      /* 0: nothing has come */
	uint64_t at;        /* when it was set, by the order of what came */
	uint64_t skipped;   /* what has come since something is lacking, and is fetched with it */
	bool is_message;    /* `last` is one of this subject, and not just where we began */
	bool is_after_gap;  /* some of what it lacked may be nowhere */
	uint16_t len;
	char name[];
};

struct nats_places {
	struct map map;
	struct list by_use;
	struct list *freed; /* where those go that wait for a place that is forgotten */
};

void nats_places_init(struct nats_places *all, struct list *freed);
void nats_places_fini(struct nats_places *all);
/* Nobody waits for any of them any more. */
void nats_places_free_waiting(struct nats_places *all);
/* Nothing is known any more. */
void nats_places_clear(struct nats_places *all);
/* NULL: it is not known; with `add`: memory is out. */
struct nats_place *nats_places_get(struct nats_places *all, struct bytes name, bool add);

#endif
