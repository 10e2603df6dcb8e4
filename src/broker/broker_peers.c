/*
 * broker/broker_peers.c - histories that peers keep: what is here of them is a part of theirs without holes, its
 * end as long as somebody subscribes to it here. What it lacks is loaded (broker_loads.c) when somebody asks for it.
 */
#include "base/clock.h"
#include "broker/broker_past.h"

/* Nothing is known of what was up to there. */
static void cut(struct broker_part *part, struct past *past, uint64_t gone)
{
	struct kept *k;

	while ((k = broker_past_oldest(past)) != NULL)
		broker_past_drop(part, k);
	past->gone = past->until = gone;
	past->is_whole = false;
}

void broker_past_place(struct broker_part *part, struct broker_message *m)
{
	struct past *past = m->owner == BROKER_OF_PEERS ? broker_past_of(part, m) : NULL;

	if (!past || m->sequence <= past->until)
		return;
	if (m->before > past->until)
		cut(part, past, m->before);
	past->until = m->sequence;
	if (broker_past_append(part, past, m, clock_now()))
		broker_past_trim(part, past);
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
		if (!broker_past_insert(part, past, where, m, now - l->ages_ms[i])) { /* memory is out: a hole */
			cut(part, past, past->until);
			return;
		}
	}
}

/* What was loaded has no hole, nor has what is here; both together have none if they meet. */
void broker_past_take(struct broker_part *part, struct past *past, const struct broker_loaded *l)
{
	size_t octets, from = first_that_fits(part, l, &octets);
	uint64_t gone = from > 0     ? l->messages[from - 1]->sequence
	                : l->is_all  ? l->since
	                : l->count > 0 ? l->messages[0]->sequence - 1
	                               : l->until;

	broker_past_make_room(part, octets);
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
	broker_past_trim(part, past);
}
