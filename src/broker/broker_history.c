/*
 * broker/broker_history.c - the last messages of a destination, for who has missed some.
 *
 * They are kept by their owner, in the order that it gives them, which tells them to who asks
 * (broker_recall.c).
 *
 * All of a part has one budget: the oldest messages go first, whatever their destinations.
 *
 * A store has of each message which one was before it. So what is missing in the middle is found
 * when it is read again; and at the end nothing is, since it has a message before anybody gets it.
 */
#include "broker/broker_past.h"

#include <errno.h>

#include "base/clock.h"
#include "base/mem.h"
#include "broker/broker_name.h"

#define PASTS_MOST 65536 /* destinations that are remembered */

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

void broker_past_drop(struct broker_part *part, struct kept *k)
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

/* Nothing will be known of a destination that had messages up to this sequence. */
static void forget(struct broker_part *part, uint64_t sequence)
{
	if (sequence > part->forgotten)
		part->forgotten = sequence;
}

void broker_past_free(struct broker_part *part, struct past *past)
{
	struct kept *k;

	while ((k = broker_past_oldest(past)) != NULL)
		broker_past_drop(part, k);
	forget(part, past->gone);
	map_remove(&part->pasts, &past->node);
	list_remove(&past->by_use);
	mem_free(past);
}

void broker_history_fini(struct broker_part *part)
{
	while (!list_empty(&part->pasts_by_use))
		broker_past_free(part, container_of(list_first(&part->pasts_by_use), struct past, by_use));
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

struct past *broker_past_find(struct broker_part *part, struct bytes destination)
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

struct past *broker_past_add(struct broker_part *part, struct bytes destination, uint64_t sequence)
{
	const struct broker_history_rule *rule = broker_history_rule(part->broker, destination);
	struct past *past;

	if (!rule)
		return NULL;
	if (map_count(&part->pasts) >= PASTS_MOST)
		broker_past_free(part, container_of(list_first(&part->pasts_by_use), struct past, by_use));
	past = past_new(part, rule, destination);
	if (past)
		list_append(&part->pasts_by_use, &past->by_use);
	else
		forget(part, sequence);
	return past;
}

void broker_past_trim(struct broker_part *part, struct past *past)
{
	const struct broker_history_rule *rule = past->rule;
	struct kept *k;

	while ((k = broker_past_oldest(past)) != NULL && ((rule->messages && past->count > rule->messages) ||
	                                         (rule->ms && clock_now() - k->at >= rule->ms)))
		broker_past_drop(part, k);
}

void broker_past_make_room(struct broker_part *part, size_t cost)
{
	while (part->kept_octets + cost > part->broker->limits.max_history_bytes &&
	       !list_empty(&part->kept)) {
		struct past *past = container_of(list_first(&part->kept), struct kept, of_part)->past;

		past->is_whole = false;
		broker_past_drop(part, broker_past_oldest(past));
	}
}

struct past *broker_past_of(struct broker_part *part, struct broker_message *m)
{
	struct past *past = broker_past_find(part, m->destination);

	return past ? past : broker_past_add(part, m->destination, m->sequence);
}

bool broker_past_insert(struct broker_part *part, struct past *past, struct list *where,
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

bool broker_past_append(
    struct broker_part *part, struct past *past, struct broker_message *m, uint64_t at)
{
	broker_past_make_room(part, m->octets + KEPT_COST);
	return broker_past_insert(part, past, past->kept.prev, m, at);
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

void broker_history_keep(struct broker_part *part, struct broker_message *m)
{
	struct past *past;

	if (part->broker->peers.keep) {
		broker_past_place(part, m);
		return;
	}
	past = broker_past_of(part, m);
	if (past && broker_past_append(part, past, m, clock_now())) {
		broker_past_trim(part, past);
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
	struct past *past = broker_past_of(part, m);
	uint64_t before = past ? past->last : m->sequence - 1;

	if (past)
		past->last = m->sequence;
	return before;
}

void broker_history_break(struct broker_part *part, struct bytes destination)
{
	struct past *past = broker_past_find(part, destination);

	if (past)
		forget_stored(part, past);
}

int broker_history_restore(struct broker_part *part, const struct broker_kept *kept)
{
	struct broker_message *m = kept->message;
	bool is_first = !broker_past_find(part, m->destination);
	struct past *past;

	if (!broker_name_is_destination(m->destination, part->broker->separator) ||
	    !broker_history_rule(part->broker, m->destination))
		return -ENOENT;
	if (!(past = broker_past_of(part, m)))
		return -ENOMEM;
	if (is_first || past->last != kept->before)
		past->gone = kept->before;
	past->last = m->sequence;
	/* It may be older than the machine's clock: what counts is the difference */
	if (broker_past_append(part, past, m, clock_now() - kept->age_ms)) {
		broker_past_trim(part, past);
		return 0;
	}
	past->gone = m->sequence;
	return -ENOENT;
}
