/*
 * server/later.c - a call in this reactor after some time: for applications that keep something in
 * each reactor, and have no session there whose timer would serve.
 */
#include <errno.h>

#include "base/mem.h"
#include "server/server_private.h"

struct later {
	struct list node; /* reactor->laters */
	struct timer timer;
	struct reactor *reactor;
	void (*fn)(void *arg);
	void (*done)(void *arg);
	_Alignas(max_align_t) char arg[];
};

static void end(struct later *l)
{
	list_remove(&l->node);
	timer_stop(loop_timers(l->reactor->loop), &l->timer);
	if (l->done)
		l->done(l->arg);
	mem_free(l);
}

static void on_timer(struct timer *t)
{
	struct later *l = container_of(t, struct later, timer);

	l->fn(l->arg);
	end(l);
}

int sockjs_reactor_later(struct sockjs_server *server, unsigned ms, void (*fn)(void *arg),
    void (*done)(void *arg), const void *arg, size_t size)
{
	struct reactor *here = reactor_current();
	struct later *l;

	if (!here || here->server != server)
		return -EINVAL;
	l = mem_alloc(sizeof(*l) + size);
	if (!l)
		return -ENOMEM;
	l->reactor = here;
	l->fn = fn;
	l->done = done;
	bytes_put(l->arg, (struct bytes){ arg, size });
	list_append(&here->laters, &l->node);
	timer_init(&l->timer, on_timer);
	timer_start(loop_timers(here->loop), &l->timer, ms);
	return 0;
}

void later_abort(struct reactor *r)
{
	struct list *first;

	while ((first = list_first(&r->laters)) != NULL)
		end(container_of(first, struct later, node));
}
