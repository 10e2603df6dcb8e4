/*
 * transports/transport_snapshot.c - wires of whatever transport, for another process: which it is, and whose; see
 * transport.h.
 */
#include "transports/http_receiver_private.h"
#include "transports/sender.h"
#include "transports/tcp.h"
#include "transports/ws_receiver_private.h"

bool transport_receiver_may_go_on(const struct receiver *r)
{
	return r->ops != &tcp_receiver_ops || !tcp_receiver_is_newcomer(r);
}

/* --- which ------------------------------------------------------------------------------------- */

static const struct transport *transport_of(const struct receiver *r)
{
	if (r->ops == &tcp_receiver_ops)
		return &tcp_transport;
	if (r->ops == &http_receiver_ops)
		return container_of(r, struct http_receiver, base)->wire->transport;
	return container_of(r, struct ws_receiver, base)->wire->is_raw ? &websocket_raw_transport
	                                                               : &websocket_transport;
}

static struct endpoint *endpoint_of(struct receiver *r)
{
	if (r->ops == &http_receiver_ops)
		return container_of(r, struct http_receiver, base)->endpoint;
	return container_of(r, struct ws_receiver, base)->endpoint;
}

static struct receiver *of_transport(struct receiver *r, struct snapshot *s, struct endpoint *e,
    struct session *session, const struct transport *transport)
{
	if (transport->http)
		return http_receiver_snapshot(r, s, e, transport->http);
	if (transport->ws)
		return ws_receiver_snapshot(r, s, e, transport->ws);
	return tcp_receiver_snapshot(r, s, e, session);
}

/* --- both directions ---------------------------------------------------------------------------- */

static void write_receiver(struct receiver *r, struct snapshot *s, struct session *session)
{
	const struct transport *transport = transport_of(r);

	if (!session)
		snapshot_bytes(s, bytes_of(endpoint_of(r)->prefix));
	snapshot_bytes(s, bytes_of(transport->name));
	of_transport(r, s, NULL, session, transport);
}

/* One that has no session finds its endpoint by itself. */
static struct receiver *read_receiver(struct snapshot *s, struct endpoint *e, struct session *session)
{
	struct transport_reactor *here = transport_reactor_current();
	const struct transport *transport;
	struct receiver *r = NULL;

	if (session)
		endpoint_ref(e);
	else
		e = here->find_endpoint(here, snapshot_bytes(s, (struct bytes){ NULL, 0 }));
	transport = transport_find_carrier(snapshot_bytes(s, (struct bytes){ NULL, 0 }));
	if (!e)
		snapshot_skip(s);
	else if (snapshot_check(s, transport != NULL))
		r = of_transport(NULL, s, e, session, transport);
	if (e)
		endpoint_unref(e);
	return r;
}

void transport_receiver_snapshot(
    struct receiver **r, struct snapshot *s, struct endpoint *e, struct session *session)
{
	if (s->is_reading)
		*r = NULL;
	if (!snapshot_enter(s, "WIRE", 1))
		return;
	if (s->is_reading)
		*r = read_receiver(s, e, session);
	else
		write_receiver(*r, s, session);
	snapshot_leave(s);
}

/* --- senders ---------------------------------------------------------------------------------------- */

void transport_senders_snapshot(struct session *session, struct snapshot *s, struct endpoint *e)
{
	struct list none, *head = session->in ? &session->in->waiters : &none, *pos;

	list_init(&none);
	if (!snapshot_enter(s, "SEND", 1))
		return;
	if (s->is_reading) {
		while (snapshot_more(s, false))
			sender_snapshot(NULL, s, session, e);
	} else {
		list_foreach (pos, head) {
			struct session_waiter *w = container_of(pos, struct session_waiter, node);

			snapshot_more(s, true);
			sender_snapshot(container_of(w, struct sender, waiter), s, session, e);
		}
		snapshot_more(s, false);
	}
	snapshot_leave(s);
}
