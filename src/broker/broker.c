/*
 * broker/broker.c - the broker's life, and the way of a message through it; see broker.h.
 *
 * A message goes to its owner, which gives it its place (order()), and from there to all parts, the
 * owner's too, each of which delivers it to its own subscribers (deliver()). The carrier carries it.
 */
#include <assert.h>
#include <errno.h>

#include "base/mem.h"
#include "base/random.h"
#include "broker/broker_name.h"
#include "broker/broker_private.h"
#include "broker/broker_queue.h"
#include "broker/broker_history.h"
#include "broker/broker_presence.h"

/* --- life ---------------------------------------------------------------- */

static void part_free(struct broker_part *part)
{
	struct broker_kind *kind, *next;

	if (!part)
		return;
	for (kind = part->kinds; kind; kind = next) {
		next = kind->next;
		mem_free(kind);
	}
	broker_history_fini(part);
	broker_loads_fini(part);
	broker_presence_fini(part);
	broker_attend_fini(part);
	broker_queues_fini(part);
	broker_consumers_fini(part);
	broker_trie_fini(&part->trie);
	broker_part_fini_members(part);
	mem_free(part);
}

static struct broker_part *part_new(struct broker *b, unsigned index)
{
	struct broker_part *part = mem_zalloc(sizeof(*part));

	if (!part)
		return NULL;
	part->broker = b;
	part->index = index;
	broker_part_init_members(part);
	broker_queues_init(part);
	broker_history_init(part);
	broker_loads_init(part);
	broker_presence_init(part);
	broker_attend_init(part);
	broker_consumers_init(part);
	if (broker_trie_init(&part->trie, b->separator) < 0) {
		part_free(part);
		return NULL;
	}
	return part;
}

struct broker *broker_new(
    const struct broker_carrier *carrier, char separator, const struct broker_limits *limits)
{
	struct broker *b = mem_zalloc(sizeof(*b) + carrier->parts * sizeof(struct broker_part *));

	if (!b)
		return NULL;
	b->carrier = *carrier;
	b->limits = *limits;
	b->separator = separator;
	b->identity.epoch = random_u64();
	map_seed_random(&b->identity.owners);
	map_seed_random(&b->seed);
	for (unsigned i = 0; i < carrier->parts; i++) {
		b->parts[i] = part_new(b, i);
		if (!b->parts[i]) {
			broker_free(b);
			return NULL;
		}
	}
	return b;
}

void broker_free(struct broker *b)
{
	if (!b)
		return;
	b->store = (struct broker_store){ 0 }; /* it keeps what is there */
	for (unsigned i = 0; i < b->carrier.parts; i++) {
		assert(!b->parts[i] || b->parts[i]->counters.members == 0);
		part_free(b->parts[i]);
	}
	mem_free(b);
}

struct broker_part *broker_part(struct broker *b, unsigned i)
{
	return b->parts[i];
}

void broker_use_peers(struct broker *b, const struct broker_peers *peers)
{
	b->peers = *peers;
}

uint64_t broker_epoch(const struct broker *b)
{
	return b->identity.epoch;
}

const struct broker_counters *broker_counters(const struct broker_part *part)
{
	return &part->counters;
}

/* --- destinations and patterns ------------------------------------------- */

bool broker_destination_is_valid(const struct broker *b, struct bytes destination)
{
	char text[BROKER_DESTINATION_MAX];
	struct bytes name, shown;

	if (!broker_name_is_private(destination))
		return broker_name_is_destination(destination, b->separator);
	return broker_name_split(destination, b->separator, text, &name, &shown) == 0;
}

static bool is_user_alone(struct bytes name)
{
	return broker_name_is_private(name) && !memchr(name.p + 1, '/', name.n - 1);
}

bool broker_pattern_is_valid(const struct broker *b, struct bytes pattern)
{
	return broker_name_is_pattern(pattern, b->separator) && !is_user_alone(pattern);
}

bool broker_pattern_matches(const struct broker *b, struct bytes pattern, struct bytes destination)
{
	return broker_name_is_private(pattern) == broker_name_is_private(destination) &&
	       broker_name_matches(pattern, destination, b->separator);
}

/* --- messages ------------------------------------------------------------ */

void broker_message_init(
    struct broker_message *m, struct bytes destination, void (*free)(struct broker_message *m))
{
	*m = (struct broker_message){ .destination = destination, .free = free };
	atomic_init(&m->refs, 1);
}

struct broker_message *broker_message_ref(struct broker_message *m)
{
	atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
	return m;
}

struct bytes broker_message_addressee(const struct broker_message *m)
{
	return m->to ? m->to->name : BYTES("");
}

void broker_message_unref(struct broker_message *m)
{
	if (!m || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) > 1)
		return;
	mem_free(m->to);
	m->free(m);
}

/* --- delivering ---------------------------------------------------------- */

/* A message, or a run of them. */
struct delivery {
	struct broker_message *first;
	size_t messages;
	uint64_t count; /* of subscriptions it has come to */
};

static size_t length_of_run(const struct broker_message *m)
{
	size_t n = 0;

	for (; m; m = m->next)
		n++;
	return n;
}

static struct broker_fan *fan_of(struct broker_kind *kind, size_t messages)
{
	if (!kind->in_use)
		kind->fan = (struct broker_fan){ .messages = messages };
	kind->in_use = true;
	return &kind->fan;
}

/* The one loop that costs: a subscriber is an entry and a call. */
static void deliver_to(const struct broker_audience *a, struct broker_message *m,
    void (*deliver)(void *, uintptr_t, struct broker_message *, struct broker_fan *),
    struct broker_fan *fan)
{
	const struct broker_entry *e = a->entries, *end = e + a->count;

	for (; e < end; e++)
		deliver(e->receiver, e->label, m, fan);
}

/* A run for those who do not know what that is. */
static void deliver_one_by_one(const struct broker_audience *a, struct broker_message *m)
{
	const struct broker_ops *ops = a->kind->ops;

	for (; m; m = m->next) {
		struct broker_fan fan = { .messages = 1 };

		deliver_to(a, m, ops->deliver, &fan);
		if (ops->fanned)
			ops->fanned(m, &fan);
	}
}

static void on_match(struct broker_node *node, void *arg)
{
	struct delivery *d = arg;

	for (const struct broker_audience *a = node->audience; a; a = a->next) {
		const struct broker_ops *ops = a->kind->ops;

		if (!d->first->next)
			deliver_to(a, d->first, ops->deliver, fan_of(a->kind, d->messages));
		else if (ops->deliver_run)
			deliver_to(a, d->first, ops->deliver_run, fan_of(a->kind, d->messages));
		else
			deliver_one_by_one(a, d->first);
		d->count += a->count;
	}
}

/* There are no runs of what is private. */
static void on_addressed(struct broker_own *own, void *arg)
{
	struct broker_kind *kind = own->base.member->kind;
	struct delivery *d = arg;

	kind->ops->deliver(own->entry.receiver, own->entry.label, d->first, fan_of(kind, 1));
	d->count++;
}

static void end_fans(struct broker_part *part, struct broker_message *m)
{
	for (struct broker_kind *kind = part->kinds; kind; kind = kind->next) {
		if (kind->in_use && kind->ops->fanned)
			kind->ops->fanned(m, &kind->fan);
		kind->in_use = false;
	}
}

static void count_delivered(struct broker_part *part, const struct delivery *d)
{
	for (struct broker_message *m = d->first; m; m = m->next) {
		if (d->count > 0)
			atomic_fetch_add_explicit(&m->received, d->count, memory_order_relaxed);
		part->counters.delivered += d->count;
		part->counters.unheard += d->count == 0;
	}
}

void broker_deliver(struct broker_message *m, struct broker_part *part)
{
	struct delivery d = { m, length_of_run(m), 0 };

	assert(!part->busy);
	part->busy = true;
	if (m->to)
		broker_each_addressed(part, m->to, m->shown, on_addressed, &d);
	else
		broker_trie_match(&part->trie, m->destination, on_match, &d);
	end_fans(part, m);
	part->busy = false;
	count_delivered(part, &d);
}

/* In its owner's part: no other message of this destination is before or behind it by chance. */
static void order(struct broker_message *m, struct broker_part *part)
{
	const struct broker_peers *peers = &part->broker->peers;

	assert(!part->busy);
	for (; m; m = m->next) {
		if (m->owner != BROKER_OF_PEERS)
			m->sequence = broker_next_sequence(part);
		part->counters.published++;
		if (part->broker->limits.history_rules > 0 && !m->to)
			broker_history_keep(part, m);
		if (peers->ordered && !m->is_foreign)
			peers->ordered(peers->arg, part->index, m);
	}
}

/* --- publishing ---------------------------------------------------------- */

/* Sets to whom it goes. */
static int address(const struct broker *b, struct broker_message *m)
{
	struct broker_addressee *to;

	if (m->destination.n > BROKER_DESTINATION_MAX)
		return -EINVAL;
	to = mem_alloc(sizeof(*to) + m->destination.n);
	if (!to)
		return -ENOMEM;
	if (broker_name_split(m->destination, b->separator, to->text, &to->name, &m->shown) < 0) {
		mem_free(to);
		return -EINVAL;
	}
	to->hash = map_hash(&b->seed, to->name);
	m->to = to;
	return 0;
}

static int prepare(const struct broker *b, struct broker_message *m)
{
	if (broker_name_is_private(m->destination))
		return address(b, m);
	if (!broker_name_is_destination(m->destination, b->separator))
		return -EINVAL;
	m->shown = m->destination;
	return 0;
}

unsigned broker_owner_of(const struct broker *b, struct bytes destination)
{
	if (b->carrier.parts == 1)
		return 0;
	return (unsigned)(map_hash(&b->identity.owners, destination) % b->carrier.parts);
}

/* What goes to one name has one order, whatever its destinations. */
static unsigned owner_of(const struct broker *b, const struct broker_message *m)
{
	return m->to ? (unsigned)(m->to->hash % b->carrier.parts)
	             : broker_owner_of(b, m->destination);
}

static bool is_busy_here(const struct broker *b)
{
	int here = b->carrier.here(b->carrier.arg);

	return here >= 0 && b->parts[here]->busy;
}

static int publish_to_queue(struct broker *b, struct broker_message *m)
{
	struct consumer_name nobody = { 0 };
	struct queue_mail *mail;

	m->owner = broker_owner_of(b, m->destination);
	mail = queue_mail_new(b, m->owner, QUEUE_PUT, nobody, (struct bytes){ 0 });
	if (!mail)
		return -ENOMEM;
	mail->message = broker_message_ref(m);
	return queue_mail_post(mail) < 0 ? -ENOMEM : 0;
}

bool broker_is_kept_by_peers(const struct broker *b, struct bytes destination)
{
	return b->peers.keep && !broker_name_is_private(destination) && !broker_is_queue(b, destination) &&
	       broker_history_rule(b, destination);
}

int broker_publish(struct broker *b, struct broker_message *m)
{
	int err = prepare(b, m);
	unsigned owner;

	assert(!is_busy_here(b));
	if (err < 0)
		return err;
	if (broker_is_queue(b, m->destination))
		return publish_to_queue(b, m);
	owner = owner_of(b, m);
	if (!m->is_foreign && broker_is_kept_by_peers(b, m->destination))
		return b->peers.keep(b->peers.arg, m);
	if (m->owner != BROKER_OF_PEERS)
		m->owner = owner;
	if (broker_has_store(b) && !m->to && broker_history_rule(b, m->destination))
		return broker_publish_kept(b, m);
	err = b->carrier.spread(b->carrier.arg, owner, order, broker_deliver, broker_message_ref(m));
	if (err < 0) {
		mem_free(m->to);
		m->to = NULL;
		broker_message_unref(m);
	}
	return err;
}

bool broker_takes_runs(const struct broker *b, struct bytes destination)
{
	return !broker_name_is_private(destination) && !broker_is_queue(b, destination) &&
	       !(broker_has_store(b) && broker_history_rule(b, destination)) &&
	       !broker_is_kept_by_peers(b, destination);
}

static void drop_run(struct broker_message *m)
{
	struct broker_message *next;

	for (; m; m = next) {
		next = m->next;
		broker_message_unref(m);
	}
}

int broker_publish_run(struct broker *b, struct broker_message *first)
{
	int err = broker_takes_runs(b, first->destination) ? prepare(b, first) : -EINVAL;

	assert(!is_busy_here(b));
	if (err < 0)
		return err;
	for (struct broker_message *m = first; m; m = m->next) {
		m->shown = m->destination;
		m->owner = owner_of(b, first);
		broker_message_ref(m);
	}
	err = b->carrier.spread(b->carrier.arg, first->owner, order, broker_deliver, first);
	if (err < 0)
		drop_run(first);
	return err;
}

/* --- counting ------------------------------------------------------------ */

static void count_audience(struct broker_node *node, void *arg)
{
	size_t *count = arg;

	for (const struct broker_audience *a = node->audience; a; a = a->next)
		*count += a->count;
}

static void count_own(struct broker_own *own, void *arg)
{
	size_t *count = arg;

	(void)own;
	++*count;
}

size_t broker_count(struct broker_part *part, struct bytes destination)
{
	struct broker_message m;
	size_t count = 0;

	broker_message_init(&m, destination, NULL);
	if (prepare(part->broker, &m) < 0)
		return 0;
	if (m.to)
		broker_each_addressed(part, m.to, m.shown, count_own, &count);
	else
		broker_trie_match(&part->trie, destination, count_audience, &count);
	mem_free(m.to);
	return count;
}
