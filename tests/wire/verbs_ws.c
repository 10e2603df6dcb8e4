/*
 * tests/wire/verbs_ws.c - the verbs of WebSocket: 'ws' lines, and messages expected.
 */
#include "wire/player.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- WebSocket ------------------------------------------------------- */

void ws_open(const char *rest)
{
	struct request *q = &player.request;
	struct text path = text_word(&rest), head = { 0 };
	char line[96];

	request_flush();
	if (player.now->conn.state != CONN_CLOSED)
		conn_close(&player.now->conn);
	text_add(&head, "GET ", 4);
	text_add(&head, path.p, path.n);
	request_line(head.p);
	ws_random_key(q->key);
	keep(&q->head, line,
	    (size_t)snprintf(line, sizeof(line),
	        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"));
	keep(&q->head, line,
	    (size_t)snprintf(line, sizeof(line), "Sec-WebSocket-Key: %s\r\n", q->key));
	q->websocket = true;
}

void ws_handshake_done(struct client *c)
{
	char accept[29];
	const char *got;

	ws_accept(player.request.key, accept);
	read_head(c, "101 Switching Protocols");
	if (c->response.status != 101)
		fail("expected 101 Switching Protocols, got %d", c->response.status);
	got = http_header(&c->response, "Sec-WebSocket-Accept", NULL);
	if (!got || strcmp(got, accept) != 0)
		fail("expected Sec-WebSocket-Accept: %s, got %s", accept, got ? got : "none");
	expect_header("Upgrade: ~^[Ww]eb[Ss]ocket$$");
	expect_header("Connection: ~^[Uu]pgrade$$");
	expect_no_header("Content-Length");
}

static void ws_send(unsigned opcode, struct text data)
{
	struct ws_frame frame = { .fin = 1, .opcode = opcode, .masked = true, .data = data };
	struct text out = { 0 };

	ws_put_frame(&out, &frame);
	note(player.now, '>', data.p, data.n);
	if (conn_send(&player.now->conn, out.p, out.n, deadline()) == -ETIMEDOUT)
		fail("the server does not read: %zu bytes could not be sent", out.n);
}

static struct text close_payload(const char *rest)
{
	struct text t = { 0 }, reason;
	unsigned char code[2];
	long n;

	text_add(&t, "", 0);
	if (!*rest)
		return t;
	n = number(&rest);
	code[0] = (unsigned char)(n >> 8);
	code[1] = (unsigned char)n;
	text_add(&t, code, 2);
	reason = text_expression(rest);
	text_add(&t, reason.p, reason.n);
	return t;
}

/* ws frame [fin=0] [op=N] [rsv=N] [width=2|8] [unmasked] PAYLOAD */
static void ws_frame(const char *rest)
{
	struct ws_frame frame = { .fin = 1, .opcode = WS_TEXT, .masked = true };
	struct text out = { 0 };

	while (isalpha((unsigned char)*rest) && strncmp(rest, "hex\"", 4) != 0) {
		struct text word = text_word(&rest);

		if (!strncmp(word.p, "fin=", 4))
			frame.fin = (unsigned)atoi(word.p + 4);
		else if (!strncmp(word.p, "op=", 3))
			frame.opcode = (unsigned)atoi(word.p + 3);
		else if (!strncmp(word.p, "rsv=", 4))
			frame.rsv = (unsigned)atoi(word.p + 4);
		else if (!strncmp(word.p, "width=", 6))
			frame.width = atoi(word.p + 6);
		else if (word_is(word, "unmasked"))
			frame.masked = false;
		else
			mistake("unknown attribute of a frame", word.p);
	}
	frame.data = text_expression(rest);
	ws_put_frame(&out, &frame);
	client_send(player.now, out.p, out.n);
}

void do_ws(const char *rest)
{
	static const struct {
		const char *name;
		enum ws_opcode opcode;
	} kinds[] = { { "text", WS_TEXT }, { "binary", WS_BINARY }, { "ping", WS_PING },
		{ "pong", WS_PONG } };
	struct text verb = text_word(&rest);
	size_t i;

	if (word_is(verb, "open")) {
		ws_open(rest);
		return;
	}
	request_flush();
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (word_is(verb, kinds[i].name)) {
			ws_send(kinds[i].opcode, text_expression(rest));
			return;
		}
	}
	if (word_is(verb, "close"))
		ws_send(WS_CLOSE, close_payload(rest));
	else if (word_is(verb, "frame"))
		ws_frame(rest);
	else
		mistake("unknown verb of ws", verb.p);
}

static const char *opcode_name(enum ws_opcode opcode)
{
	static const char *const names[16] = { [WS_TEXT] = "text message",
		[WS_BINARY] = "binary message",
		[WS_CLOSE] = "Close",
		[WS_PING] = "Ping",
		[WS_PONG] = "Pong" };

	return names[opcode & 15] ? names[opcode & 15] : "strange frame";
}

struct text expect_message(enum ws_opcode opcode)
{
	struct ws_message m;
	const char *wrong = ws_read(&player.now->conn, &player.now->partial, &m, deadline());

	if (wrong)
		fail("expected a %s, got: %s", opcode_name(opcode), wrong);
	note(player.now, '<', m.data.p, m.data.n);
	if (m.opcode != opcode)
		fail("expected a %s, got a %s %s", opcode_name(opcode), opcode_name(m.opcode),
		    text_show(m.data.p, m.data.n));
	return m.data;
}

void expect_text(const char *rest)
{
	match("text message", rest, expect_message(WS_TEXT));
}

void expect_binary(const char *rest)
{
	match("binary message", rest, expect_message(WS_BINARY));
}

void expect_ping(const char *rest)
{
	struct text got = expect_message(WS_PING);

	var_set("ping", got.p);
	if (*rest)
		match("Ping", rest, got);
}

void expect_pong(const char *rest)
{
	match("Pong", rest, expect_message(WS_PONG));
}

/* "< close", "< close 1002|1007", "< close 3000 'Go away!'" */
void expect_close(const char *rest)
{
	struct text got = expect_message(WS_CLOSE), rule, reason;
	int code;

	if (!*rest)
		return;
	rule = text_word(&rest);
	if (word_is(rule, "empty") && !got.n)
		return;
	if (got.n < 2)
		fail("expected Close %s, got one without a code", rule.p);
	code = (unsigned char)got.p[0] << 8 | (unsigned char)got.p[1];
	reason.p = got.p + 2;
	reason.n = got.n - 2;
	for (const char *p = rule.p; p; p = strchr(p, '|')) {
		p += *p == '|';
		if (atoi(p) == code) {
			if (*rest)
				match("reason", rest, reason);
			return;
		}
	}
	fail("expected Close %s, got %d %s", rule.p, code, text_show(reason.p, reason.n));
}
