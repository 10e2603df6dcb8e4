/*
 * base/map.h - hash map from byte strings to intrusive nodes, safe to key with
 * what clients choose.
 *
 * The hash is SipHash-1-3 under a random seed, so nobody outside can make keys
 * collide. The table follows the number of nodes up and down, a few
 * buckets with each insertion or removal and never all at once: with a million entries no
 * call takes longer than with a hundred (but for the allocation of the new table).
 *
 * A node is a member of its owner's structure, as with list.h; the map stores no
 * keys but asks for them. It owns its table only. No lock inside.
 *
 *	struct session { struct map_node by_id; char id[64]; size_t id_len; ... };
 *
 *	static struct bytes session_key(const struct map_node *n) { ... container_of() ... }
 *
 *	map_init(&table, session_key, NULL);
 *	err = map_insert(&table, &s->by_id);
 *	node = map_find(&table, BYTES("abc"));
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct map_node {
	struct map_node *next;
	uint64_t hash;
};

/* The key of a node; must not change while the node is in a map. */
typedef struct bytes (*map_key_fn)(const struct map_node *node);

struct map_seed {
	uint64_t k0, k1;
};

/* One table of buckets, a power of two of them. */
struct map_table {
	struct map_node **buckets;
	size_t size; /* 0: none */
};

struct map {
	struct map_table now;
	struct map_table old; /* while the table changes size: what has not moved yet */
	size_t moved;         /* buckets of `old` below this have */
	size_t count;
	map_key_fn key;
	struct map_seed seed;
	bool walking; /* nothing moves in map_each() */
};

/* `seed` NULL: a random one of its own. Maps that are shards of one table share a seed, so that a
 * key is hashed once; choose the shard by the high bits, since buckets go by the low ones. */
void map_init(struct map *m, map_key_fn key, const struct map_seed *seed);
/* Frees the table; nodes still in it are simply forgotten. The map is empty and usable. */
void map_fini(struct map *m);

void map_seed_random(struct map_seed *seed);
uint64_t map_hash(const struct map_seed *seed, struct bytes key);

/* The node with that key, or NULL. */
struct map_node *map_find(const struct map *m, struct bytes key);
struct map_node *map_find_hashed(const struct map *m, struct bytes key, uint64_t hash);

/* 0, -EEXIST if the map has a node with the same key, or -ENOMEM. That comes only from an empty
 * map: one that has a table goes on with it when there is no memory for a larger one. */
int map_insert(struct map *m, struct map_node *node);
int map_insert_hashed(struct map *m, struct map_node *node, uint64_t hash);

/* Takes out a node that is in the map. */
void map_remove(struct map *m, struct map_node *node);

static inline size_t map_count(const struct map *m)
{
	return m->count;
}

/* Calls `fn` for every node, in no order, until it returns false. `fn` may remove the node it is
 * given, and free it, but not touch the map otherwise. False if `fn` stopped it. */
typedef bool (*map_each_fn)(struct map_node *node, void *arg);
bool map_each(struct map *m, map_each_fn fn, void *arg);

#endif
