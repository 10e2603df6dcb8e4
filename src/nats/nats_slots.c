/*
 * nats/nats_slots.c - numbers; see nats_slots.h.
 */
#include "nats/nats_slots.h"

#include "base/mem.h"

enum { PLACE_BITS = 24, SIZE_MIN = 16 };

void nats_slots_fini(struct nats_slots *s)
{
	mem_free(s->slots);
	*s = (struct nats_slots){ 0 };
}

static int grow(struct nats_slots *s)
{
	uint32_t size = s->size ? 2 * s->size : SIZE_MIN;
	struct nats_slot *slots;

	if (size > 1u << PLACE_BITS || !(slots = mem_realloc_array(s->slots, size, sizeof(*slots))))
		return -1;
	for (uint32_t i = s->size; i < size; i++)
		slots[i] = (struct nats_slot){ .next_free = i + 1 < size ? i + 1 : 0 };
	s->first_free = s->size ? s->size : 1;
	s->slots = slots;
	s->size = size;
	return 0;
}

uint64_t nats_slots_add(struct nats_slots *s, void *owner)
{
	struct nats_slot *slot;
	uint32_t place;

	if (s->first_free == 0 && grow(s) < 0)
		return 0;
	place = s->first_free;
	slot = &s->slots[place];
	s->first_free = slot->next_free;
	slot->owner = owner;
	s->used++;
	return (uint64_t)slot->generation << PLACE_BITS | place;
}

static struct nats_slot *find(const struct nats_slots *s, uint64_t number)
{
	uint64_t place = number & ((1u << PLACE_BITS) - 1);

	if (place >= s->size || s->slots[place].generation != number >> PLACE_BITS)
		return NULL;
	return &s->slots[place];
}

void *nats_slots_find(const struct nats_slots *s, uint64_t number)
{
	const struct nats_slot *slot = find(s, number);

	return slot ? slot->owner : NULL;
}

void nats_slots_remove(struct nats_slots *s, uint64_t number)
{
	struct nats_slot *slot = find(s, number);

	if (!slot || !slot->owner)
		return;
	slot->owner = NULL;
	slot->generation++;
	slot->next_free = s->first_free;
	s->first_free = (uint32_t)(slot - s->slots);
	s->used--;
}
