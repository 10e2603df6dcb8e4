/*
 * session/session_in.c - from the client: messages are delivered at once, or wait,
 * and make their sender wait, while the application has paused.
 */
#include <errno.h>

#include "base/mem.h"
#include "session/session_private.h"

void session_heard(struct session *s)
{
	s->heard = true;
}

bool session_has_room(const struct session *s, size_t n)
{
	return (s->in ? s->in->bytes : 0) + n <= s->limits->receive_buffer_bytes;
}

bool session_is_behind(const struct session *s)
{
	return s->in != NULL;
}

void session_wait(struct session *s, struct session_waiter *w)
{
	list_append(&s->in->waiters, &w->node);
}

static struct session_inbox *inbox_of(struct session *s)
{
	if (!s->in) {
		s->in = mem_zalloc(sizeof(*s->in));
		if (s->in)
			list_init(&s->in->waiters);
	}
	return s->in;
}

/* Nothing waits any more: either all was taken, or nobody is left to take it. */
void session_drop_inbox(struct session *s, bool taken)
{
	struct session_inbox *in = s->in;

	if (!in)
		return;
	s->in = NULL;
	message_ring_fini(&in->ring, &s->reactor->stash);
	while (!list_empty(&in->waiters)) {
		struct session_waiter *w =
		    container_of(list_first(&in->waiters), struct session_waiter, node);

		list_remove(&w->node);
		w->done(w, taken);
	}
	mem_free(in);
}

static int keep_for_later(struct session *s, const char *data, size_t n, bool binary)
{
	struct stash *stash = &s->reactor->stash;
	struct message *m = message_new_in(stash, data, n, binary);
	struct session_inbox *in = m ? inbox_of(s) : NULL;

	if (in && message_ring_push(&in->ring, stash, m) == 0) {
		in->bytes += n + MESSAGE_COST;
		return 0;
	}
	message_unref(m);
	session_close(s, CLOSE_INTERNAL_ERROR, "Out of memory");
	return -ENOMEM;
}

static void pass_on(struct session *s, const char *data, size_t n, bool binary)
{
	s->reactor->counters.messages_in++;
	s->reactor->counters.bytes_in += n;
	s->ops->message(s, data, n, binary);
}

int session_deliver(struct session *s, const char *data, size_t n, bool binary)
{
	if (s->state != SESSION_OPEN && (s->state != SESSION_CONNECTING || !s->decision))
		return 0;
	s->heard = true;
	if (s->paused || s->in)
		return keep_for_later(s, data, n, binary);
	pass_on(s, data, n, binary);
	return 0;
}

void session_pause(struct session *s)
{
	if (s->paused)
		return;
	s->paused = s->stopped = true;
	session_publish(s);
	if (s->receiver && s->receiver->ops->pause)
		s->receiver->ops->pause(s->receiver, true);
}

void session_resume(struct session *s)
{
	if (!s->paused || s->decision != SESSION_WELCOME)
		return;
	s->paused = false;
	session_publish(s);
	session_mark_dirty(s); /* not from within a callback of the application */
}

/* The application goes on: what waited first, then the wire. */
void session_take_up(struct session *s)
{
	while (s->in && s->in->ring.count > 0 && !s->paused && s->state == SESSION_OPEN) {
		struct message *m = message_ref(message_ring_at(&s->in->ring, 0));

		message_ring_drop(&s->in->ring, 1);
		s->in->bytes -= m->len + MESSAGE_COST;
		pass_on(s, m->data, m->len, m->binary);
		message_unref(m);
	}
	if (s->in && s->in->ring.count == 0)
		session_drop_inbox(s, true);
	if (s->paused)
		return;
	s->stopped = false;
	if (s->receiver && s->receiver->ops->pause)
		s->receiver->ops->pause(s->receiver, false);
}
