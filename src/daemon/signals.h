/*
 * daemon/signals.h - SIGTERM and SIGINT stop the server, SIGHUP asks for a reload.
 */
#ifndef DAEMON_SIGNALS_H
#define DAEMON_SIGNALS_H

#include "base/log.h"
#include "sockjs.h"

/* From now on signals act on this server. `format` is that of the log. */
void signals_watch(struct sockjs_server *server, enum log_format format);
/* The server is about to be freed: signals have nothing left to stop. */
void signals_forget(void);

#endif
