/*
 * tests/wire/server.h - a server under test as a child process; see server.c.
 */
#ifndef WIRE_SERVER_H
#define WIRE_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#include "wire/conn.h"

enum { SERVER_MAX_ADDRESSES = 8 };

struct server {
	pid_t pid; /* 0: not ours, only its address is known */
	int out;
	bool dead; /* reaped before it was asked to stop */
	int status;
	struct address address[SERVER_MAX_ADDRESSES];
	int addresses;
	char log[64]; /* where its standard error goes */
};

/*
 * Starts ARGV and waits until it has told its addresses ("listening on URL",
 * one line each). 0 or -errno; on failure what() says more.
 */
int server_start(struct server *s, char *const argv[], int64_t deadline);

/* SIGTERM, SIGKILL after GRACE ms. True when it ended with status 0. WHY: at least 128 bytes. */
bool server_stop(struct server *s, int64_t grace, char *why);

/* Copies what the server logged last to standard error, and removes the file. */
void server_log(struct server *s, bool show);

#endif
