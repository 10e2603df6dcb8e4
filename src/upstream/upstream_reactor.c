/*
 * upstream/upstream_reactor.c - a reactor's share of an upstream, and how a connection in it ends.
 */
#include <errno.h>

#include "base/mem.h"
#include "upstream/upstream_private.h"

static void free_conn(struct deferred *d)
{
	struct upstream_conn *uc = container_of(d, struct upstream_conn, deferred);

	upstream_opening_free(uc);
	ws_conn_fini(&uc->conn);
	ws_deflate_free(uc->compressor);
	if (uc->rest)
		buf_fini(uc->rest);
	mem_free(uc->rest);
	mem_free(uc);
}

void upstream_conn_end(struct upstream_conn *uc)
{
	if (uc->ended)
		return;
	uc->ended = true;
	if (uc->reactor->out_conn == uc)
		uc->reactor->out_conn = NULL;
	if (uc->target)
		upstream_release_target(uc);
	list_remove(&uc->node);
	timer_stop(loop_timers(uc->reactor->loop), &uc->timer);
	upstream_opening_stop(uc);
	stream_close(&uc->stream);
	loop_defer(uc->reactor->loop, &uc->deferred, free_conn);
}

void upstream_conn_close_session(struct upstream_conn *uc, unsigned code, const char *reason)
{
	struct sockjs_session *s = uc->session;

	uc->session = NULL;
	if (!s)
		return;
	sockjs_set_user(s, NULL);
	sockjs_note(s, SESSION_EVENT_BACKEND_CLOSED, code);
	sockjs_blame(s, SESSION_CAUSE_BACKEND);
	sockjs_close(s, code, reason);
}

void upstream_conn_lost(struct upstream_conn *uc, unsigned code, const char *reason)
{
	upstream_conn_close_session(uc, code, reason);
	upstream_conn_end(uc);
}

/* --- a reactor's share ---------------------------------------------------------- */

int upstream_reactor_init(struct upstream_reactor *reactor, struct upstream_settings *settings)
{
	*reactor = (struct upstream_reactor){ .settings = settings, .loop = loop_current() };
	list_init(&reactor->conns);
	reactor->known = mem_zalloc(settings->balancer.count * sizeof(*reactor->known));
	return reactor->known ? 0 : -ENOMEM;
}

void upstream_reactor_fini(struct upstream_reactor *reactor)
{
	while (!list_empty(&reactor->conns)) {
		struct upstream_conn *uc =
		    container_of(list_first(&reactor->conns), struct upstream_conn, node);

		if (uc->session)
			sockjs_set_user(uc->session, NULL); /* it may outlive the connection */
		upstream_conn_end(uc);
	}
	resolver_free(reactor->resolver);
	ws_deflate_free(reactor->deflate);
	buf_fini(&reactor->out);
	buf_fini(&reactor->pongs);
	mem_free(reactor->known);
}
