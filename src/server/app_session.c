/*
 * server/app_session.c - the events of a session, for its application; and what goes with
 * a session when it is over.
 */
#include "base/log.h"
#include "base/mem.h"
#include "server/server_private.h"
#include "server/session_network.h"
#include "server/session_notes.h"

static struct sockjs_session *of(struct session *base)
{
	return container_of(base, struct sockjs_session, base);
}

/* --- who carries what --------------------------------------------------------------- */

static atomic_uint_fast64_t *carried_by(const struct sockjs_session *s, const char *transport)
{
	return &s->endpoint->place->carried[session_transport_place(s->base.reactor, transport)].now;
}

static void count_opened(const struct sockjs_session *s)
{
	unsigned place = session_transport_place(s->base.reactor, s->base.transport);

	atomic_fetch_add_explicit(&s->endpoint->place->carried[place].now, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->endpoint->place->carried[place].opened, 1, memory_order_relaxed);
}

static void on_moved(struct session *base, const char *from)
{
	atomic_fetch_sub_explicit(carried_by(of(base), from), 1, memory_order_relaxed);
	atomic_fetch_add_explicit(carried_by(of(base), base->transport), 1, memory_order_relaxed);
}

/* --- events --------------------------------------------------------------------------- */

static void on_open(struct session *base)
{
	struct sockjs_session *s = of(base);
	char remote[ADDR_TEXT_MAX];

	session_drop_hold(s->extra);
	if (base->opened) { /* else its wire broke as it was told */
		count_opened(s);
		session_network_said(s);
	}
	log_debug("session open", LOG_INT("session", base->id),
	    LOG_STR("endpoint", s->endpoint->prefix), LOG_STR("transport", base->transport),
	    LOG_STR("remote", addr_print(&s->client, false, remote)));
	if (s->endpoint->callbacks.open)
		s->endpoint->callbacks.open(s, s->endpoint->app);
}

static void on_message(struct session *base, const char *data, size_t n, bool binary)
{
	struct sockjs_session *s = of(base);
	struct sockjs_message m = { data, n, binary };

	if (s->endpoint->callbacks.message)
		s->endpoint->callbacks.message(s, &m, s->endpoint->app);
}

static void on_metered_message(struct session *base, const char *data, size_t n, bool binary)
{
	on_message(base, data, n, binary);
	meter_charge(of(base), n);
}

static void on_writable(struct session *base)
{
	struct sockjs_session *s = of(base);

	if (s->endpoint->callbacks.writable)
		s->endpoint->callbacks.writable(s, s->endpoint->app);
}

/* What goes with it, but its application. */
static void session_over(struct sockjs_session *s, unsigned code, const char *reason)
{
	struct session *base = &s->base;

	log_debug("session closed", LOG_INT("session", base->id), LOG_INT("code", code),
	    LOG_STR("reason", reason));
	if (base->opened)
		atomic_fetch_sub_explicit(carried_by(s, base->transport), 1, memory_order_relaxed);
	session_notes_over(s);
	session_network_over(s);
	session_log_add(s, code, reason);
	atomic_fetch_sub_explicit(&s->endpoint->place->sessions, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&s->endpoint->server->sessions, 1, memory_order_relaxed);
	meter_stop(s->extra);
	if (s->extra) {
		quota_release(s->extra->visitor, VISITOR_SESSION);
		s->extra->visitor = NULL;
		timer_stop(loop_timers(base->reactor->loop), &s->extra->timer);
		group_leave_all(s->extra);
		ref_session_closed(s->extra->ref);
	}
}

static void on_close(struct session *base, unsigned code, const char *reason)
{
	struct sockjs_session *s = of(base);

	session_over(s, code, reason);
	if (s->endpoint->callbacks.close)
		s->endpoint->callbacks.close(s, code, reason, s->endpoint->app);
	if (s->extra) { /* what the close callback may have started again */
		timer_stop(loop_timers(base->reactor->loop), &s->extra->timer);
		ref_session_closed(s->extra->ref);
	}
}

static void on_free(struct session *base)
{
	struct sockjs_session *s = of(base);

	session_notes_end(s);
	session_ids_remove(&session_reactor_of(s)->session_ids, base);
	if (s->extra) {
		sockjs_ref_free(s->extra->ref);
		name_drop(session_reactor_of(s), s->extra->subprotocol);
		session_drop_hold(s->extra);
		mem_free(s->extra);
	}
	endpoint_release(s->endpoint);
	mem_free(s);
}

const struct session_ops app_session_ops = {
	.open = on_open,
	.message = on_message,
	.writable = on_writable,
	.close = on_close,
	.moved = on_moved,
	.sign = session_network_sign,
	.free = on_free,
};

const struct session_ops app_metered_session_ops = {
	.open = on_open,
	.message = on_metered_message,
	.writable = on_writable,
	.close = on_close,
	.moved = on_moved,
	.sign = session_network_sign,
	.free = on_free,
};

/* --- without an application ------------------------------------------------------------- */

static void on_nothing(struct session *base)
{
	(void)base;
}

static void on_dropped(struct session *base, const char *data, size_t n, bool binary)
{
	(void)base, (void)data, (void)n, (void)binary;
}

static void on_orphan_close(struct session *base, unsigned code, const char *reason)
{
	session_over(of(base), code, reason);
}

const struct session_ops orphan_session_ops = {
	.open = on_nothing,
	.message = on_dropped,
	.writable = on_nothing,
	.close = on_orphan_close,
	.moved = on_moved,
	.sign = session_network_sign,
	.free = on_free,
};
