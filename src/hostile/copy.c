/*
 * hostile/copy.c - a request that is sent once more, as a proxy does that has lost patience; see
 * conn_private.h.
 *
 * Nobody gets its answer. It ends when the server ends, or is silent for a while.
 */
#include <errno.h>

#include "base/mem.h"
#include "hostile/conn_private.h"

enum { COPIES_MOST = 64, PATIENCE_MS = 2000, WHOLE_MS = 10000 };

struct copy {
	struct list node;
	struct proxy *proxy;
	struct reach reach;
	struct stream stream;
	struct timer timer;
	struct deferred deferred;
	size_t n;
	char request[];
};

static void release(struct deferred *d)
{
	mem_free(container_of(d, struct copy, deferred));
}

static void copy_end(struct copy *k)
{
	reach_cancel(&k->reach);
	stream_close(&k->stream);
	timer_stop(loop_timers(k->proxy->loop), &k->timer);
	list_remove(&k->node);
	k->proxy->copy_count--;
	loop_defer(k->proxy->loop, &k->deferred, release);
}

static void on_readable(struct stream *s)
{
	struct copy *k = container_of(s, struct copy, stream);
	ssize_t n = stream_read(s, loop_scratch(k->proxy->loop), LOOP_SCRATCH_BYTES);

	if (n == 0)
		copy_end(k);
	else if (n > 0)
		timer_start(loop_timers(k->proxy->loop), &k->timer, PATIENCE_MS);
}

static void on_writable(struct stream *s)
{
	(void)s;
}

static void on_hangup(struct stream *s, int err)
{
	(void)err;
	copy_end(container_of(s, struct copy, stream));
}

static const struct stream_events events = {
	.readable = on_readable,
	.writable = on_writable,
	.hangup = on_hangup,
};

static void on_timer(struct timer *t)
{
	copy_end(container_of(t, struct copy, timer));
}

static void on_reached(struct reach *r, struct stream *s, int err)
{
	struct copy *k = container_of(r, struct copy, reach);
	struct stream_piece piece = { k->request, k->n, NULL };

	(void)err;
	if (!s) {
		copy_end(k);
		return;
	}
	stream_move(&k->stream, s, k->proxy->loop, &events);
	if (stream_write(&k->stream, &piece, 1) < 0 || stream_want(&k->stream, STREAM_READ) < 0)
		copy_end(k);
}

void copy_start(struct proxy *p, const char *host, uint16_t port, struct bytes request)
{
	struct copy *k = p->copy_count < COPIES_MOST ? mem_zalloc(sizeof(*k) + request.n) : NULL;

	if (!k) {
		proxy_say(p, "a request is not sent twice", LOG_INT("copies", p->copy_count));
		return;
	}
	k->proxy = p;
	k->n = request.n;
	bytes_put(k->request, request);
	stream_init_empty(&k->stream);
	timer_init(&k->timer, on_timer);
	timer_start(loop_timers(p->loop), &k->timer, WHOLE_MS);
	list_append(&p->copies, &k->node);
	p->copy_count++;
	p->stats.copies++;
	proxy_say(p, "a request is sent twice", LOG_INT("octets", request.n));
	reach_start(&k->reach, p->loop, p->resolver, host, port, on_reached);
}

void copy_end_all(struct proxy *p)
{
	struct list *node;

	while ((node = list_first(&p->copies)) != NULL)
		copy_end(container_of(node, struct copy, node));
}
