/*
 * transports/websocket.c - SockJS frames as WebSocket text messages: o, h, a[...]
 * and c[...] to the client, JSON arrays (or one string) from it.
 */
#include <errno.h>

#include "session/sockjs_frame.h"
#include "transports/ws_receiver.h"

static void incoming(struct ws_receiver *r, enum ws_opcode type, char *data, size_t n)
{
	struct sockjs_payload *p = &ws_receiver_reactor(r)->payload;
	const struct endpoint *endpoint = ws_receiver_endpoint(r);
	enum sockjs_payload_status status;

	if (type != WS_TEXT) {
		ws_receiver_fail(r, WS_CLOSE_UNSUPPORTED, "SockJS has text only.");
		return;
	}
	if (n == 0)
		return;
	budget_spend(ws_receiver_reactor(r)->sessions.budget, cost_of_json(n));
	status = sockjs_payload_decode(
	    p, data, n, true, endpoint->max_message_bytes, endpoint->max_frame_messages);
	if (status == SOCKJS_PAYLOAD_TOO_BIG)
		ws_receiver_fail(r, WS_CLOSE_TOO_BIG, "Message too big");
	else if (status == SOCKJS_PAYLOAD_NO_MEMORY)
		ws_receiver_fail(r, WS_CLOSE_INTERNAL_ERROR, "Out of memory");
	else if (status != SOCKJS_PAYLOAD_OK)
		ws_receiver_fail(r, WS_CLOSE_INVALID_DATA, "Broken JSON encoding.");
	if (ws_receiver_session(r))
		session_deliver_all(ws_receiver_session(r), p->messages, p->count);
}

static int outgoing(struct buf *out, struct message *const *messages, size_t count,
    const struct ws_deflate_how *how)
{
	size_t mark;

	if (ws_frame_begin(out, &mark) < 0 || sockjs_frame_array_add(out, messages, count) < 0)
		return -ENOMEM;
	return ws_frame_end(out, mark, WS_TEXT, how);
}

static struct shared *encode(const struct message *m);

static const struct ws_wire wire = {
	.incoming = incoming,
	.outgoing = outgoing,
	.open = SOCKJS_OPEN,
	.heartbeat = SOCKJS_HEARTBEAT,
	.form = MESSAGE_SOCKJS_WS,
	.deflated = MESSAGE_SOCKJS_WS_DEFLATED,
	.encode = encode,
};

static struct shared *encode(const struct message *m)
{
	return ws_wire_encode(&wire, m, NULL);
}

static void serve(const struct transport_request *t)
{
	ws_receiver_serve(t, &wire);
}

const struct transport websocket_transport = {
	.name = "websocket",
	.option = "websocket",
	.methods = HTTP_GET,
	.serve = serve,
	.ws = &wire,
};
