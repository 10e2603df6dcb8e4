/*
 * server/spread.c - from reactor to reactor: a call in one of them, and a call in all of them that
 * has one order, because one reactor makes it: the owner. Whoever calls elsewhere sends it there
 * by mail, and from there it goes to all others; mail keeps its order.
 */
#include <errno.h>

#include "base/mem.h"
#include "server/server_private.h"

/* What is under way, with its argument behind its legs. */
struct errand {
	struct sockjs_server *server;
	void (*order)(void *arg);
	void (*fn)(void *arg);
	void (*done)(void *arg);
	void *arg;
	unsigned owner;
	atomic_uint under_way; /* legs of it */
	struct leg {
		struct mail mail;
		struct errand *of;
	} legs[];
};

unsigned sockjs_reactors(const struct sockjs_server *server)
{
	return server->reactor_count;
}

int sockjs_reactor(const struct sockjs_server *server)
{
	const struct reactor *here = reactor_current();

	return here && here->server == server ? (int)here->index : -1;
}

void sockjs_spend(unsigned long nanoseconds)
{
	const struct reactor *here = reactor_current();

	if (here)
		budget_spend(loop_budget(here->loop), nanoseconds);
}

int sockjs_is_late(void)
{
	const struct reactor *here = reactor_current();

	return here && budget_is_spent(loop_budget(here->loop));
}

static struct errand *errand_new(
    struct sockjs_server *server, unsigned legs, const void *arg, size_t size)
{
	size_t head = sizeof(struct errand) + legs * sizeof(struct leg);
	struct errand *e = mem_alloc(head + size);

	if (!e)
		return NULL;
	e->server = server;
	e->arg = (char *)e + head;
	memcpy(e->arg, arg, size);
	atomic_init(&e->under_way, legs);
	for (unsigned i = 0; i < legs; i++)
		e->legs[i].of = e;
	return e;
}

/* So many legs of it have come to their ends. */
static void errand_end(struct errand *e, unsigned legs)
{
	if (atomic_fetch_sub_explicit(&e->under_way, legs, memory_order_acq_rel) > legs)
		return;
	if (e->done)
		e->done(e->arg);
	mem_free(e);
}

static void post(struct errand *e, unsigned leg, unsigned reactor, mail_fn fn)
{
	loop_post(e->server->reactors[reactor]->loop, &e->legs[leg].mail, fn);
}

static void on_leg(struct mail *mail, struct loop *loop)
{
	struct errand *e = container_of(mail, struct leg, mail)->of;

	(void)loop;
	if (reactor_current())
		e->fn(e->arg);
	errand_end(e, 1);
}

/* In the owner: this is its place in the order. Others work at the same time. */
static void spread(struct errand *e)
{
	unsigned count = e->server->reactor_count;

	if (e->order)
		e->order(e->arg);
	for (unsigned i = 0; i < count; i++)
		if (i != e->owner)
			post(e, i, i, on_leg);
	e->fn(e->arg);
	errand_end(e, 1);
}

static void on_order(struct mail *mail, struct loop *loop)
{
	struct errand *e = container_of(mail, struct leg, mail)->of;

	(void)loop;
	if (reactor_current())
		spread(e);
	else /* the server has ended while it was on its way */
		errand_end(e, e->server->reactor_count);
}

static int check(const struct sockjs_server *server, unsigned reactor)
{
	if (reactor >= server->reactor_count)
		return -EINVAL;
	return server->started ? 0 : -EPIPE;
}

int sockjs_reactor_call(struct sockjs_server *server, unsigned reactor, void (*fn)(void *arg),
    void (*done)(void *arg), const void *arg, size_t size)
{
	int err = check(server, reactor);
	struct errand *e;

	if (err < 0)
		return err;
	e = errand_new(server, 1, arg, size);
	if (!e)
		return -ENOMEM;
	e->fn = fn;
	e->done = done;
	post(e, 0, reactor, on_leg);
	return 0;
}

/* Nobody else is to be told: no memory is needed. The argument is the caller's own, which none of
 * the three keeps. */
static void run_alone(
    void (*order)(void *arg), void (*fn)(void *arg), void (*done)(void *arg), const void *constant)
{
	void *arg = (void *)(uintptr_t)constant;

	if (order)
		order(arg);
	fn(arg);
	if (done)
		done(arg);
}

int sockjs_reactor_spread(struct sockjs_server *server, unsigned owner, void (*order)(void *arg),
    void (*fn)(void *arg), void (*done)(void *arg), const void *arg, size_t size)
{
	bool is_owner = sockjs_reactor(server) == (int)owner;
	int err = check(server, owner);
	struct errand *e;

	if (err < 0)
		return err;
	if (is_owner && server->reactor_count == 1) {
		run_alone(order, fn, done, arg);
		return 0;
	}
	e = errand_new(server, server->reactor_count, arg, size);
	if (!e)
		return -ENOMEM;
	e->order = order;
	e->fn = fn;
	e->done = done;
	e->owner = owner;
	if (is_owner)
		spread(e);
	else
		post(e, owner, owner, on_order);
	return 0;
}
