/*
 * transports/ws_receiver_private.h - the files of a WebSocket as a receiver. Each calls
 * those below it:
 *
 *   ws_upgrade.c      from a request to an attached receiver
 *   ws_receiver_in.c  what comes: the stream's events, the codec's ops
 *   ws_deadlines.c    the timer
 *   ws_receiver.c     the verbs of the session; the ends
 *   ws_pending.c      the answer to a handshake that waits for the application
 *   ws_frames.c       messages as frames
 */
#ifndef TRANSPORTS_WS_RECEIVER_PRIVATE_H
#define TRANSPORTS_WS_RECEIVER_PRIVATE_H

#include "base/mem.h"
#include "http/http_access.h"
#include "transports/ws_receiver.h"
#include "ws/ws_handshake.h"

/* What few connections need, and not for long. */
struct ws_extras {
	struct buf rest;               /* read, and not yet taken */
	struct ws_deflate *compressor; /* with context takeover */
	struct ws_pending *pending;    /* while the application has not decided */
};

/* The rest of an opening handshake that waits for the application. */
struct ws_pending {
	struct http_access *access; /* NULL: nobody wants to know */
	char accept[WS_ACCEPT_LEN + 1];
	char extensions[WS_EXTENSIONS_MAX]; /* "": none */
};

struct ws_receiver {
	struct receiver base;
	struct stream stream;
	struct ws_conn conn;
	union {
		struct timer timer;       /* liveness; then the closing handshake */
		struct deferred deferred; /* once ended */
	};
	const struct ws_wire *wire;
	struct transport_reactor *reactor;
	struct endpoint *endpoint;
	struct ws_extras *extras; /* NULL until needed */
	uint64_t last_heard;
	uint32_t progress; /* of the stream, when a ping was last looked after; modulo 2^32 */
	bool pinged : 1;
	bool ping_waits : 1; /* behind what the client had not acknowledged yet */
	bool choked : 1;     /* not read, since it does not read what it is sent */
	bool closing : 1;    /* the session has let go; the closing handshake is under way */
	bool shut : 1;       /* the codec has seen the end */
	bool is_answered : 1; /* and it was a Close of the client, which has got ours */
	bool parting : 1;     /* only the client's end is awaited */
	bool ended : 1;
	bool is_unanswered : 1; /* it was said something, and is watched */
	uint8_t ping;  /* number of the last one; modulo 2^8 */
	uint8_t proof; /* of that whose answer shows how much has come, if one is awaited */
};

static inline struct loop *ws_receiver_loop(const struct ws_receiver *r)
{
	return r->reactor->sessions.loop;
}

static inline struct budget *ws_receiver_budget(const struct ws_receiver *r)
{
	return r->reactor->sessions.budget;
}

/* NULL when memory is out. */
static inline struct ws_extras *ws_receiver_extras(struct ws_receiver *r)
{
	if (!r->extras)
		r->extras = mem_zalloc(sizeof(*r->extras));
	return r->extras;
}

/* The 101 is still to be said. */
static inline bool ws_receiver_is_pending(const struct ws_receiver *r)
{
	return r->extras && r->extras->pending;
}

static inline bool ws_receiver_has_rest(const struct ws_receiver *r)
{
	return r->extras && buf_len(&r->extras->rest) > 0;
}

/* Whether there is something to do before more may be read. */
static inline bool ws_receiver_is_behind(const struct ws_receiver *r)
{
	return ws_receiver_has_rest(r) || (r->conn.partial && ws_conn_is_behind(&r->conn));
}

/* Its pongs may be among what was not read for a while. */
static inline void ws_receiver_may_have_been_heard(struct ws_receiver *r)
{
	r->last_heard = loop_now(ws_receiver_loop(r));
	r->pinged = false;
}

static inline void ws_receiver_heard(struct ws_receiver *r)
{
	ws_receiver_may_have_been_heard(r);
	r->is_unanswered = false;
}

/* --- ws_upgrade.c ------------------------------------------------------- */

/* It has no stream, and is in no list yet. NULL when memory is out. */
struct ws_receiver *ws_receiver_new(
    struct transport_reactor *reactor, struct endpoint *e, const struct ws_wire *wire);

/* --- ws_receiver.c ------------------------------------------------------ */

extern const struct receiver_ops ws_receiver_ops;
void ws_receiver_start_pings(struct ws_receiver *r);
/* Reads again, and what was kept first. */
void ws_receiver_read_on(struct ws_receiver *r);
/* The wire broke, or its client vanished: the session hears of it. */
void ws_receiver_lost(struct ws_receiver *r);
/* Nothing more is said: what was is to arrive, then it is closed; the server first (RFC 6455 section
 * 7.1.1). */
void ws_receiver_finish(struct ws_receiver *r);
/* While it is parting: something has come, or nothing in time. */
void ws_receiver_parting_readable(struct ws_receiver *r);
void ws_receiver_parting_late(struct ws_receiver *r);
/* Closes the stream, and frees the receiver after this turn. */
void ws_receiver_end(struct ws_receiver *r);

/* --- ws_receiver_in.c --------------------------------------------------- */

extern const struct ws_conn_ops ws_receiver_conn_ops;
extern const struct stream_events ws_receiver_stream_events;
/* What was read, and is fed before more is read. */
void ws_receiver_keep_rest(struct ws_receiver *r, const char *p, size_t n);

/* --- ws_deadlines.c ----------------------------------------------------- */

void ws_receiver_on_timer(struct timer *t);
/* Pings the client, unless it has been; what is under way to it is to be answered in time. */
void ws_receiver_ping_and_wait(struct ws_receiver *r);
void ws_receiver_ping_first(struct ws_receiver *r);
/* It was said something. In a network that may swallow that an answer is asked for soon. */
void ws_receiver_watch_answer(struct ws_receiver *r);
static inline void ws_receiver_said(struct ws_receiver *r)
{
	const struct session *s = r->base.session;

	if (s && s->network.is_watched && !r->is_unanswered)
		ws_receiver_watch_answer(r);
}
/* With a number, which comes back with the pong. */
void ws_receiver_ping(struct ws_receiver *r);
void ws_receiver_answered(struct ws_receiver *r, uint8_t ping);
/* Whoever does not send a message on is given up, unless it is we who do not read. The timer fires
 * early enough to see that. */
void ws_receiver_watch_unfinished(struct ws_receiver *r);

/* --- ws_frames.c -------------------------------------------------------- */

/* The compressed frame of a message for many, made once for all who agreed on the same window; NULL
 * when memory is out. */
struct shared *ws_frames_deflated(
    struct ws_receiver *r, struct message *m, const struct ws_deflate_how *how);

/* The frame of a message for many, compressed where that pays; likewise. */
static inline struct shared *ws_frames_shared(struct ws_receiver *r, struct message *m)
{
	struct ws_deflate_how how;

	if (m->len < r->endpoint->deflate.min_bytes ||
	    !ws_conn_deflates(&r->conn, &r->endpoint->deflate, true, &how))
		return message_form(m, r->wire->form, r->wire->encode);
	return ws_frames_deflated(r, m, &how);
}

#define WS_IN_PLACE_BYTES 4096 /* a message that is not worth copying */
#define WS_IN_PLACE_MOST  16

/* Whether these are a few long ones that the wire carries as they are. */
static inline bool ws_frames_may_go_in_place(
    const struct ws_wire *wire, struct message *const *messages, size_t count)
{
	if (!wire->is_raw || count > WS_IN_PLACE_MOST)
		return false;
	for (size_t i = 0; i < count; i++)
		if (messages[i]->len < WS_IN_PLACE_BYTES || messages[i]->has_surrogates)
			return false;
	return true;
}

/* Each behind its header, without a copy. 0 or -errno, as stream_write(). */
int ws_frames_write_in_place(struct stream *s, struct message *const *messages, size_t count);

/* --- ws_pending.c ------------------------------------------------------- */

/* It will not be answered, or that has been. */
void ws_pending_free(struct ws_receiver *r);
/* Keeps what the 101 will say. 0 or -ENOMEM. */
int ws_pending_keep(struct ws_receiver *r, const char accept[WS_ACCEPT_LEN + 1],
    const struct ws_deflate_params *deflate);
/* Appends the 101 and forgets that it waits. 0 or -ENOMEM. */
int ws_pending_add_101(struct ws_receiver *r, struct buf *out);
/* Appends the answer of a refusal, `of` is its session. A client that has to come back later is
 * told when. 0 or -ENOMEM. */
int ws_pending_add_refusal(const struct ws_receiver *r, struct buf *out, const struct session *of,
    unsigned status, unsigned retry_after, const char *reason);

#endif
