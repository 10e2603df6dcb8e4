/*
 * upstream/upstream_private.h - what the files of a connection to a backend share; for
 * them alone. Each calls those below it:
 *
 *	upstream_snapshot.c  what another process goes on with
 *	upstream_connect.c  a connection in the making
 *	upstream_conn.c     an open one: what the backend says, closing
 *	upstream_ping.c     its timer
 *	upstream_out.c      messages to the backend
 *	upstream_refusal.c  what a client sees when a backend refuses
 *	upstream_report.c   what it is told of its messages, when its client is gone
 *	upstream_parting.c  sessions of a backend that is to be free of them
 *	upstream_reactor.c  a reactor's share; ends
 *	upstream_opening.c  what there is of a connection while it is made
 */
#ifndef UPSTREAM_PRIVATE_H
#define UPSTREAM_PRIVATE_H

#include "server/session_notes.h"
#include "upstream/upstream_conn.h"

struct upstream_conn {
	struct list node; /* reactor->conns, or the target's */
	struct upstream_reactor *reactor;
	struct target *target;            /* counted; NULL: none at the moment */
	struct sockjs_session *session;   /* NULL: it is over */
	struct upstream_opening *opening; /* NULL once open */
	struct buf *rest;                 /* read, and not yet taken; else NULL */
	struct ws_deflate *compressor;    /* of its own, with context takeover */
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
	bool parting; /* its session has been closed for it to be free, and will say so */
	bool is_listed; /* among the open ones of its target */
	bool asks_again; /* its session's timer will look whether the client has room */
};

struct upstream_opening {
	struct dial dial;
	struct resolution resolution;
	struct upstream_conn *conn;
	struct timer early;          /* then a SockJS client waits no longer for its o */
	struct ws_client *handshake; /* asked, and not yet answered */
	struct upstream_request *request;
	const struct refusal *verdict; /* on the target tried last; NULL: there was none */
	struct ws_client *answer;      /* the handshake in which it was given; NULL: by nobody */
	uint64_t begun;                /* with this target */
	uint64_t trial;                /* of this target, if it is one: balancer_pick() */
	uint64_t deadline;             /* of it all */
	uint64_t tried;                /* a bit for each target */
	size_t addresses;              /* of this target, still to be tried */
	bool dialling, resolving;
};

/* What a client is told when a backend is not there any more. */
#define UPSTREAM_WENT_AWAY "The application went away"

static inline uint64_t upstream_conn_now(const struct upstream_conn *uc)
{
	return loop_now(uc->reactor->loop);
}

/* What the reactor has of its target. */
static inline struct target_share *upstream_share_of(const struct upstream_conn *uc)
{
	return &uc->reactor->targets[uc->target - uc->reactor->settings->balancer.targets];
}

/* Whether there is something to do before more may be read. */
static inline bool upstream_conn_is_behind(const struct upstream_conn *uc)
{
	return uc->rest || ws_conn_is_behind(&uc->conn);
}

/* Whether something of what was written has been taken since this was last asked. */
static inline bool upstream_conn_has_moved(struct upstream_conn *uc)
{
	uint64_t acked = stream_acked(&uc->stream);
	bool moved = uc->moved || acked > uc->acked;

	uc->acked = acked;
	uc->moved = false;
	return moved;
}

#define UPSTREAM_ASK_AGAIN_MS 20 /* whether a client has room */

/* --- upstream_connect.c ---------------------------------------------------------- */

/* As upstream_conn_new(), for a session that has waited in another process: until `deadline` (0: it has not begun), and
 * opens at `early` (0: it need not), by the clock. */
struct upstream_conn *upstream_conn_new_again(struct upstream_reactor *reactor,
    struct sockjs_session *session, struct upstream_request *request, uint64_t deadline,
    uint64_t early);

/* --- upstream_conn.c ------------------------------------------------------------- */

extern const struct ws_conn_ops upstream_conn_ops;
extern const struct stream_events upstream_conn_events;

/* The handshake is over, the stream is the connection's; `early` are bytes behind it. */
void upstream_conn_opened(
    struct upstream_conn *uc, const struct ws_client_outcome *outcome, struct bytes early);
/* Its session is closed, so that the client may come back elsewhere; then so is it. */
void upstream_conn_part(struct upstream_conn *uc);

/* --- upstream_ping.c -------------------------------------------------------- */

void upstream_conn_on_timer(struct timer *t);

/* --- upstream_out.c --------------------------------------------------------- */

/* If it fails a hang-up follows. Until then what has been read is taken: it may hold a Close. */
void upstream_conn_write(struct upstream_conn *uc, const char *p, size_t n);
/* What was composed for a backend leaves. */
void upstream_conn_flush(struct upstream_reactor *reactor);

/* --- upstream_refusal.c ----------------------------------------------------- */

struct refusal {
	unsigned answer; /* the backend's status */
	unsigned status; /* for a bare WebSocket */
	unsigned code;   /* for a SockJS client */
	const char *reason;
};

extern const struct refusal upstream_unreachable, upstream_too_late, upstream_not_passed_on,
    upstream_no_memory, upstream_all_rest;

/* What stands for a backend's status. */
const struct refusal *upstream_refusal_for(unsigned answer);
/* Ends the connection, and its session with it. */
void upstream_refuse(struct upstream_conn *uc, const struct refusal *r);
/* Only a bare WebSocket can have them: the answer to any other has begun, or may have. */
void upstream_pass_cookies_on(struct upstream_conn *uc, const char *cookies);

/* --- upstream_parting.c ----------------------------------------------------- */

void upstream_on_parting(struct timer *t);

/* --- upstream_reactor.c -------------------------------------------------------- */

/* It is one of the reactor's from now on; in zeroed memory. */
void upstream_conn_join(
    struct upstream_conn *uc, struct upstream_reactor *reactor, struct sockjs_session *session);
/* It is an open one of its target. */
void upstream_conn_enlist(struct upstream_conn *uc);
/* It is not any more. */
void upstream_conn_delist(struct upstream_conn *uc);
/* Closes whatever there is; the memory goes at the end of the turn. */
void upstream_conn_end(struct upstream_conn *uc);
/* The session ends, and then calls us: upstream_conn_client_closed(). */
void upstream_conn_end_session(struct sockjs_session *s, unsigned code, const char *reason);
/* The session, if there still is one, ends with this; it will not call us again. */
void upstream_conn_close_session(struct upstream_conn *uc, unsigned code, const char *reason);
/* The backend broke off: both. */
void upstream_conn_lost(struct upstream_conn *uc, unsigned code, const char *reason);

/* --- upstream_opening.c: harmless without one ------------------------------- */

/* A connection that nobody has begun yet; takes the request over, also on error. NULL when memory is out. */
struct upstream_conn *upstream_opening_new(struct upstream_reactor *reactor,
    struct sockjs_session *session, struct upstream_request *request);

/* Nothing of it is called any more. */
void upstream_opening_stop(struct upstream_conn *uc);
/* Likewise, of what is done for one target. */
void upstream_opening_stop_attempt(struct upstream_opening *o);
void upstream_opening_forget_answer(struct upstream_opening *o);
void upstream_opening_free(struct upstream_conn *uc);
/* The client has left meanwhile. */
void upstream_opening_left(struct upstream_conn *uc);
/* The target is not ours any more, and if nothing was found out about it, others may try. */
void upstream_release_target(struct upstream_conn *uc);

#endif
