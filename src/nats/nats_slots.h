/*
 * nats/nats_slots.h - numbers for what a server names when it answers: subscriptions and requests.
 *
 * A number is a place in a table and how often that was used before, so that what comes late for
 * one who has left does not reach who has come in his stead.
 */
#ifndef NATS_SLOTS_H
#define NATS_SLOTS_H

#include <stddef.h>
#include <stdint.h>

struct nats_slot {
	void *owner;         /* NULL: free */
	uint32_t generation; /* times that it was given back */
	uint32_t next_free;  /* 0: the last one */
};

/* Zeroed: empty. */
struct nats_slots {
	struct nats_slot *slots; /* the first is nobody's, so that no number is 0 */
	uint32_t size;
	uint32_t first_free;
	uint32_t used;
};

void nats_slots_fini(struct nats_slots *s);
/* A number for `owner`; 0: memory is out, or there are 16 million. */
uint64_t nats_slots_add(struct nats_slots *s, void *owner);
/* NULL: nobody has it any more. */
void *nats_slots_find(const struct nats_slots *s, uint64_t number);
void nats_slots_remove(struct nats_slots *s, uint64_t number);

/* The owner in the i-th place, i < size, or NULL: for walking through all. */
static inline void *nats_slots_at(const struct nats_slots *s, uint32_t i)
{
	return s->slots[i].owner;
}

#endif
