/*
 * transports/websocket_raw.c - /prefix/websocket: the bare WebSocket, for programs
 * and for browsers without sockjs-client. No o, h, a, c; binary messages as well.
 */
#include <errno.h>

#include "base/text.h"
#include "transports/ws_receiver.h"

static void incoming(struct ws_receiver *r, enum ws_opcode type, char *data, size_t n)
{
	session_deliver(ws_receiver_session(r), data, n, type == WS_BINARY);
}

static int add_frame(struct buf *out, const struct message *m, const struct ws_deflate_how *how)
{
	size_t mark;

	if (ws_frame_begin(out, &mark) < 0 || buf_add(out, m->data, m->len) < 0)
		return -ENOMEM;
	if (m->has_surrogates)
		text_replace_surrogates(buf_data(out) + mark + WS_HEADER_MAX, m->len);
	return ws_frame_end(out, mark, m->binary ? WS_BINARY : WS_TEXT, how);
}

/* As short messages, which are most, go: without a detour. */
static int add_plain_frame(struct buf *out, const struct message *m)
{
	char *to = buf_reserve(out, WS_HEADER_MAX + m->len);
	size_t len;

	if (!to)
		return -ENOMEM;
	len = ws_frame_header(to, true, 0, m->binary ? WS_BINARY : WS_TEXT, m->len, NULL);
	memcpy(to + len, m->data, m->len);
	if (m->has_surrogates)
		text_replace_surrogates(to + len, m->len);
	buf_commit(out, len + m->len);
	return 0;
}

static int outgoing(struct buf *out, struct message *const *messages, size_t count,
    const struct ws_deflate_how *how)
{
	int err = 0;

	for (size_t i = 0; i < count && err == 0; i++) {
		bool plain = !how || messages[i]->len < how->min_bytes;

		err = plain ? add_plain_frame(out, messages[i]) : add_frame(out, messages[i], how);
	}
	return err;
}

static struct shared *encode(const struct message *m);

static const struct ws_wire wire = {
	.is_raw = true,
	.incoming = incoming,
	.outgoing = outgoing,
	.form = MESSAGE_WS,
	.deflated = MESSAGE_WS_DEFLATED,
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

const struct transport websocket_raw_transport = {
	.name = "websocket_raw",
	.option = "websocket_raw",
	.methods = HTTP_GET,
	.is_raw = true,
	.serve = serve,
	.ws = &wire,
};
