/*
 * pubsub/carrier.c - how a broker goes from reactor to reactor: as anybody may who knows sockjs.h.
 */
#include <errno.h>

#include "pubsub/pubsub.h"
#include "server/turn.h"

struct step {
	struct sockjs_server *server;
	struct sockjs_broker *broker; /* not when the server has ended: it may be gone by then */
	struct broker_message *message;
	broker_step_fn order, deliver;
};

static int here(void *arg)
{
	return sockjs_reactor(((struct sockjs_broker *)arg)->server);
}

struct pubsub_part *pubsub_here(struct sockjs_broker *b)
{
	int i = here(b);

	return i < 0 ? NULL : &b->parts[i];
}

static void run_order(void *arg)
{
	const struct step *s = arg;

	s->order(s->message, pubsub_here(s->broker)->topics);
}

static void run_deliver(void *arg)
{
	const struct step *s = arg;

	s->deliver(s->message, pubsub_here(s->broker)->topics);
}

static void step_done(void *arg)
{
	const struct step *s = arg;
	struct broker_message *m, *next;

	for (m = s->message; m; m = next) {
		struct published *p = container_of(m, struct published, base);

		next = m->next;
		m->next = NULL;
		if (sockjs_reactor(s->server) >= 0)
			pace_arrived(p);
		if (p->delivered)
			p->delivered(p);
		broker_message_unref(m);
	}
}

/* What comes from no client is under way for its reactor. */
static void begin(struct sockjs_broker *b, struct broker_message *m)
{
	struct pubsub_part *part = b->part_count > 1 ? pubsub_here(b) : NULL;

	for (; part && m; m = m->next) {
		struct published *p = container_of(m, struct published, base);

		if (p->from)
			continue;
		p->from = part;
		pace_begin(part, published_cost(p));
	}
}

static void give_up(struct broker_message *m)
{
	for (; m; m = m->next)
		pace_arrived(container_of(m, struct published, base));
}

static int spread(void *arg, unsigned owner, broker_step_fn order, broker_step_fn deliver,
    struct broker_message *m)
{
	struct sockjs_broker *b = arg;
	struct step s = { b->server, b, m, order, deliver };
	int err;

	begin(b, m);
	err = sockjs_reactor_spread(
	    b->server, owner, run_order, run_deliver, step_done, &s, sizeof(s));
	if (err < 0)
		give_up(m);
	return err;
}

struct errand {
	void (*fn)(void *arg);
	void (*drop)(void *arg);
	void *arg; /* NULL: it was run */
};

static void run_errand(void *arg)
{
	struct errand *e = arg;

	e->fn(e->arg);
	e->arg = NULL;
}

static void errand_done(void *arg)
{
	struct errand *e = arg;

	if (e->arg)
		e->drop(e->arg);
}

static int post(
    void *arg, unsigned part, void (*fn)(void *arg2), void (*drop)(void *arg2), void *arg2)
{
	struct errand e = { fn, drop, arg2 };

	return sockjs_reactor_call(
	    ((struct sockjs_broker *)arg)->server, part, run_errand, errand_done, &e, sizeof(e));
}

static int later(
    void *arg, unsigned ms, void (*fn)(void *arg2), void (*drop)(void *arg2), void *arg2)
{
	struct errand e = { fn, drop, arg2 };

	return sockjs_reactor_later(
	    ((struct sockjs_broker *)arg)->server, ms, run_errand, errand_done, &e, sizeof(e));
}

static bool is_late(void *arg)
{
	(void)arg;
	return sockjs_is_late();
}

static bool is_ending(void *arg)
{
	return server_is_stopping(((struct sockjs_broker *)arg)->server);
}

void pubsub_carrier_init(struct broker_carrier *carrier, struct sockjs_broker *b)
{
	*carrier = (struct broker_carrier){
		.parts = sockjs_reactors(b->server),
		.here = here,
		.spread = spread,
		.post = post,
		.later = later,
		.is_late = is_late,
		.is_ending = is_ending,
		.arg = b,
	};
}
