/*
 * unruly/received.h - POST /api/received: what a session has received, in pages; now, or once so much
 * has come.
 */
#ifndef UNRULY_RECEIVED_H
#define UNRULY_RECEIVED_H

#include "sockjs.h"
#include "unruly/records.h"

struct received {
	struct sockjs_server *server;
	struct records *records; /* its lock is that of `waiting`, too */
	struct list waiting;     /* commands */
	bool is_ticking;         /* of the commands' reactor alone */
};

/* The names of the commands, and a NULL. */
extern const char *const received_commands[];

void received_init(struct received *r, struct sockjs_server *server, struct records *records);
/* Whoever still waits is refused. Nobody waits afterwards, unless a command comes. */
void received_end(struct received *r);
/* Answers a command, now or later. */
void received_command(struct received *r, struct sockjs_command *c);
/* A record has changed: somebody may have waited for that. Any thread. */
void received_look(struct received *r);
/* Whether nothing is under way in this reactor. */
bool received_is_idle(struct received *r);

#endif
