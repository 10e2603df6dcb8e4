/*
 * session/session_inbox.c - what a client has sent and its application has not taken
 * yet, and who waits for that.
 */
#include "base/mem.h"
#include "session/session_private.h"

bool session_has_room(const struct session *s, const struct bytes *texts, size_t count)
{
	size_t cost;

	if (!s->in)
		return true;
	cost = s->in->bytes;
	for (size_t i = 0; i < count; i++)
		cost += texts[i].n + INBOX_COST;
	return cost <= s->limits->receive_buffer_bytes;
}

bool session_is_behind(const struct session *s)
{
	return s->in != NULL;
}

void session_wait(struct session *s, struct session_waiter *w)
{
	list_append(&s->in->waiters, &w->node);
}

struct session_inbox *session_inbox_get(struct session *s)
{
	if (!s->in) {
		s->in = mem_zalloc(sizeof(*s->in));
		if (s->in)
			list_init(&s->in->waiters);
	}
	return s->in;
}

void session_drop_inbox(struct session *s, bool taken)
{
	struct session_inbox *in = s->in;

	if (!in)
		return;
	s->in = NULL;
	message_ring_fini(&in->ring, &s->reactor->freelist);
	while (!list_empty(&in->waiters)) {
		struct session_waiter *w =
		    container_of(list_first(&in->waiters), struct session_waiter, node);

		list_remove(&w->node);
		w->done(w, taken);
	}
	mem_free(in);
}

void session_end_inbox(struct session *s)
{
	session_drop_inbox(s, s->in && s->in->ring.count == 0);
}
