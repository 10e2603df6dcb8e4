/*
 * session/session_delivery.c - what is known of the messages that a session has accepted, when its
 * wire breaks above all; see struct session_delivery.
 *
 * Messages go out in order, so all that has to be known is how far they have come. A wire knows that
 * in octets. So where messages end among its octets is marked now and then: before more is said, but
 * not more often than each MARK_MS. The marks are the trail. A client that proves that it has all
 * wipes it out, and the kernel is asked how much it needs of it only when it is full, so that a
 * message costs an addition and the look at a clock; and a session whose client has everything, or
 * was never sent more than it could prove at once, has no trail at all.
 *
 * Nothing here claims more than is so. Where a mark is missing (memory was out, the trail is too long
 * and only every second one was kept) messages count with those behind them.
 */
#include <string.h>

#include "net/stream.h"
#include "session/session_private.h"
#include "session/session_trail.h"

#define UNCONFIRMED_MAX (UINT32_MAX / 2)

/* --- the trail ------------------------------------------------------------------------ */

size_t session_trail_held(const struct session *s)
{
	return s->has_trail ? session_trail_bytes(s->trail->cap) : 0;
}

/* In place of the one that there is. */
bool session_trail_make(struct session *s, size_t bytes)
{
	struct session_trail *t = freelist_alloc(&s->reactor->freelist, bytes);

	if (!t)
		return false;
	if (s->has_trail) {
		memcpy(t, s->trail, session_trail_bytes(s->trail->count));
		freelist_free(&s->reactor->freelist, s->trail, session_trail_bytes(s->trail->cap));
	} else {
		*t = (struct session_trail){ .before = s->before, .stride = 1 };
	}
	t->cap = (uint16_t)session_trail_marks(bytes);
	s->trail = t;
	s->has_trail = true;
	return true;
}

static bool has_or_makes_trail(struct session *s)
{
	return s->has_trail || session_trail_make(s, TRAIL_BYTES_MIN);
}

void session_drop_trail(struct session *s)
{
	struct session_trail *t = s->trail;

	if (!s->has_trail)
		return;
	s->before = t->before;
	s->has_trail = false;
	freelist_free(&s->reactor->freelist, t, session_trail_bytes(t->cap));
}

/* Places are compared by the sign of their difference. One that is more than 2^31 octets back seems
 * to be ahead, and is not reached then, which is no lie. */
static bool is_reached(const struct mark *m, uint32_t place)
{
	return (int32_t)(place - m->at) >= 0;
}

static uint64_t said_at(const struct session *s, const struct mark *m)
{
	uint64_t all = session_said(s);

	return all - ((uint32_t)all - m->said);
}

/* What the kernel knows to be acknowledged needs no marks. */
static void drop_acknowledged(struct session *s, struct receiver *r)
{
	struct session_trail *t = s->trail;
	struct stream_reach reach;
	uint16_t n = 0;

	r->ops->measure(r, &reach);
	while (reach.is_known && n < t->count && is_reached(&t->marks[n], reach.acked))
		n++;
	if (n == 0)
		return;
	t->acknowledged = said_at(s, &t->marks[n - 1]);
	t->count -= n;
	memmove(t->marks, t->marks + n, t->count * sizeof(*t->marks));
}

/* Every second one stays, and from now on there are half as many. */
static void thin_out(struct session_trail *t)
{
	uint16_t n = 0;

	for (uint16_t i = (t->count - 1) & 1; i < t->count; i += 2)
		t->marks[n++] = t->marks[i];
	t->count = n;
	if (t->stride <= UINT16_MAX / 2)
		t->stride *= 2;
}

/* Sizes are powers of two, as those of the free list. */
static void make_room(struct session *s)
{
	struct session_trail *t = s->trail;

	if (t->count < t->cap)
		return;
	drop_acknowledged(s, s->receiver);
	if (t->count <= t->cap / 2) {
		t->stride = 1;
		return;
	}
	if (session_trail_bytes(t->cap) >= TRAIL_BYTES_MAX || !session_trail_make(s, 2 * session_trail_bytes(t->cap)))
		thin_out(s->trail);
}

/* So many that their count would overflow: which of them are confirmed is not known any more, until
 * all have been. */
static void blur(struct session *s)
{
	s->trail->before += s->unconfirmed;
	s->unconfirmed = 0;
	s->is_blurred = true;
}

/* Where the wire stands; the trail has room. */
static void add_mark(struct session *s, struct session_trail *t)
{
	const struct receiver *r = s->receiver;

	t->skipped = 0;
	t->marks[t->count++] =
	    (struct mark){ r->ops->written(r), (uint32_t)t->before + s->unconfirmed };
}

static bool may_be_marked(const struct session *s)
{
	return s->unconfirmed > 0 && s->receiver && !s->is_settled && !s->has_gap;
}

/* The first mark, or one for which there is no room. */
static void mark_with_care(struct session *s)
{
	if (!may_be_marked(s) || !has_or_makes_trail(s))
		return;
	make_room(s);
	add_mark(s, s->trail);
	if (s->unconfirmed > UNCONFIRMED_MAX)
		blur(s);
}

/* Nothing has been said since the last one, or only every so many are wanted. */
static bool is_to_be_skipped(const struct session *s, struct session_trail *t)
{
	return (t->count > 0 &&
	           t->marks[t->count - 1].said == (uint32_t)t->before + s->unconfirmed) ||
	       ++t->skipped < t->stride;
}

void session_mark(struct session *s)
{
	struct session_trail *t = s->trail;

	s->marked_at = (uint16_t)session_now(s);
	if (!s->has_trail)
		mark_with_care(s);
	else if (!may_be_marked(s) || is_to_be_skipped(s, t))
		return;
	else if (t->count == t->cap)
		mark_with_care(s);
	else
		add_mark(s, t);
}

void session_note_reach(struct session *s, struct receiver *r)
{
	if (s->has_trail && !s->is_settled && !s->has_gap)
		drop_acknowledged(s, r);
}

/* --- proofs --------------------------------------------------------------------------- */

void session_confirm(struct session *s)
{
	uint64_t all = session_said(s);

	s->has_arrived = false;
	if (s->is_settled || s->has_gap || (s->unconfirmed == 0 && !s->is_blurred))
		return;
	session_drop_trail(s);
	s->before = all;
	s->unconfirmed = 0;
	s->is_blurred = false;
}

/* Once it has not proven that it has what was said before, it cannot prove that it has what came after
 * that; and where the marks stand nobody can be asked any more. */
void session_came_back(struct session *s, const struct receiver *r)
{
	struct request_mark none = { 0 },
	                    *last = s->entry ? session_entry_request(s->entry) : &none;

	if (!r->ops->proves || r->ops->proves(r, last)) {
		session_confirm(s);
		return;
	}
	s->has_arrived = false;
	if (session_said(s) == session_said_before(s))
		return;
	s->has_gap = true;
	if (s->has_trail)
		s->trail->count = 0;
}

bool session_asks_for_proof(struct session *s)
{
	session_mark(s);
	if (s->unconfirmed == 0 || s->is_settled || !has_or_makes_trail(s) || s->trail->asked)
		return false;
	s->trail->asked = session_said(s);
	return true;
}

void session_proves(struct session *s)
{
	struct session_trail *t = s->trail;
	uint64_t all = session_said(s);

	if (!s->has_trail || s->is_settled || t->asked == 0)
		return;
	if (t->asked == all) {
		session_confirm(s);
		return;
	}
	t->before = t->asked;
	t->asked = 0;
	s->unconfirmed = (uint32_t)(all - t->before);
	s->is_blurred = false;
}

/* --- what is known -------------------------------------------------------------------- */

/* Of what was said, how much ends before a place; at least `known`. */
static uint64_t said_before(const struct session *s, uint32_t place, uint64_t known)
{
	const struct session_trail *t = s->trail;

	for (unsigned i = s->has_trail ? t->count : 0; i > 0; i--)
		if (is_reached(&t->marks[i - 1], place))
			return said_at(s, &t->marks[i - 1]);
	return known;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void ask_wire(const struct session *s, struct receiver *r, struct session_delivery *d)
{
	struct stream_reach reach;

	r->ops->measure(r, &reach);
	if (reach.is_known && reach.acked == reach.written)
		d->acknowledged = session_said(s);
	else if (reach.is_known)
		d->acknowledged = later(d->acknowledged, said_before(s, reach.acked, 0));
	if (reach.sent == reach.written)
		d->sent = session_said(s);
	else
		d->sent = later(d->acknowledged, said_before(s, reach.sent, 0));
}

static void ask_for_sent(struct receiver *r, struct session_delivery *d)
{
	struct stream_reach reach;

	if (!r)
		return;
	r->ops->measure(r, &reach);
	if (reach.sent != reach.written)
		d->sent = d->acknowledged;
}

/* For a client, a message that was joined of several is so many. */
static uint64_t waiting(const struct session *s)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < s->out.count; i++) {
		struct message *m = message_ring_at(&s->out, i);
		size_t parts = 1;

		if (m->is_joined)
			message_parts(&m, &parts);
		n += parts;
	}
	return n;
}

/* Without a receiver all that was said is with the kernel, and where the last response of it still
 * arrives, that can be asked. */
static void find_out(const struct session *s, struct session_delivery *d)
{
	struct receiver *r = s->receiver ? s->receiver : session_arriving(s);

	d->confirmed = s->is_blurred ? 0 : session_said_before(s);
	d->acknowledged = s->has_trail ? later(d->confirmed, s->trail->acknowledged) : d->confirmed;
	d->accepted = session_said(s) + waiting(s);
	d->sent = session_said(s);
	if (s->has_gap) {
		ask_for_sent(r, d);
		return;
	}
	if (s->has_arrived || d->sent == d->confirmed)
		d->acknowledged = session_said(s);
	else if (r)
		ask_wire(s, r, d);
}

/* What was noted in the end. Without memory for that: what had been confirmed. */
static void remember(const struct session *s, struct session_delivery *d)
{
	d->confirmed = d->acknowledged = d->sent = s->is_blurred ? 0 : session_said_before(s);
	d->accepted = session_said(s);
	if (s->has_trail) {
		d->acknowledged = s->trail->acknowledged;
		d->sent = s->trail->sent;
	}
}

void session_delivery(const struct session *s, struct session_delivery *d)
{
	if (s->is_settled)
		remember(s, d);
	else
		find_out(s, d);
}

void session_settle(struct session *s)
{
	struct session_delivery d;

	if (s->is_settled)
		return;
	find_out(s, &d);
	s->is_settled = true;
	if (d.accepted == d.confirmed || !has_or_makes_trail(s)) {
		s->unconfirmed += (uint32_t)(d.accepted - session_said(s));
		return;
	}
	s->trail->acknowledged = d.acknowledged;
	s->trail->sent = d.sent;
	s->unconfirmed += (uint32_t)(d.accepted - session_said(s));
}
