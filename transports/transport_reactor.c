/*
 * transports/transport_reactor.c - what the transports of one reactor share: sessions,
 * receivers, the buffer for composing, what compresses.
 */
#include "transports/transport.h"

#define WIRE_KEEP (1 << 20) /* a larger buffer is given back */

static _Thread_local struct transport_reactor *current;

void transport_reactor_init(struct transport_reactor *r, struct loop *loop)
{
	memset(r, 0, sizeof(*r));
	session_reactor_init(&r->sessions, loop);
	transport_list_carriers(r->carriers);
	r->sessions.transports = r->carriers;
	sockjs_payload_init(&r->payload);
	list_init(&r->receivers);
}

void transport_reactor_fini(struct transport_reactor *r)
{
	session_reactor_fini(&r->sessions);
	sockjs_payload_fini(&r->payload);
	buf_fini(&r->wire);
	buf_fini(&r->pongs);
	ws_deflate_free(r->deflate);
}

void transport_reactor_abort(struct transport_reactor *r)
{
	while (!list_empty(&r->receivers)) {
		struct receiver *receiver =
		    container_of(list_first(&r->receivers), struct receiver, node);

		if (receiver->session)
			session_receiver_gone(receiver->session, receiver);
		receiver->ops->abort(receiver);
	}
}

struct buf *transport_wire(struct transport_reactor *r)
{
	if (r->wire.cap > WIRE_KEEP)
		buf_fini(&r->wire);
	buf_clear(&r->wire);
	return &r->wire;
}

struct ws_deflate *transport_deflate(struct transport_reactor *r)
{
	if (!r->deflate)
		r->deflate = ws_deflate_new();
	return r->deflate;
}

struct transport_reactor *transport_reactor_current(void)
{
	return current;
}

void transport_reactor_set_current(struct transport_reactor *r)
{
	current = r;
}
