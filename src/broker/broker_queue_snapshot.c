/*
 * broker/broker_queue_snapshot.c - queues and their consumers, for another process; see broker.h.
 *
 * An owner has what is in a queue, and with which consumer; a consumer what it has got. There may be other parts there:
 * then a queue has another owner, and a consumer, who comes later, another name. Until it is there its place is kept.
 */
#include <errno.h>

#include "base/mem.h"
#include "base/snapshot.h"
#include "broker/broker_name.h"
#include "broker/broker_queue.h"

/* --- in the owner's part --------------------------------------------------------------------- */

static void write_queued(const struct queued *e, struct snapshot *s, const struct broker_codec *codec)
{
	codec->message(codec->arg, e->message, s);
	snapshot_u64(s, e->expires_at);
	snapshot_u32(s, e->deliveries);
}

static void write_list(const struct list *entries, struct snapshot *s, const struct broker_codec *codec)
{
	const struct list *pos;

	list_foreach (pos, entries) {
		snapshot_more(s, true);
		write_queued(container_of(pos, struct queued, node), s, codec);
	}
	snapshot_more(s, false);
}

/* NULL: the snapshot says why. */
static struct queued *read_queued(struct queue *q, struct snapshot *s, const struct broker_codec *codec)
{
	struct broker_message *m = codec->message(codec->arg, NULL, s);
	uint64_t expires_at = snapshot_u64(s, 0);
	unsigned deliveries = snapshot_u32(s, 0);
	struct queued *e = NULL;

	if (snapshot_check(s, m && bytes_equal(m->destination, (struct bytes){ q->name, q->name_len })) &&
	    !(e = broker_queue_append(q, m)))
		snapshot_fail(s, -ENOMEM);
	broker_message_unref(m);
	if (!e)
		return NULL;
	m->shown = m->destination;
	e->deliveries = deliveries;
	e->expires_at = expires_at;
	list_remove(&e->expiring);
	list_init(&e->expiring);
	if (expires_at)
		list_append(&q->part->expiring, &e->expiring); /* in order once all are there */
	return e;
}

static void read_waiting(struct queue *q, struct snapshot *s, const struct broker_codec *codec)
{
	while (snapshot_more(s, false))
		if (!read_queued(q, s, codec))
			return;
}

static void read_in_flight(struct consumer *c, struct snapshot *s, const struct broker_codec *codec)
{
	struct broker_part *part = c->queue->part;

	while (snapshot_more(s, false)) {
		struct queued *e = read_queued(c->queue, s, codec);

		if (!e || !snapshot_check(s, !broker_queue_in_flight(part,
		                                 (struct broker_place){ e->message->owner, e->message->sequence })))
			return;
		if (broker_queue_hand_over(e, c) < 0)
			snapshot_fail(s, -ENOMEM);
	}
}

static struct consumer *find_consumer(const struct broker_part *part, const struct consumer_name *name)
{
	struct map_node *node = map_find(&part->remote, (struct bytes){ (const char *)name, sizeof(*name) });

	return node ? container_of(node, struct consumer, node) : NULL;
}

/* Away, until it comes. */
static struct consumer *add_consumer(struct queue *q, struct snapshot *s, struct consumer_name name)
{
	struct consumer *c;

	if (!snapshot_check(s, !find_consumer(q->part, &name)))
		return NULL;
	c = mem_zalloc(sizeof(*c));
	if (c) {
		c->queue = q;
		c->name = name;
		c->is_away = true;
		list_init(&c->in_flight);
		if (map_insert(&q->part->remote, &c->node) == 0) {
			list_append(&q->consumers, &c->turn);
			return c;
		}
	}
	mem_free(c);
	snapshot_fail(s, -ENOMEM);
	return NULL;
}

static struct consumer_name name_snapshot(struct consumer_name name, struct snapshot *s)
{
	SNAPSHOT(s, u64, name.part);
	SNAPSHOT(s, u64, name.number);
	return name;
}

static void write_consumers(const struct queue *q, struct snapshot *s, const struct broker_codec *codec)
{
	const struct list *pos;

	list_foreach (pos, &q->consumers) {
		const struct consumer *c = container_of(pos, struct consumer, turn);

		snapshot_more(s, true);
		name_snapshot(c->name, s);
		snapshot_u64(s, c->credit);
		write_list(&c->in_flight, s, codec);
	}
	snapshot_more(s, false);
}

static void read_consumers(struct queue *q, struct snapshot *s, const struct broker_codec *codec)
{
	while (snapshot_more(s, false)) {
		struct consumer *c = add_consumer(q, s, name_snapshot((struct consumer_name){ 0 }, s));

		if (!c)
			return;
		SNAPSHOT(s, u64, c->credit);
		read_in_flight(c, s, codec);
	}
}

struct writing {
	struct snapshot *s;
	const struct broker_codec *codec;
};

static bool write_queue(struct map_node *node, void *arg)
{
	const struct queue *q = container_of(node, struct queue, node);
	const struct writing *w = arg;

	snapshot_more(w->s, true);
	snapshot_bytes(w->s, (struct bytes){ q->name, q->name_len });
	write_consumers(q, w->s, w->codec);
	write_list(&q->waiting, w->s, w->codec);
	return true;
}

/* Where it belongs now. */
static struct queue *read_queue(struct broker *b, struct snapshot *s)
{
	struct bytes name = snapshot_bytes(s, (struct bytes){ NULL, 0 });
	struct broker_part *part;
	struct queue *q;

	if (!snapshot_check(s, broker_is_queue(b, name) && broker_name_is_destination(name, b->separator)))
		return NULL;
	part = b->parts[broker_owner_of(b, name)];
	if (!snapshot_check(s, !broker_queue_find(part, name)))
		return NULL;
	q = broker_queue_add(part, name);
	if (!q)
		snapshot_fail(s, -ENOMEM);
	return q;
}

void broker_queues_snapshot(struct broker *b, unsigned part, struct snapshot *s, const struct broker_codec *codec)
{
	struct queue *q;

	if (!s->is_reading) {
		map_each(&b->parts[part]->queues, write_queue, &(struct writing){ s, codec });
		snapshot_more(s, false);
		return;
	}
	while (snapshot_more(s, false) && (q = read_queue(b, s)) != NULL) {
		read_consumers(q, s, codec);
		read_waiting(q, s, codec);
	}
}

/* --- in that of a consumer -------------------------------------------------------------------- */

static struct broker_place place_snapshot(struct broker_place place, struct snapshot *s)
{
	SNAPSHOT(s, u32, place.owner);
	SNAPSHOT(s, u64, place.sequence);
	return place;
}

static void write_got(const struct broker_consumer *c, struct snapshot *s)
{
	const struct list *pos;

	snapshot_u32(s, c->count);
	for (uint32_t i = 0; i < c->count; i++)
		place_snapshot(c->pending[i], s);
	list_foreach (pos, &c->kept_back) {
		const struct kept_back *k = container_of(pos, struct kept_back, node);

		snapshot_more(s, true);
		place_snapshot((struct broker_place){ k->message->owner, k->message->sequence }, s);
		snapshot_u32(s, k->deliveries);
	}
	snapshot_more(s, false);
}

static void read_pending(struct broker_consumer *c, struct snapshot *s)
{
	const size_t octets_of_each = sizeof(uint32_t) + sizeof(uint64_t);
	uint32_t count = snapshot_u32(s, 0);

	if (!snapshot_check(s, count <= snapshot_left(s) / octets_of_each) || count == 0)
		return;
	c->pending = mem_alloc(count * sizeof(*c->pending));
	if (!c->pending) {
		snapshot_fail(s, -ENOMEM);
		return;
	}
	c->cap = c->count = count;
	for (uint32_t i = 0; i < count; i++)
		c->pending[i] = place_snapshot((struct broker_place){ 0 }, s);
}

/* The queue has these messages, as with this consumer. */
static void read_kept_back(struct broker_consumer *c, struct snapshot *s, const struct consumer *at)
{
	while (snapshot_more(s, false)) {
		struct broker_place place = place_snapshot((struct broker_place){ 0 }, s);
		unsigned deliveries = snapshot_u32(s, 0);
		const struct queued *e = broker_queue_in_flight(at->queue->part, place);

		if (!snapshot_check(s, e && e->with == at))
			return;
		if (broker_consumer_keep_back(c, e->message, deliveries) < 0)
			snapshot_fail(s, -ENOMEM);
	}
}

/* Its queue knows it by this name from now on. */
static struct consumer *take_place(
    const struct broker_consumer *c, struct snapshot *s, struct consumer_name before)
{
	struct broker_part *part = c->base.member->kind->part, *owner = part->broker->parts[c->owner];
	struct consumer *at = find_consumer(owner, &before);

	if (!snapshot_check(s, at && at->is_away && bytes_equal((struct bytes){ at->queue->name, at->queue->name_len },
	                                                (struct bytes){ c->queue, c->queue_len })))
		return NULL;
	map_remove(&owner->remote, &at->node);
	at->name = (struct consumer_name){ part->index, c->number };
	if (map_insert(&owner->remote, &at->node) == 0) {
		at->is_away = false;
		return at;
	}
	snapshot_fail(s, -ENOMEM);
	return at; /* nobody finds it, and its queue frees it */
}

static void read_got(struct broker_consumer *c, struct snapshot *s, struct consumer_name before)
{
	const struct consumer *at = take_place(c, s, before);

	if (!at || snapshot_error(s))
		return;
	read_pending(c, s);
	read_kept_back(c, s, at);
}

void broker_consumer_write(const struct broker_subscription *sub, struct snapshot *s)
{
	const struct broker_consumer *c =
	    container_of((struct broker_subscription *)(uintptr_t)sub, struct broker_consumer, base);

	snapshot_u8(s, c->ack);
	snapshot_u32(s, c->owed);
	name_snapshot((struct consumer_name){ sub->member->kind->part->index, c->number }, s);
	write_got(c, s);
}

struct broker_subscription *broker_consumer_read(
    struct broker_member *m, struct bytes queue, struct broker_entry entry, struct snapshot *s)
{
	const struct broker *b = m->kind->part->broker;
	enum broker_ack ack = (enum broker_ack)snapshot_below(s, 0, BROKER_INDIVIDUAL + 1);
	uint32_t owed = snapshot_u32(s, 0);
	struct consumer_name before = name_snapshot((struct consumer_name){ 0 }, s);
	struct broker_consumer *c;

	if (!snapshot_check(s, broker_is_queue(b, queue) && broker_name_is_destination(queue, b->separator)))
		return NULL;
	c = broker_consumer_new(m, queue, entry, ack);
	if (!c) {
		snapshot_fail(s, -ENOMEM);
		return NULL;
	}
	c->owed = owed;
	read_got(c, s, before);
	return &c->base;
}
