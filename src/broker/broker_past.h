/*
 * broker/broker_past.h - what is kept of one destination by its owner; for broker_history.c (keeping),
 * broker_recall.c (telling) and broker_peers.c (what peers keep) alone.
 */
#ifndef BROKER_BROKER_PAST_H
#define BROKER_BROKER_PAST_H

#include "broker/broker_history.h"

#define KEPT_COST 128 /* of a message that is kept, beside its octets */

/* Of one destination. */
struct past {
	struct map_node node; /* part->pasts */
	struct list by_use;   /* part->pasts_by_use: the last used is the last */
	const struct broker_history_rule *rule;
	struct list kept; /* oldest first */
	size_t count;
	uint64_t gone; /* the sequence up to which something may be missing */
	uint64_t last; /* the last one, if there is a store, */
	uint64_t lost; /* up to which that has none of them */
	uint64_t until; /* of peers: all behind `gone` is known, up to this; 0: nothing is */
	bool is_whole;  /* and they have nothing before that which there is room for */
	uint16_t name_len;
	char name[];
};

struct kept {
	struct list of_past;
	struct list of_part; /* part->kept: oldest first */
	struct past *past;
	struct broker_message *message;
	uint64_t at;
	size_t cost;
};

static inline struct kept *broker_past_oldest(const struct past *past)
{
	struct list *first = list_first(&past->kept);

	return first ? container_of(first, struct kept, of_past) : NULL;
}

/* The last that is in it, or was. What the store has not made safe yet is behind that, and comes.
 */
static inline uint64_t broker_past_last(const struct past *past)
{
	return list_empty(&past->kept)
	           ? past->gone
	           : container_of(past->kept.prev, struct kept, of_past)->message->sequence;
}

/* --- broker_history.c ---------------------------------------------------------------------- */

/* NULL: there is none. The others: memory is out, or nothing is kept of it. */
struct past *broker_past_find(struct broker_part *part, struct bytes destination);
struct past *broker_past_add(struct broker_part *part, struct bytes destination, uint64_t sequence);
struct past *broker_past_of(struct broker_part *part, struct broker_message *m);
void broker_past_free(struct broker_part *part, struct past *past);
void broker_past_drop(struct broker_part *part, struct kept *k);
/* What its rule does not keep any more goes. */
void broker_past_trim(struct broker_part *part, struct past *past);
/* For so many octets, in this part: the oldest go. */
void broker_past_make_room(struct broker_part *part, size_t cost);
/* At its end, or behind `where` (if there is room). False: there is none, or no memory. */
bool broker_past_append(
    struct broker_part *part, struct past *past, struct broker_message *m, uint64_t at);
bool broker_past_insert(struct broker_part *part, struct past *past, struct list *where,
    struct broker_message *m, uint64_t at);

/* --- broker_peers.c ------------------------------------------------------------------------- */

/* A message has come; without a place among theirs it passes, and is not kept. It may be here already,
 * since it was loaded. */
void broker_past_place(struct broker_part *part, struct broker_message *m);
/* What was loaded. */
void broker_past_take(struct broker_part *part, struct past *past, const struct broker_loaded *l);

#endif
