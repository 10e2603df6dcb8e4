/*
 * broker/broker_queue.c - queues, in their owner's part: messages wait, in their order, for a
 * consumer that has credit; what was delivered is in flight until it is acknowledged. Consumers are
 * served in turn.
 *
 * A message that comes back (its consumer has left, or given it back) waits in front of all others,
 * at its old place among those. After max_deliveries it is given up, as one that has waited too
 * long is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "broker/broker_name.h"
#include "broker/broker_queue.h"

#define LONGEST_WAIT_MS 3600000

/* --- finding ------------------------------------------------------------------- */

static struct bytes queue_key(const struct map_node *n)
{
	const struct queue *q = container_of(n, struct queue, node);

	return (struct bytes){ q->name, q->name_len };
}

static struct bytes consumer_key(const struct map_node *n)
{
	const struct consumer *c = container_of(n, struct consumer, node);

	return (struct bytes){ (const char *)&c->name, sizeof(c->name) };
}

/* Its place: two numbers that stand one behind the other in a message. There may be those of owners of before,
 * which have numbers in common. */
enum { PLACE_OCTETS = sizeof(uint32_t) + sizeof(uint64_t) };
_Static_assert(offsetof(struct broker_message, sequence) == offsetof(struct broker_message, owner) + sizeof(uint32_t), "");

static struct bytes place_key(const struct map_node *n)
{
	const struct queued *e = container_of(n, struct queued, by_place);

	return (struct bytes){ (const char *)&e->message->owner, PLACE_OCTETS };
}

struct queued *broker_queue_in_flight(const struct broker_part *part, struct broker_place place)
{
	char key[PLACE_OCTETS];
	struct map_node *node;

	memcpy(key, &place.owner, sizeof(place.owner));
	memcpy(key + sizeof(place.owner), &place.sequence, sizeof(place.sequence));
	node = map_find(&part->in_flight, (struct bytes){ key, sizeof(key) });
	return node ? container_of(node, struct queued, by_place) : NULL;
}

void broker_queues_init(struct broker_part *part)
{
	map_init(&part->queues, queue_key, &part->broker->seed);
	map_init(&part->remote, consumer_key, NULL);
	map_init(&part->in_flight, place_key, NULL);
	list_init(&part->expiring);
}

struct queue *broker_queue_find(const struct broker_part *part, struct bytes name)
{
	struct map_node *node = map_find(&part->queues, name);

	return node ? container_of(node, struct queue, node) : NULL;
}

struct queue *broker_queue_add(struct broker_part *part, struct bytes name)
{
	struct queue *q = mem_zalloc(sizeof(*q) + name.n);

	if (!q)
		return NULL;
	q->part = part;
	q->name_len = (uint16_t)name.n;
	bytes_put(q->name, name);
	list_init(&q->waiting);
	list_init(&q->consumers);
	if (map_insert(&part->queues, &q->node) < 0) {
		mem_free(q);
		return NULL;
	}
	part->counters.queues++;
	return q;
}

static struct queue *queue_of(struct broker_part *part, struct bytes name)
{
	struct queue *q = broker_queue_find(part, name);

	if (q || map_count(&part->queues) >= part->broker->limits.max_queues)
		return q;
	return broker_queue_add(part, name);
}

/* Nothing is in it, and nobody at it. */
static void free_if_idle(struct queue *q)
{
	if (q->count > 0 || !list_empty(&q->consumers) || q->dispatching)
		return;
	map_remove(&q->part->queues, &q->node);
	q->part->counters.queues--;
	mem_free(q);
}

/* --- messages in it ---------------------------------------------------------------- */

static void take_out(struct queue *q, struct queued *e)
{
	if (e->with)
		map_remove(&q->part->in_flight, &e->by_place);
	list_remove(&e->node);
	list_remove(&e->expiring);
	q->count--;
	q->octets -= e->cost;
	q->part->queued_octets -= e->cost;
	q->part->counters.queued--;
	broker_message_unref(e->message);
	mem_free(e);
}

/* Nobody needs it any more. */
static void forget(struct queue *q, struct queued *e)
{
	broker_drop(q->part->broker, e->message);
	take_out(q, e);
}

static void die(struct queue *q, struct queued *e, enum broker_death why)
{
	const struct broker_limits *limits = &q->part->broker->limits;
	struct broker_message *m = broker_message_ref(e->message);
	unsigned deliveries = e->deliveries;

	if (why == BROKER_EXPIRED)
		q->part->counters.expired++;
	else
		q->part->counters.rejected++;
	take_out(q, e);
	if (limits->died)
		limits->died(limits->arg, m, why, deliveries);
	else
		broker_drop(q->part->broker, m);
	broker_message_unref(m);
}

/* The first that may be delivered. */
static struct queued *first_waiting(struct queue *q)
{
	struct list *first;

	while ((first = list_first(&q->waiting)) != NULL) {
		struct queued *e = container_of(first, struct queued, node);

		if (e->expires_at == 0 || e->expires_at > clock_now())
			return e;
		die(q, e, BROKER_EXPIRED);
	}
	return NULL;
}

/* --- what waits too long, where nothing else happens ---------------------------------- */

static void on_expiry(void *arg)
{
	struct broker_part *part = arg;
	const struct broker_carrier *carrier = &part->broker->carrier;
	struct list *first;

	part->awaits_expiry = false;
	while ((first = list_first(&part->expiring)) != NULL && !carrier->is_late(carrier->arg)) {
		struct queued *e = container_of(first, struct queued, expiring);
		struct queue *q = e->queue;

		if (e->expires_at > clock_now())
			break;
		if (e->with) { /* if it comes back, it is looked at */
			list_remove(first);
			list_init(first);
			continue;
		}
		die(q, e, BROKER_EXPIRED);
		free_if_idle(q);
	}
	broker_begin(part);
}

static void drop_expiry(void *part)
{
	(void)part; /* the server has ended, and the part may be gone */
}

void broker_begin(struct broker_part *part)
{
	const struct broker_carrier *carrier = &part->broker->carrier;
	const struct list *first = list_first(&part->expiring);
	uint64_t now, at;

	if (!first || part->awaits_expiry || !carrier->later)
		return;
	now = clock_now();
	at = container_of(first, struct queued, expiring)->expires_at;
	at = at < now ? now : at > now + LONGEST_WAIT_MS ? now + LONGEST_WAIT_MS : at;
	part->awaits_expiry =
	    carrier->later(carrier->arg, (unsigned)(at - now), on_expiry, drop_expiry, part) == 0;
}

/* To its old place. Nearly always that is the first. */
static void wait_again(struct queue *q, struct queued *e)
{
	struct list *at = q->waiting.next;

	map_remove(&q->part->in_flight, &e->by_place);
	list_remove(&e->node);
	e->with = NULL;
	while (at != &q->waiting &&
	       container_of(at, struct queued, node)->message->sequence < e->message->sequence)
		at = at->next;
	list_append(at, &e->node); /* before `at` */
}

/* It was delivered once more, in vain. */
static void give_back(struct queue *q, struct queued *e)
{
	const struct broker *b = q->part->broker;

	e->deliveries++;
	wait_again(q, e);
	if (e->deliveries >= b->limits.max_deliveries) {
		die(q, e, BROKER_REJECTED);
		return;
	}
	q->part->counters.redelivered++;
	if (broker_has_store(b))
		b->store.count(b->store.arg, e->message, e->deliveries);
}

/* Its consumer has left. If that is because all must, or it had not got it, nobody is to blame. */
static void come_back(struct queue *q, struct queued *e, bool has_got)
{
	const struct broker_carrier *carrier = &q->part->broker->carrier;

	if (!has_got || (carrier->is_ending && carrier->is_ending(carrier->arg))) {
		e->message->again = true;
		wait_again(q, e);
	} else {
		give_back(q, e);
	}
}

/* --- dispatching -------------------------------------------------------------------- */

/* The next in turn that has credit, who is the last from now on. */
static struct consumer *next_consumer(struct queue *q)
{
	struct list *pos;

	list_foreach (pos, &q->consumers) {
		struct consumer *c = container_of(pos, struct consumer, turn);

		if (c->credit == 0)
			continue;
		list_remove(&c->turn);
		list_append(&q->consumers, &c->turn);
		return c;
	}
	return NULL;
}

int broker_queue_hand_over(struct queued *e, struct consumer *c)
{
	if (map_insert(&e->queue->part->in_flight, &e->by_place) < 0)
		return -ENOMEM;
	e->with = c;
	list_remove(&e->node);
	list_append(&c->in_flight, &e->node);
	return 0;
}

static int deliver(struct queue *q, struct queued *e, struct consumer *c)
{
	struct queue_mail *mail = queue_mail_new(
	    q->part->broker, (unsigned)c->name.part, QUEUE_DELIVER, c->name, (struct bytes){ 0 });

	if (!mail)
		return -ENOMEM;
	if (broker_queue_hand_over(e, c) < 0) {
		mem_free(mail);
		return -ENOMEM;
	}
	mail->message = broker_message_ref(e->message);
	mail->number = e->deliveries;
	c->credit--;
	queue_mail_post(mail);
	return 0;
}

/* What follows from a delivery (an acknowledgement) comes back here: it is the same loop that goes
 * on. */
static void dispatch(struct queue *q)
{
	struct queued *e;
	struct consumer *c;

	if (q->dispatching)
		return;
	q->dispatching = true;
	while ((e = first_waiting(q)) != NULL && (c = next_consumer(q)) != NULL)
		if (deliver(q, e, c) < 0)
			break; /* it waits for another occasion */
	q->dispatching = false;
	free_if_idle(q);
}

/* --- a message comes ------------------------------------------------------------------ */

static void settle(struct broker_message *m, int verdict)
{
	if (m->settled)
		m->settled(m, verdict);
}

static bool has_room(const struct queue *q, size_t cost)
{
	const struct broker_limits *limits = &q->part->broker->limits;

	return q->count < limits->max_queue_messages &&
	       q->octets + cost <= limits->max_queue_bytes &&
	       q->part->queued_octets + cost <= limits->max_queues_bytes;
}

struct queued *broker_queue_append(struct queue *q, struct broker_message *m)
{
	size_t cost = m->octets + MESSAGE_COST;
	uint64_t expires = q->part->broker->limits.queue_expires_ms;
	struct queued *e = mem_zalloc(sizeof(*e));

	if (!e)
		return NULL;
	e->queue = q;
	e->message = broker_message_ref(m);
	e->expires_at = expires && !m->lasts ? clock_now() + expires : 0;
	list_init(&e->expiring);
	if (e->expires_at)
		list_append(&q->part->expiring, &e->expiring);
	e->cost = cost;
	q->count++;
	q->octets += cost;
	q->part->queued_octets += cost;
	q->part->counters.queued++;
	list_append(&q->waiting, &e->node);
	return e;
}

static int accept(struct queue *q, struct broker_message *m)
{
	const struct broker *b = q->part->broker;
	size_t cost = m->octets + MESSAGE_COST;
	struct queued *e;
	int err;

	if (!has_room(q, cost) || !(e = broker_queue_append(q, m)))
		return -ENOSPC;
	if (!broker_has_store(b)) {
		settle(m, 0);
		return 0;
	}
	if ((err = broker_put_queued(b, m)) < 0)
		take_out(q, e);
	return err;
}

void broker_queue_put(struct broker_part *part, struct broker_message *m)
{
	struct queue *q = queue_of(part, m->destination);
	int err = -ENOSPC;

	m->sequence = broker_next_sequence(part);
	part->counters.published++;
	if (q) {
		first_waiting(q); /* what has expired makes room */
		err = accept(q, m);
	}
	if (err < 0)
		settle(m, err);
	if (err == 0)
		dispatch(q);
	else if (q)
		free_if_idle(q);
	broker_begin(part);
}

int broker_queue_restore(struct broker_part *part, const struct broker_kept *kept)
{
	uint64_t expires = part->broker->limits.queue_expires_ms;
	struct broker_message *m = kept->message;
	struct queue *q = broker_queue_find(part, m->destination);
	struct queued *e;

	if (!q && !(q = broker_queue_add(part, m->destination)))
		return -ENOMEM;
	m->again = true;
	if (!(e = broker_queue_append(q, m))) {
		free_if_idle(q);
		return -ENOMEM;
	}
	if (e->expires_at) /* what is over is noticed as ever: broker_begin() */
		e->expires_at -= kept->age_ms < expires ? kept->age_ms : expires;
	e->deliveries = kept->deliveries;
	return 0;
}

/* --- consumers --------------------------------------------------------------------------- */

static void refuse_consumer(struct broker_part *part, struct consumer_name name)
{
	struct queue_mail *mail =
	    queue_mail_new(part->broker, (unsigned)name.part, QUEUE_REFUSE, name, (struct bytes){ 0 });

	if (mail) /* who is refused ends, and must not from within its own call */
		queue_mail_post_later(mail);
}

static void on_consume(struct broker_part *part, const struct queue_mail *mail)
{
	struct queue *q = queue_of(part, (struct bytes){ mail->name, mail->name_len });
	struct consumer *c = q ? mem_zalloc(sizeof(*c)) : NULL;

	if (c) {
		c->queue = q;
		c->name = mail->consumer;
		c->credit = mail->number;
		list_init(&c->in_flight);
		list_append(&q->consumers, &c->turn);
		if (map_insert(&part->remote, &c->node) == 0) {
			dispatch(q);
			return;
		}
		list_remove(&c->turn);
		mem_free(c);
	}
	if (q)
		free_if_idle(q);
	refuse_consumer(part, mail->consumer);
}

/* Mail keeps its order. */
void broker_queue_leave(struct broker_part *part, struct consumer *c, size_t has_got)
{
	struct queue *q = c->queue;
	struct list *pos;
	size_t n = 0;

	list_foreach (pos, &c->in_flight)
		n++;
	for (; n > 0; n--) /* the last first */
		come_back(q, container_of(c->in_flight.prev, struct queued, node), n <= has_got);
	list_remove(&c->turn);
	map_remove(&part->remote, &c->node);
	mem_free(c);
	dispatch(q);
}

static void on_answer(struct broker_part *part, struct consumer *c, const struct queue_mail *mail)
{
	struct queued *e = broker_queue_in_flight(part, mail->place);
	struct queue *q = c->queue;

	if (!e || e->with != c)
		return;
	if (mail->step == QUEUE_ACK)
		forget(q, e);
	else
		give_back(q, e);
	c->credit += mail->wants_more;
	dispatch(q);
}

void broker_queue_take(struct broker_part *part, const struct queue_mail *mail)
{
	struct map_node *node;
	struct consumer *c;

	if (mail->step == QUEUE_CONSUME) {
		on_consume(part, mail);
		return;
	}
	node = map_find(
	    &part->remote, (struct bytes){ (const char *)&mail->consumer, sizeof(mail->consumer) });
	if (!node)
		return;
	c = container_of(node, struct consumer, node);
	if (mail->step == QUEUE_LEAVE) {
		broker_queue_leave(part, c, mail->number);
	} else if (mail->step == QUEUE_CREDIT) {
		c->credit += mail->number;
		dispatch(c->queue);
	} else {
		on_answer(part, c, mail);
	}
}

/* --- after a restart ------------------------------------------------------------------------- */

static int by_expiry(const void *a, const void *b)
{
	const struct queued *x = *(struct queued *const *)a, *y = *(struct queued *const *)b;

	return (x->expires_at > y->expires_at) - (x->expires_at < y->expires_at);
}

/* They have come queue by queue. Without memory for it some are noticed later. */
static void sort_expiring(struct broker_part *part)
{
	struct list *pos;
	size_t count = 0, n = 0;
	struct queued **all;

	list_foreach (pos, &part->expiring)
		count++;
	all = mem_alloc((count + 1) * sizeof(*all));
	if (!all)
		return;
	list_foreach (pos, &part->expiring)
		all[n++] = container_of(pos, struct queued, expiring);
	qsort(all, count, sizeof(*all), by_expiry);
	list_init(&part->expiring);
	for (size_t i = 0; i < count; i++)
		list_append(&part->expiring, &all[i]->expiring);
	mem_free(all);
}

/* What they had waits again; nobody knows what has become of it. */
static bool end_those_away(struct map_node *node, void *arg)
{
	struct queue *q = container_of(node, struct queue, node);
	struct list *pos, *next;

	q->dispatching = true; /* it stays, and nothing is delivered in between */
	list_foreach_safe (pos, next, &q->consumers) {
		struct consumer *c = container_of(pos, struct consumer, turn);

		if (c->is_away)
			broker_queue_leave(arg, c, 0);
	}
	q->dispatching = false;
	dispatch(q);
	return true;
}

void broker_queues_restored(struct broker_part *part)
{
	map_each(&part->queues, end_those_away, part);
	sort_expiring(part);
	broker_begin(part);
}

/* --- the end --------------------------------------------------------------------------------- */

static bool free_queue(struct map_node *node, void *arg)
{
	struct queue *q = container_of(node, struct queue, node);

	(void)arg;
	while (!list_empty(&q->consumers)) {
		struct consumer *c = container_of(list_first(&q->consumers), struct consumer, turn);

		while (!list_empty(&c->in_flight))
			wait_again(q, container_of(c->in_flight.prev, struct queued, node));
		list_remove(&c->turn);
		map_remove(&q->part->remote, &c->node);
		mem_free(c);
	}
	while (!list_empty(&q->waiting))
		take_out(q, container_of(list_first(&q->waiting), struct queued, node));
	map_remove(&q->part->queues, &q->node);
	mem_free(q);
	return true;
}

void broker_queues_fini(struct broker_part *part)
{
	map_each(&part->queues, free_queue, NULL);
	map_fini(&part->queues);
	map_fini(&part->remote);
	map_fini(&part->in_flight);
}
