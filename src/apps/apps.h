/*
 * apps/apps.h - the applications that live inside the daemon.
 *
 * Each is written against sockjs.h alone, as any user of the library would. A
 * configuration names one by "application".
 */
#ifndef APPS_APPS_H
#define APPS_APPS_H

#include <stddef.h>

#include "sockjs.h"

struct app {
	const char *name;
	const char *sentence; /* what it does; used in the manual page */
	const struct sockjs_callbacks *callbacks;
	/* Makes what one endpoint needs, before the server runs: 0 or -errno. NULL: it needs
	 * nothing. */
	int (*start)(struct sockjs_server *server, void **state);
	/* Frees it, after the server has stopped. */
	void (*stop)(void *state);
};

extern const struct app echo_app, broadcast_app, close_app, amplify_app, ticker_app;

/* All of them; *count of them. */
const struct app *const *apps_table(size_t *count);
const struct app *app_find(const char *name);

#endif
