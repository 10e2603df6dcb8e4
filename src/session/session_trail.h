/*
 * session/session_trail.h - where the messages that were said end among the octets of their wire: what
 * session_delivery.c keeps, and another process gets. See there.
 */
#ifndef SESSION_SESSION_TRAIL_H
#define SESSION_SESSION_TRAIL_H

#include "session/session.h"

#define TRAIL_BYTES_MIN 128
#define TRAIL_BYTES_MAX 1024

struct mark {
	uint32_t at;   /* in the octets of the wire */
	uint32_t said; /* messages that end before; modulo 2^32 */
};

struct session_trail {
	uint64_t before;
	uint64_t acknowledged; /* known already, or (is_settled) in the end */
	union {
		uint64_t asked; /* what the client has been asked to prove; 0: nothing */
		uint64_t sent;  /* is_settled: in the end */
	};
	uint16_t count, cap;
	uint16_t stride, skipped; /* of so many places one is marked */
	struct mark marks[];
};

static inline size_t session_trail_bytes(size_t cap)
{
	return sizeof(struct session_trail) + cap * sizeof(struct mark);
}

static inline size_t session_trail_marks(size_t bytes)
{
	return (bytes - sizeof(struct session_trail)) / sizeof(struct mark);
}

/* In place of the one that there is. Sizes are powers of two, as those of the free list. False: memory is out. */
bool session_trail_make(struct session *s, size_t bytes);

/* Messages that were said before those that are not confirmed, and all. */
static inline uint64_t session_said_before(const struct session *s)
{
	return s->has_trail ? s->trail->before : s->before;
}

static inline uint64_t session_said(const struct session *s)
{
	return session_said_before(s) + s->unconfirmed;
}

#endif
