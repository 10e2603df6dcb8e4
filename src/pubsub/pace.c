/*
 * pubsub/pace.c - how far publishers may be ahead of the reactors that deliver.
 *
 * To publish takes a microsecond, to deliver to thousands a thousand times as long, and in another
 * reactor, whose mail would grow without end. So the octets that a reactor's publishers have under
 * way are counted until the last reactor is done with them; beyond a bound they wait, and go on
 * when half of it is delivered. In the same reactor nobody can be ahead, unless a message has to be
 * in the journal first, or where gateways that are joined keep it: then it is under way until it
 * was answered, or delivered. What goes to an outside broker has a bound of its own (relayed.h);
 * and while much waits for what joins gateways, all parts are held.
 */
#include <errno.h>

#include "base/mem.h"
#include "pubsub/joined.h"
#include "pubsub/relayed.h"

#define UNDER_WAY_MOST (4u << 20)
#define UNDER_WAY_LOW  (UNDER_WAY_MOST / 2)

bool pace_is_crowded(struct pubsub_part *part)
{
	return atomic_load_explicit(&part->under_way, memory_order_relaxed) >= UNDER_WAY_MOST;
}

void pace_begin(struct pubsub_part *part, size_t octets)
{
	atomic_fetch_add_explicit(&part->under_way, octets, memory_order_relaxed);
}

static void call_for_relief(struct pubsub_part *part);

/* In the part's reactor. Whoever goes on may make it crowded again, and then waits again, behind
 * the others. */
static void relieve(void *arg)
{
	struct pubsub_part *part = *(struct pubsub_part **)arg;
	struct list *first;

	transactions_go_on(part);
	while ((first = list_first(&part->waiting)) != NULL && !pace_is_crowded(part)) {
		struct client_extra *e = container_of(first, struct client_extra, waits);

		if (sockjs_is_late()) {
			call_for_relief(part);
			return;
		}
		list_remove(first);
		e->client->must_wait = false;
		client_go_on(e->client);
	}
}

static void call_for_relief(struct pubsub_part *part)
{
	struct sockjs_broker *b = part->broker;

	/* Without memory for it they go on when their timers say so */
	(void)sockjs_reactor_call(b->server, (unsigned)(part - b->parts), relieve, NULL, &part,
	    sizeof(struct pubsub_part *));
}

void pace_end(struct pubsub_part *part, size_t octets)
{
	size_t before = atomic_fetch_sub_explicit(&part->under_way, octets, memory_order_relaxed);
	bool crossed = before > UNDER_WAY_LOW && before - octets <= UNDER_WAY_LOW;

	if (crossed && sockjs_reactor(part->broker->server) >= 0)
		call_for_relief(part);
}

void pace_hold(struct pubsub_part *part)
{
	pace_begin(part, UNDER_WAY_MOST);
}

void pace_release(struct pubsub_part *part)
{
	pace_end(part, UNDER_WAY_MOST);
}

int pace_publish(struct pubsub_part *part, struct published *p)
{
	int err;

	if (part->broker->keeper || joined_keeps(part->broker, p->base.destination)) {
		p->from = part;
		pace_begin(part, published_cost(p));
	}
	err = broker_publish(part->broker->topics, &p->base);
	if (err < 0)
		pace_arrived(p);
	return err;
}

void pace_arrived(struct published *p)
{
	if (p->from)
		pace_end(p->from, published_cost(p));
	p->from = NULL;
}

int pace_wait(struct sockjs_client *c)
{
	struct client_extra *e = client_extra(c);

	if (!e)
		return -ENOMEM;
	if (list_empty(&e->waits))
		list_append(c->awaits_room ? &c->part->relayed->waiting : &c->part->waiting, &e->waits);
	return 0;
}

bool pace_is_waited_for(const struct sockjs_client *c)
{
	return c->awaits_room ? relayed_must_wait(c) : pace_is_crowded(c->part);
}

void pace_forget(struct sockjs_client *c)
{
	c->must_wait = c->awaits_room = false;
	if (c->extra)
		list_remove(&c->extra->waits);
}
