/*
 * transports/tcp.h - a connection without HTTP as a transport: raw TCP, TLS, or a unix socket.
 *
 * It comes by a listener that names the endpoint. What the client sends is delivered as binary
 * messages, cut wherever a reading of the wire ends (and at max_message_bytes); what the
 * application sends is written as it is. There are no words for anything else: not for open,
 * heartbeat, code or reason. Whoever needs messages puts a protocol of its own on it.
 */
#ifndef TRANSPORTS_TCP_H
#define TRANSPORTS_TCP_H

#include "transports/transport.h"

/* A connection that has just been accepted. */
struct tcp_arrival {
	int fd;
	struct addr peer;
	struct tls_context *tls;   /* NULL: plain */
	unsigned tls_timeout_ms;   /* for its handshake */
	struct quota_row *visitor; /* whose it is, released when it ends; NULL: nobody's */
};

/* Takes the descriptor and the visitor over: asks the application for a session, after the TLS
 * handshake if there is one. Who is refused is counted, said in the log, and gone. */
void tcp_serve(struct transport_reactor *reactor, struct endpoint *endpoint,
    const struct tcp_arrival *arrival);
/* Nobody is served any more: those in the midst of a TLS handshake end. */
void tcp_drain(struct transport_reactor *reactor);

extern const struct receiver_ops tcp_receiver_ops;

#endif
