/*
 * broker/broker_recall.c - what is kept of a destination is told to who has missed some of it.
 *
 * Who subscribes and has missed something asks its owner; the answer comes back by the way of all mail, so that it
 * stands between what was published before the question, and is in it, and what was published after it, and follows.
 * The subscriber has to leave out what comes before the answer: then there is no hole and nothing twice.
 *
 * If peers keep histories, what is lacking here for an answer is asked of them first (broker_loaded()).
 */
#include <errno.h>

#include "base/mem.h"
#include "broker/broker_name.h"
#include "broker/broker_past.h"

/* A question, and then its answer. */
struct recall {
	struct broker *broker;
	struct list waits; /* for what peers have */
	bool is_waiting;
	uint64_t number; /* of the last question to them when it began to wait, */
	unsigned loads;  /* and how many have been answered since */
	unsigned asker, owner; /* parts */
	bool is_known;         /* `since` is a place in this destination's order */
	struct broker_place since;
	uint64_t until;
	broker_recall_fn fn;
	void (*drop)(void *arg);
	void *arg;
	bool recovered;
	struct broker_message **messages;
	size_t count;
	size_t name_len;
	char name[];
};

static void recall_free(struct recall *r)
{
	for (size_t i = 0; i < r->count; i++)
		broker_message_unref(r->messages[i]);
	mem_free(r->messages);
	mem_free(r);
}

static void drop_recall(void *arg)
{
	struct recall *r = arg;

	r->drop(r->arg);
	recall_free(r);
}

static void run_answer(void *arg)
{
	struct recall *r = arg;
	unsigned owner = r->broker->peers.keep ? BROKER_OF_PEERS : r->owner;

	r->fn(r->arg, r->messages, r->count, r->recovered, &(struct broker_place){ owner, r->until });
	recall_free(r);
}

static int post(struct recall *r, unsigned part, void (*fn)(void *arg))
{
	const struct broker_carrier *carrier = &r->broker->carrier;

	return carrier->post(carrier->arg, part, fn, drop_recall, r);
}

/* What came after `since`, as far as it is kept. */
static void collect(struct recall *r, const struct past *past)
{
	struct list *pos;

	r->messages = mem_alloc((past->count ? past->count : 1) * sizeof(*r->messages));
	if (!r->messages) {
		r->recovered = false;
		return;
	}
	list_foreach (pos, &past->kept) {
		struct broker_message *m = container_of(pos, struct kept, of_past)->message;

		if (!r->is_known || m->sequence > r->since.sequence)
			r->messages[r->count++] = broker_message_ref(m);
	}
}

/* The owner's numbers are one order. Those of another are if they are of before a restart, and of
 * this very destination, whose owner has changed. */
static bool knows(const struct recall *r, const struct broker_part *part, const struct past *past)
{
	uint64_t sequence = r->since.sequence;
	struct list *pos;

	if (r->broker->peers.keep)
		return r->is_known && r->since.owner == BROKER_OF_PEERS;
	if (!r->is_known || r->since.owner == r->owner)
		return r->is_known;
	if (!past || sequence >= part->first)
		return false;
	if (sequence == past->gone)
		return true;
	list_foreach (pos, &past->kept)
		if (container_of(pos, struct kept, of_past)->message->sequence == sequence)
			return true;
	return false;
}

static uint64_t until_of(const struct broker_part *part, const struct past *past)
{
	if (part->broker->peers.keep)
		return past ? past->until : 0;
	return past ? broker_past_last(past) : part->sequence;
}

static void answer(struct recall *r, struct broker_part *part)
{
	struct past *past = broker_past_find(part, (struct bytes){ r->name, r->name_len });

	if (past)
		broker_past_trim(part, past);
	r->until = until_of(part, past);
	r->is_known = knows(r, part, past);
	r->recovered = r->is_known && (past || !part->broker->peers.keep) &&
	               r->since.sequence >= (past ? past->gone : part->forgotten);
	if (past)
		collect(r, past);
	if (r->asker == r->owner)
		run_answer(r);
	else if (post(r, r->asker, run_answer) < 0)
		drop_recall(r);
}

/* Behind which place it is not known here what peers have; 0: all of it. Who has had more, by another of them, waits
 * until that has come here, too, or it would come to him again. */
static uint64_t lacks_behind(const struct recall *r, const struct broker_part *part, const struct past *past)
{
	uint64_t since = knows(r, part, past) ? r->since.sequence : 0;

	if (past && past->until > 0 && (since >= past->gone || past->is_whole))
		return since > past->until ? since : past->until;
	return since;
}

/* An answer to a question that was under way before is from before its time; and an answer may be of
 * another's question, who has missed less. */
enum { LOADS_MOST = 2 };

static bool waits_for_peers(struct recall *r, struct broker_part *part)
{
	struct bytes name = { r->name, r->name_len };
	const struct past *past = broker_past_find(part, name);
	uint64_t behind = lacks_behind(r, part, past), number;

	if (!part->broker->peers.load || r->loads >= LOADS_MOST ||
	    (r->loads > 0 && past && behind == past->until))
		return false;
	if (!r->is_waiting)
		r->number = part->load_number;
	r->is_waiting = true;
	if (broker_loads_wait(part, name, behind, &r->waits, &number) < 0)
		return false;
	r->loads += number > r->number;
	return true;
}

static void run_question(void *arg)
{
	struct recall *r = arg;
	struct broker_part *part = r->broker->parts[r->owner];

	if (!waits_for_peers(r, part))
		answer(r, part);
}

void broker_loaded(struct broker_part *part, struct bytes destination, const struct broker_loaded *loaded)
{
	struct past *past = broker_past_find(part, destination);
	struct list waiting;

	list_init(&waiting);
	broker_loads_take(part, destination, &waiting);
	if (!past && !loaded->is_failed)
		past = broker_past_add(part, destination, 0);
	if (past && !loaded->is_failed)
		broker_past_take(part, past, loaded);
	while (!list_empty(&waiting)) {
		struct recall *r = container_of(list_first(&waiting), struct recall, waits);

		list_remove(&r->waits);
		run_question(r);
	}
}

void broker_forget_kept(struct broker_part *part)
{
	while (!list_empty(&part->pasts_by_use))
		broker_past_free(part, container_of(list_first(&part->pasts_by_use), struct past, by_use));
	part->forgotten = 0;
}

void broker_end_loads(struct broker_part *part)
{
	struct list waiting;

	list_init(&waiting);
	broker_loads_take_all(part, &waiting);
	while (!list_empty(&waiting)) {
		struct recall *r = container_of(list_first(&waiting), struct recall, waits);

		list_remove(&r->waits);
		drop_recall(r);
	}
}

int broker_recall(struct broker_part *part, struct bytes destination,
    const struct broker_place *since, broker_recall_fn fn, void (*drop_arg)(void *arg), void *arg)
{
	struct broker *b = part->broker;
	struct recall *r;

	if (!broker_name_is_destination(destination, b->separator))
		return -EINVAL;
	r = mem_zalloc(sizeof(*r) + destination.n);
	if (!r)
		return -ENOMEM;
	r->broker = b;
	list_init(&r->waits);
	r->asker = part->index;
	r->owner = broker_owner_of(b, destination);
	r->is_known = since != NULL;
	if (since)
		r->since = *since;
	r->fn = fn;
	r->drop = drop_arg;
	r->arg = arg;
	r->name_len = destination.n;
	bytes_put(r->name, destination);
	/* By mail even to this part: what was published elsewhere before may be on its way */
	if (post(r, r->owner, run_question) == 0)
		return 0;
	recall_free(r);
	return -ENOMEM;
}
