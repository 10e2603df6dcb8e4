/*
 * webhook/guard.h - an application around another one: a backend is asked whether a client may come
 * in, and who it is, before the other hears of it; and told when it has gone.
 *
 *	handshake --> asked --> [no: refused] --> the other's handshake, and all that follows
 */
#ifndef WEBHOOK_GUARD_H
#define WEBHOOK_GUARD_H

#include "server/options.h"
#include "webhook/webhook.h"

struct guard;
struct guest;

/* Around `inner`, whose state is `app`, and which itself asks the backend about the events of a set
 * (1 << event); if connect is among them, the guard only keeps the webhook. What it needs of the
 * endpoint's options is copied. 0, or -errno and a sentence that begins with the name of the option
 * to blame. */
int guard_new(struct guard **out, struct sockjs_options *options,
    const struct sockjs_callbacks *inner, void *app, unsigned asked_within, char *why,
    size_t why_size);
/* Whether that would succeed; leaves no trace. As guard_new(). */
int guard_check(const struct hooks_options *o, unsigned asked_within, char *why, size_t why_size);
struct webhook *guard_webhook(const struct guard *g);
const struct sockjs_callbacks *guard_callbacks(const struct guard *g);
/* In a reactor in which nobody comes to it any more: as webhook_leave(). */
void guard_leave(struct guard *g);
/* After that in all of them, or after they have stopped; the application within is its owner's. NULL is
 * fine. */
void guard_free(struct guard *g);

/* --- for an application within that asks the same backend ----------------------------- */

/* Whom the guard has let in; lives until its disconnect was told. */
struct guest *guest_of(const struct sockjs_session *s);
/* A new event of its session: what all have, and what the backend has said of who it is. */
json_t *guest_event(const struct guest *g, const struct sockjs_session *s);

/* --- answers ---------------------------------------------------------------------------- */

/* Which member of an answer is nothing that can be done; NULL: none. */
const char *guest_trouble_with(const json_t *answer);
/* Does what it says, if that can be done: sends `messages`, closes if there is `close`. */
void guest_obey(struct sockjs_session *s, const json_t *answer);

#endif
