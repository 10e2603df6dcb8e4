/*
 * daemon/signals.h - signals: SIGTERM and SIGINT stop the server in order, a second
 * one, or one after the command drain, at once; SIGHUP reloads, SIGUSR2 restarts. What else a service might be sent is
 * ignored.
 */
#ifndef DAEMON_SIGNALS_H
#define DAEMON_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

#include "sockjs.h"

/* From the beginning of the start on: nothing ends the process by accident. */
void signals_begin(void);
/* From now on signals reach this server, and wake it. `stop_ms` is how long an orderly stop may take,
 * for the service manager; it may be another time later. In one thread. */
void signals_watch(struct sockjs_server *server, uint64_t stop_ms);
void signals_stop_takes(uint64_t stop_ms);
/* What is wanted by those that have come. */
struct signals_wish {
	bool reload, restart;
};
/* Logs them; in the thread of sockjs_server_run(), when it was woken. */
struct signals_wish signals_tell(void);
/* A command has begun an orderly stop: it is told as that of a signal. In the thread of
 * sockjs_server_run(). */
void signals_stop_was_asked(void);
/* The server is about to be freed. */
void signals_forget(void);

#endif
