/*
 * transports/ws_receiver_private.h - between ws_upgrade.c (from a request to an
 * attached receiver) and ws_receiver.c (the verbs, the codec, the socket).
 */
#ifndef TRANSPORTS_WS_RECEIVER_PRIVATE_H
#define TRANSPORTS_WS_RECEIVER_PRIVATE_H

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
	char accept[WS_ACCEPT_LEN + 1];
	char extensions[WS_EXTENSIONS_MAX]; /* "": none */
};

struct ws_receiver {
	struct receiver base;
	struct stream stream;
	struct ws_conn conn;
	struct timer timer; /* liveness; then the closing handshake */
	struct deferred deferred;
	const struct ws_wire *wire;
	struct transport_reactor *reactor;
	const struct endpoint *endpoint;
	struct ws_extras *extras; /* NULL until needed */
	uint64_t last_heard;
	uint32_t progress; /* of the stream, when a ping was last looked after; modulo 2^32 */
	bool pinged : 1;
	bool ping_waits : 1; /* behind what the client had not acknowledged yet */
	bool choked : 1;     /* not read, since it does not read what it is sent */
	bool closing : 1;    /* the session has let go; the closing handshake is under way */
	bool shut : 1;       /* the codec has seen the end */
	bool ended : 1;
};

/* --- ws_receiver.c ------------------------------------------------------ */

/* With no stream yet. NULL when memory is out. */
struct ws_receiver *ws_receiver_new(const struct transport_request *t, const struct ws_wire *wire,
    const struct ws_deflate_params *deflate);
/* On its stream, for its session. `early` was read behind the request. A receiver whose 101 waits
 * for the application reads nothing until that is said. */
void ws_receiver_begin(
    struct ws_receiver *r, struct stream *s, struct session *session, struct bytes early);
/* Closes the stream, and frees the receiver after this turn. */
void ws_receiver_end(struct ws_receiver *r);
/* NULL when memory is out. */
struct ws_extras *ws_receiver_extras(struct ws_receiver *r);

#endif
