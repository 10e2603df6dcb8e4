/*
 * daemon/host.c - what operators may ask of the daemon: its configuration, the names of
 * applications, that it reads the one and that it stops; see host.h.
 */
#include "daemon/host.h"

#include "base/buf.h"
#include "daemon/signals.h"
#include "server/internal.h"

/* The level may have been changed since it was read. */
static int print_config(void *arg, struct buf *out)
{
	const struct host *host = arg;
	struct config shown = reloader_now(host->reloader)->config;

	shown.log_level = (enum log_level)log_get_threshold();
	return config_print_shown(&shown, out);
}

static const char *application(void *arg, size_t i)
{
	const struct host *host = arg;
	const struct config *c = &reloader_now(host->reloader)->config;

	return i < c->endpoint_count ? c->endpoints[i].app->name : NULL;
}

static bool busy(void *arg)
{
	const struct host *host = arg;

	return running_apps_are_busy(host->apps);
}

static void reload(void *arg, struct sockjs_command *c)
{
	const struct host *host = arg;

	reloader_begin(host->reloader, c);
}

static void restart(void *arg, struct sockjs_command *c)
{
	const struct host *host = arg;

	restarter_begin(host->restarter, c);
}

static void stopping(void *arg)
{
	(void)arg;
	signals_stop_was_asked();
}

void host_attach(struct host *host, struct sockjs_server *server)
{
	server_set_host(server, &(struct server_host){
	                            .print_config = print_config,
	                            .application = application,
	                            .busy = busy,
	                            .reload = reload,
	                            .restart = restart,
	                            .stopping = stopping,
	                            .arg = host,
	                        });
}
