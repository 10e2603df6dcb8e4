/*
 * server/session_ids.c - a table with open addressing; see session_ids.h.
 *
 * Numbers are ours, one after the other, so a multiplication spreads them well enough. What is
 * taken out leaves no mark: those behind it that belong further to the front move there.
 */
#include "server/session_ids.h"

#include <errno.h>

#include "base/mem.h"
#include "session/session.h"

#define FEWEST 64

void session_ids_fini(struct session_ids *ids)
{
	mem_free(ids->slots);
	*ids = (struct session_ids){ 0 };
}

static size_t home_of(const struct session_ids *ids, uint64_t id)
{
	return (size_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (ids->size - 1);
}

static size_t next(const struct session_ids *ids, size_t at)
{
	return (at + 1) & (ids->size - 1);
}

/* Where it stands, or the free place where it would. */
static size_t place_of(const struct session_ids *ids, uint64_t id)
{
	size_t at = home_of(ids, id);

	while (ids->slots[at] && ids->slots[at]->id != id)
		at = next(ids, at);
	return at;
}

static int resize(struct session_ids *ids, size_t size)
{
	struct session_ids to = { mem_zalloc(size * sizeof(*to.slots)), size, ids->count };

	if (!to.slots)
		return -ENOMEM;
	for (size_t i = 0; i < ids->size; i++)
		if (ids->slots[i])
			to.slots[place_of(&to, ids->slots[i]->id)] = ids->slots[i];
	mem_free(ids->slots);
	*ids = to;
	return 0;
}

int session_ids_add(struct session_ids *ids, struct session *s)
{
	if (ids->count + 1 > ids->size / 4 * 3 &&
	    resize(ids, ids->size ? 2 * ids->size : FEWEST) < 0)
		return -ENOMEM;
	ids->slots[place_of(ids, s->id)] = s;
	ids->count++;
	return 0;
}

/* Whether one whose home is there may stand at `at`, when `gap` before it is free. */
static bool may_stay(size_t home, size_t gap, size_t at)
{
	return gap < at ? gap < home && home <= at : gap < home || home <= at;
}

static void close_gap(struct session_ids *ids, size_t gap)
{
	for (size_t at = next(ids, gap); ids->slots[at]; at = next(ids, at)) {
		if (may_stay(home_of(ids, ids->slots[at]->id), gap, at))
			continue;
		ids->slots[gap] = ids->slots[at];
		gap = at;
	}
	ids->slots[gap] = NULL;
}

/* A crowd that has left does not leave its table behind. Without memory for a smaller one the large
 * one stays. */
static void shrink(struct session_ids *ids)
{
	if (ids->size > FEWEST && ids->count < ids->size / 8)
		(void)resize(ids, ids->size / 2);
}

void session_ids_remove(struct session_ids *ids, const struct session *s)
{
	size_t at = ids->size ? place_of(ids, s->id) : 0;

	if (!ids->size || !ids->slots[at])
		return;
	close_gap(ids, at);
	ids->count--;
	shrink(ids);
}

struct session *session_ids_find(const struct session_ids *ids, uint64_t id)
{
	return ids->size ? ids->slots[place_of(ids, id)] : NULL;
}
