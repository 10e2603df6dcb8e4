/*
 * tests/fuzz/fuzz_ws_client.c - answers of every kind to our opening handshake, and
 * requests of every kind.
 *
 * Input: one octet of settings. Then an answer, in which each '@' stands for the right
 * accept key: whether it comes whole or in pieces, it has one outcome, and only what
 * belongs to it is taken. Or, with the settings' highest bit, the fields of a request,
 * one a line: what is let through has to be, line by line, what was asked for.
 */
#include "ws/ws_client.h"
#include "tests/fuzz/must.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 0x1f, OFFER_SUBPROTOCOLS = 0x20, OFFER_EXTENSION = 0x40, REQUEST = 0x80 };
enum { FIELDS_MAX = 16 };

static const struct ws_deflate_config deflate = {
	.enabled = true, .context_takeover = true, .window_bits = 15
};

/* Takes the next line of a text, without what ends it. */
static bool next_line(struct bytes *text, const char *ends, struct bytes *line)
{
	const char *at = text->n ? memmem(text->p, text->n, ends, strlen(ends)) : NULL;
	size_t n = at ? (size_t)(at - text->p) : text->n;

	if (text->n == 0)
		return false;
	*line = (struct bytes){ text->p, n };
	n += at ? strlen(ends) : 0;
	text->p += n;
	text->n -= n;
	return true;
}

/* --- requests ----------------------------------------------------------------- */

struct fields {
	struct ws_client_request req;
	struct bytes subprotocols[FIELDS_MAX];
	struct ws_request_header headers[FIELDS_MAX];
};

/* Host, target, origin; then subprotocols, up to an empty line; then "name:value". */
static void read_fields(struct fields *f, struct bytes text)
{
	struct bytes *first[] = { &f->req.host, &f->req.target, &f->req.origin }, line;

	*f = (struct fields){ .req = { .subprotocols = f->subprotocols, .headers = f->headers } };
	for (size_t i = 0; i < 3; i++)
		if (!next_line(&text, "\n", first[i]))
			return;
	while (f->req.subprotocol_count < FIELDS_MAX && next_line(&text, "\n", &line) && line.n > 0)
		f->subprotocols[f->req.subprotocol_count++] = line;
	while (f->req.header_count < FIELDS_MAX && next_line(&text, "\n", &line)) {
		struct ws_request_header *h = &f->headers[f->req.header_count++];

		h->value = line;
		next_line(&h->value, ":", &h->name);
	}
}

static void must_be(struct bytes line, struct bytes name, struct bytes value)
{
	must(line.n == name.n + 2 + value.n);
	must(memcmp(line.p, name.p, name.n) == 0);
	must(memcmp(line.p + name.n, ": ", 2) == 0);
	must(value.n == 0 || memcmp(line.p + name.n + 2, value.p, value.n) == 0);
}

static void check_request(const struct ws_client_request *req, const struct buf *out)
{
	struct bytes text = { buf_data(out), buf_len(out) }, line;
	size_t lines = 6 + (req->origin.n > 0) + (req->subprotocol_count > 0) +
	               (req->deflate && req->deflate->enabled) + req->header_count;

	must(next_line(&text, "\r\n", &line));
	must(line.n == req->target.n + 13);
	must(memcmp(line.p + 4, req->target.p, req->target.n) == 0);
	must(next_line(&text, "\r\n", &line));
	must_be(line, BYTES("Host"), req->host);
	for (size_t i = 2; i < lines; i++) {
		must(next_line(&text, "\r\n", &line) && line.n > 0);
		if (i + req->header_count >= lines)
			must_be(line, req->headers[i + req->header_count - lines].name,
			    req->headers[i + req->header_count - lines].value);
	}
	must(bytes_equal(text, BYTES("\r\n")));
	must(!memchr(buf_data(out), '\0', buf_len(out)));
}

static void ask(unsigned settings, struct bytes input)
{
	struct ws_client *c = NULL;
	struct buf out = BUF_INIT;
	struct fields f;
	int err;

	read_fields(&f, input);
	f.req.deflate = settings & OFFER_EXTENSION ? &deflate : NULL;
	err = ws_client_begin(&c, &f.req, &out);
	must(err == 0 || err == -EINVAL);
	must(err == 0 || (!c && buf_len(&out) == 0));
	if (err == 0)
		check_request(&f.req, &out);
	ws_client_free(c);
	buf_fini(&out);
}

/* --- answers ------------------------------------------------------------------- */

struct attempt {
	struct ws_client *client;
	struct buf answer;
	size_t taken;
};

/* The accept key that belongs to the key in a request. */
static void find_accept(const struct buf *request, char accept[WS_ACCEPT_LEN + 1])
{
	static const char name[] = "Sec-WebSocket-Key: ";
	const char *at = memmem(buf_data(request), buf_len(request), name, sizeof(name) - 1);

	must(at != NULL);
	must(ws_accept_key(accept, (struct bytes){ at + sizeof(name) - 1, 24 }) == 0);
}

static void begin(struct attempt *a, unsigned settings, struct bytes input)
{
	static const struct bytes offered[] = { BYTES("chat"), BYTES("v12.stomp") };
	struct ws_client_request req = { .host = BYTES("a"), .target = BYTES("/") };
	char accept[WS_ACCEPT_LEN + 1];
	struct buf request = BUF_INIT;

	*a = (struct attempt){ NULL, BUF_INIT, 0 };
	req.subprotocols = offered;
	req.subprotocol_count = settings & OFFER_SUBPROTOCOLS ? 2 : 0;
	req.deflate = settings & OFFER_EXTENSION ? &deflate : NULL;
	must(ws_client_begin(&a->client, &req, &request) == 0);
	find_accept(&request, accept);
	for (size_t i = 0; i < input.n; i++) {
		if (input.p[i] == '@')
			must(buf_add(&a->answer, accept, WS_ACCEPT_LEN) == 0);
		else
			must(buf_add(&a->answer, &input.p[i], 1) == 0);
	}
	buf_fini(&request);
}

static void end(struct attempt *a)
{
	ws_client_free(a->client);
	buf_fini(&a->answer);
}

/* Feeds up to the nth octet in pieces, each of which ends where its memory does. */
static void feed(struct attempt *a, size_t n, size_t piece)
{
	bool goes_on = true;

	while (goes_on && a->taken < n) {
		size_t left = n - a->taken, size = left < piece ? left : piece, taken;
		char *copy = malloc(size);

		must(copy != NULL);
		memcpy(copy, buf_data(&a->answer) + a->taken, size);
		taken = ws_client_feed(a->client, copy, size);
		free(copy);
		must(taken <= size);
		goes_on = taken == size;
		a->taken += taken;
	}
}

static void check_outcome(const struct ws_client_outcome *o)
{
	must((o->state == WS_CLIENT_FAILED) == (o->sentence != NULL));
	must((o->state == WS_CLIENT_REFUSED) == (o->status != 0));
	must(o->state == WS_CLIENT_REFUSED || (!o->phrase[0] && !o->has_retry_after));
	must(o->state == WS_CLIENT_OPEN || (!o->subprotocol && !o->deflate.agreed));
	must(o->status == 0 || (o->status >= 200 && o->status <= 599));
	must(o->has_retry_after || o->retry_after_s == 0);
	for (const char *p = o->phrase; *p; p++)
		must(*p >= ' ' && *p <= '~');
}

static void must_agree(const struct attempt *a, const struct attempt *b)
{
	const struct ws_client_outcome *x = ws_client_outcome(a->client),
	                               *y = ws_client_outcome(b->client);

	must(x->state == y->state && x->status == y->status);
	must(x->sentence == y->sentence);
	/* Its words may be the key, which is another each time */
	must(strlen(x->phrase) == strlen(y->phrase));
	must(!x->subprotocol == !y->subprotocol);
	must(!x->subprotocol || strcmp(x->subprotocol, y->subprotocol) == 0);
	must(x->has_retry_after == y->has_retry_after && x->retry_after_s == y->retry_after_s);
	must(x->deflate.agreed == y->deflate.agreed);
	must(x->deflate.server_max_window_bits == y->deflate.server_max_window_bits);
	must(x->deflate.client_max_window_bits == y->deflate.client_max_window_bits);
	must(x->state == WS_CLIENT_FAILED || a->taken == b->taken);
}

/* What was taken of an answer that is one ends where its head does, and not sooner. */
static void check_taken(const struct attempt *a)
{
	const char *text = buf_data(&a->answer);

	must(a->taken >= 4 && memcmp(text + a->taken - 4, "\r\n\r\n", 4) == 0);
	must(memcmp(text, "HTTP/1.", 7) == 0);
	must(!memmem(text, a->taken, "\n\n", 2) && !memchr(text, '\0', a->taken));
}

static void answer(unsigned settings, struct bytes input)
{
	struct attempt whole, cut, less;
	enum ws_client_state state;

	begin(&whole, settings, input);
	begin(&cut, settings, input);
	begin(&less, settings, input);
	feed(&whole, buf_len(&whole.answer), SIZE_MAX);
	feed(&cut, buf_len(&cut.answer), 1 + (settings & PIECE));
	check_outcome(ws_client_outcome(whole.client));
	must_agree(&whole, &cut);
	state = ws_client_outcome(whole.client)->state;
	if (state == WS_CLIENT_WAITING)
		must(whole.taken == buf_len(&whole.answer));
	if (state == WS_CLIENT_OPEN || state == WS_CLIENT_REFUSED) {
		check_taken(&whole);
		feed(&less, whole.taken - 1, SIZE_MAX);
		must(ws_client_outcome(less.client)->state == WS_CLIENT_WAITING);
		feed(&less, whole.taken, 1);
		must_agree(&whole, &less);
	}
	end(&whole);
	end(&cut);
	end(&less);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes input = { (const char *)p + 1, n - 1 };

	if (n < 1)
		return 0;
	if (p[0] & REQUEST)
		ask(p[0], input);
	else
		answer(p[0], input);
	return 0;
}
