/*
 * server/reload.c - from one configuration to the next; see reload.h.
 *
 * Nothing is patched: reactors are sent the new one, and let go of the old one. It is freed by the last
 * who does, but for endpoints that sessions hold.
 */
#include "server/reload.h"

#include <errno.h>

#include "base/log.h"
#include "server/api.h"
#include "server/turn.h"

struct server_config *reload_elder(struct sockjs_server *server)
{
	return server_config_ref(server->config);
}

int reload_begin(
    struct server_config **out, struct sockjs_server *server, const struct sockjs_options *o)
{
	return server_config_new(out, server, o);
}

void reload_abandon(struct server_config *c)
{
	server_config_unref(c);
}

/* --- in each reactor ----------------------------------------------------------- */

/* Those who came before commands were taken can be found as well. */
static void number_sessions(struct reactor *r)
{
	struct list *pos;

	list_foreach (pos, &r->base.sessions.sessions) {
		struct session *s = container_of(pos, struct session, node);

		if (!session_ids_find(&r->session_ids, s->id) &&
		    session_ids_add(&r->session_ids, s) < 0)
			log_warn_limited("a session cannot be found by its number: out of memory",
			    LOG_INT("session", s->id));
	}
}

static void complain(const struct reactor *r, const char *what, int err)
{
	if (err < 0)
		log_error("the new configuration is not taken over whole", LOG_STR("what", what),
		    LOG_INT("reactor", r->index), LOG_ERR(err));
}

static void take(struct reactor *r, struct server_config *c)
{
	struct server_config *before = r->config;

	r->config = server_config_ref(c);
	complain(r, "limits.header_bytes",
	    http_server_configure(
	        r->base.http, &r->config->http_limits, reactor_handler(r->config)));
	if (!r->is_shut)
		complain(r, "listen", reactor_listen(r));
	complain(r, "endpoints", turns_begin(r));
	endpoints_begin(c, before);
	if (server_config_takes_commands(c) && !server_config_takes_commands(before))
		number_sessions(r);
	memory_configure(r);
	tls_configure(r);
	if (r->index == 0) {
		server_limit_visitors(c);
		server_config_unref(r->server->config);
		r->server->config = server_config_ref(c);
	}
	server_config_unref(before);
}

/* --- from reactor to reactor --------------------------------------------------- */

struct takeover {
	struct sockjs_server *server;
	struct server_config *config; /* NULL: gone */
	void (*done)(void *arg);
	void *arg;
};

static void take_here(void *arg)
{
	const struct takeover *t = arg;
	struct reactor *r = reactor_current();

	if (r->base.http)
		take(r, t->config);
}

static void finish_here(void *arg)
{
	const struct takeover *t = arg;

	t->done(t->arg);
}

/* The last reactor has it, in whichever thread that was. */
static void taken(void *arg)
{
	const struct takeover *t = arg;

	server_config_unref(t->config);
	if (!reactor_current())
		return; /* the server has ended: nobody waits any more */
	if (sockjs_reactor_call(t->server, 0, finish_here, NULL, t, sizeof(*t)) < 0)
		log_error("the end of a reload is not told: out of memory");
}

int reload_commit(struct server_config *c, void (*done)(void *arg), void *arg)
{
	struct takeover t = { c->server, c, done, arg };
	int err = server_is_stopping(c->server) ? -ESHUTDOWN : server_config_follow(c, c->server->config);

	if (err == 0)
		err = sockjs_reactor_spread(
		    c->server, 0, NULL, take_here, taken, &t, sizeof(t));
	if (err < 0)
		server_config_unref(c);
	return err;
}
