/*
 * engine/nats_places.c - how far each subject of a stream has come; see nats_places.h.
 */
#include "engine/nats_places.h"

#include "base/mem.h"

static struct bytes name_of(const struct map_node *n)
{
	const struct nats_place *p = container_of(n, struct nats_place, node);

	return (struct bytes){ p->name, p->len };
}

void nats_places_init(struct nats_places *all, struct list *freed)
{
	all->freed = freed;
	map_init(&all->map, name_of, NULL);
	list_init(&all->by_use);
}

static void forget(struct nats_places *all, struct nats_place *p)
{
	map_remove(&all->map, &p->node);
	list_remove(&p->by_use);
	list_remove(&p->lacking);
	list_splice(all->freed, &p->waiting);
	mem_free(p);
}

void nats_places_free_waiting(struct nats_places *all)
{
	struct list *pos;

	list_foreach (pos, &all->by_use)
		list_splice(all->freed, &container_of(pos, struct nats_place, by_use)->waiting);
}

void nats_places_clear(struct nats_places *all)
{
	while (!list_empty(&all->by_use))
		forget(all, container_of(list_first(&all->by_use), struct nats_place, by_use));
}

void nats_places_fini(struct nats_places *all)
{
	nats_places_clear(all);
	map_fini(&all->map);
}

/* Not one that lacks something, unless all of the first few do. */
static void make_room(struct nats_places *all)
{
	struct list *pos = all->by_use.next;

	for (unsigned i = 0; i < 64 && pos != &all->by_use; i++, pos = pos->next) {
		struct nats_place *p = container_of(pos, struct nats_place, by_use);

		if (list_empty(&p->lacking)) {
			forget(all, p);
			return;
		}
	}
	forget(all, container_of(list_first(&all->by_use), struct nats_place, by_use));
}

static struct nats_place *place_new(struct nats_places *all, struct bytes name)
{
	struct nats_place *p;

	if (map_count(&all->map) >= NATS_PLACES_MOST)
		make_room(all);
	p = mem_zalloc(sizeof(*p) + name.n);
	if (!p)
		return NULL;
	list_init(&p->lacking);
	list_init(&p->waiting);
	p->len = (uint16_t)name.n;
	bytes_put(p->name, name);
	if (map_insert(&all->map, &p->node) == 0) {
		list_append(&all->by_use, &p->by_use);
		return p;
	}
	mem_free(p);
	return NULL;
}

struct nats_place *nats_places_get(struct nats_places *all, struct bytes name, bool add)
{
	struct map_node *found = map_find(&all->map, name);
	struct nats_place *p = found ? container_of(found, struct nats_place, node) : NULL;

	if (!p)
		return add ? place_new(all, name) : NULL;
	list_remove(&p->by_use);
	list_append(&all->by_use, &p->by_use);
	return p;
}
