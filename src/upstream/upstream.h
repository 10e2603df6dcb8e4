/*
 * upstream/upstream.h - the application "upstream": a gateway to any WebSocket
 * application, in any language, that knows nothing of SockJS.
 *
 * For each session it opens one WebSocket to a backend. Messages map one to one.
 */
#ifndef UPSTREAM_UPSTREAM_H
#define UPSTREAM_UPSTREAM_H

#include <stdbool.h>

#include "sockjs.h"

extern const struct sockjs_callbacks upstream_callbacks;

/* What one endpoint needs, from its options ("upstream.url" and so on; they are also completed: the
 * headers and the path to be forwarded become visible). 0; -EINVAL and a sentence in `why` if a
 * URL, a certificate or a key is not good; -ENOMEM. */
struct upstream;
int upstream_new(struct upstream **out, struct sockjs_server *server,
    struct sockjs_options *options, char *why, size_t why_size);
/* What upstream_new() does to the options, alone: for a new endpoint of one that goes on. 0 or -ENOMEM. */
int upstream_complete(struct sockjs_options *options);
/* Options of its endpoint that it has copied; NULL at the end. */
extern const char *const upstream_copies[];
/* It takes new sessions in the place of `before`: what operators have set for a backend that both have
 * (by its URL) is taken over. In the server's first thread. */
void upstream_succeed(struct upstream *u, struct upstream *before);
/* New sessions may come, as at the beginning, or no more: then backends are not checked. Any thread. */
void upstream_set_offered(struct upstream *u, bool is_offered);
/* Whether no connection to a backend is left in this reactor. */
bool upstream_is_idle(struct upstream *u);
/* After the server has stopped, before it is freed; or while it runs, when `end` was called in each
 * reactor that `begin` was, and the turns in which that was are over. NULL is fine. */
void upstream_free(struct upstream *u);

#endif
