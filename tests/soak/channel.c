/*
 * tests/soak/channel.c - a client on any transport: what peer.c finds becomes messages.
 *
 * Owns: one peer, or two on the transports that send by requests; of these one is under way at a
 * time, so that order is kept.
 */
#include "soak/channel.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REQUEST_BYTES = 512, BATCH_BYTES = CHANNEL_MESSAGE };

/* --- buffers ---------------------------------------------------------------------------- */

static void add(struct bytebuf *b, const void *bytes, size_t n)
{
	if (b->at > 0 && b->n + n > b->cap) {
		memmove(b->p, b->p + b->at, b->n - b->at);
		b->n -= b->at;
		b->at = 0;
	}
	if (b->n + n > b->cap) {
		b->cap = b->n + n + (b->n + n) / 2;
		b->p = must_have(realloc(b->p, b->cap));
	}
	memcpy(b->p + b->n, bytes, n);
	b->n += n;
}

static void drop(struct bytebuf *b, size_t n)
{
	b->at += n;
	if (b->at < b->n)
		return;
	free(b->p); /* thousands of channels are at rest */
	*b = (struct bytebuf){ .p = NULL };
}

static bool has_waiting(const struct channel *c)
{
	return c->wait.at < c->wait.n;
}

/* The next one that waits. It is there until something is added. */
static const char *next_waiting(struct channel *c, size_t *n)
{
	memcpy(n, c->wait.p + c->wait.at, sizeof(*n));
	return c->wait.p + c->wait.at + sizeof(*n);
}

/* --- the end ------------------------------------------------------------------------------ */

void channel_close(struct channel *c, bool hard)
{
	void (*const close)(struct peer * p) = hard ? peer_reset : peer_close;

	c->is_over = true;
	if (c->receiver)
		close(c->receiver);
	if (c->sender)
		close(c->sender);
	c->receiver = c->sender = NULL;
}

void channel_free(struct channel *c)
{
	channel_close(c, false);
	free(c->wait.p);
	free(c);
}

static void over(struct channel *c, const char *why)
{
	if (c->is_over)
		return;
	channel_close(c, false);
	c->on->ended(c, c->code, why);
}

/* --- strings of JSON ------------------------------------------------------------------------- */

static size_t hex4(const char *p)
{
	char digits[5] = { p[0], p[1], p[2], p[3] };

	return strtoul(digits, NULL, 16);
}

/* What \ stands before; the server escapes nothing above U+00FF but lone surrogates, which nobody
 * sends here. Returns how many octets it took. */
static size_t unescape(const char *p, char *out)
{
	static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
	const char *at = strchr(from, *p);

	if (*p == 'u') {
		*out = (char)hex4(p + 1);
		return 5;
	}
	*out = at && *p ? to[at - from] : *p;
	return 1;
}

/* The string whose first octet is at `p`; behind its quote. */
static const char *read_string(struct channel *c, const char *p, const char *end)
{
	static char out[1 << 20];
	size_t n = 0;

	while (p < end && *p != '"' && n < sizeof(out)) {
		if (*p == '\\')
			p += 1 + unescape(p + 1, &out[n]);
		else
			out[n] = *p++;
		n++;
	}
	c->on->message(c, out, n);
	return p + 1;
}

/* a["...","..."] */
static void read_array(struct channel *c, const char *p, size_t n)
{
	const char *end = p + n;

	p += 2;
	while (!c->is_over && p < end && *p == '"')
		p = read_string(c, p + 1, end) + 1; /* behind the comma */
}

static size_t write_string(char *out, const char *p, size_t n)
{
	size_t to = 0;

	out[to++] = '"';
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n')
			to += (size_t)sprintf(out + to, "\\n");
		else if ((unsigned char)p[i] < ' ')
			to += (size_t)sprintf(out + to, "\\u%04x", p[i]);
		else if (p[i] == '"' || p[i] == '\\')
			to += (size_t)sprintf(out + to, "\\%c", p[i]);
		else
			out[to++] = p[i];
	}
	out[to++] = '"';
	return to;
}

/* So many whole messages of those that wait, as an array. */
static size_t batch(struct channel *c, char *out)
{
	size_t n = 0, len;

	out[n++] = '[';
	while (has_waiting(c) && n < BATCH_BYTES) {
		const char *text = next_waiting(c, &len);

		if (n > 1)
			out[n++] = ',';
		n += write_string(out + n, text, len);
		drop(&c->wait, sizeof(len) + len);
	}
	out[n++] = ']';
	return n;
}

/* As the value of a form's field. */
static size_t form(const char *p, size_t n, char *out)
{
	size_t to = (size_t)sprintf(out, "d=");

	for (size_t i = 0; i < n; i++) {
		if (isalnum((unsigned char)p[i]))
			out[to++] = p[i];
		else
			to += (size_t)sprintf(out + to, "%%%02X", (unsigned char)p[i]);
	}
	return to;
}

/* --- sending -----------------------------------------------------------------------------------
 */

static const struct peer_events receiver_events, sender_events;

static struct peer *connect_peer(
    struct channel *c, enum wire wire, const struct peer_events *on)
{
	const struct sockaddr_in *to = wire == WIRE_TCP ? &c->target->tcp : &c->target->http;

	c->connects++;
	return peer_new(to, c->from, wire, on, c);
}

/* The last so many octets have been written: they are cut, if that is wanted. */
static void cut(struct channel *c, struct peer *p, size_t n)
{
	size_t kept = n - n * c->cut / 256;

	if (c->cut == 0 || c->is_cut || kept == 0)
		return;
	c->cut = 0;
	c->is_cut = true;
	peer_hold(p, kept);
}

static size_t send_head(const struct channel *c, char *out, size_t length)
{
	bool is_form = c->wire == WIRE_JSONP;

	return (size_t)snprintf(out, REQUEST_BYTES,
	    "POST %s/%s HTTP/1.1\r\nHost: storm\r\nContent-Type: %s\r\n"
	    "Content-Length: %zu\r\n\r\n",
	    c->base, is_form ? "jsonp_send" : "xhr_send",
	    is_form ? "application/x-www-form-urlencoded" : "text/plain", length);
}

static void post(struct channel *c)
{
	static char body[BATCH_BYTES * 16], coded[BATCH_BYTES * 48];
	const char *p = body;
	char head[REQUEST_BYTES];
	size_t n, head_n;

	if (c->is_sending || !has_waiting(c))
		return;
	if (!c->sender || c->sender->fd < 0)
		c->sender = connect_peer(c, WIRE_NONE, &sender_events);
	if (!c->sender) {
		over(c, "cannot connect");
		return;
	}
	n = batch(c, body);
	if (c->wire == WIRE_JSONP) {
		n = form(body, n, coded);
		p = coded;
	}
	head_n = send_head(c, head, n);
	peer_write(c->sender, head, head_n);
	peer_write(c->sender, p, n);
	cut(c, c->sender, head_n + n);
	c->is_sending = true;
}

/* As messages of their own. */
static void write_all(struct channel *c)
{
	size_t n = 0;

	while (has_waiting(c)) {
		const char *text = next_waiting(c, &n);

		if (c->wire == WIRE_TCP)
			peer_write(c->receiver, text, n);
		else
			peer_write_ws(c->receiver, WS_TEXT, text, n);
		drop(&c->wait, sizeof(n) + n);
	}
	cut(c, c->receiver, n);
}

static void write_arrays(struct channel *c)
{
	static char text[BATCH_BYTES * 16];
	size_t n = 0;

	while (has_waiting(c)) {
		n = batch(c, text);
		peer_write_ws(c->receiver, WS_TEXT, text, n);
	}
	cut(c, c->receiver, n);
}

/* Sends what waits, as the transport wants it. */
static void go_on(struct channel *c)
{
	if (!c->is_open || c->is_over || !has_waiting(c))
		return;
	if (c->wire == WIRE_WEBSOCKET)
		write_arrays(c);
	else if (c->wire == WIRE_WEBSOCKET_RAW || c->wire == WIRE_TCP)
		write_all(c);
	else
		post(c);
}

void channel_send(struct channel *c, const char *text, size_t n)
{
	if (c->is_over || n > CHANNEL_MESSAGE)
		return;
	add(&c->wait, &n, sizeof(n));
	add(&c->wait, text, n);
	go_on(c);
}

void channel_release(struct channel *c)
{
	c->is_cut = false;
	if (c->receiver)
		peer_release(c->receiver);
	if (c->sender)
		peer_release(c->sender);
}

bool channel_is_quiet(const struct channel *c)
{
	return !has_waiting(c) && !c->is_sending && !c->is_cut &&
	    (!c->receiver || peer_is_idle(c->receiver));
}

/* --- receiving ---------------------------------------------------------------------------------
 */

static size_t handshake(const struct channel *c, char *out)
{
	const char *name = c->wire == WIRE_WEBSOCKET_RAW ? c->target->subprotocol : NULL;

	return (size_t)snprintf(out, REQUEST_BYTES,
	    "GET %s/websocket HTTP/1.1\r\nHost: storm\r\nConnection: Upgrade\r\n"
	    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n%s%s%s"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
	    c->base, name ? "Sec-WebSocket-Protocol: " : "", name ? name : "", name ? "\r\n" : "");
}

static size_t receiver_request(const struct channel *c, char *out)
{
	bool is_post = c->wire == WIRE_XHR || c->wire == WIRE_XHR_STREAMING,
	     is_called = c->wire == WIRE_HTMLFILE || c->wire == WIRE_JSONP;

	if (wire_is_websocket(c->wire))
		return handshake(c, out);
	return (size_t)snprintf(out, REQUEST_BYTES, "%s %s/%s%s HTTP/1.1\r\nHost: storm\r\n%s\r\n",
	    is_post ? "POST" : "GET", c->base, wire_names[c->wire], is_called ? "?c=cb" : "",
	    is_post ? "Content-Length: 0\r\n" : "");
}

/* Asks for the (next) response that brings frames. */
static void receive(struct channel *c)
{
	char request[REQUEST_BYTES];
	size_t n;

	if (!c->receiver || c->receiver->fd < 0)
		c->receiver = connect_peer(c, c->wire, &receiver_events);
	if (!c->receiver) {
		over(c, "cannot connect");
	} else if (c->wire == WIRE_TCP) {
		c->is_open = true;
	} else {
		n = receiver_request(c, request);
		peer_write(c->receiver, request, n);
		cut(c, c->receiver, n);
		peer_set_deaf(c->receiver, c->is_deaf);
	}
}

static void opened(struct channel *c)
{
	c->is_open = true;
	if (c->on->opened)
		c->on->opened(c);
	go_on(c);
}

static void on_frame(struct peer *p, const char *text, size_t n)
{
	struct channel *c = p->owner;

	if (c->is_over)
		return;
	if (c->wire == WIRE_WEBSOCKET_RAW || c->wire == WIRE_TCP)
		c->on->message(c, text, n);
	else if (n == 1 && *text == 'o' && !c->is_open)
		opened(c);
	else if (n == 1 && *text == 'o')
		over(c, "opened a second time");
	else if (n > 2 && *text == 'a')
		read_array(c, text, n);
	else if (n > 2 && *text == 'c') {
		c->code = (unsigned)strtoul(text + 2, NULL, 10);
		over(c, "closed");
	} else if (n != 1 || *text != 'h') {
		over(c, "a frame that is none");
	}
}

static void on_response(struct peer *p, unsigned status, bool keeps_alive)
{
	struct channel *c = p->owner;
	char why[32];

	if (c->is_over)
		return;
	if (status == 101 && c->wire == WIRE_WEBSOCKET_RAW) {
		opened(c);
	} else if (status == 200) {
		if (!keeps_alive)
			peer_close(p);
		receive(c);
	} else if (status != 101) {
		snprintf(why, sizeof(why), "HTTP status %u", status);
		over(c, why);
	}
}

/* When we have begun with it the end of the connection is to follow. */
static void on_ws_close(struct peer *p, unsigned code)
{
	struct channel *c = p->owner;

	c->code = code;
	if (!c->is_leaving)
		over(c, "closed");
}

/* Between two polls nobody minds. */
static void on_ended(struct peer *p, int err)
{
	struct channel *c = p->owner;

	if (p == c->receiver)
		c->receiver = NULL;
	over(c, err ? strerror(-err) : "the connection ended");
}

static const struct peer_events receiver_events = { on_frame, on_response, on_ws_close, on_ended };

static void on_sent(struct peer *p, unsigned status, bool keeps_alive)
{
	struct channel *c = p->owner;
	char why[48];

	if (c->is_over)
		return;
	c->is_sending = false;
	if (!keeps_alive)
		peer_close(p);
	if (status == (c->wire == WIRE_JSONP ? 200 : 204)) {
		go_on(c);
		return;
	}
	snprintf(why, sizeof(why), "a send: HTTP status %u", status);
	over(c, why);
}

static void on_sender_ended(struct peer *p, int err)
{
	struct channel *c = p->owner;

	(void)p;
	(void)err;
	c->sender = NULL;
	if (c->is_sending)
		over(c, "a send: no answer");
	else if (!c->is_over && c->on->lost)
		c->on->lost(c);
}

static const struct peer_events sender_events = { .response = on_sent, .ended = on_sender_ended };

/* --- life ---------------------------------------------------------------------------------------
 */

struct channel *channel_new(const struct channel_target *target, enum wire wire, unsigned from,
    const struct channel_events *on, void *owner)
{
	static unsigned names;
	struct channel *c = must_have(calloc(1, sizeof(*c)));

	*c = (struct channel){
		.on = on, .owner = owner, .target = target, .wire = wire, .from = from
	};
	names++;
	if (wire == WIRE_WEBSOCKET_RAW)
		snprintf(c->base, sizeof(c->base), "%s", target->prefix);
	else
		snprintf(c->base, sizeof(c->base), "%s/%03u/s%u", target->prefix, names, names);
	receive(c);
	return c;
}

void channel_rest(struct channel *c)
{
	if (!c->sender || c->is_sending)
		return;
	peer_close(c->sender);
	c->sender = NULL;
}

void channel_set_deaf(struct channel *c, bool deaf)
{
	c->is_deaf = deaf;
	if (c->receiver)
		peer_set_deaf(c->receiver, deaf);
}

void channel_leave(struct channel *c)
{
	if (c->is_over)
		return;
	c->is_leaving = true;
	channel_set_deaf(c, false);
	if (wire_is_websocket(c->wire) && c->receiver)
		peer_write_ws(c->receiver, WS_CLOSE, "\x03\xe8", 2);
	else
		channel_close(c, false);
}
