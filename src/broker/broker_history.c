/*
 * broker/broker_history.c - the last messages of a destination, for who has missed some.
 *
 * They are kept by their owner, in the order that it gives them. Who subscribes and has missed
 * something asks it (broker_recall()); the answer comes back by the way of all mail, so that it
 * stands between what was published before the question, and is in it, and what was published after
 * it, and follows. The subscriber has to leave out what comes before the answer: then there is no
 * hole and nothing twice.
 *
 * All of a part has one budget: the oldest messages go first, whatever their destinations.
 *
 * If peers keep histories, what is here is a part of theirs, without holes: its end, as long as somebody
 * subscribes to it here. What it lacks for an answer is asked of them first (broker_loaded()).
 *
 * A store has of each message which one was before it. So what is missing in the middle is found
 * when it is read again; and at the end nothing is, since it has a message before anybody gets it.
 */
#include "broker/broker_history.h"

#include <errno.h>

#include "base/clock.h"
#include "base/mem.h"
#include "broker/broker_name.h"

#define KEPT_COST  128   /* of a message that is kept, beside its octets */
#define PASTS_MOST 65536 /* destinations that are remembered */

/* Of one destination. */
struct past {
	struct map_node node; /* part->pasts */
	struct list by_use;   /* part->pasts_by_use: the last used is the last */
	const struct broker_history_rule *rule;
	struct list kept; /* oldest first */
	size_t count;
	uint64_t gone; /* the sequence up to which something may be missing */
	uint64_t last; /* the last one, if there is a store, */
	uint64_t lost; /* up to which that has none of them */
	uint64_t until; /* of peers: all behind `gone` is known, up to this; 0: nothing is */
	bool is_whole;  /* and they have nothing before that which there is room for */
	uint16_t name_len;
	char name[];
};

struct kept {
	struct list of_past;
	struct list of_part; /* part->kept: oldest first */
	struct past *past;
	struct broker_message *message;
	uint64_t at;
	size_t cost;
};

static struct bytes past_key(const struct map_node *n)
{
	const struct past *p = container_of(n, struct past, node);

	return (struct bytes){ p->name, p->name_len };
}

void broker_history_init(struct broker_part *part)
{
	map_init(&part->pasts, past_key, &part->broker->seed);
	list_init(&part->pasts_by_use);
	list_init(&part->kept);
}

static void drop(struct broker_part *part, struct kept *k)
{
	struct past *past = k->past;

	if (k->message->sequence > past->gone)
		past->gone = k->message->sequence;
	past->count--;
	part->kept_octets -= k->cost;
	part->counters.kept--;
	list_remove(&k->of_past);
	list_remove(&k->of_part);
	broker_drop(part->broker, k->message);
	broker_message_unref(k->message);
	mem_free(k);
}

static struct kept *oldest(const struct past *past)
{
	struct list *first = list_first(&past->kept);

	return first ? container_of(first, struct kept, of_past) : NULL;
}

/* Nothing will be known of a destination that had messages up to this sequence. */
static void forget(struct broker_part *part, uint64_t sequence)
{
	if (sequence > part->forgotten)
		part->forgotten = sequence;
}

static void past_free(struct broker_part *part, struct past *past)
{
	struct kept *k;

	while ((k = oldest(past)) != NULL)
		drop(part, k);
	forget(part, past->gone);
	map_remove(&part->pasts, &past->node);
	list_remove(&past->by_use);
	mem_free(past);
}

void broker_history_fini(struct broker_part *part)
{
	while (!list_empty(&part->pasts_by_use))
		past_free(part, container_of(list_first(&part->pasts_by_use), struct past, by_use));
	map_fini(&part->pasts);
}

/* --- keeping --------------------------------------------------------------------- */

const struct broker_history_rule *broker_history_rule(
    const struct broker *b, struct bytes destination)
{
	for (size_t i = 0; i < b->limits.history_rules; i++) {
		const struct broker_history_rule *rule = &b->limits.history[i];

		if (broker_pattern_matches(b, rule->pattern, destination))
			return rule;
	}
	return NULL;
}

static struct past *find_past(struct broker_part *part, struct bytes destination)
{
	struct map_node *node = map_find(&part->pasts, destination);
	struct past *past = node ? container_of(node, struct past, node) : NULL;

	if (past) {
		list_remove(&past->by_use);
		list_append(&part->pasts_by_use, &past->by_use);
	}
	return past;
}

static struct past *past_new(struct broker_part *part, const struct broker_history_rule *rule,
    struct bytes destination)
{
	struct past *past = mem_zalloc(sizeof(*past) + destination.n);

	if (!past)
		return NULL;
	past->rule = rule;
	past->gone = past->last = part->broker->peers.keep ? 0 : part->forgotten;
	past->name_len = (uint16_t)destination.n;
	bytes_put(past->name, destination);
	list_init(&past->kept);
	if (map_insert(&part->pasts, &past->node) == 0)
		return past;
	mem_free(past);
	return NULL;
}

static struct past *add_past(struct broker_part *part, struct bytes destination, uint64_t sequence)
{
	const struct broker_history_rule *rule = broker_history_rule(part->broker, destination);
	struct past *past;

	if (!rule)
		return NULL;
	if (map_count(&part->pasts) >= PASTS_MOST)
		past_free(part, container_of(list_first(&part->pasts_by_use), struct past, by_use));
	past = past_new(part, rule, destination);
	if (past)
		list_append(&part->pasts_by_use, &past->by_use);
	else
		forget(part, sequence);
	return past;
}

/* What its rule does not keep any more. */
static void trim(struct broker_part *part, struct past *past)
{
	const struct broker_history_rule *rule = past->rule;
	struct kept *k;

	while ((k = oldest(past)) != NULL && ((rule->messages && past->count > rule->messages) ||
	                                         (rule->ms && clock_now() - k->at >= rule->ms)))
		drop(part, k);
}

static void make_room(struct broker_part *part, size_t cost)
{
	while (part->kept_octets + cost > part->broker->limits.max_history_bytes &&
	       !list_empty(&part->kept)) {
		struct past *past = container_of(list_first(&part->kept), struct kept, of_part)->past;

		past->is_whole = false;
		drop(part, oldest(past));
	}
}

static struct past *past_of(struct broker_part *part, struct broker_message *m)
{
	struct past *past = find_past(part, m->destination);

	return past ? past : add_past(part, m->destination, m->sequence);
}

/* Behind `where`. False: there is no room for it, or no memory. */
static bool insert(struct broker_part *part, struct past *past, struct list *where,
    struct broker_message *m, uint64_t at)
{
	struct kept *k = NULL;

	if (m->octets + KEPT_COST <= part->broker->limits.max_history_bytes)
		k = mem_alloc(sizeof(*k));
	if (!k)
		return false;
	*k = (struct kept){ .past = past,
		.message = broker_message_ref(m),
		.at = at,
		.cost = m->octets + KEPT_COST };
	list_prepend(where, &k->of_past);
	list_append(&part->kept, &k->of_part);
	past->count++;
	part->kept_octets += k->cost;
	part->counters.kept++;
	return true;
}

static bool append(
    struct broker_part *part, struct past *past, struct broker_message *m, uint64_t at)
{
	make_room(part, m->octets + KEPT_COST);
	return insert(part, past, past->kept.prev, m, at);
}

/* What the store has of this destination would be taken for all there was. */
static void forget_stored(struct broker_part *part, struct past *past)
{
	struct list *pos;

	for (pos = past->kept.prev; pos != &past->kept; pos = pos->prev) {
		struct broker_message *m = container_of(pos, struct kept, of_past)->message;

		if (m->sequence <= past->lost)
			break;
		broker_drop(part->broker, m);
	}
	if (!list_empty(&past->kept))
		past->lost = container_of(past->kept.prev, struct kept, of_past)->message->sequence;
}

/* --- of peers ---------------------------------------------------------------------- */

/* Nothing is known of what was up to there. */
static void cut(struct broker_part *part, struct past *past, uint64_t gone)
{
	struct kept *k;

	while ((k = oldest(past)) != NULL)
		drop(part, k);
	past->gone = past->until = gone;
	past->is_whole = false;
}

/* Without its place it passes, and is not kept. It may be here already, since it was loaded. */
static void place(struct broker_part *part, struct broker_message *m)
{
	struct past *past = m->owner == BROKER_OF_PEERS ? past_of(part, m) : NULL;

	if (!past || m->sequence <= past->until)
		return;
	if (m->before > past->until)
		cut(part, past, m->before);
	past->until = m->sequence;
	if (append(part, past, m, clock_now()))
		trim(part, past);
	else
		cut(part, past, m->sequence);
}

static size_t cost_of(const struct broker_message *m)
{
	return m->octets + KEPT_COST;
}

/* The first of them that there is room for, with all behind it. */
static size_t first_that_fits(const struct broker_part *part, const struct broker_loaded *l, size_t *octets)
{
	size_t i = l->count;

	*octets = 0;
	while (i > 0 && *octets + cost_of(l->messages[i - 1]) <= part->broker->limits.max_history_bytes)
		*octets += cost_of(l->messages[--i]);
	return i;
}

/* Each where it belongs. There is room for all of them. */
static void merge(struct broker_part *part, struct past *past, const struct broker_loaded *l, size_t from)
{
	struct list *where = &past->kept;
	uint64_t now = clock_now();

	for (size_t i = from; i < l->count; i++) {
		struct broker_message *m = l->messages[i];
		const struct kept *next;

		while (where->next != &past->kept &&
		       container_of(where->next, struct kept, of_past)->message->sequence < m->sequence)
			where = where->next;
		next = where->next == &past->kept ? NULL : container_of(where->next, struct kept, of_past);
		if (m->sequence <= past->gone || (next && next->message->sequence == m->sequence))
			continue;
		m->shown = m->destination;
		if (!insert(part, past, where, m, now - l->ages_ms[i])) { /* memory is out: a hole */
			cut(part, past, past->until);
			return;
		}
	}
}

/* What was loaded has no hole, nor has what is here; both together have none if they meet. */
static void take(struct broker_part *part, struct past *past, const struct broker_loaded *l)
{
	size_t octets, from = first_that_fits(part, l, &octets);
	uint64_t gone = from > 0     ? l->messages[from - 1]->sequence
	                : l->is_all  ? l->since
	                : l->count > 0 ? l->messages[0]->sequence - 1
	                               : l->until;

	make_room(part, octets);
	if (past->until == 0 || gone > past->until)
		cut(part, past, gone);
	if (l->until < past->gone)
		return;
	if (gone < past->gone)
		past->gone = gone;
	if (l->until > past->until)
		past->until = l->until;
	past->is_whole |= from > 0 || !l->is_all;
	merge(part, past, l, from);
	trim(part, past);
}

/* --- keeping, again ------------------------------------------------------------------ */

void broker_history_keep(struct broker_part *part, struct broker_message *m)
{
	struct past *past;

	if (part->broker->peers.keep) {
		place(part, m);
		return;
	}
	past = past_of(part, m);
	if (past && append(part, past, m, clock_now())) {
		trim(part, past);
		return;
	}
	if (past) {
		past->gone = m->sequence;
		forget_stored(part, past);
	}
	broker_drop(part->broker, m);
}

/* --- with a store ----------------------------------------------------------------- */

uint64_t broker_history_follow(struct broker_part *part, struct broker_message *m)
{
	struct past *past = past_of(part, m);
	uint64_t before = past ? past->last : m->sequence - 1;

	if (past)
		past->last = m->sequence;
	return before;
}

void broker_history_break(struct broker_part *part, struct bytes destination)
{
	struct past *past = find_past(part, destination);

	if (past)
		forget_stored(part, past);
}

int broker_history_restore(struct broker_part *part, const struct broker_kept *kept)
{
	struct broker_message *m = kept->message;
	bool is_first = !find_past(part, m->destination);
	struct past *past;

	if (!broker_name_is_destination(m->destination, part->broker->separator) ||
	    !broker_history_rule(part->broker, m->destination))
		return -ENOENT;
	if (!(past = past_of(part, m)))
		return -ENOMEM;
	if (is_first || past->last != kept->before)
		past->gone = kept->before;
	past->last = m->sequence;
	/* It may be older than the machine's clock: what counts is the difference */
	if (append(part, past, m, clock_now() - kept->age_ms)) {
		trim(part, past);
		return 0;
	}
	past->gone = m->sequence;
	return -ENOENT;
}

/* --- recalling ---------------------------------------------------------------------- */

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
	if (!past || !broker_has_store(r->broker) || sequence >= part->first)
		return false;
	if (sequence == past->gone)
		return true;
	list_foreach (pos, &past->kept)
		if (container_of(pos, struct kept, of_past)->message->sequence == sequence)
			return true;
	return false;
}

/* The last that is in it, or was. What the store has not made safe yet is behind that, and comes.
 */
static uint64_t last_of(const struct past *past)
{
	return list_empty(&past->kept)
	           ? past->gone
	           : container_of(past->kept.prev, struct kept, of_past)->message->sequence;
}

static uint64_t until_of(const struct broker_part *part, const struct past *past)
{
	if (part->broker->peers.keep)
		return past ? past->until : 0;
	return past ? last_of(past) : part->sequence;
}

static void answer(struct recall *r, struct broker_part *part)
{
	struct past *past = find_past(part, (struct bytes){ r->name, r->name_len });

	if (past)
		trim(part, past);
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

/* Behind which place it is not known here what peers have; 0: all of it. */
static uint64_t lacks_behind(const struct recall *r, const struct broker_part *part, const struct past *past)
{
	uint64_t since = knows(r, part, past) ? r->since.sequence : 0;

	if (past && past->until > 0 && (since >= past->gone || past->is_whole))
		return past->until;
	return since;
}

/* An answer to a question that was under way before is from before its time; and an answer may be of
 * another's question, who has missed less. */
enum { LOADS_MOST = 2 };

static bool waits_for_peers(struct recall *r, struct broker_part *part)
{
	struct bytes name = { r->name, r->name_len };
	const struct past *past = find_past(part, name);
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
	struct past *past = find_past(part, destination);
	struct list waiting;

	list_init(&waiting);
	broker_loads_take(part, destination, &waiting);
	if (!past && !loaded->is_failed)
		past = add_past(part, destination, 0);
	if (past && !loaded->is_failed)
		take(part, past, loaded);
	while (!list_empty(&waiting)) {
		struct recall *r = container_of(list_first(&waiting), struct recall, waits);

		list_remove(&r->waits);
		run_question(r);
	}
}

void broker_forget_kept(struct broker_part *part)
{
	while (!list_empty(&part->pasts_by_use))
		past_free(part, container_of(list_first(&part->pasts_by_use), struct past, by_use));
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
