/*
 * bench/load/server.h - the server under test as a child process.
 */
#ifndef LOAD_SERVER_H
#define LOAD_SERVER_H

#include <sys/types.h>

#include "load/place.h"

struct server {
	pid_t pid; /* 0: not ours to stop */
	int out;
	struct place place;
};

/*
 * Starts ARGV on processor CPU (negative: any). The place is the one given, tried until somebody
 * listens there; or, if that is not known, what the server says: "listening on PLACE".
 */
void server_start(struct server *s, char *const argv[], int cpu, const struct place *place);

/* SIGTERM, and after a while SIGKILL. */
void server_stop(struct server *s);

#endif
