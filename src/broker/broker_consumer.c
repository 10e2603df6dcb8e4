/*
 * broker/broker_consumer.c - consumers of queues, in their own part: what comes for them, and what
 * they say of it; and how that goes between parts.
 */
#include <assert.h>
#include <errno.h>

#include "base/mem.h"
#include "broker/broker_name.h"
#include "broker/broker_queue.h"

static struct broker_consumer *of(const struct broker_subscription *s)
{
	return container_of(
	    (struct broker_subscription *)(uintptr_t)s, struct broker_consumer, base);
}

static struct bytes number_key(const struct map_node *n)
{
	const struct broker_consumer *c = container_of(n, struct broker_consumer, by_number);

	return (struct bytes){ (const char *)&c->number, sizeof(c->number) };
}

void broker_consumers_init(struct broker_part *part)
{
	map_init(&part->consumers, number_key, NULL);
}

void broker_consumers_fini(struct broker_part *part)
{
	map_fini(&part->consumers);
}

bool broker_is_queue(const struct broker *b, struct bytes destination)
{
	static const char prefix[] = "/queue/";

	return b->limits.max_queues > 0 && destination.n > sizeof(prefix) - 1 &&
	       memcmp(destination.p, prefix, sizeof(prefix) - 1) == 0;
}

/* --- mail ------------------------------------------------------------------------ */

struct queue_mail *queue_mail_new(struct broker *b, unsigned to, enum queue_step step,
    struct consumer_name consumer, struct bytes name)
{
	struct queue_mail *mail = mem_zalloc(sizeof(*mail) + name.n);

	if (!mail)
		return NULL;
	mail->broker = b;
	mail->to = to;
	mail->step = step;
	mail->consumer = consumer;
	mail->name_len = name.n;
	bytes_put(mail->name, name);
	return mail;
}

static void mail_free(struct queue_mail *mail)
{
	broker_message_unref(mail->message);
	mem_free(mail);
}

static void run_mail(void *arg)
{
	struct queue_mail *mail = arg;
	struct broker_part *part = mail->broker->parts[mail->to];

	if (mail->step == QUEUE_PUT)
		broker_queue_put(part, mail->message);
	else if (mail->step == QUEUE_DELIVER)
		broker_consumer_deliver(part, mail);
	else if (mail->step == QUEUE_REFUSE)
		broker_consumer_refuse(part, mail);
	else
		broker_queue_take(part, mail);
	mail_free(mail);
}

static void drop_mail(void *arg)
{
	mail_free(arg);
}

int queue_mail_post_later(struct queue_mail *mail)
{
	const struct broker_carrier *carrier = &mail->broker->carrier;
	int err = carrier->post(carrier->arg, mail->to, run_mail, drop_mail, mail);

	if (err < 0)
		mail_free(mail); /* there is no memory, or the server ends */
	return err;
}

int queue_mail_post(struct queue_mail *mail)
{
	const struct broker_carrier *carrier = &mail->broker->carrier;

	if (carrier->here(carrier->arg) != (int)mail->to)
		return queue_mail_post_later(mail);
	run_mail(mail);
	return 0;
}

/* To the queue's owner. */
static void post(struct broker_consumer *c, enum queue_step step, struct broker_place place,
    unsigned number, bool wants_more)
{
	struct broker_part *part = c->base.member->kind->part;
	struct consumer_name name = { part->index, c->number };
	struct queue_mail *mail =
	    queue_mail_new(part->broker, c->owner, step, name, (struct bytes){ 0 });

	if (!mail)
		return;
	mail->place = place;
	mail->number = number;
	mail->wants_more = wants_more;
	queue_mail_post(mail);
}

/* --- what it has got ----------------------------------------------------------------- */

static int add_pending(struct broker_consumer *c, struct broker_place place)
{
	if (c->count == c->cap) {
		uint32_t cap = c->cap ? 2 * c->cap : 8;
		struct broker_place *grown = mem_realloc_array(c->pending, cap, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		c->pending = grown;
		c->cap = cap;
	}
	c->pending[c->count++] = place;
	return 0;
}

/* Its place; count if it is not there. */
static uint32_t find_pending(const struct broker_consumer *c, struct broker_place place)
{
	uint32_t i = 0;

	while (i < c->count && (c->pending[i].sequence != place.sequence || c->pending[i].owner != place.owner))
		i++;
	return i;
}

bool broker_has_pending(const struct broker_subscription *s, struct broker_place place)
{
	const struct broker_consumer *c = of(s);

	return s->is_consumer && find_pending(c, place) < c->count;
}

void broker_acknowledge(struct broker_subscription *s, struct broker_place place, bool good)
{
	struct broker_consumer *c = of(s);
	uint32_t last = find_pending(c, place);
	uint32_t first = c->ack == BROKER_CUMULATIVE ? 0 : last, n = last - first + 1;
	struct broker_place *done;

	if (last == c->count)
		return;
	done = mem_alloc(n * sizeof(*done)); /* what follows from the first may bring another */
	if (!done)
		return; /* it stays in flight, and comes again when its consumer leaves */
	memcpy(done, c->pending + first, n * sizeof(*done));
	memmove(c->pending + first, c->pending + last + 1, (c->count - last - 1) * sizeof(*done));
	c->count -= n;
	/* What is given back waits in front: the last first, so that their order stays */
	for (uint32_t i = 0; i < n; i++)
		post(c, good ? QUEUE_ACK : QUEUE_NACK, good ? done[i] : done[n - 1 - i], 0, true);
	mem_free(done);
}

/* --- delivering -------------------------------------------------------------------------- */

static enum broker_taken take(
    struct broker_consumer *c, struct broker_message *m, unsigned deliveries)
{
	struct broker_part *part = c->base.member->kind->part;
	enum broker_taken taken;

	assert(!part->busy);
	part->busy = true;
	taken = c->base.member->kind->ops->take(c->entry.receiver, c->entry.label, m, deliveries);
	part->busy = false;
	part->counters.delivered += taken != BROKER_GONE && taken != BROKER_FULL;
	return taken;
}

/* False: it has no room for it. */
static bool hand_over(struct broker_consumer *c, struct broker_message *m, unsigned deliveries)
{
	const struct broker_place place = { m->owner, m->sequence };
	enum broker_taken taken;

	if (c->ack != BROKER_AUTO && add_pending(c, place) < 0)
		return true; /* it comes again when its consumer leaves */
	taken = take(c, m, deliveries);
	if (c->ack != BROKER_AUTO && taken >= BROKER_FULL)
		c->count--; /* it was the last */
	if (taken == BROKER_REFUSED) {
		post(c, QUEUE_NACK, place, 0, true);
	} else if (c->ack == BROKER_AUTO && taken < BROKER_FULL) {
		c->owed += taken == BROKER_TAKEN_AND_FULL;
		post(c, QUEUE_ACK, place, 0, taken == BROKER_TAKEN);
	}
	return taken != BROKER_FULL;
}

/* What a queue gives and its consumer has no room for: at most its prefetch. Without memory for
 * that it comes again when the consumer leaves. */
int broker_consumer_keep_back(struct broker_consumer *c, struct broker_message *m, unsigned deliveries)
{
	struct kept_back *k = mem_alloc(sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->message = broker_message_ref(m);
	k->deliveries = deliveries;
	list_append(&c->kept_back, &k->node);
	return 0;
}

static void free_kept_back(struct kept_back *k)
{
	list_remove(&k->node);
	broker_message_unref(k->message);
	mem_free(k);
}

/* True: nothing is left. What follows from one of them is kept back behind the others. */
static bool hand_over_kept_back(struct broker_consumer *c)
{
	struct list *first;

	while ((first = list_first(&c->kept_back)) != NULL) {
		struct kept_back *k = container_of(first, struct kept_back, node);

		if (!hand_over(c, k->message, k->deliveries))
			return false;
		free_kept_back(k);
	}
	return true;
}

static struct broker_consumer *find(const struct broker_part *part, uint64_t number)
{
	struct map_node *node =
	    map_find(&part->consumers, (struct bytes){ (const char *)&number, sizeof(number) });

	return node ? container_of(node, struct broker_consumer, by_number) : NULL;
}

void broker_consumer_refuse(struct broker_part *part, const struct queue_mail *mail)
{
	const struct broker_consumer *c = find(part, mail->consumer.number);
	const struct broker_ops *ops = c ? c->base.member->kind->ops : NULL;

	if (c && ops->refused)
		ops->refused(c->entry.receiver, c->entry.label);
}

void broker_consumer_deliver(struct broker_part *part, const struct queue_mail *mail)
{
	struct broker_consumer *c = find(part, mail->consumer.number);

	if (!c)
		return; /* it has left, and the owner will hear of it */
	if (!list_empty(&c->kept_back) || !hand_over(c, mail->message, mail->number))
		(void)broker_consumer_keep_back(c, mail->message, mail->number);
}

void broker_more(struct broker_subscription *s)
{
	struct broker_consumer *c = of(s);
	uint32_t owed;

	if (!s->is_consumer || !hand_over_kept_back(c) || c->owed == 0)
		return;
	owed = c->owed;
	c->owed = 0;
	post(c, QUEUE_CREDIT, (struct broker_place){ 0 }, owed, false);
}

/* --- life ------------------------------------------------------------------------------------ */

struct broker_consumer *broker_consumer_new(
    struct broker_member *m, struct bytes queue, struct broker_entry entry, enum broker_ack ack)
{
	struct broker_part *part = m->kind->part;
	struct broker_consumer *c = mem_zalloc(sizeof(*c) + queue.n);

	if (!c)
		return NULL;
	c->base.member = m;
	c->base.is_consumer = true;
	c->entry = entry;
	c->ack = (uint8_t)ack;
	list_init(&c->kept_back);
	c->owner = broker_owner_of(part->broker, queue);
	c->number = ++part->last_consumer;
	c->queue_len = (uint16_t)queue.n;
	bytes_put(c->queue, queue);
	if (map_insert(&part->consumers, &c->by_number) < 0) {
		mem_free(c);
		return NULL;
	}
	return c;
}

static int announce(struct broker_consumer *c, unsigned prefetch)
{
	struct broker_part *part = c->base.member->kind->part;
	struct consumer_name name = { part->index, c->number };
	struct queue_mail *mail = queue_mail_new(
	    part->broker, c->owner, QUEUE_CONSUME, name, (struct bytes){ c->queue, c->queue_len });

	if (!mail)
		return -ENOMEM;
	mail->number = prefetch;
	queue_mail_post(mail);
	return 0;
}

int broker_consume(struct broker_member *m, struct bytes queue, void *receiver, uintptr_t label,
    enum broker_ack ack, unsigned prefetch, struct broker_subscription **out)
{
	struct broker_part *part = m->kind->part;
	const struct broker *b = part->broker;
	struct broker_entry entry = { .receiver = receiver, .label = label };
	struct broker_consumer *c;

	assert(!part->busy);
	if (!broker_is_queue(b, queue) || !broker_name_is_destination(queue, b->separator))
		return -EINVAL;
	if (b->limits.max_subscriptions && m->count >= b->limits.max_subscriptions)
		return -ENOSPC;
	c = broker_consumer_new(m, queue, entry, ack);
	if (!c)
		return -ENOMEM;
	list_append(&m->subscriptions, &c->base.of_member);
	m->count++;
	part->counters.subscriptions++;
	*out = &c->base; /* the first message may come from within */
	if (announce(c, prefetch) == 0)
		return 0;
	broker_unsubscribe(&c->base);
	return -ENOMEM;
}

void broker_consumer_end(struct broker_subscription *s)
{
	struct broker_consumer *c = of(s);

	map_remove(&s->member->kind->part->consumers, &c->by_number);
	while (!list_empty(&c->kept_back))
		free_kept_back(container_of(list_first(&c->kept_back), struct kept_back, node));
	post(c, QUEUE_LEAVE, (struct broker_place){ 0 }, c->count, false);
	mem_free(c->pending);
	mem_free(c);
}

struct bytes broker_consumer_queue(const struct broker_subscription *s)
{
	const struct broker_consumer *c = of(s);

	return (struct bytes){ c->queue, c->queue_len };
}
