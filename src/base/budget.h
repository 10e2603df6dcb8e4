/*
 * base/budget.h - how much work may still be done before it is others' turn.
 *
 * Work is counted by whoever does it, in nanoseconds of a common processor, as what it is known
 * to cost: then a test can count, too, and no clock is asked for each message. The costs here are
 * measured and rounded up; whoever has them from the outside (net/loop.c) looks at the clock now
 * and then, for slower machines and for applications that compute.
 */
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct budget {
	int64_t left; /* nanoseconds; not above 0: spent */
};

enum {
	COST_FRAME = 50,       /* of WebSocket: its header, whatever its payload is */
	COST_MESSAGE = 500,    /* to an application, which does something with it */
	COST_KEEP = 250,       /* the same, for later: memory that was not in use is touched */
	COST_SEND = 4000,      /* a system call that writes to a socket */
	COST_EVENT = 1000,     /* a watch that is called, and reads */
	COST_REQUEST = 15000,  /* a head that libmicrohttpd reads, and an answer */
	COST_MAIL = 200,       /* from another thread, whatever it brings */
	COST_TLS_STEP = 250000 /* of a handshake: half a signature */
};

static inline void budget_spend(struct budget *b, uint64_t cost)
{
	b->left -= (int64_t)cost;
}

static inline bool budget_is_spent(const struct budget *b)
{
	return b->left <= 0;
}

/* Octets that are looked at and moved once: unmasked, checked, copied. */
static inline uint64_t cost_of_octets(size_t n)
{
	return n / 4;
}

/* Octets of JSON that are taken apart. */
static inline uint64_t cost_of_json(size_t n)
{
	return n;
}

/* Octets that come out of an inflater. */
static inline uint64_t cost_of_inflating(size_t n)
{
	return 3 * (uint64_t)n;
}

/* Octets that go into a deflater. */
static inline uint64_t cost_of_deflating(size_t n)
{
	return 8 * (uint64_t)n;
}

#endif
