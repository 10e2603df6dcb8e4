/*
 * daemon/host.h - what operators may ask of the daemon around a server; see server/internal.h.
 */
#ifndef DAEMON_HOST_H
#define DAEMON_HOST_H

#include "daemon/config.h"

struct sockjs_server;

/* Answers for this configuration as long as the server runs. */
void host_attach(struct sockjs_server *server, struct config *c);

#endif
