/*
 * daemon/host.h - what operators may ask of the daemon around a server; see server/internal.h.
 */
#ifndef DAEMON_HOST_H
#define DAEMON_HOST_H

#include "apps/running_app.h"
#include "daemon/reload.h"
#include "daemon/restart.h"

struct sockjs_server;

/* As long as the server runs. */
struct host {
	struct reloader *reloader;
	struct restarter *restarter;
	struct running_apps *apps;
};

/* Answers from now on. */
void host_attach(struct host *host, struct sockjs_server *server);

#endif
