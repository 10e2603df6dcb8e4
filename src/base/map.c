/*
 * base/map.c - the seeded hash map; see map.h.
 *
 * Chained buckets. While the table changes size there are two of them:
 * buckets of the old one below `moved` have been emptied into the new one, and a
 * hash tells by its old bucket in which of the two its node is. So every look-up reads
 * one chain, and every insertion and removal moves a few buckets on.
 */
#include "base/map.h"

#include <errno.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/siphash.h"

#define SIZE_MIN 16

/* Buckets moved by one call: enough to be done before the next change of size is due. When the
 * table shrinks they are nearly all empty, and next to one another in memory. */
#define GROW_STEP   4
#define SHRINK_STEP 64

uint64_t map_hash(const struct map_seed *seed, struct bytes key)
{
	struct siphash s = siphash_start(seed->k0, seed->k1);

	siphash_message(&s, key, 1);
	s.v2 ^= 0xff;
	siphash_rounds(&s, 3);
	return siphash_fold(&s);
}

void map_seed_random(struct map_seed *seed)
{
	random_bytes(seed, sizeof(*seed));
}

/* --- tables ------------------------------------------------------------------ */

static struct map_node **bucket_in(const struct map_table *t, uint64_t hash)
{
	return &t->buckets[hash & (t->size - 1)];
}

/* Where a node with that hash is, if it is anywhere. The map must have a table. */
static struct map_node **bucket_of(const struct map *m, uint64_t hash)
{
	if (m->old.size && (hash & (m->old.size - 1)) >= m->moved)
		return bucket_in(&m->old, hash);
	return bucket_in(&m->now, hash);
}

static void drop_old(struct map *m)
{
	mem_free(m->old.buckets);
	m->old = (struct map_table){ 0 };
	m->moved = 0;
}

static void move_bucket(struct map *m)
{
	struct map_node *node = m->old.buckets[m->moved], *next;

	m->old.buckets[m->moved++] = NULL;
	for (; node; node = next) {
		struct map_node **to = bucket_in(&m->now, node->hash);

		next = node->next;
		node->next = *to;
		*to = node;
	}
	if (m->moved == m->old.size)
		drop_old(m);
}

/* Begins to change the size. Not to get the memory is no failure: the present table does. */
static void resize(struct map *m, size_t size)
{
	struct map_node **buckets;

	if (size > SIZE_MAX / sizeof(*buckets))
		return;
	buckets = mem_zalloc(size * sizeof(*buckets));
	if (!buckets)
		return;
	m->old = m->now;
	m->moved = 0;
	m->now = (struct map_table){ buckets, size };
}

/* Begins a change of size if it is time: to double at one node a bucket, to halve at an eighth,
 * far enough from one another that a map does not swing. */
static void begin(struct map *m)
{
	if (m->count > m->now.size)
		resize(m, m->now.size * 2);
	else if (m->now.size > SIZE_MIN && m->count == 0)
		map_fini(m);
	else if (m->now.size > SIZE_MIN && m->count < m->now.size / 8)
		resize(m, m->now.size / 2);
}

/* After every insertion and removal. */
static void adapt(struct map *m)
{
	int step;

	if (m->walking)
		return;
	if (!m->old.size)
		begin(m);
	step = m->now.size > m->old.size ? GROW_STEP : SHRINK_STEP;
	while (m->old.size && step-- > 0)
		move_bucket(m);
}

/* --- the map ----------------------------------------------------------------- */

void map_init(struct map *m, map_key_fn key, const struct map_seed *seed)
{
	*m = (struct map){ .key = key };
	if (seed)
		m->seed = *seed;
	else
		map_seed_random(&m->seed);
}

void map_fini(struct map *m)
{
	mem_free(m->now.buckets);
	m->now = (struct map_table){ 0 };
	drop_old(m);
	m->count = 0;
}

struct map_node *map_find_hashed(const struct map *m, struct bytes key, uint64_t hash)
{
	struct map_node *node;

	if (m->count == 0)
		return NULL;
	for (node = *bucket_of(m, hash); node; node = node->next)
		if (node->hash == hash && bytes_equal(m->key(node), key))
			return node;
	return NULL;
}

struct map_node *map_find(const struct map *m, struct bytes key)
{
	return map_find_hashed(m, key, map_hash(&m->seed, key));
}

int map_insert_hashed(struct map *m, struct map_node *node, uint64_t hash)
{
	struct map_node **bucket;

	if (!m->now.size) {
		resize(m, SIZE_MIN);
		if (!m->now.size)
			return -ENOMEM;
	}
	if (map_find_hashed(m, m->key(node), hash))
		return -EEXIST;
	bucket = bucket_of(m, hash);
	node->hash = hash;
	node->next = *bucket;
	*bucket = node;
	m->count++;
	adapt(m);
	return 0;
}

int map_insert(struct map *m, struct map_node *node)
{
	return map_insert_hashed(m, node, map_hash(&m->seed, m->key(node)));
}

void map_remove(struct map *m, struct map_node *node)
{
	struct map_node **link = bucket_of(m, node->hash);

	while (*link != node)
		link = &(*link)->next;
	*link = node->next;
	node->next = NULL;
	m->count--;
	adapt(m);
}

static bool each_in(const struct map_table *t, map_each_fn fn, void *arg)
{
	for (size_t i = 0; i < t->size; i++) {
		struct map_node *node = t->buckets[i], *next;

		for (; node; node = next) {
			next = node->next;
			if (!fn(node, arg))
				return false;
		}
	}
	return true;
}

bool map_each(struct map *m, map_each_fn fn, void *arg)
{
	bool done;

	m->walking = true;
	done = each_in(&m->old, fn, arg) && each_in(&m->now, fn, arg);
	m->walking = false;
	return done;
}
