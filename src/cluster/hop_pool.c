/*
 * cluster/hop_pool.c - connections to another gateway; see hop_pool.h.
 *
 * One that waits is closed long before the other end would do so, or a request could meet the close on its way.
 */
#include "cluster/hop_pool.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

#define IDLE_MOST_MS  15000
#define IDLE_LEAST_MS 5

/* --- life --------------------------------------------------------------------------------------- */

static void conn_free(struct deferred *d)
{
	mem_free(container_of(d, struct hop_conn, gone));
}

void hop_conn_end(struct hop_conn *c)
{
	dial_cancel(&c->dial);
	stream_close(&c->stream);
	list_remove(&c->node);
	loop_defer(c->pool->loop, &c->gone, conn_free);
}

static void break_off(struct hop_conn *c, const char *why)
{
	const struct hop_conn_events *on = c->on;

	c->on = NULL;
	if (on)
		on->broken(c, why);
	hop_conn_end(c);
}

/* --- the stream's events ------------------------------------------------------------------------ */

static void on_readable(struct stream *s)
{
	struct hop_conn *c = container_of(s, struct hop_conn, stream);

	if (c->on)
		c->on->readable(c);
	else
		hop_conn_end(c); /* nothing was asked: it is closed, or says what nobody understands */
}

static void on_writable(struct stream *s)
{
	struct hop_conn *c = container_of(s, struct hop_conn, stream);

	if (c->on)
		c->on->writable(c);
}

static void on_hangup(struct stream *s, int err)
{
	struct hop_conn *c = container_of(s, struct hop_conn, stream);

	c->error = err;
	break_off(c, err ? strerror(-err) : "it has closed the connection");
}

static const struct stream_events events = {
	.readable = on_readable,
	.writable = on_writable,
	.hangup = on_hangup,
};

/* --- a new one ---------------------------------------------------------------------------------- */

static void become_ready(struct hop_conn *c)
{
	c->is_ready = true;
	if (stream_want(&c->stream, STREAM_READ) < 0)
		break_off(c, "out of memory");
	else
		c->on->ready(c);
}

static void on_tls_done(struct stream *s, int err)
{
	struct hop_conn *c = container_of(s, struct hop_conn, stream);

	if (err < 0)
		break_off(c, *stream_tls_why(s) ? stream_tls_why(s) : strerror(-err));
	else
		become_ready(c);
}

static void begin_tls(struct hop_conn *c)
{
	char address[ADDR_TEXT_MAX];
	const char *host =
	    c->pool->tls_host ? c->pool->tls_host : addr_print(&c->pool->gateway.card.at, false, address);
	int err = stream_tls_connect(&c->stream, c->pool->tls, host, on_tls_done);

	if (err < 0)
		break_off(c, strerror(-err));
}

static void on_dialed(struct dial *d, struct stream *s, int err)
{
	struct hop_conn *c = container_of(d, struct hop_conn, dial);

	if (!s) {
		c->error = err;
		break_off(c, strerror(-err));
		return;
	}
	stream_move(&c->stream, s, c->pool->loop, &events);
	if (c->pool->tls)
		begin_tls(c);
	else
		become_ready(c);
}

static struct hop_conn *conn_new(struct hop_pool *p, const struct hop_conn_events *on, void *arg)
{
	struct hop_conn *c = mem_zalloc(sizeof(*c));

	if (!c)
		return NULL;
	c->pool = p;
	c->on = on;
	c->arg = arg;
	list_init(&c->node);
	stream_init_empty(&c->stream);
	dial_start(&c->dial, p->loop, &p->gateway.card.at, p->timeout_ms, on_dialed);
	return c;
}

/* --- those that wait ---------------------------------------------------------------------------- */

static uint64_t idle_limit(const struct hop_pool *p)
{
	unsigned half = p->gateway.card.idle_ms / 2;

	return half > IDLE_MOST_MS || half == 0 ? IDLE_MOST_MS : half < IDLE_LEAST_MS ? IDLE_LEAST_MS : half;
}

static void look(struct timer *t)
{
	struct hop_pool *p = container_of(t, struct hop_pool, timer);
	uint64_t now = loop_now(p->loop);

	while (!list_empty(&p->idle)) {
		struct hop_conn *oldest = container_of(p->idle.prev, struct hop_conn, node);

		if (now - oldest->idle_since < idle_limit(p)) {
			timer_start(loop_timers(p->loop), t, oldest->idle_since + idle_limit(p) - now);
			return;
		}
		hop_conn_end(oldest);
	}
}

void hop_conn_keep(struct hop_conn *c)
{
	struct hop_pool *p = c->pool;

	c->on = NULL;
	c->is_used_again = true;
	c->idle_since = loop_now(p->loop);
	list_prepend(&p->idle, &c->node);
	if (!timer_is_active(&p->timer))
		timer_start(loop_timers(p->loop), &p->timer, idle_limit(p));
}

struct hop_conn *hop_pool_take(struct hop_pool *p, bool fresh, const struct hop_conn_events *on, void *arg)
{
	struct list *first = fresh ? NULL : list_first(&p->idle);
	struct hop_conn *c;

	if (!first)
		return conn_new(p, on, arg);
	c = container_of(first, struct hop_conn, node);
	list_remove(&c->node);
	if (loop_now(p->loop) - c->idle_since >= idle_limit(p)) {
		hop_conn_end(c);
		return hop_pool_take(p, fresh, on, arg);
	}
	c->on = on;
	c->arg = arg;
	return c;
}

/* --- life --------------------------------------------------------------------------------------- */

void hop_pool_init(struct hop_pool *p, struct loop *loop, const struct gateway *gateway)
{
	*p = (struct hop_pool){ .loop = loop, .gateway = *gateway };
	list_init(&p->node);
	list_init(&p->idle);
	timer_init(&p->timer, look);
}

void hop_pool_fini(struct hop_pool *p)
{
	timer_stop(loop_timers(p->loop), &p->timer);
	while (!list_empty(&p->idle))
		hop_conn_end(container_of(list_first(&p->idle), struct hop_conn, node));
}
