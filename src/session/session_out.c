/*
 * session/session_out.c - to the client: what was accepted waits in a bounded
 * buffer, goes out in batches in the flush stage, and stops where the wire is full.
 */
#include <errno.h>
#include <string.h>

#include "session/session_private.h"

#define BATCH_MESSAGES 256    /* in one frame */
#define BATCH_BYTES    131072 /* likewise, unless one message is larger */
#define TURN_BYTES                                                                                 \
	131072 /* copied for all sessions in one turn, before it goes on to send them              \
	        */

size_t session_buffered(const struct session *s)
{
	return s->out_bytes + (s->receiver ? s->receiver->ops->buffered(s->receiver) : 0);
}

size_t session_held(const struct session *s)
{
	const struct receiver *r = s->receiver;

	return session_buffered(s) + session_trail_held(s) + (s->in ? s->in->bytes : 0) +
	       (r && r->ops->unfinished ? r->ops->unfinished(r) : 0);
}

int session_send(struct session *s, struct message *m)
{
	size_t cost = m->len + MESSAGE_COST, waiting, limit = s->limits->send_buffer_bytes;

	if (!session_is_open(s))
		return -EPIPE;
	if (cost > limit)
		return -EMSGSIZE;
	waiting = session_buffered(s) + cost;
	if (waiting > limit) {
		session_blame(s, SESSION_CAUSE_OVERFLOW);
		session_cut(s, CLOSE_SLOW);
		return -ENOBUFS;
	}
	if (message_ring_push(&s->out, &s->reactor->freelist, m) < 0)
		return -ENOMEM;
	message_ref(m);
	s->out_bytes += cost;
	session_mark_dirty(s);
	if (!m->cache && (s->reactor->copied += m->len) > TURN_BYTES)
		loop_hurry(s->reactor->loop);
	if (waiting > limit / 2)
		s->full = true;
	return s->full ? SESSION_FULL : 0;
}

int session_offer(struct session *s, struct message *m)
{
	size_t cost = m->len + MESSAGE_COST, limit = s->limits->send_buffer_bytes;

	if (!session_is_open(s) || cost > limit || session_buffered(s) + cost <= limit)
		return session_send(s, m);
	s->full = true;
	return -EAGAIN;
}

/* Whether the session may go on after what a receiver said of its work. */
bool session_went_on(struct session *s, enum recv_status status)
{
	struct receiver *r;

	s->last_sent = session_now(s);
	if (status == RECV_MORE)
		return true;
	r = s->receiver;
	session_forget_receiver(s);
	if (status == RECV_GONE)
		session_end_now(s, CLOSE_INTERRUPTED, NULL);
	else
		session_await_next(s, r, status == RECV_ARRIVING);
	return false;
}

/* What goes into one frame. */
struct batch {
	struct message *messages[BATCH_MESSAGES];
	uint32_t count;
	uint32_t waiting; /* so many of the ring they are */
	size_t said;      /* and so many messages, for the client */
	size_t bytes;
};

/* One that is joined goes as it is if nothing else waits: then its forms are those of all its
 * receivers. */
static void take_alone(struct batch *b, struct message *m)
{
	b->said = 1;
	if (m->is_joined)
		message_parts(&m, &b->said);
	b->messages[0] = m;
	b->count = b->waiting = 1;
	b->bytes = m->len;
}

static void take_what_fits(struct batch *b, struct session *s)
{
	while (b->waiting < s->out.count && (b->count == 0 || b->bytes < BATCH_BYTES)) {
		struct message *m = message_ring_at(&s->out, b->waiting);
		size_t parts = 1;

		if (m->is_joined) {
			struct message *const *of = message_parts(&m, &parts);

			if (parts > BATCH_MESSAGES - b->count)
				break;
			memcpy(b->messages + b->count, of, parts * sizeof(*of));
		} else if (b->count < BATCH_MESSAGES) {
			b->messages[b->count] = m;
		} else {
			break;
		}
		b->count += (uint32_t)parts;
		b->bytes += m->len;
		b->waiting++;
	}
	b->said = b->count;
}

/* One frame of what waits. */
static bool send_batch(struct session *s)
{
	struct batch b;
	struct receiver *r = s->receiver;
	enum recv_status status;
	uint64_t now = session_now(s);

	b.count = b.waiting = 0;
	b.bytes = 0;
	if (s->out.count > 1)
		take_what_fits(&b, s);
	if (b.count == 0)
		take_alone(&b, message_ring_at(&s->out, 0));
	budget_spend(s->reactor->budget, COST_SEND + cost_of_octets(b.bytes));
	if ((uint16_t)((uint16_t)now - s->marked_at) >= MARK_MS)
		session_mark(s);
	status = r->ops->messages(r, b.messages, b.count);
	s->reactor->counters.messages_out += b.said;
	s->reactor->counters.bytes_out += b.bytes;
	if (s->is_recorded) {
		s->record->messages_out += b.said;
		s->record->bytes_out += b.bytes;
	}
	if (status == RECV_GONE) /* they have not left */
		return session_went_on(s, status);
	s->unconfirmed += (uint32_t)b.said;
	message_ring_drop(&s->out, b.waiting);
	s->out_bytes -= b.bytes + (size_t)b.waiting * MESSAGE_COST;
	s->last_sent = now;
	return status == RECV_MORE || session_went_on(s, status);
}

static void unblock(struct session *s)
{
	if (s->blocked_since)
		session_note(s, SESSION_EVENT_UNBLOCKED);
	s->blocked_since = 0;
}

bool session_is_blocked(struct session *s)
{
	const struct receiver *r = s->receiver;

	if (r->ops->buffered(r) == 0) {
		unblock(s);
		return false;
	}
	if (s->blocked_since == 0) {
		s->blocked_since = session_now(s);
		s->blocked_at = (uint32_t)r->ops->progress(r);
		s->doubted = false;
		session_note(s, SESSION_EVENT_BLOCKED);
		session_arm(s);
	}
	return true;
}

/* Who waits for an answer to what he has sent hears of the end after this: a client that is told
 * first that its messages were not taken never learns why. */
static void deliver_close(struct session *s)
{
	struct session_inbox *waits = s->in;
	struct receiver *r = s->receiver;

	s->in = NULL;
	session_settle(s);
	session_forget_receiver(s);
	session_become_closed(s);
	if (s->decision == SESSION_REFUSED && s->is_raw && r->ops->refuse)
		r->ops->refuse(r, s, s->code, s->retry_after, session_reason(s));
	else
		r->ops->close(r, s->code, session_reason(s));
	s->in = waits;
	session_end_inbox(s);
}

/* Says what can be said now: messages first, then the close. What there is no time for is said in
 * the next turns. */
void session_flush(struct session *s)
{
	if (s->state == SESSION_CONNECTING)
		return; /* o comes first */
	while (s->receiver && !session_is_blocked(s)) {
		if (s->out.count > 0) {
			if (!send_batch(s))
				break;
			if (s->out.count > 0 && budget_is_spent(s->reactor->budget)) {
				session_mark_dirty(s);
				break;
			}
			if (s->out.count > 0)
				session_mark(s);
		} else if (s->state == SESSION_CLOSING) {
			deliver_close(s);
			return;
		} else {
			break;
		}
	}
	message_ring_rest(&s->out, &s->reactor->freelist);
}

void session_say_the_rest(struct session *s)
{
	while (s->receiver && s->out.count > 0 && send_batch(s))
		;
}

void session_tell_writable(struct session *s)
{
	if (!s->full || s->state != SESSION_OPEN ||
	    session_buffered(s) > s->limits->send_buffer_bytes / 4)
		return;
	s->full = false;
	s->ops->writable(s);
}

void session_blocked(struct session *s)
{
	if (s->receiver)
		session_is_blocked(s);
}

void session_writable(struct session *s)
{
	unblock(s);
	session_mark_dirty(s);
}
