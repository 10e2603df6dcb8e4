/*
 * webhook/guard_private.h - between guard.c, where guests come and go, and guard_snapshot.c, by which they go on in
 * another process; for them alone.
 */
#ifndef WEBHOOK_GUARD_PRIVATE_H
#define WEBHOOK_GUARD_PRIVATE_H

#include "server/handshake.h"
#include "webhook/guard.h"

struct guard {
	struct sockjs_callbacks inner, outer;
	void *app;
	struct webhook *webhook;
	struct sockjs_options options; /* a copy */
	bool asks, tells;
	bool stands_aside; /* the application asks by itself: there are no guests */
};

enum guest_state {
	GUEST_NEW,    /* no session yet */
	GUEST_ASKED,  /* the backend has not answered */
	GUEST_IN,     /* the application within is in charge */
	GUEST_LEAVING /* the backend is told */
};

struct guest {
	struct guard *guard;
	struct sockjs_handshake *handshake; /* NULL once the application has seen it */
	struct sockjs_session *session;
	struct webhook_call call;
	json_t *answer; /* to its connect, or NULL */
	enum guest_state state;
	bool is_open; /* before the backend has answered, maybe */
	uint64_t opens_at; /* by the clock, if it is not answered before; 0: it waits */
};

void guest_free(struct guest *g);
/* To its connect. */
void guest_on_answer(struct webhook_call *call, const struct webhook_answer *a);

/* The callbacks save and restore. */
int guard_save(struct sockjs_session *s, struct sockjs_saved *to, void *app);
int guard_restore(struct sockjs_session *s, struct sockjs_saved *from, void *app);

#endif
