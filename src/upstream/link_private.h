/*
 * upstream/link_private.h - what the files of a link share; for them alone. Each calls
 * those below it:
 *
 *	link_open.c     a link in the making
 *	link.c          an open one: what the backend says, closing
 *	link_ping.c     its timer
 *	link_out.c      messages to the backend
 *	link_refusal.c  what a client sees when a backend refuses
 *	link_part.c     a reactor's share; ends
 *	link_opening.c  what there is of a link while it is made
 */
#ifndef UPSTREAM_LINK_PRIVATE_H
#define UPSTREAM_LINK_PRIVATE_H

#include "upstream/link.h"

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

struct link_opening {
	struct dial dial;
	struct resolution resolution;
	struct link *link;
	struct timer early;          /* then a SockJS client waits no longer for its o */
	struct ws_client *handshake; /* asked, and not yet answered */
	struct link_request *request;
	const struct refusal *verdict; /* on the target tried last; NULL: there was none */
	struct ws_client *answer;      /* the handshake in which it was given; NULL: by nobody */
	uint64_t begun;                /* with this target */
	uint64_t trial;                /* of this target, if it is one: pool_pick() */
	uint64_t deadline;             /* of it all */
	uint64_t tried;                /* a bit for each target */
	size_t addresses;              /* of this target, still to be tried */
	bool dialling, resolving;
};

/* What a client is told when a backend is not there any more. */
#define UPSTREAM_WENT_AWAY "The application went away"

static inline uint64_t link_now(const struct link *l)
{
	return loop_now(l->part->loop);
}

/* Whether there is something to do before more may be read. */
static inline bool link_is_behind(const struct link *l)
{
	return l->rest || ws_conn_is_behind(&l->conn);
}

/* Whether something of what was written has been taken since this was last asked. */
static inline bool link_has_moved(struct link *l)
{
	uint64_t acked = stream_acked(&l->stream);
	bool moved = l->moved || acked > l->acked;

	l->acked = acked;
	l->moved = false;
	return moved;
}

/* --- link.c ------------------------------------------------------------- */

/* The handshake is over, the stream is the link's; `early` are bytes behind it. */
void link_opened(struct link *l, const struct ws_client_outcome *outcome, struct bytes early);

/* --- link_ping.c -------------------------------------------------------- */

void link_on_timer(struct timer *t);

/* --- link_out.c --------------------------------------------------------- */

/* If it fails a hang-up follows. Until then what has been read is taken: it may hold a Close. */
void link_write(struct link *l, const char *p, size_t n);
/* What was composed for a backend leaves. */
void link_flush(struct upstream_part *part);

/* --- link_refusal.c ----------------------------------------------------- */

struct refusal {
	unsigned answer; /* the backend's status */
	unsigned status; /* for a bare WebSocket */
	unsigned code;   /* for a SockJS client */
	const char *reason;
};

extern const struct refusal link_unreachable, link_too_late, link_not_passed_on, link_no_memory,
    link_all_rest;

/* What stands for a backend's status. */
const struct refusal *link_refusal_for(unsigned answer);
/* Ends the link, and its session with it. */
void link_refuse(struct link *l, const struct refusal *r);
/* Only a bare WebSocket can have them: the answer to any other has begun, or may have. */
void link_pass_cookies_on(struct link *l, const char *cookies);

/* --- link_part.c -------------------------------------------------------- */

/* Closes whatever there is; the memory goes at the end of the turn. */
void link_end(struct link *l);
/* The session, if there still is one, ends with this; it will not call us again. */
void link_close_session(struct link *l, unsigned code, const char *reason);
/* The backend broke off: both. */
void link_lost(struct link *l, unsigned code, const char *reason);

/* --- link_opening.c: harmless without one ------------------------------- */

/* Nothing of it is called any more. */
void link_opening_stop(struct link *l);
/* Likewise, of what is done for one target. */
void link_opening_stop_attempt(struct link_opening *o);
void link_opening_forget_answer(struct link_opening *o);
void link_opening_free(struct link *l);
/* The client has left meanwhile. */
void link_opening_left(struct link *l);
/* The target is not ours any more, and if nothing was found out about it, others may try. */
void link_release_target(struct link *l);

#endif
