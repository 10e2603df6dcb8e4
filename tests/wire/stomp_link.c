/*
 * tests/wire/stomp_link.c - STOMP by raw TCP, WebSocket, SockJS's websocket, and xhr_streaming with
 * xhr_send, so that one scenario can be played over each of them.
 *
 * A server's message is to be one whole frame or one heart-beat, for some clients take it as that;
 * over TCP there are no messages.
 */
#include "wire/stomp_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/player.h"
#include "wire/sockjs.h"

/* --- opening --------------------------------------------------------- */

static const char *const carriers[] = { "", "tcp", "websocket", "sockjs", "xhr_streaming" };

static enum stomp_carrier carrier_named(const char *name)
{
	for (int i = STOMP_BY_TCP; i <= STOMP_BY_STREAM; i++)
		if (!strcmp(carriers[i], name))
			return (enum stomp_carrier)i;
	mistake("tcp, websocket, sockjs or xhr_streaming expected", name);
	return STOMP_BY_NOTHING;
}

/* By convention HTTP is spoken at the first address of a server, and STOMP at the second. */
static void choose_address(struct client *c)
{
	int i = c->link.carrier == STOMP_BY_TCP;

	if (c->address != &player.server->address[0] && c->address != &player.server->address[1])
		return; /* the scenario has said which */
	if (i >= player.server->addresses)
		mistake("the server listens on too few addresses", "");
	c->address = &player.server->address[i];
}

/* "/stomp?a=b" as "/stomp/000/ID/websocket?a=b". */
static void ask(struct client *c, const char *method, const char *path, const char *last)
{
	size_t n = strcspn(path, "?");
	char line[9000];

	snprintf(line, sizeof(line), "%.*s/000/%s", (int)n, path, var_get("id"));
	do_fresh("");
	drop(&c->link.path);
	keep(&c->link.path, line, strlen(line));
	snprintf(line, sizeof(line), "%s%s/%s%s", method, c->link.path.p, last, path + n);
	if (*method)
		request_line(line);
	else
		ws_open(line);
}

static void ask_for_raw(const char *path)
{
	size_t n = strcspn(path, "?");
	char line[9000];

	snprintf(line, sizeof(line), "%.*s/websocket%s", (int)n, path, path + n);
	ws_open(line);
}

void stomp_link_open(struct client *c, const char *carrier, const char *path)
{
	struct stomp_link *l = &c->link;

	if (c->conn.state != CONN_CLOSED)
		conn_close(&c->conn);
	if (l->sender.state != CONN_CLOSED)
		conn_close(&l->sender);
	drop(&l->messages);
	l->at = 0;
	l->carrier = carrier_named(carrier);
	choose_address(c);
	switch (l->carrier) {
	case STOMP_BY_TCP:
		client_open(c);
		return;
	case STOMP_BY_WEBSOCKET:
		ask_for_raw(path);
		return;
	case STOMP_BY_SOCKJS:
		ask(c, "", path, "websocket");
		return;
	default:
		ask(c, "POST ", path, "xhr_streaming");
		return;
	}
}

/* --- sending --------------------------------------------------------- */

/* As a string of JSON in an array. */
static struct text in_json(struct text octets)
{
	struct text out = { 0 };
	char escape[8];

	text_add(&out, "[\"", 2);
	for (size_t i = 0; i < octets.n; i++) {
		unsigned char c = (unsigned char)octets.p[i];

		if (c == '"' || c == '\\' || c < 0x20)
			text_add(&out, escape, (size_t)sprintf(escape, "\\u%04x", c));
		else
			text_add(&out, &octets.p[i], 1);
	}
	text_add(&out, "\"]", 2);
	return out;
}

static void send_message(struct client *c, struct text data)
{
	struct ws_frame frame = { .fin = 1, .opcode = WS_TEXT, .masked = true, .data = data };
	struct text out = { 0 };

	ws_put_frame(&out, &frame);
	client_send(c, out.p, out.n);
}

/* A session that has ended takes nothing, which is for the expectations to tell. */
static void read_answer(struct client *c)
{
	struct http_response r = { .ended = true };
	const char *wrong = http_read_head(&r, &c->link.sender, false, deadline());

	if (wrong)
		fail("no answer to xhr_send: %s", wrong);
	if (r.status != 204 && r.status != 404)
		fail("xhr_send was answered by %d", r.status);
	if (r.status != 204 || r.last)
		conn_close(&c->link.sender);
	http_free(&r);
}

static void send_by_request(struct client *c, struct text data)
{
	struct text out = { 0 };
	char head[9000];

	if (c->link.sender.state == CONN_CLOSED) {
		conn_init(&c->link.sender);
		if (conn_open(&c->link.sender, c->address, deadline()) < 0)
			fail("cannot connect for xhr_send");
	}
	text_add(&out, head,
	    (size_t)snprintf(head, sizeof(head),
	        "POST %s/xhr_send HTTP/1.1\r\nHost: %s\r\nContent-Length: %zu\r\n\r\n",
	        c->link.path.p, var_get("host"), data.n));
	text_add(&out, data.p, data.n);
	note(c, '>', data.p, data.n);
	conn_send(&c->link.sender, out.p, out.n, deadline());
	read_answer(c);
}

/* The answer to the request that opens a stream. */
static void stream_begin(struct client *c)
{
	if (c->asked > c->answered)
		expect_status("200");
}

void stomp_link_send(struct client *c, struct text octets)
{
	switch (c->link.carrier) {
	case STOMP_BY_TCP:
		client_send(c, octets.p, octets.n);
		return;
	case STOMP_BY_WEBSOCKET:
		send_message(c, octets);
		return;
	case STOMP_BY_SOCKJS:
		send_message(c, in_json(octets));
		return;
	case STOMP_BY_STREAM:
		stream_begin(c);
		send_by_request(c, in_json(octets));
		return;
	default:
		mistake("'stomp open' comes first", "");
	}
}

/* --- frames --------------------------------------------------------- */

static const char content_length[] = "\ncontent-length:";

/* So many octets at the beginning are a frame; 0: not yet. */
static size_t frame_length(const char *p, size_t n)
{
	const char *head_end = memmem(p, n, "\n\n", 2), *length, *nul;
	size_t head, body;

	if (!head_end)
		return 0;
	head = (size_t)(head_end + 2 - p);
	length = memmem(p, head, content_length, sizeof(content_length) - 1);
	if (!length) {
		nul = memchr(head_end + 2, '\0', n - head);
		return nul ? (size_t)(nul + 1 - p) : 0;
	}
	body = strtoul(length + sizeof(content_length) - 1, NULL, 10);
	if (n < head + body + 1)
		return 0;
	if (p[head + body] != '\0')
		fail("no NUL behind content-length: %s", text_show(p, n));
	return head + body + 1;
}

static enum stomp_arrival take_frame(struct client *c, const char *p, size_t n, bool is_binary)
{
	note(c, '<', p, n);
	drop(&c->link.frame);
	keep(&c->link.frame, p, n);
	c->link.is_binary = is_binary;
	return STOMP_FRAME;
}

static enum stomp_arrival take_message(struct client *c, struct text m, bool is_binary)
{
	if (m.n == 1 && m.p[0] == '\n')
		return STOMP_BEAT;
	if (m.n == 0 || frame_length(m.p, m.n) != m.n || m.p[0] == '\n')
		fail("a message that is not one frame: %s", text_show(m.p, m.n));
	return take_frame(c, m.p, m.n, is_binary);
}

/* --- reading by TCP -------------------------------------------------- */

static enum stomp_arrival read_tcp(struct client *c, int64_t until)
{
	enum stomp_arrival came = STOMP_FRAME;
	size_t n;
	int got;

	for (;;) {
		const char *p = (const char *)conn_bytes(&c->conn);

		if (c->conn.len && *p == '\n') {
			conn_consume(&c->conn, 1);
			return STOMP_BEAT;
		}
		n = c->conn.len ? frame_length(p, c->conn.len) : 0;
		if (n > 0) {
			came = take_frame(c, p, n, false);
			conn_consume(&c->conn, n);
			return came;
		}
		got = conn_fill(&c->conn, until);
		if (got > 0)
			continue;
		if (got == 0 && c->conn.len)
			fail("it ended within %s", text_show(conn_bytes(&c->conn), c->conn.len));
		return got == -ETIMEDOUT ? STOMP_SILENCE : STOMP_END;
	}
}

/* --- reading messages ------------------------------------------------ */

static bool is_timeout(const char *wrong)
{
	return wrong == http_timeout;
}

/* NULL: none; *end says whether it is over, or is only not there yet. */
static const struct ws_message *next_message(
    struct client *c, struct ws_message *m, int *code, enum stomp_arrival *end, int64_t until)
{
	const char *wrong;

	for (;;) {
		wrong = ws_read(&c->conn, &c->partial, m, until);
		*end = is_timeout(wrong) ? STOMP_SILENCE : STOMP_END;
		if (wrong)
			return NULL;
		if (m->opcode == WS_TEXT || m->opcode == WS_BINARY)
			return m;
		if (m->opcode == WS_CLOSE) {
			if (m->data.n >= 2)
				*code =
				    (unsigned char)m->data.p[0] << 8 | (unsigned char)m->data.p[1];
			return NULL;
		}
		if (m->opcode == WS_PING) {
			struct ws_frame pong = { 1, 0, WS_PONG, true, 0, m->data };
			struct text out = { 0 };

			ws_put_frame(&out, &pong);
			client_send(c, out.p, out.n);
		}
	}
}

static enum stomp_arrival read_websocket(struct client *c, int *code, int64_t until)
{
	enum stomp_arrival end = STOMP_END;
	struct ws_message m;

	if (!next_message(c, &m, code, &end, until))
		return end;
	return take_message(c, m.data, m.opcode == WS_BINARY);
}

/* Where there was an array of messages, the next of them. */
static bool next_of_array(struct client *c, enum stomp_arrival *came)
{
	struct stomp_link *l = &c->link;
	const char *p = l->messages.p ? l->messages.p + l->at : NULL;
	struct text message;

	if (!p || l->at >= l->messages.n)
		return false;
	if (!sockjs_next_message(&p, l->messages.p + l->messages.n, &message))
		fail("malformed frame %s", text_show(l->messages.p, l->messages.n));
	l->at = (size_t)(p - l->messages.p);
	*came = take_message(c, message, false);
	return true;
}

/* Whether that was the end. */
static bool take_sockjs_frame(struct client *c, struct text frame, int *code)
{
	if (frame.n > 2 && frame.p[0] == 'c') {
		*code = atoi(frame.p + 2);
		return true;
	}
	if (frame.n > 2 && frame.p[0] == 'a') {
		drop(&c->link.messages);
		keep(&c->link.messages, frame.p + 2, frame.n - 2);
		c->link.at = 0;
	} else if (frame.n && !strchr("oh", frame.p[0])) {
		fail("malformed frame %s", text_show(frame.p, frame.n));
	}
	return false;
}

static enum stomp_arrival read_sockjs(struct client *c, int *code, int64_t until)
{
	enum stomp_arrival came = STOMP_END;
	struct ws_message m;

	while (!next_of_array(c, &came)) {
		if (!next_message(c, &m, code, &came, until))
			return came;
		if (take_sockjs_frame(c, m.data, code))
			return STOMP_END;
	}
	return came;
}

/* --- reading a stream ------------------------------------------------ */

static void ask_again(struct client *c)
{
	char line[9000];

	snprintf(line, sizeof(line), "POST %s/xhr_streaming", c->link.path.p);
	request_line(line);
	request_flush();
}

static enum stomp_arrival read_stream(struct client *c, int *code, int64_t until)
{
	const struct sockjs_transport *t = sockjs_transport("xhr_streaming");
	enum stomp_arrival came = STOMP_END;

	while (!next_of_array(c, &came)) {
		struct text piece = { 0 }, frame = { 0 };
		const unsigned char *p = NULL;
		const char *wrong;
		size_t n = 0;

		stream_begin(c);
		wrong = http_read_piece(&c->response, &c->conn, &p, &n, until);
		if (wrong)
			return is_timeout(wrong) ? STOMP_SILENCE : STOMP_END;
		if (c->response.ended) {
			ask_again(c);
			continue;
		}
		text_add(&piece, p, n);
		if (!t->unwrap(piece, &frame))
			fail("malformed frame %s", text_show(piece.p, piece.n));
		if (take_sockjs_frame(c, frame, code))
			return STOMP_END;
	}
	return came;
}

enum stomp_arrival stomp_link_read(struct client *c, int *code, int64_t until)
{
	*code = 0;
	switch (c->link.carrier) {
	case STOMP_BY_TCP:
		return read_tcp(c, until);
	case STOMP_BY_WEBSOCKET:
		return read_websocket(c, code, until);
	case STOMP_BY_SOCKJS:
		return read_sockjs(c, code, until);
	case STOMP_BY_STREAM:
		return read_stream(c, code, until);
	default:
		mistake("'stomp open' comes first", "");
		return STOMP_END;
	}
}
