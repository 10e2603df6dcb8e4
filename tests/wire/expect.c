/*
 * tests/wire/expect.c - '<' lines: reads what comes and compares.
 */
#include "wire/player.h"

#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

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
void match(const char *what, const char *rule, struct text got)
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
		    text_show(want.p, want.n), text_show(got.p, got.n),
		    first_difference(want, got));
}

/* --- responses ------------------------------------------------------- */

struct text piece_of_body(struct client *c, const char *what)
{
	struct text piece = { 0 };
	const unsigned char *bytes = NULL;
	size_t n;
	const char *wrong = http_read_piece(&c->response, &c->conn, &bytes, &n, deadline());

	if (wrong)
		fail("expected %s, got: %s%s%s", what, wrong,
		    c->conn.len ? "; received so far " : "",
		    c->conn.len ? text_show(conn_bytes(&c->conn), c->conn.len) : "");
	text_add(&piece, bytes, n);
	note(c, '<', piece.p, piece.n);
	return piece;
}

void read_body(struct client *c)
{
	struct text piece;

	while (!c->response.ended) {
		piece = piece_of_body(c, "the rest of the body");
		keep(&c->body, piece.p, piece.n);
	}
	c->has_body = true;
}

void read_head(struct client *c, const char *what)
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
		fail("expected %s, got: %s%s%s", what, wrong,
		    c->conn.len ? "; received so far " : "",
		    c->conn.len ? text_show(conn_bytes(&c->conn), c->conn.len) : "");
	if (player.transcript)
		fprintf(player.transcript, "\t%s < %d\n", c->name, c->response.status);
	for (i = 0; player.transcript && i < c->response.headers; i++)
		fprintf(player.transcript, "\t%s < %s: %s\n", c->name, c->response.header[i].name,
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

void expect_status(const char *rule)
{
	struct client *c = player.now;
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

void need_response(void)
{
	if (!player.now->response.head)
		mistake("no response has been read", player.at->text);
}

void expect_header(const char *line)
{
	struct http_response *r = &player.now->response;
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

void expect_no_header(const char *rest)
{
	struct text name = text_word(&rest);
	const char *value;

	need_response();
	value = http_header(&player.now->response, name.p, NULL);
	if (value)
		fail("expected no header %s, got \"%s\"", name.p, value);
}

static void expect_body(const char *rest)
{
	need_response();
	read_body(player.now);
	match("body", rest, player.now->body);
}

static void expect_chunk(const char *rest)
{
	struct text piece;

	need_response();
	if (player.now->response.framing != HTTP_CHUNKED)
		fail("expected a chunk, but the response is not chunked");
	piece = piece_of_body(player.now, "a chunk");
	if (player.now->response.ended)
		fail("expected a chunk, got the end of the response");
	match("chunk", rest, piece);
}

/* What the first chunk says and more, up to its length: a piece of an unframed body. */
static void expect_raw(const char *rest)
{
	struct text want = text_expression(rest), got = { 0 };
	int err = conn_need(&player.now->conn, want.n, deadline());

	text_add(&got, conn_bytes(&player.now->conn),
	    player.now->conn.len < want.n ? player.now->conn.len : want.n);
	if (want.n != got.n || memcmp(want.p, got.p, want.n) != 0)
		fail("expected bytes %s, got %s%s", text_show(want.p, want.n),
		    text_show(got.p, got.n),
		    err == -ETIMEDOUT ? " and nothing more in time"
		    : err             ? " and then the end"
		                      : "");
	note(player.now, '<', got.p, got.n);
	conn_consume(&player.now->conn, want.n);
}

static void expect_end(const char *rest)
{
	struct text piece;

	(void)rest;
	need_response();
	piece = piece_of_body(player.now, "the end of the response");
	if (!player.now->response.ended)
		fail("expected the end of the response, got %s", text_show(piece.p, piece.n));
}

static void expect_nothing(const char *rest)
{
	long ms = number(&rest);
	struct client *c = player.now;
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
	skip_body(player.now);
	if (await_end(player.now, "the end of the connection") < 0)
		fail("expected an orderly end of the connection, got a reset");
}

static void expect_reset(const char *rest)
{
	(void)rest;
	if (await_end(player.now, "a reset") == 0)
		fail("expected a reset, got an orderly end");
}

/* Whatever still comes, until the connection is over. */
static void expect_ended(const char *rest)
{
	struct conn *c = &player.now->conn;
	int n;

	(void)rest;
	do {
		conn_consume(c, c->len);
		n = conn_fill(c, deadline());
	} while (n > 0);
	if (n == -ETIMEDOUT)
		fail("expected the connection to end, it did not in time");
}

static void expect_gone(const char *rest)
{
	(void)rest;
	skip_body(player.now);
	await_end(player.now, "the end of the connection, or a reset");
}

void do_expect(const char *rest)
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
		{ "ended", expect_ended },
		{ "no", expect_no_header },
		{ "text", expect_text },
		{ "binary", expect_binary },
		{ "ping", expect_ping },
		{ "pong", expect_pong },
		{ "close", expect_close },
		{ "frame", expect_frame },
		{ "last", expect_last },
		{ "beat", expect_beat },
		{ "silence", expect_silence },
		{ "ends", expect_ends },
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
