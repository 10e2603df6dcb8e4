/*
 * daemon/supervise.h - whether all reactors still have their turns, for the service manager
 * (WATCHDOG=1, STATUS=: sd_notify(3)) and for the log.
 */
#ifndef DAEMON_SUPERVISE_H
#define DAEMON_SUPERVISE_H

#include "sockjs.h"

/* Looks from now on, in the time that $WATCHDOG_USEC leaves, or every 10 seconds. In the thread of
 * sockjs_server_run(), as it starts; until the server ends. */
void supervise_begin(struct sockjs_server *server);

#endif
