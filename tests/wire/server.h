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
	int status;
	struct address address[SERVER_MAX_ADDRESSES];
	int addresses;
	bool may_end;            /* by itself: it is asked to */
	struct address internal; /* where its metrics are; no host: nowhere */
	char log[64];            /* where its standard error goes */
	char said[4096];         /* on its standard output: a line that is not whole yet */
	size_t said_n;
};

/*
 * Starts ARGV and waits until it has told its addresses ("listening on URL",
 * one line each). 0 or -errno; on failure what() says more.
 */
int server_start(struct server *s, char *const argv[], int64_t deadline);

/* Learns the addresses that it has told since, without waiting for any. */
void server_hear(struct server *s);

/* SIGTERM, SIGKILL after GRACE ms. True when it ended with status 0. WHY: at least 128 bytes. */
bool server_stop(struct server *s, int64_t grace, char *why);

/* Copies what the server logged last to standard error, and removes the file. */
void server_log(struct server *s, bool show);

/* --- the same for a program that says what went wrong and goes on ------------------------ */

enum { COMMAND_WORDS = 64 };

struct command {
	char text[4096];
	size_t used;
	char *words[COMMAND_WORDS + 1]; /* NULL behind the last */
	size_t count;
};

/* Adds the words of `text`, between blanks. Zeroed, a command has none. */
void command_add(struct command *c, const char *text);
/* Takes the words from the n-th on away. */
void command_keep(struct command *c, size_t n);

/* Starts the command, stops the server, within so many ms. False: what was wrong has been said on
 * standard output, of `whom` (NULL: there is but one), and the log shown; a server that did not
 * start is gone. */
bool server_begin(struct server *s, const struct command *c, int64_t ms, const char *whom);
bool server_end(struct server *s, int64_t ms, const char *whom);

#endif
