/*
 * webhook/stomp_hooks.h - a backend is asked about what STOMP clients do, and is the application of
 * the destinations that are its own. Against sockjs.h alone.
 */
#ifndef WEBHOOK_STOMP_HOOKS_H
#define WEBHOOK_STOMP_HOOKS_H

#include "server/options.h"
#include "webhook/webhook.h"

struct stomp_hooks;

/* The events that it asks about: 1 << event. */
#define STOMP_HOOKS_EVENTS ((1u << WEBHOOK_EVENT_ROWS) - 1)

/* Sets the hooks of a broker that does not run yet, and its handlers. 0, or -errno and a sentence
 * that begins with the name of the option to blame. */
int stomp_hooks_new(struct stomp_hooks **out, struct sockjs_broker *b, struct webhook *w,
    const struct sockjs_options *o, char *why, size_t why_size);
/* After the server has stopped. */
void stomp_hooks_free(struct stomp_hooks *h);

#endif
