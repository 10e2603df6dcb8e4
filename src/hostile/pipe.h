/*
 * hostile/pipe.h - one direction of a connection: octets on their way, and what keeps them. No I/O.
 *
 * Octets come out in the order in which they went in, none before it is due. Whoever writes asks
 * what may go out now, and when to ask again. Times are milliseconds.
 */
#ifndef HOSTILE_PIPE_H
#define HOSTILE_PIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/list.h"

/* Beyond it whoever fills the pipe stops reading, unless octets are held. */
#define PIPE_FULL (256 * 1024)
/* What is held is let go when it is more. */
#define PIPE_HOLD_MOST (64 * 1024 * 1024)

struct pipe_settings {
	bool stalled;         /* nothing comes out, nothing is lost */
	uint64_t delay_ms;    /* of each octet */
	uint64_t rate;        /* octets a second; 0: as they come */
	uint64_t piece;       /* the most octets at a time; 0: any */
	uint64_t every_ms;    /* between two pieces */
	uint64_t coalesce_ms; /* what comes in so long a time goes out together */
	bool holds;           /* nothing comes out before there are `hold` octets, or the end */
	uint64_t hold;        /* 0: only at the end */
};

enum pipe_end { PIPE_OPEN, PIPE_FIN, PIPE_RST };

struct pipe {
	struct list parcels;
	struct pipe_settings set;
	size_t queued, memory;
	size_t held;        /* the last ones of those: not to come out yet */
	uint64_t last_due;  /* nothing overtakes */
	uint64_t batch_due; /* of what is coalesced */
	uint64_t free_us;   /* when the rate, or the time between pieces, lets the next ones go */
	enum pipe_end end;
	uint64_t end_due;
	bool overflowed; /* more was to be held than can be */
};

void pipe_init(struct pipe *p);
void pipe_fini(struct pipe *p);

/* Changes what is done to octets, from the next one on; what was held and is not any more is let
 * go. */
void pipe_set(struct pipe *p, const struct pipe_settings *set);
/* Copies them; `jitter_ms` is added to the delay. 0 or -ENOMEM. */
int pipe_push(struct pipe *p, struct bytes b, uint64_t jitter_ms, uint64_t now);
/* A message has ended: what is held is let go. */
void pipe_release(struct pipe *p);
/* Nothing follows; the end comes out behind all octets, as late as they. The first call counts. */
void pipe_finish(struct pipe *p, enum pipe_end how, uint64_t now);
/* Forgets all octets. */
void pipe_clear(struct pipe *p);

static inline bool pipe_is_full(const struct pipe *p)
{
	return p->queued - p->held >= PIPE_FULL || p->end != PIPE_OPEN ||
	       (p->held == 0 && p->memory >= (size_t)16 * PIPE_FULL);
}

/* What may go out now; no octets: nothing. */
struct bytes pipe_peek(const struct pipe *p, uint64_t now);
/* So many of them have. */
void pipe_take(struct pipe *p, size_t n, uint64_t now);
/* How it ends, if that is due now; else PIPE_OPEN. */
enum pipe_end pipe_ended(const struct pipe *p, uint64_t now);
/* Milliseconds until there is something to do; UINT64_MAX: not by time alone. */
uint64_t pipe_wait(const struct pipe *p, uint64_t now);

#endif
