/*
 * session/message_ring.h - messages that wait, in order.
 *
 * A ring of references; it owns one of each message in it. An idle session keeps a
 * handful of slots at most.
 */
#ifndef SESSION_MESSAGE_RING_H
#define SESSION_MESSAGE_RING_H

#include <stdint.h>

#include "base/message.h"

struct message_ring {
	struct message **items;
	uint32_t head, count, cap; /* cap is a power of two, or 0 */
};

/* Takes the caller's reference over; 0 or -ENOMEM (then it does not). */
int message_ring_push(struct message_ring *ring, struct message *m);
/* The i-th of those that wait; borrowed. */
struct message *message_ring_at(const struct message_ring *ring, uint32_t i);
/* Drops the first `count`. */
void message_ring_drop(struct message_ring *ring, uint32_t count);
/* Gives back what an idle session does not need. */
void message_ring_rest(struct message_ring *ring);
/* Drops all; empty and usable afterwards. */
void message_ring_fini(struct message_ring *ring);

#endif
