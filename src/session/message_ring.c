/*
 * session/message_ring.c - messages that wait, in order; see message_ring.h.
 */
#include "session/message_ring.h"

#include <errno.h>

#define SLOTS_MIN 8

static void free_slots(struct message_ring *ring, struct freelist *freelist)
{
	if (ring->cap)
		freelist_free(freelist, ring->items, ring->cap * sizeof(*ring->items));
}

static int grow(struct message_ring *ring, struct freelist *freelist)
{
	uint32_t cap = ring->cap ? ring->cap * 2 : SLOTS_MIN;
	struct message **items = freelist_alloc(freelist, cap * sizeof(*items));

	if (!items)
		return -ENOMEM;
	for (uint32_t i = 0; i < ring->count; i++)
		items[i] = message_ring_at(ring, i);
	free_slots(ring, freelist);
	*ring = (struct message_ring){ .items = items, .count = ring->count, .cap = cap };
	return 0;
}

int message_ring_push(struct message_ring *ring, struct freelist *freelist, struct message *m)
{
	if (ring->cap == 0 && ring->count == 0)
		ring->only = m;
	else if (ring->count >= ring->cap && grow(ring, freelist) < 0)
		return -ENOMEM;
	else
		ring->items[(ring->head + ring->count) & (ring->cap - 1)] = m;
	ring->count++;
	return 0;
}

void message_ring_drop(struct message_ring *ring, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		message_unref(message_ring_at(ring, i));
	if (ring->cap)
		ring->head = (ring->head + count) & (ring->cap - 1);
	ring->count -= count;
}

void message_ring_rest(struct message_ring *ring, struct freelist *freelist)
{
	if (ring->count > 0)
		return;
	free_slots(ring, freelist);
	*ring = (struct message_ring){ 0 };
}

void message_ring_fini(struct message_ring *ring, struct freelist *freelist)
{
	if (ring->count)
		message_ring_drop(ring, ring->count);
	message_ring_rest(ring, freelist);
}
