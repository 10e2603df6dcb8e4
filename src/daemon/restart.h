/*
 * daemon/restart.h - SIGUSR2 and the command restart: the program is started anew, and goes on with all connections
 * and sessions of this process (doc/decisions/010-a-restart-hands-everything-over.md).
 *
 * The new process is the file that this one was started from, whatever that is by now, with the same arguments; the
 * descriptor by which it takes over is told by the environment.
 */
#ifndef DAEMON_RESTART_H
#define DAEMON_RESTART_H

#include <stdbool.h>

#include "sockjs.h"

struct restarter;

/* argv[0] is how this process was started. NULL when memory is out. */
struct restarter *restarter_new(struct sockjs_server *server, char **argv);
void restarter_free(struct restarter *r); /* NULL is fine */
/* In the thread of sockjs_server_run(). `asker` (NULL: a signal) is answered when it is known what came of it. */
void restarter_begin(struct restarter *r, struct sockjs_command *asker);

/* The descriptor by which this process is to take over; -1: it is not. Taken from the environment, once. */
int restart_inherited(void);

#endif
