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

void upstream_conn_join(
    struct upstream_conn *uc, struct upstream_reactor *reactor, struct sockjs_session *session)
{
	uc->reactor = reactor;
	uc->session = session;
	stream_init_empty(&uc->stream);
	list_append(&reactor->conns, &uc->node);
}

void upstream_conn_enlist(struct upstream_conn *uc)
{
	struct target_share *share = upstream_share_of(uc);

	list_remove(&uc->node);
	list_append(&share->conns, &uc->node);
	share->count++;
	uc->is_listed = true;
}

void upstream_conn_delist(struct upstream_conn *uc)
{
	if (!uc->is_listed)
		return;
	list_remove(&uc->node);
	list_append(&uc->reactor->conns, &uc->node);
	upstream_share_of(uc)->count--;
	uc->is_listed = false;
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
	upstream_conn_delist(uc);
	list_remove(&uc->node);
	timer_stop(loop_timers(uc->reactor->loop), &uc->timer);
	upstream_opening_stop(uc);
	stream_close(&uc->stream);
	loop_defer(uc->reactor->loop, &uc->deferred, free_conn);
}

void upstream_conn_end_session(struct sockjs_session *s, unsigned code, const char *reason)
{
	sockjs_note(s, SESSION_EVENT_BACKEND_CLOSED, code);
	sockjs_blame(s, SESSION_CAUSE_BACKEND);
	sockjs_close(s, code, reason);
}

void upstream_conn_close_session(struct upstream_conn *uc, unsigned code, const char *reason)
{
	struct sockjs_session *s = uc->session;

	uc->session = NULL;
	if (!s)
		return;
	sockjs_set_user(s, NULL);
	upstream_conn_end_session(s, code, reason);
}

void upstream_conn_lost(struct upstream_conn *uc, unsigned code, const char *reason)
{
	upstream_conn_close_session(uc, code, reason);
	upstream_conn_end(uc);
}

/* --- a reactor's share ---------------------------------------------------------- */

int upstream_reactor_init(struct upstream_reactor *reactor, struct upstream_settings *settings)
{
	size_t count = settings->balancer.count;

	*reactor = (struct upstream_reactor){ .settings = settings, .loop = loop_current() };
	list_init(&reactor->conns);
	timer_init(&reactor->parting, upstream_on_parting);
	reactor->targets = mem_zalloc(count * sizeof(*reactor->targets));
	if (!reactor->targets)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		list_init(&reactor->targets[i].conns);
	return 0;
}

int upstream_reactor_check(struct upstream_reactor *reactor)
{
	struct upstream_settings *settings = reactor->settings;

	return checks_new(
	    &reactor->checks, &settings->checks, &settings->balancer, reactor->loop, NULL);
}

static void end_all(struct list *conns)
{
	while (!list_empty(conns)) {
		struct upstream_conn *uc =
		    container_of(list_first(conns), struct upstream_conn, node);

		if (uc->session)
			sockjs_set_user(uc->session, NULL); /* it may outlive the connection */
		upstream_conn_end(uc);
	}
}

bool upstream_reactor_is_idle(const struct upstream_reactor *reactor)
{
	if (!reactor->targets)
		return true;
	for (size_t i = 0; i < reactor->settings->balancer.count; i++)
		if (!list_empty(&reactor->targets[i].conns))
			return false;
	return list_empty(&reactor->conns);
}

void upstream_reactor_fini(struct upstream_reactor *reactor)
{
	if (!reactor->targets)
		return;
	checks_free(reactor->checks);
	timer_stop(loop_timers(reactor->loop), &reactor->parting);
	for (size_t i = 0; i < reactor->settings->balancer.count; i++)
		end_all(&reactor->targets[i].conns);
	end_all(&reactor->conns);
	resolver_free(reactor->resolver);
	ws_deflate_free(reactor->deflate);
	buf_fini(&reactor->out);
	buf_fini(&reactor->pongs);
	mem_free(reactor->targets);
	reactor->targets = NULL;
}
