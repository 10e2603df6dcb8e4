/*
 * engine/replay.c - whether a numbered message has come before; see replay.h.
 */
#include "engine/replay.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

#define WORDS (REPLAY_WINDOW / 64 + 1) /* one is being filled */

struct sender {
	struct map_node node;
	struct list by_use; /* the last used is the last */
	uint64_t id;
	uint64_t highest;
	uint64_t seen[WORDS]; /* a ring of bits */
};

static struct bytes id_of(const struct map_node *n)
{
	const struct sender *s = container_of(n, struct sender, node);

	return (struct bytes){ (const char *)&s->id, sizeof(s->id) };
}

void replay_init(struct replay *r)
{
	map_init(&r->senders, id_of, NULL);
	list_init(&r->by_use);
}

static void forget(struct replay *r, struct sender *s)
{
	map_remove(&r->senders, &s->node);
	list_remove(&s->by_use);
	mem_free(s);
}

void replay_fini(struct replay *r)
{
	while (!list_empty(&r->by_use))
		forget(r, container_of(list_first(&r->by_use), struct sender, by_use));
	map_fini(&r->senders);
}

static struct sender *add(struct replay *r, uint64_t id)
{
	struct sender *s;

	if (map_count(&r->senders) >= REPLAY_SENDERS)
		forget(r, container_of(list_first(&r->by_use), struct sender, by_use));
	s = mem_zalloc(sizeof(*s));
	if (!s)
		return NULL;
	s->id = id;
	if (map_insert(&r->senders, &s->node) < 0) {
		mem_free(s);
		return NULL;
	}
	list_append(&r->by_use, &s->by_use);
	return s;
}

static struct sender *find(struct replay *r, uint64_t id)
{
	struct map_node *found = map_find(&r->senders, (struct bytes){ (const char *)&id, sizeof(id) });
	struct sender *s = found ? container_of(found, struct sender, node) : NULL;

	if (!s)
		return add(r, id);
	list_remove(&s->by_use);
	list_append(&r->by_use, &s->by_use);
	return s;
}

/* Words that come into use begin empty. */
static void advance(struct sender *s, uint64_t number)
{
	uint64_t first = s->highest / 64, last = number / 64, n = last - first;

	for (uint64_t i = 1; i <= (n < WORDS ? n : WORDS); i++)
		s->seen[(first + i) % WORDS] = 0;
	s->highest = number;
}

int replay_note(struct replay *r, uint64_t sender, uint64_t number)
{
	struct sender *s = find(r, sender);
	uint64_t *word, bit = UINT64_C(1) << number % 64;

	if (!s)
		return -ENOMEM;
	if (number > s->highest)
		advance(s, number);
	else if (s->highest - number >= REPLAY_WINDOW)
		return 0;
	word = &s->seen[number / 64 % WORDS];
	if (*word & bit)
		return 0;
	*word |= bit;
	return 1;
}
