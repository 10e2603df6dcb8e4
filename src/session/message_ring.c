/*
 * session/message_ring.c - messages that wait, in order; see message_ring.h.
 */
#include "session/message_ring.h"

#include <errno.h>

#include "base/mem.h"

int message_ring_push(struct message_ring *ring, struct message *m)
{
	if (ring->count == ring->cap) {
		uint32_t cap = ring->cap ? ring->cap * 2 : 4;
		struct message **items = mem_alloc(cap * sizeof(*items));

		if (!items)
			return -ENOMEM;
		for (uint32_t i = 0; i < ring->count; i++)
			items[i] = ring->items[(ring->head + i) & (ring->cap - 1)];
		mem_free(ring->items);
		ring->items = items;
		ring->head = 0;
		ring->cap = cap;
	}
	ring->items[(ring->head + ring->count++) & (ring->cap - 1)] = m;
	return 0;
}

struct message *message_ring_at(const struct message_ring *ring, uint32_t i)
{
	return ring->items[(ring->head + i) & (ring->cap - 1)];
}

void message_ring_drop(struct message_ring *ring, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		message_unref(message_ring_at(ring, i));
	ring->head = (ring->head + count) & (ring->cap - 1);
	ring->count -= count;
}

void message_ring_fini(struct message_ring *ring)
{
	if (ring->count)
		message_ring_drop(ring, ring->count);
	mem_free(ring->items);
	*ring = (struct message_ring){ 0 };
}

/* An idle session keeps no more than a handful of slots. */
void message_ring_rest(struct message_ring *ring)
{
	if (ring->count == 0 && ring->cap > 4)
		message_ring_fini(ring);
}
