/*
 * hostile/reach.h - a connection to a host by its name: its addresses are tried in turn.
 */
#ifndef HOSTILE_REACH_H
#define HOSTILE_REACH_H

#include "net/dialer.h"
#include "net/resolver.h"

struct reach;

/* As dialed_fn: take the stream by stream_move(), or it is closed; NULL: `err` says why. */
typedef void (*reached_fn)(struct reach *r, struct stream *s, int err);

/* Embedded and zeroed before the first use; its memory must stay until the end of the turn in which
 * it was done or cancelled. All fields are its own. */
struct reach {
	struct resolution resolution;
	struct dial dial;
	struct loop *loop; /* NULL: nothing is under way */
	struct addr addrs[RESOLVER_ADDRS_MAX];
	size_t count, next;
	reached_fn done;
};

/* `done` is called once, from the loop, unless it is cancelled. */
void reach_start(struct reach *r, struct loop *loop, struct resolver *resolver, const char *host,
    uint16_t port, reached_fn done);
void reach_cancel(struct reach *r);

#endif
