/*
 * session/message_ring.h - messages that wait, in order.
 *
 * A ring of references; it owns one of each message in it. One message, the usual
 * case, stands in the ring itself. The slots for more are from a free list, always the same, and go
 * back there when nothing waits: an idle session keeps none.
 */
#ifndef SESSION_MESSAGE_RING_H
#define SESSION_MESSAGE_RING_H

#include <stdint.h>

#include "base/message.h"
#include "base/freelist.h"

struct message_ring {
	union {
		struct message *only;   /* cap is 0 */
		struct message **items; /* cap is a power of two */
	};
	uint32_t head, count, cap;
};

/* Takes the caller's reference over; 0 or -ENOMEM (then it does not). */
int message_ring_push(struct message_ring *ring, struct freelist *freelist, struct message *m);
/* The i-th of those that wait; borrowed. */
static inline struct message *message_ring_at(const struct message_ring *ring, uint32_t i)
{
	return ring->cap ? ring->items[(ring->head + i) & (ring->cap - 1)] : ring->only;
}
/* Drops the first `count`. */
void message_ring_drop(struct message_ring *ring, uint32_t count);
/* Gives the slots back if nothing waits. */
void message_ring_rest(struct message_ring *ring, struct freelist *freelist);
/* Drops all; empty and usable afterwards. */
void message_ring_fini(struct message_ring *ring, struct freelist *freelist);

#endif
