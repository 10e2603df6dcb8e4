/*
 * session/session_walk.c - a walk through all sessions of a loop, over several turns if need be;
 * see session.h.
 *
 * Nothing is kept in the sessions for it: whoever is about to go looks whether a walk stands there,
 * and sends it on. Nearly always there is none.
 */
#include "session/session_private.h"

void session_walk_begin(struct session_walk *w, struct session_reactor *r)
{
	w->reactor = r;
	w->next = r->sessions.next;
	list_append(&r->walks, &w->node);
}

void session_walk_end(struct session_walk *w)
{
	if (!w->reactor)
		return;
	list_remove(&w->node);
	w->reactor = NULL;
}

struct session *session_walk_next(struct session_walk *w)
{
	struct session *s;

	if (!w->reactor)
		return NULL;
	if (w->next == &w->reactor->sessions) {
		session_walk_end(w);
		return NULL;
	}
	s = container_of(w->next, struct session, node);
	w->next = s->node.next;
	return s;
}

void session_walks_pass(const struct session *s)
{
	struct list *pos;

	list_foreach (pos, &s->reactor->walks) {
		struct session_walk *w = container_of(pos, struct session_walk, node);

		if (w->next == &s->node)
			w->next = s->node.next;
	}
}
