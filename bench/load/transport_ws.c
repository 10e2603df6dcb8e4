/*
 * bench/load/transport_ws.c - WebSocket: raw, with the frames of SockJS in it, or with whatever
 * transport_pubsub.c puts there.
 *
 * Several messages are several WebSocket frames, as browsers send them, in one send.
 */
#include <string.h>

#include "load/fail.h"
#include "load/transport.h"
#include "load/websocket.h"

/* --- out ---------------------------------------------------------------------------- */

static void send_control(struct session *s, unsigned opcode, const char *payload, size_t len)
{
	char out[WS_HEAD_MAX + 125], *frame;

	memcpy(out + WS_HEAD_MAX, payload, len);
	frame = ws_wrap(out, opcode, len);
	link_send(&s->down, frame, (size_t)(out + WS_HEAD_MAX + len - frame));
}

void ws_send_payload(struct session *s, const char *end)
{
	char *out = s->load->scratch, *frame;

	frame = ws_wrap(out, s->transport->opcode, (size_t)(end - out) - WS_HEAD_MAX);
	link_send(&s->down, frame, (size_t)(end - frame));
}

void ws_send_messages(struct session *s, unsigned messages)
{
	char *out = s->load->scratch, *payload, *end, *frame;

	while (messages-- > 0) {
		payload = out + WS_HEAD_MAX;
		if (s->transport->is_sockjs)
			end = session_write_array(s, payload, 1);
		else if (s->transport->compose)
			end = s->transport->compose(s, payload);
		else
			end = session_write_message(s, payload);
		frame = ws_wrap(out, s->transport->opcode, (size_t)(end - payload));
		memmove(out, frame, (size_t)(end - frame));
		out += end - frame;
	}
	link_send(&s->down, s->load->scratch, (size_t)(out - s->load->scratch));
}

void ws_close(struct session *s)
{
	send_control(s, WS_CLOSE, "\x03\xe8", 2);
}

/* --- in ----------------------------------------------------------------------------- */

static void on_frame(struct session *s, const struct ws_frame *f)
{
	if (f->opcode == s->transport->opcode && s->transport->payload)
		s->transport->payload(s, f->payload, f->len);
	else if (f->opcode == WS_TEXT && s->transport->is_sockjs)
		sockjs_frame(s, f->payload, f->len);
	else if (f->opcode == WS_TEXT)
		session_message(s, f->payload, f->len);
	else if (f->opcode == WS_PING && f->len <= 125)
		send_control(s, WS_PONG, f->payload, f->len);
	else if (f->opcode != WS_PONG && !(f->opcode == WS_CLOSE && s->is_closing))
		fail("session %u: the server sent a frame with opcode %u", s->number, f->opcode);
}

/* --- the handshake ------------------------------------------------------------------ */

/* Different for each life. */
static void key_of(const struct session *s, char key[WS_KEY_BYTES])
{
	uint64_t octets[2] = { (uint64_t)s->lives << 32 | s->number };

	memcpy(&octets[1], s->id, 8);
	ws_key(key, octets);
}

static bool is_accepted(const struct session *s, const char *head, size_t len)
{
	char key[WS_KEY_BYTES], accept[WS_ACCEPT_BYTES];

	key_of(s, key);
	ws_accept(accept, key);
	return memmem(head, len, accept, strlen(accept)) != NULL;
}

/* Returns the bytes of the response, 0 if it is not all there. */
static size_t on_handshake(struct session *s, const char *data, size_t len)
{
	size_t used;
	enum http_event event = http_next(&s->down_http, data, len, &used);

	if (event == HTTP_MORE)
		return 0;
	if (event != HTTP_HEAD || s->down_http.status != 101)
		fail("the server answers %u to a WebSocket", s->down_http.status);
	if (!is_accepted(s, data, used))
		fail("the server does not accept the key of a WebSocket");
	if (s->transport->greet)
		s->transport->greet(s);
	else if (!s->transport->is_sockjs)
		session_opened(s);
	return used;
}

static void on_connected(struct link *l)
{
	struct session *s = l->owner;
	char *out = s->load->scratch, key[WS_KEY_BYTES];

	key_of(s, key);
	out =
	    put_head(s, out, "GET", s->transport->url ? s->transport->url : s->load->options.path);
	if (s->transport->subprotocol) {
		out = put(out, "Sec-WebSocket-Protocol: ");
		out = put(out, s->transport->subprotocol);
		out = put(out, "\r\n");
	}
	out = put(out, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	               "Sec-WebSocket-Key: ");
	out = put(out, key);
	out = put(out, "\r\n\r\n");
	link_send(l, s->load->scratch, (size_t)(out - s->load->scratch));
}

/* --- the connection ----------------------------------------------------------------- */

static size_t on_bytes(struct link *l, char *data, size_t len)
{
	struct session *s = l->owner;
	struct ws_frame frame;
	size_t taken = 0;
	long n;

	if (s->down_http.status != 101)
		taken = on_handshake(s, data, len);
	while (s->down_http.status == 101 && (n = ws_read(&frame, data + taken, len - taken))) {
		if (n < 0)
			fail("session %u: a frame that a server must not send", s->number);
		taken += (size_t)n;
		on_frame(s, &frame);
	}
	session_turn(s);
	return taken;
}

static void on_ended(struct link *l)
{
	session_closed(l->owner);
}

static const struct link_ops down_ops = { on_connected, on_bytes, on_ended };

void ws_open(struct session *s)
{
	link_init(&s->down, &s->load->loop, &down_ops, s);
	link_open(&s->down);
}

const struct transport transport_ws = {
	.name = "ws",
	.opcode = WS_TEXT,
	.open = ws_open,
	.send = ws_send_messages,
	.close = ws_close,
};

const struct transport transport_websocket = {
	.name = "websocket",
	.url = "/websocket",
	.is_sockjs = true,
	.opcode = WS_TEXT,
	.open = ws_open,
	.send = ws_send_messages,
	.close = ws_close,
};
