/*
 * upstream/link_private.h - what link.c (an open link) and link_open.c (one in the making)
 * share; for them alone.
 */
#ifndef UPSTREAM_LINK_PRIVATE_H
#define UPSTREAM_LINK_PRIVATE_H

#include "upstream/link.h"

struct link_opening; /* link_open.c */

struct link {
	struct list node; /* part->links */
	struct upstream_part *part;
	struct target *target;          /* counted; NULL: none at the moment */
	struct sockjs_session *session; /* NULL: it is over */
	struct link_opening *opening;   /* NULL once open */
	struct buf *rest;               /* read, and not yet taken; else NULL */
	struct ws_deflate *compressor;  /* of its own, with context takeover */
	struct stream stream;
	struct ws_conn conn;
	struct timer timer;
	struct deferred deferred;
	uint64_t last_heard;
	uint64_t pinged_at; /* if `pinged` */
	uint64_t line_end;  /* what stands before the ping ends there: stream_acked(); 0: nothing */
	uint64_t acked;     /* stream_acked() when it was last looked at */
	bool client_paused; /* the backend is not here yet, or does not take what it is sent */
	bool choked;  /* the backend is not read: the client does not read, or is not here yet */
	bool closing; /* our Close is out */
	bool pinged;
	bool moved;  /* what was queued has gone since it was last looked at */
	bool shut;   /* the codec has seen the end */
	bool broken; /* the connection is lost; what it brought waits for the client to have room */
	bool ended;
};

/* What a client is told when a backend is not there any more. */
#define UPSTREAM_WENT_AWAY "The application went away"

/* link.c: the handshake is over, the stream is the link's; `early` are bytes behind it. */
void link_opened(struct link *l, const struct ws_client_outcome *outcome, struct bytes early);
/* Closes whatever there is; the memory goes at the end of the turn. */
void link_end(struct link *l);

/* link_open.c: nothing of it is called any more; its memory. Harmless without one. */
void link_opening_stop(struct link *l);
void link_opening_free(struct link *l);
/* The client has left meanwhile. */
void link_opening_left(struct link *l);
/* The target is not ours any more, and if nothing was found out about it, others may try. */
void link_release_target(struct link *l);

#endif
