/*
 * apps/apps.h - the applications that live inside the daemon.
 *
 * Each is written against sockjs.h alone, as any user of the library would (but for upstream and
 * hooks, which also dial, and stomp, which goes through the options). A configuration names one by
 * "application".
 */
#ifndef APPS_APPS_H
#define APPS_APPS_H

#include <stdbool.h>
#include <stddef.h>

#include "sockjs.h"

struct webhook;

struct app {
	const char *name;
	const char *sentence; /* what it does; used in the manual page */
	const struct sockjs_callbacks *callbacks;
	/* In place of `callbacks`, where only a function knows them. */
	const struct sockjs_callbacks *(*get_callbacks)(void);
	/* Makes what one endpoint needs, before the server runs; it may complete the endpoint's
	 * options. 0, or -errno and a sentence in `why`, which begins with the key that is to
	 * blame, if one is. NULL: it needs nothing. */
	int (*start)(struct sockjs_server *server, struct sockjs_options *options, void **state,
	    char *why, size_t why_size);
	/* Is told the prefix of its endpoint, by which it is one with its like at other gateways. 0 or -errno.
	 * NULL: it is by itself. */
	int (*place)(void *state, const char *prefix);
	/* Begins to write where it keeps something, once the rights to do more are given up. As
	 * start(). NULL: it does not. */
	int (*open)(void *state, char *why, size_t why_size);
	/* Whether start() would succeed, as far as config_check() cannot know; leaves no trace. As
	 * start(). NULL: it would. */
	int (*check)(struct sockjs_server *server, const struct sockjs_options *options, char *why,
	    size_t why_size);
	/* In each reactor in turn, when no session and no endpoint leads to it any more: whether nothing
	 * is under way there. Then the callback `end` is called. NULL: never. */
	bool (*is_idle)(void *state);
	/* Frees it, after that or after the server has stopped. */
	void (*stop)(void *state);
	/* Of one that goes on when options of its endpoint change: it completes the new ones as start()
	 * has the old. NULL: there is nothing to complete. */
	int (*complete)(struct sockjs_options *options, char *why, size_t why_size);
	/* Options of the endpoint that it has copied; with another value of one of these, or of its own,
	 * another application is started for new sessions. NULL, or a NULL at its end. */
	const char *const *copies;
	/* Of one that goes on: what it will have of the new options, files that they name read anew; as
	 * start(). Then it takes that over, in the server's first thread, or it is dropped. NULL: it
	 * has nothing of the kind. */
	int (*renew)(const struct sockjs_options *options, void **renewal, char *why,
	    size_t why_size);
	void (*take)(void *state, void *renewal);
	void (*drop)(void *renewal);
	bool stays; /* once started, until the server ends, whatever changes */
	/* One begins in the place of another, for other options: what operators have set is handed on. */
	void (*succeed)(void *state, void *before);
	/* A configuration has it, or none has any more and only its sessions go on. NULL: it does not
	 * matter to it. Any thread. */
	void (*set_offered)(void *state, bool is_offered);
	/* Events that it asks the backend of hooks.url about itself, 1 << WEBHOOK_*; if connect is
	 * not among them a guard does. */
	unsigned asks;
	/* Makes what asks, after start(): *hooked. As start(). NULL: it finds the webhook by
	 * itself. */
	int (*hook)(void *state, struct webhook *webhook, const struct sockjs_options *options,
	    void **hooked, char *why, size_t why_size);
	void (*unhook)(void *hooked);
	unsigned scopes; /* of options, besides those of an endpoint: 1 << OPTION_UPSTREAM... */
};

extern const struct app echo_app, broadcast_app, close_app, amplify_app, ticker_app, upstream_app,
    stomp_app, hooks_app, unruly_app, doctor_app;

/* All of them; *count of them. */
const struct app *const *apps_table(size_t *count);
const struct app *app_find(const char *name);

#endif
