/*
 * transports/ws_receiver.h - what the two WebSocket wires share: the upgrade, the
 * socket, liveness, the closing handshake. They differ in what a message looks like.
 */
#ifndef TRANSPORTS_WS_RECEIVER_H
#define TRANSPORTS_WS_RECEIVER_H

#include "transports/transport.h"

struct ws_receiver;

struct ws_wire {
	bool is_raw;
	/* A message of the client. */
	void (*incoming)(struct ws_receiver *r, enum ws_opcode type, char *data, size_t n);
	/* Appends frames for these messages, compressed where that pays; `how` NULL: never. */
	int (*outgoing)(struct buf *out, struct message *const *messages, size_t count,
	    const struct ws_deflate_how *how);
	/* The frames of the other verbs as payload of a text message; NULL: the wire has none. */
	const char *open, *heartbeat;
	enum message_form form, deflated; /* `deflated` is the first of eight */
	message_encode_fn encode;         /* of `form` */
};

/* Serves a request for such a receiver: checks the handshake, asks for a session, upgrades. */
void ws_receiver_serve(const struct transport_request *t, const struct ws_wire *wire);

/* --- for the wires ------------------------------------------------------ */

/* NULL when the session is over: drop what comes. */
struct session *ws_receiver_session(struct ws_receiver *r);
struct transport_reactor *ws_receiver_reactor(struct ws_receiver *r);
const struct endpoint *ws_receiver_endpoint(struct ws_receiver *r);
/* The client broke the rules of the wire: a Close frame with this code ends it. */
void ws_receiver_fail(struct ws_receiver *r, unsigned code, const char *reason);

/* Appends an unmasked frame around what is behind `mark`, where ws_frame_begin() left room for its
 * header. The payload is compressed on the way if `how` is not NULL and it pays. 0 or -ENOMEM. */
int ws_frame_begin(struct buf *out, size_t *mark);
int ws_frame_end(
    struct buf *out, size_t mark, enum ws_opcode opcode, const struct ws_deflate_how *how);
/* What `outgoing` says of one message, as shared bytes. */
struct shared *ws_wire_encode(
    const struct ws_wire *wire, const struct message *m, const struct ws_deflate_how *how);

#endif
