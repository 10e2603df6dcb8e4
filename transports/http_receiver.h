/*
 * transports/http_receiver.h - what the HTTP wires share: one response that
 * carries SockJS frames, whole (polling) or frame by frame (streaming).
 *
 * A receiver begins inside its request. If the session has something to say at
 * once, a poll is answered like any short request; else the
 * connection is detached and lives in the reactor of its session.
 *
 * A wire is a table: how a frame is wrapped, what stands before the first one.
 */
#ifndef TRANSPORTS_HTTP_RECEIVER_H
#define TRANSPORTS_HTTP_RECEIVER_H

#include "base/buf.h"
#include "transports/transport.h"

struct http_receiver;

struct http_wire {
	const struct transport *transport;
	const char *content_type;
	const char *more_headers; /* ready-made lines, or NULL */
	bool is_streaming;
	/* The prelude is there only so that what comes bit by bit is seen: a response that ends after
	 * one frame needs none. */
	bool prelude_is_padding;
	/* Streaming: what goes out before any frame; not counted. Appended to `out`. */
	int (*prelude)(struct buf *out, struct bytes callback);
	/* Wraps one SockJS frame. */
	int (*wrap)(struct buf *out, struct bytes callback, const char *frame, size_t n);
	/* The form under which a broadcast message is kept, as one chunk; only for streaming. */
	enum message_form form;
	message_encode_fn encode;
};

/* Serves a request for such a receiver: finds or makes the session, attaches. `callback` (may be
 * empty) is copied. */
void http_receiver_serve(
    const struct transport_request *t, const struct http_wire *wire, struct bytes callback);

/* The chunk of a one-message array frame, for http_wire.encode. */
struct shared *http_wire_encode(const struct http_wire *wire, const struct message *m);

/* The decoded callback parameter ("c" or "callback") of a request, into `out`; its length, or 0
 * when the request was refused (500) because it is missing or is not a callback. */
#define CALLBACK_MAX 128
size_t http_receiver_callback(const struct transport_request *t, char out[CALLBACK_MAX]);

#endif
