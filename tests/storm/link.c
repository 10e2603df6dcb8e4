/*
 * tests/storm/link.c - one client of STOMP on any transport: what peer.c finds becomes octets of
 * STOMP again, and these become frames.
 *
 * Owns: one peer, or two on the transports that send by requests; of these one is under way at a
 * time, so that order is kept.
 */
#include "storm/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REQUEST_BYTES = 512, BATCH_BYTES = 60000 };

const enum wire link_wires[LINK_WIRES] = { WIRE_WEBSOCKET_RAW, WIRE_WEBSOCKET, WIRE_XHR_STREAMING,
	WIRE_XHR, WIRE_EVENTSOURCE, WIRE_TCP };

const char *link_wire_name(enum wire wire)
{
	return wire == WIRE_TCP ? "tcp" : wire_names[wire];
}

/* --- buffers ---------------------------------------------------------------------------- */

static void add(struct bytebuf *b, const void *bytes, size_t n)
{
	if (n == 0)
		return;
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
	free(b->p); /* thousands of links are at rest */
	*b = (struct bytebuf){ .p = NULL };
}

/* --- the end ------------------------------------------------------------------------------ */

void link_close(struct link *l, bool hard)
{
	void (*const close)(struct peer * p) = hard ? peer_reset : peer_close;

	l->is_over = true;
	if (l->receiver)
		close(l->receiver);
	if (l->sender)
		close(l->sender);
	l->receiver = l->sender = NULL;
}

void link_free(struct link *l)
{
	link_close(l, false);
	free(l->in.p);
	free(l->wait.p);
	free(l);
}

static void over(struct link *l, const char *why)
{
	if (l->is_over)
		return;
	link_close(l, false);
	l->on->ended(l, l->code, why);
}

/* --- frames ----------------------------------------------------------------------------------- */

bool stomp_text_is(const struct stomp_text *f, const char *command)
{
	size_t n = strlen(command);

	return f->head > n && memcmp(f->command, command, n) == 0 && f->command[n] == '\n';
}

const char *stomp_text_header(const struct stomp_text *f, const char *name, size_t *len)
{
	const char *at = f->command, *end = f->command + f->head;
	size_t n = strlen(name);

	*len = 0;
	while ((at = memchr(at, '\n', (size_t)(end - at))) && ++at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		if (!stop || (size_t)(stop - at) <= n || memcmp(at, name, n) != 0 || at[n] != ':')
			continue;
		*len = (size_t)(stop - at) - n - 1;
		return at + n + 1;
	}
	return NULL;
}

/* How many octets the frame has that begins here, with its NUL; 0: not all of them have come. */
static size_t find_frame(const char *p, size_t n, struct stomp_text *f)
{
	const char *blank = memmem(p, n, "\n\n", 2), *length, *nul;
	size_t len;

	if (!blank)
		return 0;
	*f = (struct stomp_text){ p, (size_t)(blank - p) + 1, blank + 2, 0 };
	length = stomp_text_header(f, "content-length", &len);
	if (length)
		f->body_len = (size_t)strtoul(length, NULL, 10);
	else if ((nul = memchr(f->body, 0, n - f->head - 1)))
		f->body_len = (size_t)(nul - f->body);
	else
		return 0;
	len = f->head + 1 + f->body_len + 1;
	return len <= n ? len : 0;
}

/* Takes what is complete; how much that was. */
static size_t take_frames(struct link *l, const char *p, size_t n)
{
	struct stomp_text f;
	size_t done = 0, len;

	while (!l->is_over && done < n) {
		if (p[done] == '\n') { /* a heart-beat */
			done++;
			continue;
		}
		len = find_frame(p + done, n - done, &f);
		if (len == 0)
			break;
		if (p[done + len - 1] != '\0') {
			over(l, "no NUL at the end of a frame");
			break;
		}
		l->on->frame(l, &f);
		done += len;
	}
	return done;
}

/* Without a copy where a frame comes whole, as it nearly always does. */
static void feed(struct link *l, const char *p, size_t n)
{
	size_t done;

	if (l->in.n == l->in.at) {
		done = take_frames(l, p, n);
		add(&l->in, p + done, n - done);
		return;
	}
	add(&l->in, p, n);
	drop(&l->in, take_frames(l, l->in.p + l->in.at, l->in.n - l->in.at));
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
static const char *read_string(struct link *l, const char *p, const char *end)
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
	feed(l, out, n);
	return p + 1;
}

/* a["...","..."] */
static void read_array(struct link *l, const char *p, size_t n)
{
	const char *end = p + n;

	p += 2;
	while (!l->is_over && p < end && *p == '"')
		p = read_string(l, p + 1, end) + 1; /* behind the comma */
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

/* --- sending -----------------------------------------------------------------------------------
 */

static const struct peer_events receiver_events, sender_events;

static struct peer *connect_peer(struct link *l, enum wire wire, const struct peer_events *on)
{
	const struct sockaddr_in *to = wire == WIRE_TCP ? &l->target->tcp : &l->target->http;

	return peer_new(to, l->from, wire, on, l);
}

/* So many whole frames of those that wait, as an array. */
static size_t batch(struct link *l, char *out)
{
	size_t n = 0, len;

	out[n++] = '[';
	while (l->wait.at < l->wait.n && n < BATCH_BYTES) {
		memcpy(&len, l->wait.p + l->wait.at, sizeof(len));
		if (n > 1)
			out[n++] = ',';
		n += write_string(out + n, l->wait.p + l->wait.at + sizeof(len), len);
		drop(&l->wait, sizeof(len) + len);
	}
	out[n++] = ']';
	return n;
}

static void post(struct link *l)
{
	static char body[BATCH_BYTES * 8];
	char head[REQUEST_BYTES];
	size_t n;

	if (l->is_sending || l->wait.at == l->wait.n)
		return;
	if (!l->sender || l->sender->fd < 0)
		l->sender = connect_peer(l, WIRE_NONE, &sender_events);
	if (!l->sender) {
		over(l, "cannot connect");
		return;
	}
	n = batch(l, body);
	peer_write(l->sender, head,
	    (size_t)snprintf(head, sizeof(head),
	        "POST %s/xhr_send HTTP/1.1\r\nHost: storm\r\nContent-Type: text/plain\r\n"
	        "Content-Length: %zu\r\n\r\n",
	        l->base, n));
	peer_write(l->sender, body, n);
	l->is_sending = true;
}

/* Sends what waits, as the transport wants it. */
static void go_on(struct link *l)
{
	static char text[BATCH_BYTES * 8];

	if (!l->is_open || l->is_over)
		return;
	if (l->wire == WIRE_WEBSOCKET) {
		while (l->wait.at < l->wait.n)
			peer_write_ws(l->receiver, WS_TEXT, text, batch(l, text));
	} else if (l->wire == WIRE_WEBSOCKET_RAW || l->wire == WIRE_TCP) {
		while (l->wait.at < l->wait.n) {
			size_t n;

			memcpy(&n, l->wait.p + l->wait.at, sizeof(n));
			if (l->wire == WIRE_TCP)
				peer_write(l->receiver, l->wait.p + l->wait.at + sizeof(n), n);
			else
				peer_write_ws(
				    l->receiver, WS_TEXT, l->wait.p + l->wait.at + sizeof(n), n);
			drop(&l->wait, sizeof(n) + n);
		}
	} else {
		post(l);
	}
}

void link_send(struct link *l, const char *frame, size_t n)
{
	if (l->is_over || n > BATCH_BYTES)
		return;
	add(&l->wait, &n, sizeof(n));
	add(&l->wait, frame, n);
	go_on(l);
}

/* --- receiving ---------------------------------------------------------------------------------
 */

static size_t receiver_request(const struct link *l, char *out)
{
	const char *tail = wire_is_websocket(l->wire) ? "websocket" : wire_names[l->wire];

	if (wire_is_websocket(l->wire))
		return (size_t)sprintf(out,
		    "GET %s/%s HTTP/1.1\r\nHost: storm\r\nConnection: Upgrade\r\n"
		    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n%s"
		    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
		    l->base, tail,
		    l->wire == WIRE_WEBSOCKET_RAW ? "Sec-WebSocket-Protocol: v12.stomp\r\n" : "");
	if (l->wire == WIRE_EVENTSOURCE)
		return (size_t)sprintf(
		    out, "GET %s/%s HTTP/1.1\r\nHost: storm\r\n\r\n", l->base, tail);
	return (size_t)sprintf(
	    out, "POST %s/%s HTTP/1.1\r\nHost: storm\r\nContent-Length: 0\r\n\r\n", l->base, tail);
}

/* Asks for the (next) response that brings frames. */
static void receive(struct link *l)
{
	char request[REQUEST_BYTES];

	if (!l->receiver || l->receiver->fd < 0)
		l->receiver = connect_peer(l, l->wire, &receiver_events);
	if (!l->receiver) {
		over(l, "cannot connect");
	} else if (l->wire == WIRE_TCP) {
		l->is_open = true;
	} else {
		peer_write(l->receiver, request, receiver_request(l, request));
		peer_set_deaf(l->receiver, l->is_deaf);
	}
}

static void opened(struct link *l)
{
	l->is_open = true;
	go_on(l);
}

static void on_frame(struct peer *p, const char *text, size_t n)
{
	struct link *l = p->owner;

	if (l->is_over)
		return;
	if (l->wire == WIRE_WEBSOCKET_RAW || l->wire == WIRE_TCP)
		feed(l, text, n);
	else if (n == 1 && *text == 'o')
		opened(l);
	else if (n > 2 && *text == 'a')
		read_array(l, text, n);
	else if (n > 2 && *text == 'c') {
		l->code = (unsigned)strtoul(text + 2, NULL, 10);
		over(l, "closed");
	}
}

static void on_response(struct peer *p, unsigned status, bool keeps_alive)
{
	struct link *l = p->owner;
	char why[32];

	if (l->is_over)
		return;
	if (status == 101 && l->wire == WIRE_WEBSOCKET_RAW) {
		opened(l);
	} else if (status == 200) {
		if (!keeps_alive)
			peer_close(p);
		receive(l);
	} else if (status != 101) {
		snprintf(why, sizeof(why), "HTTP status %u", status);
		over(l, why);
	}
}

static void on_ws_close(struct peer *p, unsigned code)
{
	struct link *l = p->owner;

	l->code = code;
	over(l, "closed");
}

/* Between two polls nobody minds. */
static void on_ended(struct peer *p, int err)
{
	struct link *l = p->owner;

	if (p == l->receiver)
		l->receiver = NULL;
	over(l, err ? strerror(-err) : "the connection ended");
}

static const struct peer_events receiver_events = { on_frame, on_response, on_ws_close, on_ended };

static void on_sent(struct peer *p, unsigned status, bool keeps_alive)
{
	struct link *l = p->owner;
	char why[48];

	if (l->is_over)
		return;
	l->is_sending = false;
	if (!keeps_alive)
		peer_close(p);
	if (status == 204) {
		go_on(l);
		return;
	}
	snprintf(why, sizeof(why), "xhr_send: HTTP status %u", status);
	over(l, why);
}

static void on_sender_ended(struct peer *p, int err)
{
	struct link *l = p->owner;

	(void)err;
	l->sender = NULL;
	if (l->is_sending)
		over(l, "xhr_send: no answer");
}

static const struct peer_events sender_events = { .response = on_sent, .ended = on_sender_ended };

/* --- life ---------------------------------------------------------------------------------------
 */

struct link *link_new(const struct link_target *target, enum wire wire, unsigned from,
    const struct link_events *on, void *owner)
{
	static unsigned names;
	struct link *l = must_have(calloc(1, sizeof(*l)));

	*l =
	    (struct link){ .on = on, .owner = owner, .target = target, .wire = wire, .from = from };
	names++;
	if (wire == WIRE_WEBSOCKET_RAW)
		snprintf(l->base, sizeof(l->base), "%s", target->prefix);
	else
		snprintf(
		    l->base, sizeof(l->base), "%s/%03u/s%u", target->prefix, names % 1000, names);
	receive(l);
	return l;
}

void link_rest(struct link *l)
{
	if (!l->sender || l->is_sending)
		return;
	peer_close(l->sender);
	l->sender = NULL;
}

void link_set_deaf(struct link *l, bool deaf)
{
	l->is_deaf = deaf;
	if (l->receiver)
		peer_set_deaf(l->receiver, deaf);
}
