/*
 * fakes/gateway.h - a server of libsockjs in a thread of its own, for as long as a
 * test; through sockjs.h alone.
 */
#ifndef FAKES_GATEWAY_H
#define FAKES_GATEWAY_H

#include <pthread.h>
#include <stdbool.h>

#include "sockjs.h"

struct gateway {
	struct sockjs_server *server;
	pthread_t thread;
	unsigned port;
	bool runs;
	int result; /* of sockjs_server_run() */
};

/* `options` are pairs, "key", "value", ..., NULL. */
void gateway_init(struct gateway *g, const char *const *options);
void gateway_add(struct gateway *g, const char *prefix, const struct sockjs_callbacks *callbacks,
    void *app, const char *const *options);
/* Listens on a free port of 127.0.0.1, with options of an address; which it is. Before the start.
 */
unsigned gateway_listen(struct gateway *g, const char *const *options);
/* Listens on a free port of 127.0.0.1 by HTTP, g->port, and runs. */
void gateway_start(struct gateway *g);
/* Waits for the end of the run and checks that it was in order. */
void gateway_wait(struct gateway *g);
/* Stops if need be, and frees. */
void gateway_fini(struct gateway *g);

#endif
