/*
 * tests/wire/client.c - the named clients of a scenario, and what they send.
 *
 * Owns: the clients (a connection each, with the response it is reading) and
 * the request that '>' lines put together until another line sends it.
 */
#include "wire/player.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { DEADLINE = 3000 };

/* --- clients --------------------------------------------------------- */

struct client *client_named(const char *name)
{
	struct client *c;

	for (c = player.clients; c; c = c->next)
		if (!strcmp(c->name, name))
			return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	c->name = strdup(name);
	c->address = &player.server->address[0];
	c->deadline_ms = DEADLINE;
	c->response.ended = true;
	conn_init(&c->conn);
	c->next = player.clients;
	player.clients = c;
	return c;
}

static void client_forget(struct client *c)
{
	http_free(&c->response);
	drop(&c->body);
	c->has_body = false;
	c->asked = c->answered = 0;
	free(c->partial.p);
	memset(&c->partial, 0, sizeof(c->partial));
}

void client_open(struct client *c)
{
	int err;

	client_forget(c);
	err = conn_open(&c->conn, c->address, deadline());
	if (err)
		fail("cannot connect: %s", strerror(-err));
}

/* Connects when needed: at first, and behind a response that announced the end. */
void client_ready(struct client *c)
{
	bool over = c->response.ended && c->response.last && c->asked <= c->answered;

	if (c->conn.state == CONN_CLOSED || (over && c->answered))
		client_open(c);
}

void client_send(struct client *c, const void *bytes, size_t n)
{
	note(c, '>', bytes, n);
	/* A peer that stops listening is not yet a failure: the expectations tell. */
	if (conn_send(&c->conn, bytes, n, deadline()) == -ETIMEDOUT)
		fail("the server does not read: %zu bytes could not be sent", n);
}

void do_client(const char *rest)
{
	struct text name = text_word(&rest);
	long n;

	player.now = client_named(name.p);
	if (*rest != '@')
		return;
	rest++;
	if (strcmp(rest, "internal") == 0) {
		player.now->address = &player.server->internal;
		return;
	}
	n = number(&rest);
	if (n < 1 || n > player.server->addresses)
		fail("the server listens on %d addresses only", player.server->addresses);
	player.now->address = &player.server->address[n - 1];
}

void do_connect(const char *rest)
{
	(void)rest;
	client_open(player.now);
}

void do_close(const char *rest)
{
	(void)rest;
	conn_close(&player.now->conn);
}

void do_reset(const char *rest)
{
	(void)rest;
	conn_abort(&player.now->conn);
}

void do_shutdown(const char *rest)
{
	(void)rest;
	conn_shutdown(&player.now->conn);
}

void do_deadline(const char *rest)
{
	player.now->deadline_ms = number(&rest);
}

/* Before it connects. */
void do_slow(const char *rest)
{
	player.now->conn.rate = (unsigned)number(&rest);
}

/* --- requests -------------------------------------------------------- */

static void asked(struct client *c, bool head)
{
	c->head[c->asked++ % MAX_PIPELINE] = head;
}

void request_line(const char *line)
{
	struct request *q = &player.request;
	struct text text = text_expand(line, strlen(line));
	const char *version = strstr(text.p, " HTTP/1.");

	memset(q, 0, sizeof(*q));
	q->pending = true;
	q->post = !strncmp(text.p, "POST ", 5);
	q->minor = version && version[8] == '0' ? 0 : 1;
	keep(&q->head, text.p, text.n);
	if (!version)
		keep(&q->head, " HTTP/1.1", 9);
	keep(&q->head, "\r\n", 2);
	client_ready(player.now);
	asked(player.now, !strncmp(text.p, "HEAD ", 5));
}

static void request_header(const char *line)
{
	struct request *q = &player.request;
	struct text text = text_expand(line, strlen(line));

	q->has_host |= !strncasecmp(text.p, "Host:", 5);
	q->has_length |= !strncasecmp(text.p, "Content-Length:", 15) ||
	                 !strncasecmp(text.p, "Transfer-Encoding:", 18);
	keep(&q->head, text.p, text.n);
	keep(&q->head, "\r\n", 2);
}

static void request_chunks(const char *rest)
{
	struct request *q = &player.request;
	struct text piece;
	char size[24];

	keep(&q->head, "Transfer-Encoding: chunked\r\n", 28);
	q->has_length = true;
	while (*rest) {
		piece = text_item(&rest);
		keep(&q->body, size, (size_t)sprintf(size, "%zx\r\n", piece.n));
		keep(&q->body, piece.p, piece.n);
		keep(&q->body, "\r\n", 2);
	}
	keep(&q->body, "0\r\n\r\n", 5);
}

static void request_without(const char *rest)
{
	struct text what = text_word(&rest);

	if (word_is(what, "Host"))
		player.request.has_host = true;
	else if (word_is(what, "Content-Length"))
		player.request.has_length = true;
	else
		mistake("only Host and Content-Length come by themselves", what.p);
}

bool is_request_line(const char *rest)
{
	size_t n;

	rest = text_expand(rest, strlen(rest)).p;
	n = strcspn(rest, " ");
	return n && rest[n] && rest[n - 1] != ':' &&
	       strspn(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == n;
}

void do_request(const char *rest)
{
	struct text body;

	if (is_request_line(rest)) {
		request_line(rest);
	} else if (!player.request.pending) {
		mistake("request line expected", rest);
	} else if (!strncmp(rest, "body ", 5)) {
		body = text_expression(rest + 5);
		keep(&player.request.body, body.p, body.n);
		player.request.has_body = true;
	} else if (!strncmp(rest, "chunked ", 8)) {
		request_chunks(rest + 8);
	} else if (!strncmp(rest, "without ", 8)) {
		request_without(rest + 8);
	} else {
		request_header(rest);
	}
}

/* Sends what '>' lines have put together. */
void request_flush(void)
{
	struct request *q = &player.request;
	struct client *c = player.now;
	struct text out = { 0 };
	char line[320];

	if (!q->pending)
		return;
	q->pending = false;
	text_add(&out, q->head.p, q->head.n);
	if (!q->has_host && q->minor)
		text_add(&out, line,
		    (size_t)snprintf(line, sizeof(line), "Host: %s\r\n", var_get("host")));
	if (!q->has_length && (q->has_body || q->post))
		text_add(&out, line, (size_t)sprintf(line, "Content-Length: %zu\r\n", q->body.n));
	text_add(&out, "\r\n", 2);
	text_add(&out, q->body.p, q->body.n);
	drop(&q->head);
	drop(&q->body);
	client_send(c, out.p, out.n);
	if (q->websocket)
		ws_handshake_done(c);
}

void do_raw(const char *rest)
{
	struct text bytes = text_expression(rest);

	if (player.now->conn.state == CONN_CLOSED)
		client_open(player.now);
	client_send(player.now, bytes.p, bytes.n);
}

/* drip MS STRING: one byte at a time. */
void do_drip(const char *rest)
{
	long ms = number(&rest);
	struct text bytes = text_expression(rest);
	size_t i;

	if (player.now->conn.state == CONN_CLOSED)
		client_open(player.now);
	for (i = 0; i < bytes.n; i++) {
		client_send(player.now, bytes.p + i, 1);
		usleep((unsigned)ms * 1000);
	}
}
