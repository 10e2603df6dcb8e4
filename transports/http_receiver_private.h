/*
 * transports/http_receiver_private.h - between http_serve.c (from a request to an
 * attached receiver), http_receiver.c (the verbs) and http_wire.c (what is written).
 */
#ifndef TRANSPORTS_HTTP_RECEIVER_PRIVATE_H
#define TRANSPORTS_HTTP_RECEIVER_PRIVATE_H

#include "http/http_again.h"
#include "transports/http_receiver.h"

enum http_phase {
	HTTP_IN_REQUEST, /* a poll whose frame collects in `said`: it may be answered at once */
	HTTP_DETACHED,   /* frames go to the stream */
	HTTP_LEAVING,    /* the last byte was said, the wire has not taken it yet; still attached */
	HTTP_ARRIVING, /* the wire has taken it, a slow client has not; detached, but asked after */
	HTTP_FINISHED, /* as HTTP_LEAVING, but the session has let go */
	HTTP_WAITING,  /* answered; the next poll may be the same again */
};

struct http_receiver {
	struct receiver base;
	struct http_again again; /* its timer is that of the finish */
	const struct http_wire *wire;
	const struct transport_request *request; /* while HTTP_IN_REQUEST */
	struct endpoint *endpoint;
	struct transport_reactor *reactor;
	struct buf *said; /* while HTTP_IN_REQUEST */
	union {
		size_t framed;     /* octets of frames said, for response_limit */
		uint64_t progress; /* once finished: of its stream, when last looked at */
	};
	struct request_mark mark;
	uint16_t lines_len, callback_len, id_len; /* of `text` */
	uint8_t phase;
	bool is_1_1, chunked, head_sent;
	bool complete;    /* the poll has its frame */
	bool has_address; /* the client is another than the peer: there are proxies */
	bool is_whole;    /* a stream that would have no chunks if it went on */
	bool is_short;    /* but it ends after one frame */
	/* The head's lines that vary, then the callback; if it may come again also the session id,
	 * and the client's address if it has one */
	char text[];
};

/* A stream begins anew too seldom for its request to be remembered, and callbacks differ. */
static inline bool http_receiver_repeats(const struct http_receiver *r)
{
	return !r->wire->is_streaming && r->callback_len == 0;
}

/* Octets of frames after which a stream ends. */
static inline size_t http_receiver_limit(const struct http_receiver *r)
{
	return r->is_short ? 1 : r->endpoint->response_limit_bytes;
}

/* --- http_receiver.c ---------------------------------------------------- */

extern const struct receiver_ops http_receiver_ops;
extern const struct stream_events http_receiver_events;
void http_receiver_init(struct http_receiver *r);
/* In the reactor of its session, with its stream: attaches, or answers 404 if there is no session
 * any more. */
void http_receiver_begin(struct http_receiver *r, struct session *s);
void http_receiver_end(struct http_receiver *r);
/* While it has nothing to say. */
void http_receiver_watch(struct http_receiver *r);
/* It leaves those that count as receivers. */
void http_receiver_retire(struct http_receiver *r);

/* The timer that its phase has; not started. */
void http_receiver_set_timer(struct http_receiver *r);

/* --- http_serve.c ------------------------------------------------------- */

/* A query is known by its end: sockjs-client has the time there, or a name by chance, and no request of
 * its own has that of another. */
static inline uint32_t http_receiver_query_mark(struct bytes query)
{
	uint64_t end = 0;

	if (query.n == 0)
		return 0;
	memcpy(&end, query.p + (query.n > 8 ? query.n - 8 : 0), query.n < 8 ? query.n : 8);
	return (uint32_t)((end * 0x9e3779b97f4a7c15u) >> 32) | 1;
}

extern const struct http_again_ops http_receiver_again_ops;

/* --- http_wire.c -------------------------------------------------------- */

/* The whole head, for http_respond(). */
void http_wire_make_head(const struct http_receiver *r, struct http_head *head);
/* Appends the raw head of a detached response; `length` -1 for a stream. */
int http_wire_add_head(const struct http_receiver *r, struct buf *out, long long length);
/* Appends what stands before any frame. */
int http_wire_add_prelude(const struct http_receiver *r, struct buf *out);
/* Appends one wrapped frame, as a chunk if the response has chunks; counts it. */
int http_wire_add_frame(struct http_receiver *r, struct buf *out, struct bytes frame);
/* Octets of payload in a chunk of this total length. */
size_t http_wire_chunk_payload(size_t total);

#endif
