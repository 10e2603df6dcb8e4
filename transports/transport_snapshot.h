/*
 * transports/transport_snapshot.h - between transport_snapshot.c and the wires of each kind, for
 * another process; see transport.h.
 */
#ifndef TRANSPORTS_TRANSPORT_SNAPSHOT_H
#define TRANSPORTS_TRANSPORT_SNAPSHOT_H

#include "transports/sender.h"
#include "transports/transport.h"

struct http_receiver;
struct ws_receiver;

/* What a wire is for. */
enum wire_use {
	WIRE_SPEAKS,  /* a session speaks through it */
	WIRE_ARRIVES, /* and has; it waits until its client has taken all of that */
	WIRE_ENDS,    /* no session knows of it any more */
};

/* Each is linked to no session. Reading, `base` is NULL; NULL: the snapshot is wrong. `e` is then its endpoint. */
struct receiver *http_receiver_snapshot(struct receiver *base, struct snapshot *s,
    struct endpoint *e, enum wire_use use, const struct http_wire *wire);
struct receiver *ws_receiver_snapshot(struct receiver *base, struct snapshot *s, struct endpoint *e,
    enum wire_use use, const struct ws_wire *wire);
struct receiver *tcp_receiver_snapshot(
    struct receiver *base, struct snapshot *s, struct endpoint *e, enum wire_use use);
/* One that waits for the session's application. Reading, `sender` is NULL, and the new one waits. */
void sender_snapshot(
    struct sender *sender, struct snapshot *s, struct session *session, struct endpoint *e);

/* What they have noted of the progress of their stream is that of another one. */
void http_receiver_measure_anew(struct http_receiver *r);
void ws_receiver_measure_anew(struct ws_receiver *r);

/* No session is known yet, since its TLS handshake is under way. */
bool tcp_receiver_is_newcomer(const struct receiver *base);
bool tcp_receiver_is_tls(const struct receiver *base);

#endif
