/*
 * transports/transport_snapshot.c - wires of whatever transport, for another process: which it is, and whose; see
 * transport.h.
 */
#include "transports/transport_snapshot.h"

#include "transports/http_receiver_private.h"
#include "transports/tcp.h"
#include "transports/ws_receiver_private.h"

bool transport_receiver_may_go_on(const struct receiver *r)
{
	return r->ops != &tcp_receiver_ops || !tcp_receiver_is_newcomer(r);
}

/* --- of a receiver ------------------------------------------------------------------------ */

static struct http_receiver *http_of(struct receiver *r)
{
	return container_of(r, struct http_receiver, base);
}

static struct ws_receiver *ws_of(struct receiver *r)
{
	return container_of(r, struct ws_receiver, base);
}

static const struct transport *transport_of(struct receiver *r)
{
	if (r->ops == &tcp_receiver_ops)
		return &tcp_transport;
	if (r->ops == &http_receiver_ops)
		return http_of(r)->wire->transport;
	return ws_of(r)->wire->is_raw ? &websocket_raw_transport : &websocket_transport;
}

/* By TCP there is none without a session. */
static const struct endpoint *endpoint_of(struct receiver *r)
{
	return r->ops == &http_receiver_ops ? http_of(r)->endpoint : ws_of(r)->endpoint;
}

static bool is_tls(struct receiver *r)
{
	if (r->ops == &tcp_receiver_ops)
		return tcp_receiver_is_tls(r);
	return stream_is_tls(r->ops == &http_receiver_ops ? &http_of(r)->again.stream : &ws_of(r)->stream);
}

/* Octets that were counted behind TLS were others than those of the socket that stands for it. */
static void measure_anew(struct receiver *r)
{
	if (r->ops == &ws_receiver_ops)
		ws_receiver_measure_anew(ws_of(r));
	else if (r->ops == &http_receiver_ops)
		http_receiver_measure_anew(http_of(r));
}

/* --- both directions -------------------------------------------------------------------- */

static struct receiver *of_transport(struct receiver *r, struct snapshot *s, struct endpoint *e,
    enum wire_use use, const struct transport *transport)
{
	if (transport->http)
		return http_receiver_snapshot(r, s, e, use, transport->http);
	if (transport->ws)
		return ws_receiver_snapshot(r, s, e, use, transport->ws);
	return tcp_receiver_snapshot(r, s, e, use);
}

static void write_wire(struct receiver *r, struct snapshot *s, enum wire_use use)
{
	const struct transport *transport = transport_of(r);

	snapshot_bytes(s, bytes_of(transport->name));
	snapshot_bool(s, is_tls(r));
	of_transport(r, s, NULL, use, transport);
}

static struct receiver *read_wire(
    struct snapshot *s, struct endpoint *e, enum wire_use use, bool *was_tls)
{
	struct bytes name = snapshot_bytes(s, (struct bytes){ NULL, 0 });
	const struct transport *transport = transport_find_carrier(name);
	struct receiver *r;

	*was_tls = snapshot_bool(s, false);
	if (!snapshot_check(s, transport != NULL))
		return NULL;
	r = of_transport(NULL, s, e, use, transport);
	if (r && *was_tls)
		measure_anew(r);
	return r;
}

/* --- the wires of a session -------------------------------------------------------------- */

static void write_wire_of(struct receiver *r, struct snapshot *s, enum wire_use use)
{
	if (snapshot_more(s, r != NULL))
		write_wire(r, s, use);
}

static void read_wire_of(
    struct session *session, struct snapshot *s, struct endpoint *e, enum wire_use use)
{
	bool was_tls, may_be = use == WIRE_SPEAKS ? session->state != SESSION_CLOSED
	                                          : session->entry && !session->receiver;
	struct receiver *r;

	if (!snapshot_more(s, false) || !snapshot_check(s, may_be))
		return;
	r = read_wire(s, e, use, &was_tls);
	if (r && use == WIRE_SPEAKS)
		session_restore_receiver(session, r);
	else if (r)
		session_restore_arriving(session, r);
	if (r && was_tls)
		session_measure_anew(session);
}

void transport_wires_snapshot(struct session *session, struct snapshot *s, struct endpoint *e)
{
	if (!snapshot_enter(s, "WIRE", 1))
		return;
	if (s->is_reading) {
		read_wire_of(session, s, e, WIRE_SPEAKS);
		read_wire_of(session, s, e, WIRE_ARRIVES);
	} else {
		write_wire_of(session->receiver, s, WIRE_SPEAKS);
		write_wire_of(session_arriving(session), s, WIRE_ARRIVES);
	}
	snapshot_leave(s);
}

/* --- others ------------------------------------------------------------------------------ */

static void read_receiver(struct snapshot *s)
{
	struct transport_reactor *here = transport_reactor_current();
	struct bytes prefix = snapshot_bytes(s, (struct bytes){ NULL, 0 });
	struct endpoint *e = prefix.p ? here->find_endpoint(here, prefix) : NULL;
	bool was_tls;

	if (!e) {
		snapshot_skip(s); /* its descriptor is closed with those that nobody takes */
		return;
	}
	read_wire(s, e, WIRE_ENDS, &was_tls);
	endpoint_unref(e);
}

void transport_receiver_snapshot(struct receiver *r, struct snapshot *s)
{
	if (!snapshot_enter(s, "WIRE", 1))
		return;
	if (s->is_reading) {
		read_receiver(s);
	} else {
		snapshot_bytes(s, bytes_of(endpoint_of(r)->prefix));
		write_wire(r, s, WIRE_ENDS);
	}
	snapshot_leave(s);
}

/* --- senders ----------------------------------------------------------------------------- */

static void write_senders(const struct list *waiters, struct snapshot *s)
{
	struct list *pos;

	list_foreach (pos, waiters) {
		snapshot_more(s, true);
		sender_snapshot(container_of(pos, struct sender, waiter.node), s, NULL, NULL);
	}
}

void transport_senders_snapshot(struct session *session, struct snapshot *s, struct endpoint *e)
{
	if (!snapshot_enter(s, "SEND", 1))
		return;
	if (!s->is_reading && session->in)
		write_senders(&session->in->waiters, s);
	while (snapshot_more(s, false))
		sender_snapshot(NULL, s, session, e);
	snapshot_leave(s);
}
