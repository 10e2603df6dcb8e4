/*
 * cluster/whereabouts.c - at which gateway a session is; see whereabouts.h.
 */
#include "cluster/whereabouts.h"

#include <errno.h>

#include "base/mem.h"

static struct bytes name_of(const struct map_node *n)
{
	const struct whereabout *w = container_of(n, struct whereabout, node);

	return (struct bytes){ w->name, w->len };
}

void whereabouts_init(struct whereabouts *all)
{
	map_init(&all->map, name_of, NULL);
	list_init(&all->by_use);
}

static void forget(struct whereabouts *all, struct whereabout *w)
{
	map_remove(&all->map, &w->node);
	list_remove(&w->by_use);
	mem_free(w);
}

static void forget_first(struct whereabouts *all)
{
	forget(all, container_of(list_first(&all->by_use), struct whereabout, by_use));
}

void whereabouts_fini(struct whereabouts *all)
{
	while (!list_empty(&all->by_use))
		forget_first(all);
	map_fini(&all->map);
}

struct whereabout *whereabouts_find(struct whereabouts *all, struct bytes name)
{
	struct map_node *found = map_find(&all->map, name);
	struct whereabout *w = found ? container_of(found, struct whereabout, node) : NULL;

	if (!w)
		return NULL;
	list_remove(&w->by_use);
	list_append(&all->by_use, &w->by_use);
	return w;
}

static struct whereabout *add(struct whereabouts *all, struct bytes name)
{
	struct whereabout *w;

	if (map_count(&all->map) >= WHEREABOUTS_MOST)
		forget_first(all);
	w = mem_zalloc(sizeof(*w) + name.n);
	if (!w)
		return NULL;
	w->len = (uint16_t)name.n;
	bytes_put(w->name, name);
	if (map_insert(&all->map, &w->node) == 0) {
		list_append(&all->by_use, &w->by_use);
		return w;
	}
	mem_free(w);
	return NULL;
}

int whereabouts_note(struct whereabouts *all, struct bytes name, uint64_t gateway, uint64_t until)
{
	struct whereabout *w = whereabouts_find(all, name);

	if (!w && !(w = add(all, name)))
		return -ENOMEM;
	w->gateway = gateway;
	w->until = until;
	return 0;
}
