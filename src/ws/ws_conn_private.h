/*
 * ws/ws_conn_private.h - between the files of a connection. Each calls those below it:
 *
 *	ws_conn.c          frames to messages: the rules, what is cut, what lies whole
 *	ws_conn_deflate.c  compressed messages
 *	ws_conn_control.c  control frames both ways, the closing handshake
 *	ws_conn_partial.c  what is kept between two calls
 *
 * and ws_snapshot.c, which writes all of it down for another process.
 *
 * Inner functions return octets consumed (or 0), or a negated enum ws_failure;
 * ws_conn_feed() alone turns that into a Close frame.
 */
#ifndef WS_CONN_PRIVATE_H
#define WS_CONN_PRIVATE_H

#include "ws/ws_conn.h"

/* The most a control frame may carry (RFC 6455 section 5.5). */
enum { CONTROL_MAX = 125 };

/* All the ways in which a connection fails. The reason goes out in our Close frame. */
enum ws_failure {
	BAD_LENGTH = 1,
	BAD_RSV,
	BAD_OPCODE,
	NOT_MASKED,
	MASKED,
	CONTROL_FRAGMENTED,
	CONTROL_TOO_LONG,
	NOTHING_TO_CONTINUE,
	MESSAGE_UNFINISHED,
	TOO_MANY_FRAGMENTS,
	TOO_BIG,
	INFLATES_TOO_MUCH,
	BAD_TEXT,
	BAD_DEFLATE,
	CLOSE_TOO_SHORT,
	BAD_CLOSE_CODE,
	BAD_CLOSE_REASON,
	NO_MEMORY,
};

/* What has to be kept between two calls of ws_conn_feed(). One allocation. */
struct ws_partial {
	/* The frame under way: first octets of its header, then its payload. */
	uint8_t header[WS_HEADER_MAX];
	uint8_t header_len; /* 0: no header has begun */
	bool in_payload;
	struct ws_frame frame;
	uint64_t left; /* octets of its payload still to come */

	/* The message under way. Control frames, which may stand within it, leave this alone. */
	uint8_t type; /* WS_TEXT or WS_BINARY; 0: no message has begun */
	bool deflated;
	bool whole;      /* all its frames are here, and it is to be delivered */
	uint8_t failure; /* enum ws_failure: it is known already that it cannot be; 0: it is not */
	utf8_state utf8;
	unsigned fragments;
	struct pace_watch pace; /* the owner's */
	struct ws_inflated inflated;
	size_t size;
	size_t capacity;

	char control[CONTROL_MAX]; /* payload of a control frame under way */
	char data[];               /* `capacity` octets, of which the message has `size` */
};

/* One call of ws_conn_feed(). */
struct ws_feed {
	struct budget *budget;
	bool fresh; /* nothing was done in it yet */
	unsigned pings;
	uint8_t last_ping_len;
	char last_ping[CONTROL_MAX]; /* of those beyond WS_PINGS_ANSWERED */
};

/* of c->deflate */
enum { AGREED = 1, PEER_TAKES_OVER = 2, WE_TAKE_OVER = 4 };

static inline bool is_control(const struct ws_frame *f)
{
	return f->opcode & 0x8;
}

static inline bool message_has_begun(const struct ws_conn *c)
{
	return c->partial && c->partial->type != 0;
}

/* The most octets that the frames of a message may carry. What is compressed may be somewhat larger
 * than what it stands for. */
static inline uint64_t ws_payload_limit(const struct ws_conn *c, bool deflated)
{
	uint64_t limit = c->limits->max_message_bytes;

	if (limit == 0)
		return UINT64_MAX;
	return deflated ? limit + limit / 8 + 1024 : limit;
}

/* Whether a message may be delivered in this call. A long one had better come first in it: nobody
 * can stop an application in its midst. */
static inline bool feed_may_deliver(const struct ws_feed *in, size_t n)
{
	return in->fresh ||
	       cost_of_json(n) <= (uint64_t)(in->budget->left > 0 ? in->budget->left : 0);
}

/* --- ws_conn_partial.c ---------------------------------------------------- */

/* NULL when memory is out. */
struct ws_partial *ws_partial_get(struct ws_conn *c);
/* NULL is fine. */
void ws_partial_free(struct ws_conn *c, struct ws_partial *m);
void ws_partial_drop(struct ws_conn *c);
/* Makes room for n octets that are here; doubles, so that a message costs O(size) altogether. */
int ws_partial_grow(struct ws_conn *c, size_t n);

/* Once a header or a control frame is whole, nothing but a message is worth keeping. */
static inline void ws_partial_drop_unless_message(struct ws_conn *c)
{
	if (c->partial && c->partial->type == 0)
		ws_partial_drop(c);
}

/* --- ws_conn_control.c ---------------------------------------------------- */

void ws_conn_send_control(struct ws_conn *c, enum ws_opcode opcode, const void *data, size_t n);
/* A control frame has come. */
int ws_conn_take_control(
    struct ws_conn *c, struct ws_feed *in, uint8_t opcode, const char *p, size_t n);
/* Says in a Close what was wrong; input has ended. */
void ws_conn_fail(struct ws_conn *c, enum ws_failure why);

static inline void ws_conn_answer_last_ping(struct ws_conn *c, struct ws_feed *in)
{
	if (in->pings > WS_PINGS_ANSWERED)
		ws_conn_send_control(c, WS_PONG, in->last_ping, in->last_ping_len);
	in->pings = 0;
}

/* --- ws_conn_deflate.c ---------------------------------------------------- */

/* 0: it is whole; WS_INFLATE_MORE; or a failure. */
int ws_conn_inflate(
    struct ws_conn *c, struct ws_feed *in, const char *p, size_t n, struct ws_inflated *out);
/* Hands an inflated message over and gives its memory back. */
int ws_conn_deliver_inflated(
    struct ws_conn *c, struct ws_feed *in, uint8_t type, struct ws_inflated *out);
/* A message in one frame, whole in the caller's buffer. */
int ws_conn_inflate_in_place(
    struct ws_conn *c, struct ws_feed *in, uint8_t type, char *p, size_t n);

#endif
