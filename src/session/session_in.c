/*
 * session/session_in.c - from the client: messages are delivered at once, or wait,
 * and make their sender wait, while the application has paused or has got enough for one
 * turn.
 */
#include <errno.h>

#include "session/session_private.h"

#define TAKE_UP_MOST 256 /* of what waited, in one turn */

/* Once in its life. What it has to say waits until the session is open. */
__attribute__((noinline)) static void first_sign(struct session *s)
{
	s->heard = true;
	if (s->decision == SESSION_UNPROVEN) {
		s->decision = SESSION_PROVEN;
		session_mark_dirty(s);
		if (s->receiver && s->receiver->ops->pause)
			s->receiver->ops->pause(s->receiver, true); /* session_take_up() reads on */
	}
	if (s->ops->sign)
		s->ops->sign(s, SESSION_SIGN_HEARD);
}

void session_heard(struct session *s)
{
	if (!s->heard)
		first_sign(s);
	s->last_heard = (uint32_t)session_now(s);
}

void session_answered(struct session *s)
{
	if (!s->is_idle)
		return;
	s->is_idle = false;
	if (s->ops->sign)
		s->ops->sign(s, SESSION_SIGN_OUTLASTED);
	session_arm(s);
}

static int keep_for_later(struct session *s, const char *data, size_t n, bool binary)
{
	struct freelist *freelist = &s->reactor->freelist;
	struct message *m = message_new_in(freelist, data, n, binary);
	struct session_inbox *in = m ? session_inbox_get(s) : NULL;

	budget_spend(s->reactor->budget, COST_KEEP + cost_of_octets(n));
	if (in && message_ring_push(&in->ring, freelist, m) == 0) {
		in->bytes += n + INBOX_COST;
		return 0;
	}
	message_unref(m);
	session_blame(s, SESSION_CAUSE_NO_MEMORY);
	session_close(s, CLOSE_INTERNAL_ERROR, "Out of memory");
	session_drop_inbox(s, false);
	return -ENOMEM;
}

/* Apart, so that the others' way is as short as it would be without. */
__attribute__((noinline)) static void pass_on_recorded(
    struct session *s, const char *data, size_t n, bool binary)
{
	if (s->record->messages_in++ == 0)
		session_note(s, SESSION_EVENT_FIRST_MESSAGE);
	s->record->bytes_in += n;
	s->ops->message(s, data, n, binary);
}

static void pass_on(struct session *s, const char *data, size_t n, bool binary)
{
	budget_spend(s->reactor->budget, COST_MESSAGE + cost_of_octets(n));
	s->reactor->counters.messages_in++;
	s->reactor->counters.bytes_in += n;
	if (s->is_recorded)
		pass_on_recorded(s, data, n, binary);
	else
		s->ops->message(s, data, n, binary);
}

int session_deliver(struct session *s, const char *data, size_t n, bool binary)
{
	if (s->state != SESSION_OPEN && (s->state != SESSION_CONNECTING || !s->decision))
		return 0;
	session_heard(s);
	if (s->stopped)
		return keep_for_later(s, data, n, binary);
	pass_on(s, data, n, binary);
	return 0;
}

static void stop_wire(struct session *s)
{
	s->stopped = true;
	session_publish(s);
	if (s->receiver && s->receiver->ops->pause)
		s->receiver->ops->pause(s->receiver, true);
}

int session_deliver_all(struct session *s, const struct bytes *texts, size_t count)
{
	const struct budget *budget = s->reactor->budget;
	int err = 0;

	for (size_t i = 0; i < count && err == 0; i++) {
		if (i > 0 && budget_is_spent(budget) && !s->stopped && session_is_open(s)) {
			stop_wire(s);
			session_mark_dirty(s);
		}
		err = session_deliver(s, texts[i].p, texts[i].n, false);
	}
	return err;
}

static void stop_input(struct session *s, uint8_t by)
{
	bool was_stopped = s->paused;

	s->paused |= by;
	if (was_stopped)
		return;
	session_note(s, SESSION_EVENT_PAUSED);
	stop_wire(s);
}

static void start_input(struct session *s, uint8_t by)
{
	if (!(s->paused & by))
		return;
	s->paused &= (uint8_t)~by;
	if (s->paused)
		return;
	session_note(s, SESSION_EVENT_RESUMED);
	session_publish(s);
	session_mark_dirty(s); /* not from within a callback of the application */
}

void session_pause(struct session *s)
{
	stop_input(s, SESSION_PAUSED_BY_APP);
}

void session_resume(struct session *s)
{
	if (s->decision == SESSION_WELCOME)
		start_input(s, SESSION_PAUSED_BY_APP);
}

/* Other reactors see it as paused: what they get goes along to where it can fail. */
void session_fail_sends(struct session *s, bool on)
{
	s->fails_sends = on;
	session_publish(s);
}

void session_hold_back(struct session *s)
{
	stop_input(s, SESSION_PAUSED_BY_RATE);
}

void session_let_go_on(struct session *s)
{
	start_input(s, SESSION_PAUSED_BY_RATE);
}

static void take_first(struct session *s)
{
	struct message *m = message_ref(message_ring_at(&s->in->ring, 0));

	message_ring_drop(&s->in->ring, 1);
	s->in->bytes -= m->len + INBOX_COST;
	pass_on(s, m->data, m->len, m->binary);
	message_unref(m);
}

/* The application goes on: what waited first, as far as there is time for it, then the wire. */
void session_take_up(struct session *s)
{
	const struct budget *budget = s->reactor->budget;
	unsigned taken = 0;

	while (s->in && s->in->ring.count > 0 && !s->paused && s->state == SESSION_OPEN) {
		if (taken++ >= TAKE_UP_MOST || (taken > 1 && budget_is_spent(budget))) {
			session_mark_dirty(s);
			return;
		}
		take_first(s);
	}
	if (s->in && s->in->ring.count == 0)
		session_drop_inbox(s, true);
	if (s->paused)
		return;
	s->stopped = false;
	session_publish(s);
	if (s->receiver && s->receiver->ops->pause)
		s->receiver->ops->pause(s->receiver, false);
}
