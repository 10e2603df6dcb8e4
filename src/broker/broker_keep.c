/*
 * broker/broker_keep.c - what outlasts the process: numbers that never come again, messages that a
 * history keeps, and all that is read again; see struct broker_store.
 *
 * A message that a history keeps comes to its owner alone at first, who gives it its place and puts
 * it into the store. When it is safe it goes to everybody (and into the history). So nobody has
 * ever got a message that a restart does not know.
 *
 * Numbers are reserved in blocks, long before they are given: what was given to a message that
 * nobody remembers is not given again. The blocks of all parts are apart, and later ones are behind
 * earlier ones; so the messages of one destination rise even where its owner has changed.
 */
#include <errno.h>

#include "base/mem.h"
#include "broker/broker_history.h"
#include "broker/broker_queue.h"

void broker_drop(const struct broker *b, struct broker_message *m)
{
	if (broker_has_store(b))
		b->store.drop(b->store.arg, m);
}

/* --- numbers ---------------------------------------------------------------------- */

uint64_t broker_reserved(const struct broker_part *part)
{
	return part->block + part->broker->store.block;
}

/* At its half the next block is reserved, long before it is needed; behind the end it begins. */
void broker_turn_block(struct broker_part *part)
{
	const struct broker_store *store = &part->broker->store;
	uint64_t end = part->block + store->block;
	uint64_t next = part->block + store->block * part->broker->carrier.parts;

	if (part->turn_at < end) {
		store->reserve(store->arg, part->index, next + store->block);
		part->turn_at = end;
		return;
	}
	part->block = next;
	part->sequence = next - 1;
	part->turn_at = next + store->block / 2;
}

/* --- queues ----------------------------------------------------------------------- */

static void on_safe(struct broker_wait *w, int verdict)
{
	if (verdict != -EPIPE && w->message->settled)
		w->message->settled(w->message, verdict);
	broker_message_unref(w->message);
	mem_free(w);
}

int broker_put_queued(const struct broker *b, struct broker_message *m)
{
	struct broker_wait *w = mem_zalloc(sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->then = on_safe;
	w->message = broker_message_ref(m);
	err = b->store.put(b->store.arg, m, 0, w);
	if (err < 0) {
		broker_message_unref(m);
		mem_free(w);
	}
	return err;
}

/* --- publishing ------------------------------------------------------------------- */

struct held {
	struct broker_wait wait;
	struct broker *broker;
	bool is_lacking; /* the store has not taken it */
};

static void held_free(void *arg)
{
	struct held *h = arg;

	broker_message_unref(h->wait.message);
	mem_free(h);
}

static void order(struct broker_message *m, struct broker_part *part)
{
	part->counters.published++;
	broker_history_keep(part, m);
}

/* It is safe, or never will be: those who are here get it all the same. */
static void release(struct broker_wait *w, int verdict)
{
	struct held *h = container_of(w, struct held, wait);
	const struct broker_carrier *carrier = &h->broker->carrier;
	struct broker_message *m = w->message;

	if (verdict == -EPIPE) {
		held_free(h);
		return;
	}
	if (h->is_lacking)
		broker_history_break(h->broker->parts[m->owner], m->destination);
	if (carrier->spread(carrier->arg, m->owner, order, broker_deliver, m) < 0) {
		broker_drop(h->broker, m);
		broker_message_unref(m);
	}
	mem_free(h);
}

static void hold(void *arg)
{
	struct held *h = arg;
	struct broker_message *m = h->wait.message;
	struct broker_part *part = h->broker->parts[m->owner];
	const struct broker_store *store = &h->broker->store;
	uint64_t before;

	m->sequence = broker_next_sequence(part);
	before = broker_history_follow(part, m);
	if (store->put(store->arg, m, before, &h->wait) == 0)
		return;
	h->is_lacking = true;
	store->follow(store->arg, &h->wait);
}

int broker_publish_kept(struct broker *b, struct broker_message *m)
{
	struct held *h = mem_zalloc(sizeof(*h));
	int err = 0;

	if (!h)
		return -ENOMEM;
	h->broker = b;
	h->wait.message = broker_message_ref(m);
	h->wait.then = release;
	if (b->carrier.here(b->carrier.arg) == (int)m->owner)
		hold(h);
	else
		err = b->carrier.post(b->carrier.arg, m->owner, hold, held_free, h);
	if (err < 0)
		held_free(h);
	return err < 0 ? -ENOMEM : 0;
}

/* --- what is read again ----------------------------------------------------------- */

struct broker_identity broker_identity(const struct broker *b)
{
	return b->identity;
}

void broker_use_store(struct broker *b, const struct broker_store *store,
    const struct broker_identity *identity, uint64_t first)
{
	b->store = *store;
	b->identity = *identity;
	for (unsigned i = 0; i < b->carrier.parts; i++) {
		struct broker_part *part = b->parts[i];

		part->first = first;
		part->block = first + i * store->block;
		part->sequence = part->block - 1;
		part->forgotten = part->sequence; /* of what is not read again nothing is known */
		part->turn_at = part->block + store->block / 2;
	}
}

int broker_restore(struct broker *b, const struct broker_kept *kept)
{
	struct broker_message *m = kept->message;
	struct broker_part *part = b->parts[m->owner];

	m->shown = m->destination;
	if (!kept->is_queued)
		return broker_is_queue(b, m->destination) ? -ENOENT
		                                          : broker_history_restore(part, kept);
	return broker_is_queue(b, m->destination) ? broker_queue_restore(part, kept) : -ENOTSUP;
}
