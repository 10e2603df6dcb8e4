/*
 * transports/websocket_raw.c - /prefix/websocket: the bare WebSocket, for programs
 * and for browsers without sockjs-client. No o, h, a, c; binary messages as well.
 */
#include <errno.h>

#include "transports/ws_receiver.h"

static void incoming(struct ws_receiver *r, enum ws_opcode type, char *data, size_t n)
{
	session_deliver(ws_receiver_session(r), data, n, type == WS_BINARY);
}

/* Lone surrogates, which only SockJS can carry, become U+FFFD: three octets each as well (RFC 6455
 * section 8.1). */
static void replace_surrogates(char *p, size_t n)
{
	for (size_t i = 0; i + 2 < n; i++)
		if ((unsigned char)p[i] == 0xed && (unsigned char)p[i + 1] >= 0xa0)
			memcpy(p + i, "\xef\xbf\xbd", 3);
}

static int outgoing(struct buf *out, struct message *const *messages, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct message *m = messages[i];
		char *to = buf_reserve(out, WS_HEADER_MAX + m->len);
		size_t len;

		if (!to)
			return -ENOMEM;
		len = ws_frame_header(to, true, 0, m->binary ? WS_BINARY : WS_TEXT, m->len, NULL);
		memcpy(to + len, m->data, m->len);
		if (m->has_surrogates)
			replace_surrogates(to + len, m->len);
		buf_commit(out, len + m->len);
	}
	return 0;
}

static struct shared *encode(const struct message *m);

static const struct ws_wire wire = {
	.is_raw = true,
	.incoming = incoming,
	.outgoing = outgoing,
	.form = MESSAGE_WS,
	.encode = encode,
};

static struct shared *encode(const struct message *m)
{
	return ws_wire_encode(&wire, m);
}

static void serve(const struct transport_request *t)
{
	ws_receiver_serve(t, &wire);
}

const struct transport websocket_raw_transport = {
	.name = "websocket_raw",
	.option = "websocket_raw",
	.methods = HTTP_GET,
	.serve = serve,
};
