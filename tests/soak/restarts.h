/*
 * tests/soak/restarts.h - a server that restarts while it is tested; see restarts.c.
 */
#ifndef SOAK_RESTARTS_H
#define SOAK_RESTARTS_H

#include "wire/server.h"

struct restarts {
	struct server *server; /* its process is always the one that serves */
	unsigned every_ms, done, most;
	int64_t next, deadline; /* of the one under way; 0: none is */
	int64_t began, took;    /* the last one, from the signal until the old process had ended */
	struct server heir;     /* what it has told of itself */
	bool is_heir_silent;    /* it has not told its addresses yet */
	bool has_failed;        /* there are no more of them then */
};

/* One every so many ms (0: none), `most` of them at most (0: no end). */
void restarts_init(struct restarts *r, struct server *server, unsigned every_ms, unsigned most);
/* To be called often. True: one has been completed in this call. What goes wrong is said, and counted
 * as a failure. */
bool restarts_turn(struct restarts *r);
bool restarts_are_under_way(const struct restarts *r);
/* No more of them. The one under way, if any, comes to its end. */
void restarts_end(struct restarts *r);

#endif
