/*
 * checkup/channel_ws.c - a WebSocket, bare or with SockJS on it; see channel.h.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "checkup/channel.h"

static const struct ws_conn_limits limits = { .max_message_bytes = FRAMES_LINE_MAX,
	.max_fragments = 4096 };

static struct channel *channel_of(struct ws_conn *conn)
{
	return container_of(conn, struct channel, conn);
}

/* --- frames -------------------------------------------------------------------------------- */

static void on_message(struct ws_conn *conn, enum ws_opcode type, char *data, size_t n)
{
	struct channel *c = channel_of(conn);

	(void)type;
	if (c->is_over)
		return;
	if (c->way == WAY_RAW)
		c->on->message(c, (struct bytes){ data, n });
	else
		channel_frame(c, data, n);
}

static void on_write(struct ws_conn *conn, const void *frame, size_t n)
{
	line_write(&channel_of(conn)->line, frame, n); /* if it fails an end follows */
}

static void on_pong(struct ws_conn *conn, const char *data, size_t n)
{
	struct channel *c = channel_of(conn);

	(void)data;
	(void)n;
	if (!c->is_over && c->on->pong)
		c->on->pong(c);
}

static void on_close(struct ws_conn *conn, unsigned code, const char *reason, size_t n, bool failed)
{
	char text[FACT_TEXT_MAX];

	snprintf(text, sizeof(text),
	    failed ? "its frames are broken: %u" : "the server has closed the WebSocket: %u %.*s",
	    code, n < 100 ? (int)n : 100, n ? reason : "");
	channel_end(channel_of(conn), failed ? FATE_GARBAGE : FATE_GOODBYE, code, text);
}

static const struct ws_conn_ops conn_ops = {
	.message = on_message,
	.write = on_write,
	.pong = on_pong,
	.close = on_close,
};

static void take_frames(struct channel *c, char *p, size_t n)
{
	channel_heard(c, n);
	while (n > 0 && !c->is_over) {
		ssize_t used = ws_conn_feed(&c->conn, p, n, NULL);

		if (used <= 0)
			break;
		p += used;
		n -= (size_t)used;
	}
}

/* --- the handshake ------------------------------------------------------------------------- */

static void switched(struct channel *c)
{
	c->switched = true;
	ws_conn_init(&c->conn, WS_CLIENT, &conn_ops, &limits);
	if (c->way == WAY_RAW)
		channel_opened(c);
}

/* The codec keeps no headers; another reader of the same octets does. */
static void note_head(struct channel *c, const char *p, size_t n)
{
	size_t taken;

	if (c->head.is_complete || c->facts->answer.status != 0)
		return;
	if (ws_answer_feed(&c->head, p, n, &taken) != NULL || !c->head.is_complete)
		return;
	c->facts->head_ms = channel_ms(c);
	answer_note(&c->facts->answer, &c->head);
}

static void take_handshake(struct channel *c, char *p, size_t n)
{
	const struct ws_client_outcome *o = ws_client_outcome(c->handshake);
	size_t used;
	char why[FACT_TEXT_MAX];

	note_head(c, p, n);
	used = ws_client_feed(c->handshake, p, n);
	if (o->state == WS_CLIENT_REFUSED) {
		snprintf(why, sizeof(why), "%u %s", o->status, o->phrase);
		channel_end(c, FATE_STATUS, o->status, why);
	} else if (o->state == WS_CLIENT_FAILED) {
		channel_end(c, FATE_GARBAGE, 0, o->sentence);
	} else if (o->state == WS_CLIENT_OPEN) {
		switched(c);
		if (!c->is_over && used < n)
			take_frames(c, p + used, n - used);
	}
}

static void on_data(struct line *l, char *p, size_t n)
{
	struct channel *c = container_of(l, struct channel, line);

	if (c->switched)
		take_frames(c, p, n);
	else
		take_handshake(c, p, n);
}

static void on_ended(struct line *l, enum fate fate, unsigned status, const char *why)
{
	channel_end(container_of(l, struct channel, line), fate, status, why);
}

static void on_open(struct line *l)
{
	struct channel *c = container_of(l, struct channel, line);
	const struct place *p = c->net->place;
	char path[700], origin[320];
	struct ws_request_header agent = { BYTES("User-Agent"), BYTES("sockjsd-doctor") };
	struct ws_client_request r = {
		.host = bytes_of(p->authority), .headers = &agent, .header_count = 1
	};
	struct buf request = BUF_INIT;

	c->facts->connect_ms = l->connect_ms;
	snprintf(path, sizeof(path), "%s%s/websocket", p->prefix, c->way == WAY_RAW ? "" : c->path);
	snprintf(origin, sizeof(origin), "%s://%s", p->is_tls ? "https" : "http", p->authority);
	r.target = bytes_of(path);
	r.origin = bytes_of(origin);
	if (ws_client_begin(&c->handshake, &r, &request) == 0)
		line_write(l, buf_data(&request), buf_len(&request));
	buf_fini(&request);
	if (!c->handshake)
		channel_end(c, FATE_OURS, 0, "no handshake can be begun");
}

static const struct line_events line_events = {
	.open = on_open,
	.data = on_data,
	.ended = on_ended,
};

/* --- sending ------------------------------------------------------------------------------- */

static void write_frame(struct channel *c, char *text, size_t n)
{
	char header[WS_HEADER_MAX];
	size_t h = ws_conn_data_header(&c->conn, header, 0, WS_TEXT, text, n);

	line_write(&c->line, header, h);
	line_write(&c->line, text, n);
}

/* SockJS takes an array of strings; what would have to be escaped beside these two is not sent. */
static int wrap(struct buf *out, struct bytes text)
{
	int err = buf_add(out, "[\"", 2);

	for (size_t i = 0; i < text.n && err == 0; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			err = buf_add(out, "\\", 1);
		err = err ? err : buf_add(out, text.p + i, 1);
	}
	return err ? err : buf_add(out, "\"]", 2);
}

static void ws_send(struct channel *c, struct bytes text)
{
	struct buf frame = BUF_INIT;
	int err;

	if (!c->switched)
		return;
	err = c->way == WAY_RAW ? buf_add(&frame, text.p, text.n) : wrap(&frame, text);
	if (err == 0)
		write_frame(c, buf_data(&frame), buf_len(&frame));
	buf_fini(&frame);
}

bool channel_ping(struct channel *c)
{
	if (c->is_over || !c->switched)
		return false;
	ws_conn_ping(&c->conn, "doctor", 6);
	return true;
}

/* --- life ---------------------------------------------------------------------------------- */

static void ws_start(struct channel *c)
{
	c->head = WS_ANSWER_INIT;
	line_start(&c->line, c->net, &line_events, true);
}

/* It may be the codec that calls: so what it works on goes at the end of the turn, with the
 * channel. */
static void ws_stop(struct channel *c)
{
	if (c->switched && !c->line.is_over)
		ws_conn_close(&c->conn, WS_CLOSE_NORMAL, "", 0);
	line_close(&c->line);
}

const struct channel_kind channel_ws = { ws_start, ws_send, ws_stop };
