/*
 * cluster/gateways.c - which gateways there are; see gateways.h.
 */
#include "cluster/gateways.h"

#include <string.h>

#include "base/mem.h"
#include "cluster/rendezvous.h"

/* The order in which they are heard of does not matter. */
static uint64_t view_of(const struct gateway *list, size_t count)
{
	uint64_t view = 0;

	for (size_t i = 0; i < count; i++)
		if (!list[i].card.drains)
			view ^= rendezvous_score(list[i].id, 0);
	return view;
}

struct gateways *gateways_new(const struct gateway *list, size_t count, bool is_calm)
{
	struct gateways *g = mem_alloc(sizeof(*g) + count * sizeof(*list));

	if (!g)
		return NULL;
	atomic_init(&g->refs, 1);
	g->view = view_of(list, count);
	g->is_calm = is_calm;
	g->count = count;
	memcpy(g->all, list, count * sizeof(*list));
	return g;
}

struct gateways *gateways_ref(struct gateways *g)
{
	atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
	return g;
}

void gateways_unref(struct gateways *g)
{
	if (g && atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) == 1)
		mem_free(g);
}

const struct gateway *gateways_find(const struct gateways *g, uint64_t id)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->all[i].id == id)
			return &g->all[i];
	return NULL;
}

static const struct gateway *self(const struct gateways *g)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->all[i].is_self)
			return &g->all[i];
	return &g->all[0];
}

const struct gateway *gateways_owner(const struct gateways *g, uint64_t key,
    bool (*may_be)(const struct gateway *one, void *arg), void *arg)
{
	const struct gateway *best = NULL;
	uint64_t highest = 0;

	for (size_t i = 0; i < g->count; i++) {
		const struct gateway *one = &g->all[i];
		uint64_t score = rendezvous_score(one->id, key);

		if (one->card.drains || (best && score <= highest) || (may_be && !may_be(one, arg)))
			continue;
		best = one;
		highest = score;
	}
	return best ? best : self(g);
}

bool gateways_has_address(const struct gateways *g, const struct addr *a)
{
	for (size_t i = 0; i < g->count; i++)
		if (!g->all[i].is_self && addr_same_ip(&g->all[i].card.at, a))
			return true;
	return false;
}
