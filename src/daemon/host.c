/*
 * daemon/host.c - what operators may ask of the daemon: its configuration, the names of
 * applications, and that it stops; see host.h.
 */
#include "daemon/host.h"

#include "base/buf.h"
#include "daemon/signals.h"
#include "server/internal.h"

/* The level may have been changed since the start. */
static int print_config(void *arg, struct buf *out)
{
	struct config *c = arg;

	c->log_level = (enum log_level)log_get_threshold();
	return config_print_shown(c, out);
}

static const char *application(void *arg, size_t i)
{
	const struct config *c = arg;

	return i < c->endpoint_count ? c->endpoints[i].app->name : NULL;
}

static void stopping(void *arg)
{
	(void)arg;
	signals_stop_was_asked();
}

void host_attach(struct sockjs_server *server, struct config *c)
{
	server_set_host(server, &(struct server_host){ print_config, application, stopping, c });
}
