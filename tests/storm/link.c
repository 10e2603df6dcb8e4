/*
 * tests/storm/link.c - one client of STOMP on any transport: the messages of a channel are octets of
 * STOMP again, and these become frames.
 *
 * Owns: its channel.
 */
#include "storm/link.h"

#include <stdlib.h>
#include <string.h>

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
	if (b->n + n > b->cap) {
		b->cap = b->n + n + (b->n + n) / 2;
		b->p = must_have(realloc(b->p, b->cap));
	}
	memcpy(b->p + b->n, bytes, n);
	b->n += n;
}

static void drop(struct bytebuf *b, size_t n)
{
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
	if (b->n > 0)
		return;
	free(b->p); /* thousands of links are at rest */
	*b = (struct bytebuf){ .p = NULL };
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

static void broken(struct link *l)
{
	link_close(l, false);
	l->on->ended(l, 0, "no NUL at the end of a frame");
}

/* Takes what is complete; how much that was. */
static size_t take_frames(struct link *l, const char *p, size_t n)
{
	struct stomp_text f;
	size_t done = 0, len;

	while (!l->channel->is_over && done < n) {
		if (p[done] == '\n') { /* a heart-beat */
			done++;
			continue;
		}
		len = find_frame(p + done, n - done, &f);
		if (len == 0)
			break;
		if (p[done + len - 1] != '\0') {
			broken(l);
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

	if (l->in.n == 0) {
		done = take_frames(l, p, n);
		add(&l->in, p + done, n - done);
		return;
	}
	add(&l->in, p, n);
	drop(&l->in, take_frames(l, l->in.p, l->in.n));
}

/* --- life ---------------------------------------------------------------------------------------
 */

static void on_message(struct channel *c, const char *text, size_t n)
{
	feed(c->owner, text, n);
}

static void on_ended(struct channel *c, unsigned code, const char *why)
{
	struct link *l = c->owner;

	l->on->ended(l, code, why);
}

static void on_lost(struct channel *c)
{
	struct link *l = c->owner;

	if (l->on->lost)
		l->on->lost(l);
}

static const struct channel_events events = {
	.message = on_message, .ended = on_ended, .lost = on_lost
};

/* Nothing comes before it has been returned. */
struct link *link_new(const struct channel_target *target, enum wire wire, unsigned from,
    const struct link_events *on, void *owner)
{
	struct link *l = must_have(calloc(1, sizeof(*l)));

	l->on = on;
	l->owner = owner;
	l->channel = channel_new(target, wire, from, &events, l);
	return l;
}

void link_send(struct link *l, const char *frame, size_t n)
{
	channel_send(l->channel, frame, n);
}

void link_close(struct link *l, bool hard)
{
	channel_close(l->channel, hard);
}

void link_free(struct link *l)
{
	channel_free(l->channel);
	free(l->in.p);
	free(l);
}
