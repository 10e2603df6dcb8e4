/*
 * tests/wire/play.c - plays one scenario against a server.
 *
 * A table of verbs, one small function each. There is no error handling by
 * return codes: a scenario has a process of its own, so that the first
 * difference writes its report and exits. The language is described at the
 * top of ../wire.c.
 *
 * Owns: the named clients (a connection each, with what it is reading).
 */
#include "wire/play.h"

#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "wire/http.h"
#include "wire/sockjs.h"
#include "wire/text.h"
#include "wire/websocket.h"

enum { DEADLINE = 3000, SCENARIO_LIMIT = 90, MAX_PIPELINE = 64 };

struct client {
	struct client *next;
	char *name;
	const struct address *address;
	struct conn conn;
	struct http_response response;
	struct text body;                /* of the response, once asked for; malloc'd */
	bool has_body;
	bool head[MAX_PIPELINE];         /* ring: is the Nth request without answer a HEAD? */
	unsigned asked, answered;
	struct ws_partial partial;
	int64_t deadline_ms;
};

/* A request being put together by '>' lines; sent by the first other line. */
struct request {
	bool pending, websocket, post;
	bool has_host, has_length, has_body;
	int minor;
	struct text head, body; /* malloc'd copies: they outlive statements */
	char key[25];
};

static struct {
	const struct scenario *scenario;
	const struct statement *at;
	const struct server *server;
	struct client *clients, *now;
	struct request request;
	double patience;
	int64_t mark;
	FILE *report, *transcript;
	char *transcript_text;
	size_t transcript_size;
} play_state;

#define P play_state

/* --- reports --------------------------------------------------------- */

static _Noreturn void __attribute__((format(printf, 1, 2))) fail(const char *fmt, ...)
{
	va_list ap;

	fprintf(P.report, "%s:%d: \"%s\": ", P.scenario->file, P.at ? P.at->line : P.scenario->line,
	    P.scenario->name);
	va_start(ap, fmt);
	vfprintf(P.report, fmt, ap);
	va_end(ap);
	if (P.at)
		fprintf(P.report, " [%s]", text_show(P.at->text, strlen(P.at->text)));
	fputc('\n', P.report);
	if (P.transcript) {
		fflush(P.transcript);
		fwrite(P.transcript_text, 1, P.transcript_size > 30000 ? 30000 : P.transcript_size,
		    P.report);
	}
	fflush(P.report);
	_exit(1);
}

static _Noreturn void mistake(const char *what, const char *where)
{
	fail("the scenario is wrong: %s: %s", what, where);
}

static _Noreturn void on_alarm_fail(void)
{
	fail("ran for more than %d s", SCENARIO_LIMIT);
}

static void on_alarm(int sig)
{
	(void)sig;
	on_alarm_fail();
}

static void note(const struct client *c, char direction, const void *bytes, size_t n)
{
	if (P.transcript)
		fprintf(P.transcript, "\t%s %c %s\n", c->name, direction, text_show(bytes, n));
}

static int64_t deadline(void)
{
	return now_ms() + (int64_t)((double)P.now->deadline_ms * P.patience);
}

static void keep(struct text *copy, const void *bytes, size_t n)
{
	copy->p = realloc(copy->p, copy->n + n + 1);
	if (!copy->p)
		abort();
	if (n)
		memcpy(copy->p + copy->n, bytes, n);
	copy->n += n;
	copy->p[copy->n] = '\0';
}

static void drop(struct text *copy)
{
	free(copy->p);
	memset(copy, 0, sizeof(*copy));
}

static bool word_is(struct text word, const char *s)
{
	return !strcmp(word.p, s);
}

static long number(const char **p)
{
	struct text word = text_word(p);
	char *end;
	long n = strtol(word.p, &end, 10);

	if (!word.n || *end)
		mistake("number expected", word.p);
	return n;
}

/* --- clients --------------------------------------------------------- */

static struct client *client_named(const char *name)
{
	struct client *c;

	for (c = P.clients; c; c = c->next)
		if (!strcmp(c->name, name))
			return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	c->name = strdup(name);
	c->address = &P.server->address[0];
	c->deadline_ms = DEADLINE;
	c->response.ended = true;
	conn_init(&c->conn);
	c->next = P.clients;
	P.clients = c;
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

static void client_open(struct client *c)
{
	int err;

	client_forget(c);
	err = conn_open(&c->conn, c->address, deadline());
	if (err)
		fail("cannot connect: %s", strerror(-err));
}

/* Connects when needed: at first, and behind a response that announced the end. */
static void client_ready(struct client *c)
{
	bool over = c->response.ended && c->response.last && c->asked <= c->answered;

	if (c->conn.state == CONN_CLOSED || (over && c->answered))
		client_open(c);
}

static void client_send(struct client *c, const void *bytes, size_t n)
{
	note(c, '>', bytes, n);
	/* A peer that stops listening is not yet a failure: the expectations tell. */
	if (conn_send(&c->conn, bytes, n, deadline()) == -ETIMEDOUT)
		fail("the server does not read: %zu bytes could not be sent", n);
}

static void do_client(const char *rest)
{
	struct text name = text_word(&rest);
	long n;

	P.now = client_named(name.p);
	if (*rest != '@')
		return;
	rest++;
	n = number(&rest);
	if (n < 1 || n > P.server->addresses)
		fail("the server listens on %d addresses only", P.server->addresses);
	P.now->address = &P.server->address[n - 1];
}

static void do_connect(const char *rest)
{
	(void)rest;
	client_open(P.now);
}

static void do_close(const char *rest)
{
	(void)rest;
	conn_close(&P.now->conn);
}

static void do_reset(const char *rest)
{
	(void)rest;
	conn_abort(&P.now->conn);
}

static void do_shutdown(const char *rest)
{
	(void)rest;
	conn_shutdown(&P.now->conn);
}

static void do_deadline(const char *rest)
{
	P.now->deadline_ms = number(&rest);
}

/* --- requests -------------------------------------------------------- */

static void asked(struct client *c, bool head)
{
	c->head[c->asked++ % MAX_PIPELINE] = head;
}

static void request_line(const char *line)
{
	struct request *q = &P.request;
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
	client_ready(P.now);
	asked(P.now, !strncmp(text.p, "HEAD ", 5));
}

static void request_header(const char *line)
{
	struct request *q = &P.request;
	struct text text = text_expand(line, strlen(line));

	q->has_host |= !strncasecmp(text.p, "Host:", 5);
	q->has_length |= !strncasecmp(text.p, "Content-Length:", 15) ||
	    !strncasecmp(text.p, "Transfer-Encoding:", 18);
	keep(&q->head, text.p, text.n);
	keep(&q->head, "\r\n", 2);
}

static void request_chunks(const char *rest)
{
	struct request *q = &P.request;
	struct text piece;
	char size[24];

	keep(&q->head, "Transfer-Encoding: chunked\r\n", 28);
	q->has_length = true;
	while (*rest) {
		piece = text_word(&rest);
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
		P.request.has_host = true;
	else if (word_is(what, "Content-Length"))
		P.request.has_length = true;
	else
		mistake("only Host and Content-Length come by themselves", what.p);
}

static bool is_request_line(const char *rest)
{
	size_t n;

	rest = text_expand(rest, strlen(rest)).p;
	n = strcspn(rest, " ");
	return n && rest[n] && rest[n - 1] != ':' && strspn(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == n;
}

static void do_request(const char *rest)
{
	struct text body;

	if (is_request_line(rest)) {
		request_line(rest);
	} else if (!P.request.pending) {
		mistake("request line expected", rest);
	} else if (!strncmp(rest, "body ", 5)) {
		body = text_expression(rest + 5);
		keep(&P.request.body, body.p, body.n);
		P.request.has_body = true;
	} else if (!strncmp(rest, "chunked ", 8)) {
		request_chunks(rest + 8);
	} else if (!strncmp(rest, "without ", 8)) {
		request_without(rest + 8);
	} else {
		request_header(rest);
	}
}

static void ws_handshake_done(struct client *c);

/* Sends what '>' lines have put together. */
static void request_flush(void)
{
	struct request *q = &P.request;
	struct client *c = P.now;
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

static void do_raw(const char *rest)
{
	struct text bytes = text_expression(rest);

	if (P.now->conn.state == CONN_CLOSED)
		client_open(P.now);
	client_send(P.now, bytes.p, bytes.n);
}

/* drip MS STRING: one byte at a time. */
static void do_drip(const char *rest)
{
	long ms = number(&rest);
	struct text bytes = text_expression(rest);
	size_t i;

	if (P.now->conn.state == CONN_CLOSED)
		client_open(P.now);
	for (i = 0; i < bytes.n; i++) {
		client_send(P.now, bytes.p + i, 1);
		usleep((unsigned)ms * 1000);
	}
}

/* --- comparisons ----------------------------------------------------- */

static size_t first_difference(struct text a, struct text b)
{
	size_t i = 0;

	while (i < a.n && i < b.n && a.p[i] == b.p[i])
		i++;
	return i;
}

static void match_regex(const char *what, const char *pattern, struct text got)
{
	regex_t re;

	if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		mistake("bad regular expression", pattern);
	if (regexec(&re, got.p, 0, NULL, 0) != 0)
		fail("expected %s like %s, got %s", what, text_show(pattern, strlen(pattern)),
		    text_show(got.p, got.n));
	regfree(&re);
}

/* RULE: an expression, "~ EXPRESSION" (regular), "contains EXPRESSION", "length N" or nothing. */
static void match(const char *what, const char *rule, struct text got)
{
	struct text want = { 0 };

	if (*rule == '~') {
		match_regex(what, text_expression(rule + 1).p, got);
		return;
	}
	if (!strncmp(rule, "length ", 7)) {
		rule += 7;
		if ((size_t)number(&rule) != got.n)
			fail("got %s of %zu bytes", what, got.n);
		return;
	}
	if (!strncmp(rule, "contains ", 9)) {
		want = text_expression(rule + 9);
		if (!memmem(got.p, got.n, want.p, want.n))
			fail("expected %s with %s, got %s", what, text_show(want.p, want.n),
			    text_show(got.p, got.n));
		return;
	}
	want = text_expression(rule);
	if (want.n != got.n || memcmp(want.p, got.p, want.n) != 0)
		fail("expected %s %s, got %s, different from byte %zu on", what,
		    text_show(want.p, want.n), text_show(got.p, got.n), first_difference(want, got));
}

/* --- responses ------------------------------------------------------- */

static struct text piece_of_body(struct client *c, const char *what)
{
	struct text piece = { 0 };
	const unsigned char *bytes = NULL;
	size_t n;
	const char *wrong = http_read_piece(&c->response, &c->conn, &bytes, &n, deadline());

	if (wrong)
		fail("expected %s, got: %s%s%s", what, wrong, c->conn.len ? "; received so far " : "",
		    c->conn.len ? text_show(conn_bytes(&c->conn), c->conn.len) : "");
	text_add(&piece, bytes, n);
	note(c, '<', piece.p, piece.n);
	return piece;
}

static void read_body(struct client *c)
{
	struct text piece;

	while (!c->response.ended) {
		piece = piece_of_body(c, "the rest of the body");
		keep(&c->body, piece.p, piece.n);
	}
	c->has_body = true;
}

static void read_head(struct client *c, const char *what)
{
	const char *wrong;
	int i;

	read_body(c);
	drop(&c->body);
	keep(&c->body, "", 0);
	c->has_body = false;
	wrong = http_read_head(&c->response, &c->conn,
	    c->answered < c->asked && c->head[c->answered % MAX_PIPELINE], deadline());
	if (wrong)
		fail("expected %s, got: %s%s%s", what, wrong, c->conn.len ? "; received so far " : "",
		    c->conn.len ? text_show(conn_bytes(&c->conn), c->conn.len) : "");
	if (P.transcript)
		fprintf(P.transcript, "\t%s < %d\n", c->name, c->response.status);
	for (i = 0; P.transcript && i < c->response.headers; i++)
		fprintf(P.transcript, "\t%s < %s: %s\n", c->name, c->response.header[i].name,
		    c->response.header[i].value);
	if (c->response.status >= 200 || c->response.status == 101)
		c->answered++;
}

/* "200", "4xx", "400|404" */
static bool status_is(int status, const char *rule)
{
	char text[8];
	const char *p;
	int i;

	snprintf(text, sizeof(text), "%03d", status);
	for (p = rule; *p; p += p[3] == '|' ? 4 : 3) {
		for (i = 0; i < 3 && (p[i] == text[i] || p[i] == 'x'); i++)
			;
		if (i == 3)
			return true;
		if (strlen(p) < 4)
			break;
	}
	return false;
}

static void expect_status(const char *rule)
{
	struct client *c = P.now;
	char what[64];

	snprintf(what, sizeof(what), "status %s", rule);
	read_head(c, what);
	if (status_is(c->response.status, rule))
		return;
	if (c->response.framing == HTTP_LENGTH)
		read_body(c);
	fail("expected %s, got %d %s", what, c->response.status,
	    c->body.p ? text_show(c->body.p, c->body.n) : "");
}

/* Blanks do not matter: "text/plain; charset=UTF-8" is "text/plain;charset=UTF-8". */
static bool same_value(const char *a, const char *b)
{
	for (;; a++, b++) {
		a += strspn(a, " \t");
		b += strspn(b, " \t");
		if (*a != *b)
			return false;
		if (!*a)
			return true;
	}
}

static void need_response(void)
{
	if (!P.now->response.head)
		mistake("no response has been read", P.at->text);
}

static void expect_header(const char *line)
{
	struct http_response *r = &P.now->response;
	const char *colon = strchr(line, ':'), *value, *got = NULL;
	char name[80];
	struct text want;
	int at = -1;
	regex_t re;

	need_response();
	if (!colon || colon - line >= (long)sizeof(name))
		mistake("unknown expectation", line);
	snprintf(name, sizeof(name), "%.*s", (int)(colon - line), line);
	value = colon + 1 + strspn(colon + 1, " \t");
	want = text_expand(value, strlen(value));
	if (want.p[0] == '~' &&
	    regcomp(&re, want.p + 1 + strspn(want.p + 1, " "), REG_EXTENDED | REG_NOSUB) != 0)
		mistake("bad regular expression", want.p);
	while ((value = http_header(r, name, &at))) {
		got = value;
		if (want.p[0] == '~' ? !regexec(&re, got, 0, NULL, 0)
				     : !want.n || same_value(got, want.p))
			return;
	}
	fail("expected header %s: %s, got %s", name, want.p, got ? got : "none");
}

static void expect_no_header(const char *rest)
{
	struct text name = text_word(&rest);
	const char *value;

	need_response();
	value = http_header(&P.now->response, name.p, NULL);
	if (value)
		fail("expected no header %s, got \"%s\"", name.p, value);
}

static void expect_body(const char *rest)
{
	need_response();
	read_body(P.now);
	match("body", rest, P.now->body);
}

static void expect_chunk(const char *rest)
{
	struct text piece;

	need_response();
	if (P.now->response.framing != HTTP_CHUNKED)
		fail("expected a chunk, but the response is not chunked");
	piece = piece_of_body(P.now, "a chunk");
	if (P.now->response.ended)
		fail("expected a chunk, got the end of the response");
	match("chunk", rest, piece);
}

/* What the first chunk says and more, up to its length: a piece of an unframed body. */
static void expect_raw(const char *rest)
{
	struct text want = text_expression(rest), got = { 0 };
	int err = conn_need(&P.now->conn, want.n, deadline());

	text_add(&got, conn_bytes(&P.now->conn), P.now->conn.len < want.n ? P.now->conn.len : want.n);
	if (want.n != got.n || memcmp(want.p, got.p, want.n) != 0)
		fail("expected bytes %s, got %s%s", text_show(want.p, want.n), text_show(got.p, got.n),
		    err == -ETIMEDOUT ? " and nothing more in time" :
			err	      ? " and then the end" :
					"");
	note(P.now, '<', got.p, got.n);
	conn_consume(&P.now->conn, want.n);
}

static void expect_end(const char *rest)
{
	struct text piece;

	(void)rest;
	need_response();
	piece = piece_of_body(P.now, "the end of the response");
	if (!P.now->response.ended)
		fail("expected the end of the response, got %s", text_show(piece.p, piece.n));
}

static void expect_nothing(const char *rest)
{
	long ms = number(&rest);
	struct client *c = P.now;
	int n = 0;

	if (!c->conn.len)
		n = conn_fill(&c->conn, now_ms() + ms);
	if (n == -ETIMEDOUT)
		return;
	if (c->conn.len)
		fail("expected silence, got %s", text_show(conn_bytes(&c->conn), c->conn.len));
	fail("expected silence, got %s", n ? "a reset" : "the end of the connection");
}

/* Waits for the end of the connection; anything still unread fails. */
static int await_end(struct client *c, const char *what)
{
	int n = 0;

	if (!c->conn.len)
		n = conn_fill(&c->conn, deadline());
	if (c->conn.len)
		fail("expected %s, got %s", what, text_show(conn_bytes(&c->conn), c->conn.len));
	if (n == -ETIMEDOUT)
		fail("expected %s, got %s", what, http_timeout);
	return n;
}

static void skip_body(struct client *c)
{
	if (c->response.head && c->response.status != 101 && !c->response.ended)
		read_body(c);
}

static void expect_eof(const char *rest)
{
	(void)rest;
	skip_body(P.now);
	if (await_end(P.now, "the end of the connection") < 0)
		fail("expected an orderly end of the connection, got a reset");
}

static void expect_reset(const char *rest)
{
	(void)rest;
	if (await_end(P.now, "a reset") == 0)
		fail("expected a reset, got an orderly end");
}

static void expect_gone(const char *rest)
{
	(void)rest;
	skip_body(P.now);
	await_end(P.now, "the end of the connection, or a reset");
}

/* --- WebSocket ------------------------------------------------------- */

static void ws_open(const char *rest)
{
	struct request *q = &P.request;
	struct text path = text_word(&rest), head = { 0 };
	char line[96];

	request_flush();
	if (P.now->conn.state != CONN_CLOSED)
		conn_close(&P.now->conn);
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

static void ws_handshake_done(struct client *c)
{
	char accept[29];
	const char *got;

	ws_accept(P.request.key, accept);
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
	note(P.now, '>', data.p, data.n);
	if (conn_send(&P.now->conn, out.p, out.n, deadline()) == -ETIMEDOUT)
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
	client_send(P.now, out.p, out.n);
}

static void do_ws(const char *rest)
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
		[WS_BINARY] = "binary message", [WS_CLOSE] = "Close", [WS_PING] = "Ping",
		[WS_PONG] = "Pong" };

	return names[opcode & 15] ? names[opcode & 15] : "strange frame";
}

static struct text expect_message(enum ws_opcode opcode)
{
	struct ws_message m;
	const char *wrong = ws_read(&P.now->conn, &P.now->partial, &m, deadline());

	if (wrong)
		fail("expected a %s, got: %s", opcode_name(opcode), wrong);
	note(P.now, '<', m.data.p, m.data.n);
	if (m.opcode != opcode)
		fail("expected a %s, got a %s %s", opcode_name(opcode), opcode_name(m.opcode),
		    text_show(m.data.p, m.data.n));
	return m.data;
}

static void expect_text(const char *rest)
{
	match("text message", rest, expect_message(WS_TEXT));
}

static void expect_binary(const char *rest)
{
	match("binary message", rest, expect_message(WS_BINARY));
}

static void expect_ping(const char *rest)
{
	struct text got = expect_message(WS_PING);

	if (*rest)
		match("Ping", rest, got);
}

static void expect_pong(const char *rest)
{
	match("Pong", rest, expect_message(WS_PONG));
}

/* "< close", "< close 1002|1007", "< close 3000 'Go away!'" */
static void expect_close(const char *rest)
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

/* --- receive --------------------------------------------------------- */

struct receiving {
	const char *template;
	long want, got;
};

static void check_one(struct receiving *r, struct text message)
{
	struct text want;
	char i[24];

	if (r->got == r->want)
		fail("more than %ld messages: %s", r->want, text_show(message.p, message.n));
	snprintf(i, sizeof(i), "%ld", r->got);
	var_set("i", i);
	want = text_expression(r->template);
	if (want.n != message.n || memcmp(want.p, message.p, want.n) != 0)
		fail("expected message %ld to be %s, got %s", r->got, text_show(want.p, want.n),
		    text_show(message.p, message.n));
	r->got++;
}

static void check_frame(struct receiving *r, struct text frame)
{
	const char *p = frame.p + 2, *end = frame.p + frame.n;
	struct text message;

	if (!frame.n || frame.p[0] == 'o' || frame.p[0] == 'h')
		return;
	if (frame.n < 3 || frame.p[0] != 'a' || frame.p[1] != '[')
		fail("%ld of %ld messages, then the frame %s", r->got, r->want,
		    text_show(frame.p, frame.n));
	while (p < end) {
		if (!sockjs_next_message(&p, end, &message))
			fail("malformed frame %s", text_show(frame.p, frame.n));
		check_one(r, message);
	}
}

static void ask_again(const struct sockjs_transport *t, const char *path)
{
	char line[512];

	snprintf(line, sizeof(line), "%s %s/%s%s", t->method, path, t->name, t->query);
	request_line(line);
	request_flush();
	expect_status("200");
}

static void receive_http(
    struct receiving *r, const struct sockjs_transport *t, const char *path)
{
	struct text piece, frame;

	while (r->got < r->want) {
		if (P.now->response.ended)
			ask_again(t, path);
		memset(&frame, 0, sizeof(frame));
		if (t->streams) {
			piece = piece_of_body(P.now, "messages");
		} else {
			read_body(P.now);
			piece = P.now->body;
		}
		if (t->streams && P.now->response.ended)
			continue;
		if (!t->unwrap(piece, &frame))
			fail("malformed frame %s", text_show(piece.p, piece.n));
		check_frame(r, frame);
	}
}

/* receive N TRANSPORT PATH TEMPLATE: asks as often as it takes. */
static void do_receive(const char *rest)
{
	struct receiving r = { .want = number(&rest) };
	struct text transport = text_word(&rest), path = { 0 };
	const struct sockjs_transport *t = sockjs_transport(transport.p);

	if (t)
		path = text_word(&rest);
	r.template = rest;
	if (t)
		receive_http(&r, t, path.p);
	else if (word_is(transport, "websocket"))
		while (r.got < r.want)
			check_frame(&r, expect_message(WS_TEXT));
	else if (word_is(transport, "raw"))
		while (r.got < r.want)
			check_one(&r, expect_message(WS_TEXT));
	else
		mistake("unknown transport", transport.p);
}

/* --- the rest -------------------------------------------------------- */

static void do_expect(const char *rest)
{
	static const struct {
		const char *word;
		void (*check)(const char *rest);
	} kinds[] = {
		{ "body", expect_body },
		{ "chunk", expect_chunk },
		{ "raw", expect_raw },
		{ "end", expect_end },
		{ "nothing", expect_nothing },
		{ "eof", expect_eof },
		{ "reset", expect_reset },
		{ "gone", expect_gone },
		{ "no", expect_no_header },
		{ "text", expect_text },
		{ "binary", expect_binary },
		{ "ping", expect_ping },
		{ "pong", expect_pong },
		{ "close", expect_close },
	};
	size_t n = strcspn(rest, " \t"), i;

	if (isdigit((unsigned char)*rest)) {
		expect_status(rest);
		return;
	}
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strlen(kinds[i].word) == n && !memcmp(kinds[i].word, rest, n)) {
			kinds[i].check(rest + n + strspn(rest + n, " \t"));
			return;
		}
	}
	expect_header(rest);
}

static void do_sleep(const char *rest)
{
	usleep((unsigned)number(&rest) * 1000);
}

static void do_mark(const char *rest)
{
	(void)rest;
	P.mark = now_ms();
}

/* elapsed MIN MAX: milliseconds since mark. The upper bound grows with patience. */
static void do_elapsed(const char *rest)
{
	int64_t ms = now_ms() - P.mark;
	long least = number(&rest), most = (long)((double)number(&rest) * P.patience);

	if (ms < least || ms > most)
		fail("took %ld ms instead of %ld to %ld", (long)ms, least, most);
}

static void do_set(const char *rest)
{
	struct text name = text_word(&rest);

	var_set(name.p, text_expression(rest).p);
}

static void do_fresh(const char *rest)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	unsigned char random[12];
	char id[13] = { 0 };
	FILE *f = fopen("/dev/urandom", "re");
	size_t i;

	(void)rest;
	if (!f || fread(random, 1, sizeof(random), f) != sizeof(random))
		abort();
	fclose(f);
	for (i = 0; i < sizeof(random); i++)
		id[i] = letters[random[i] % 36];
	var_set("id", id);
}

/* save NAME header Etag | save NAME body REGEX-WITH-A-GROUP */
static void do_save(const char *rest)
{
	struct text name = text_word(&rest), from = text_word(&rest);
	const char *value;
	char *copy;
	regmatch_t m[2];
	regex_t re;

	need_response();
	if (word_is(from, "header")) {
		value = http_header(&P.now->response, text_word(&rest).p, NULL);
		if (!value)
			fail("no such header");
		var_set(name.p, value);
		return;
	}
	read_body(P.now);
	if (regcomp(&re, text_expression(rest).p, REG_EXTENDED) != 0 || re.re_nsub != 1)
		mistake("regular expression with one group expected", rest);
	if (regexec(&re, P.now->body.p, 2, m, 0) != 0)
		fail("body is %s", text_show(P.now->body.p, P.now->body.n));
	copy = strndup(P.now->body.p + m[1].rm_so, (size_t)(m[1].rm_eo - m[1].rm_so));
	var_set(name.p, copy);
	free(copy);
	regfree(&re);
}

static void do_compare(const char *rest)
{
	struct text a = text_word(&rest), op = text_word(&rest), b = text_word(&rest);
	bool same = a.n == b.n && !memcmp(a.p, b.p, a.n);

	if (!word_is(op, "==") && !word_is(op, "!="))
		mistake("== or != expected", op.p);
	if (same != word_is(op, "=="))
		fail("%s %s %s does not hold", text_show(a.p, a.n), op.p, text_show(b.p, b.n));
}

/* signal HUP|TERM: to a server of ours. */
static void do_signal(const char *rest)
{
	struct text name = text_word(&rest);

	if (!P.server->pid)
		mistake("the server is not ours", name.p);
	kill(P.server->pid, word_is(name, "HUP") ? SIGHUP : SIGTERM);
}

static void run(const struct statement *s);

static void repeat(const struct statement *s, const char *rest)
{
	long i, n = number(&rest);
	char text[24];

	for (i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%ld", i);
		var_set("i", text);
		run(s->body);
	}
}

/* for NAME in WORD... */
static void for_each(const struct statement *s, const char *rest)
{
	char *name = strdup(text_word(&rest).p);
	struct text word;

	if (!word_is(text_word(&rest), "in"))
		mistake("for NAME in WORD...", s->text);
	while (*rest) {
		word = text_word(&rest);
		var_set(name, word.p);
		run(s->body);
		P.at = s;
	}
	free(name);
}

static const struct verb {
	const char *name;
	bool keeps_request; /* does not send the pending request first */
	void (*run)(const char *rest);
} verbs[] = {
	{ ">", true, do_request },
	{ ">>", false, do_raw },
	{ "<", false, do_expect },
	{ "ws", true, do_ws },
	{ "client", false, do_client },
	{ "connect", false, do_connect },
	{ "close", false, do_close },
	{ "reset", false, do_reset },
	{ "shutdown", false, do_shutdown },
	{ "drip", false, do_drip },
	{ "deadline", true, do_deadline },
	{ "receive", false, do_receive },
	{ "sleep", false, do_sleep },
	{ "mark", true, do_mark },
	{ "elapsed", false, do_elapsed },
	{ "set", true, do_set },
	{ "fresh", true, do_fresh },
	{ "save", false, do_save },
	{ "expect", false, do_compare },
	{ "signal", false, do_signal },
};

static void perform(const struct statement *s)
{
	size_t n = strcspn(s->text, " \t"), i;
	const char *rest = s->text + n + strspn(s->text + n, " \t");

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strlen(verbs[i].name) != n || memcmp(verbs[i].name, s->text, n) != 0)
			continue;
		/* A second request line begins another request: the first one goes out. */
		if (!verbs[i].keeps_request || (verbs[i].run == do_request && is_request_line(rest)))
			request_flush();
		verbs[i].run(rest);
		return;
	}
	mistake("unknown verb", s->text);
}

static void run(const struct statement *s)
{
	for (; s; s = s->next) {
		P.at = s;
		scratch_reset();
		if (s->body) {
			request_flush();
			if (*s->text == 'r')
				repeat(s, s->text + strlen("repeat "));
			else
				for_each(s, s->text + strlen("for "));
		} else {
			perform(s);
		}
	}
}

_Noreturn void play(const struct scenario *scenario, const struct server *server, int report,
    double patience, bool transcript)
{
	char host[300];

	P.scenario = scenario;
	P.server = server;
	P.patience = patience;
	P.report = fdopen(report, "w");
	if (transcript)
		P.transcript = open_memstream(&P.transcript_text, &P.transcript_size);
	text_mistake = mistake;
	signal(SIGALRM, on_alarm);
	alarm(SCENARIO_LIMIT);
	snprintf(host, sizeof(host), "%s:%s", server->address[0].host, server->address[0].port);
	var_set("host", host);
	var_set("port", server->address[0].port);
	do_fresh("");
	P.now = client_named("a");
	P.mark = now_ms();
	run(scenario->first);
	request_flush();
	_exit(0);
}
