/*
 * cluster/whereabouts.c - at which gateway a session is; see whereabouts.h.
 */
#include "cluster/whereabouts.h"

#include <errno.h>

#include "base/mem.h"

struct entry {
	struct map_node node;
	struct list by_use;
	struct whereabout known;
	uint16_t len;
	char name[];
};

static struct bytes name_of(const struct map_node *n)
{
	const struct entry *e = container_of(n, struct entry, node);

	return (struct bytes){ e->name, e->len };
}

/* --- within a shard, with its lock ---------------------------------------------------------------- */

static void forget_first(struct whereabouts_shard *shard)
{
	struct entry *e = container_of(list_first(&shard->by_use), struct entry, by_use);

	map_remove(&shard->map, &e->node);
	list_remove(&e->by_use);
	mem_free(e);
}

static struct entry *find(struct whereabouts_shard *shard, struct bytes name, uint64_t hash)
{
	struct map_node *found = map_find_hashed(&shard->map, name, hash);
	struct entry *e = found ? container_of(found, struct entry, node) : NULL;

	if (!e)
		return NULL;
	list_remove(&e->by_use);
	list_append(&shard->by_use, &e->by_use);
	return e;
}

static struct entry *add(struct whereabouts_shard *shard, struct bytes name, uint64_t hash)
{
	struct entry *e;

	if (map_count(&shard->map) >= WHEREABOUTS_OF_SHARD)
		forget_first(shard);
	e = mem_zalloc(sizeof(*e) + name.n);
	if (!e)
		return NULL;
	e->len = (uint16_t)name.n;
	bytes_put(e->name, name);
	if (map_insert_hashed(&shard->map, &e->node, hash) == 0) {
		list_append(&shard->by_use, &e->by_use);
		return e;
	}
	mem_free(e);
	return NULL;
}

/* --- from any thread -------------------------------------------------------------------------------- */

static struct whereabouts_shard *shard_of(struct whereabouts *all, uint64_t hash)
{
	return &all->shards[hash >> 60 & (WHEREABOUTS_SHARDS - 1)];
}

bool whereabouts_find(struct whereabouts *all, struct bytes name, struct whereabout *found)
{
	uint64_t hash = map_hash(&all->seed, name);
	struct whereabouts_shard *shard = shard_of(all, hash);
	const struct entry *e;

	pthread_mutex_lock(&shard->lock);
	e = find(shard, name, hash);
	if (e)
		*found = e->known;
	pthread_mutex_unlock(&shard->lock);
	return e != NULL;
}

int whereabouts_note(struct whereabouts *all, struct bytes name, struct whereabout known)
{
	uint64_t hash = map_hash(&all->seed, name);
	struct whereabouts_shard *shard = shard_of(all, hash);
	struct entry *e;

	pthread_mutex_lock(&shard->lock);
	e = find(shard, name, hash);
	if (!e)
		e = add(shard, name, hash);
	if (e)
		e->known = known;
	pthread_mutex_unlock(&shard->lock);
	if (!e)
		return -ENOMEM;
	atomic_store_explicit(&all->has_any, true, memory_order_relaxed);
	return 0;
}

/* --- life --------------------------------------------------------------------------------------------- */

void whereabouts_init(struct whereabouts *all)
{
	map_seed_random(&all->seed);
	atomic_init(&all->has_any, false);
	for (size_t i = 0; i < WHEREABOUTS_SHARDS; i++) {
		pthread_mutex_init(&all->shards[i].lock, NULL);
		map_init(&all->shards[i].map, name_of, &all->seed);
		list_init(&all->shards[i].by_use);
	}
}

void whereabouts_fini(struct whereabouts *all)
{
	for (size_t i = 0; i < WHEREABOUTS_SHARDS; i++) {
		struct whereabouts_shard *shard = &all->shards[i];

		while (!list_empty(&shard->by_use))
			forget_first(shard);
		map_fini(&shard->map);
		pthread_mutex_destroy(&shard->lock);
	}
}
