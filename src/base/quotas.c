/*
 * base/quotas.c - rows by key in shards, each under a lock; see quotas.h.
 */
#include "base/quotas.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/bucket.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/snapshot.h"

#define SHARDS     QUOTAS_PARTS /* a power of two */
#define SHARD_IDLE (QUOTAS_IDLE_MOST / SHARDS)
#define SWEEP_MOST 4 /* rows looked at with each call, for those to be forgotten */

struct quota_shard {
	pthread_mutex_t lock;
	struct map map;
	struct list idle; /* rows that hold nothing, the longest unused first */
	size_t idle_count;
	struct quotas *quotas;
};

struct quotas {
	struct {
		_Atomic uint64_t most, per_second;
	} kinds[QUOTA_KINDS_MAX];
	unsigned count;
	struct map_seed seed;
	struct quota_shard shards[SHARDS];
};

struct quota_row {
	struct map_node node;
	struct list idle; /* on its own while something is held */
	struct quota_shard *shard;
	struct bucket buckets[QUOTA_KINDS_MAX];
	uint32_t held[QUOTA_KINDS_MAX];
	uint32_t refused;
	uint8_t key_len;
	char key[QUOTA_KEY_MAX];
};

static struct bytes row_key(const struct map_node *node)
{
	const struct quota_row *row = container_of(node, struct quota_row, node);

	return (struct bytes){ row->key, row->key_len };
}

void quotas_set_limits(struct quotas *q, const struct quota *kinds)
{
	for (unsigned i = 0; i < q->count; i++) {
		atomic_store_explicit(&q->kinds[i].most, kinds[i].most, memory_order_relaxed);
		atomic_store_explicit(
		    &q->kinds[i].per_second, kinds[i].per_second, memory_order_relaxed);
	}
}

/* As it is now. */
static struct quota limit_of(const struct quotas *q, unsigned kind)
{
	return (struct quota){
		.most = atomic_load_explicit(&q->kinds[kind].most, memory_order_relaxed),
		.per_second =
		    atomic_load_explicit(&q->kinds[kind].per_second, memory_order_relaxed),
	};
}

struct quotas *quotas_new(const struct quota *kinds, unsigned count)
{
	struct quotas *q = mem_zalloc(sizeof(*q));

	if (!q)
		return NULL;
	q->count = count;
	quotas_set_limits(q, kinds);
	map_seed_random(&q->seed);
	for (int i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&q->shards[i].lock, NULL);
		map_init(&q->shards[i].map, row_key, &q->seed);
		list_init(&q->shards[i].idle);
		q->shards[i].quotas = q;
	}
	return q;
}

static bool free_row(struct map_node *node, void *arg)
{
	(void)arg;
	mem_free(container_of(node, struct quota_row, node));
	return true;
}

void quotas_free(struct quotas *q)
{
	if (!q)
		return;
	for (int i = 0; i < SHARDS; i++) {
		map_each(&q->shards[i].map, free_row, NULL);
		map_fini(&q->shards[i].map);
		pthread_mutex_destroy(&q->shards[i].lock);
	}
	mem_free(q);
}

/* --- rows; the shard is locked ------------------------------------------ */

static void forget(struct quota_row *row)
{
	struct quota_shard *shard = row->shard;

	if (!list_empty(&row->idle))
		shard->idle_count--;
	list_remove(&row->idle);
	map_remove(&shard->map, &row->node);
	mem_free(row);
}

static bool is_full(const struct quota_row *row, uint64_t now)
{
	for (unsigned i = 0; i < QUOTA_KINDS_MAX; i++)
		if (bucket_missing(&row->buckets[i], now))
			return false;
	return true;
}

/* What a new row would say as well need not be kept. */
static void sweep(struct quota_shard *shard, uint64_t now)
{
	for (int i = 0; i < SWEEP_MOST && !list_empty(&shard->idle); i++) {
		struct quota_row *row =
		    container_of(list_first(&shard->idle), struct quota_row, idle);

		if (shard->idle_count <= SHARD_IDLE && !is_full(row, now))
			return;
		forget(row);
	}
}

static bool holds_nothing(const struct quota_row *row)
{
	for (unsigned i = 0; i < QUOTA_KINDS_MAX; i++)
		if (row->held[i])
			return false;
	return true;
}

static void set_busy(struct quota_row *row)
{
	if (!list_empty(&row->idle))
		row->shard->idle_count--;
	list_remove(&row->idle);
}

/* It may hold nothing any more. */
static void settle(struct quota_row *row, uint64_t now)
{
	struct quota_shard *shard = row->shard;

	if (holds_nothing(row) && is_full(row, now)) {
		forget(row);
	} else if (holds_nothing(row)) {
		list_append(&shard->idle, &row->idle);
		shard->idle_count++;
	}
	sweep(shard, now);
}

static struct quota_row *add_row(struct quota_shard *shard, struct bytes key, uint64_t hash)
{
	struct quota_row *row = mem_zalloc(sizeof(*row));

	if (!row)
		return NULL;
	row->shard = shard;
	row->key_len = (uint8_t)key.n;
	bytes_put(row->key, key);
	list_init(&row->idle);
	if (map_insert_hashed(&shard->map, &row->node, hash) < 0) {
		mem_free(row);
		return NULL;
	}
	return row;
}

static struct quota_row *row_of(struct quota_shard *shard, struct bytes key, uint64_t hash)
{
	struct map_node *node = map_find_hashed(&shard->map, key, hash);

	return node ? container_of(node, struct quota_row, node) : add_row(shard, key, hash);
}

/* The rate counts attempts that are within it, granted or not. */
static enum quota_verdict take(
    struct quota_row *row, const struct quota *quota, unsigned kind, uint64_t now)
{
	if (quota->per_second && !bucket_take(&row->buckets[kind], quota->per_second, now))
		return QUOTA_TOO_FAST;
	if (quota->most && row->held[kind] >= quota->most)
		return QUOTA_TOO_MANY;
	row->held[kind]++;
	return QUOTA_GRANTED;
}

/* --- from any thread ---------------------------------------------------- */

enum quota_verdict quota_take(
    struct quotas *q, struct bytes key, unsigned kind, struct quota_row **row)
{
	enum quota_verdict verdict = QUOTA_NO_MEMORY;
	struct quota_shard *shard;
	struct quota_row *found;
	struct quota limit = q ? limit_of(q, kind) : (struct quota){ 0 };
	uint64_t hash, now;

	*row = NULL;
	if (key.n == 0 || (!limit.most && !limit.per_second))
		return QUOTA_GRANTED;
	now = clock_now();
	hash = map_hash(&q->seed, key);
	shard = &q->shards[hash >> 60 & (SHARDS - 1)];
	pthread_mutex_lock(&shard->lock);
	found = row_of(shard, key, hash);
	if (found) {
		set_busy(found);
		verdict = take(found, &limit, kind, now);
		if (verdict == QUOTA_GRANTED)
			*row = found;
		else
			found->refused++;
		settle(found, now);
	}
	pthread_mutex_unlock(&shard->lock);
	return verdict;
}

void quota_release(struct quota_row *row, unsigned kind)
{
	struct quota_shard *shard;

	if (!row)
		return;
	shard = row->shard;
	pthread_mutex_lock(&shard->lock);
	row->held[kind]--;
	settle(row, clock_now());
	pthread_mutex_unlock(&shard->lock);
}

/* NULL: nothing is counted for this kind, or memory is out. */
static struct quota_row *hold_again(struct quotas *q, struct bytes key, unsigned kind)
{
	struct quota limit = q ? limit_of(q, kind) : (struct quota){ 0 };
	struct quota_shard *shard;
	struct quota_row *row;
	uint64_t hash;

	if (!limit.most && !limit.per_second)
		return NULL;
	hash = map_hash(&q->seed, key);
	shard = &q->shards[hash >> 60 & (SHARDS - 1)];
	pthread_mutex_lock(&shard->lock);
	row = row_of(shard, key, hash);
	if (row) {
		set_busy(row);
		row->held[kind]++;
	}
	pthread_mutex_unlock(&shard->lock);
	return row;
}

struct quota_row *quota_row_snapshot(struct quota_row *row, struct snapshot *s, unsigned kind)
{
	struct bytes key = { NULL, 0 };

	if (row)
		key = (struct bytes){ row->key, row->key_len };
	key = snapshot_bytes(s, key);
	if (!s->is_reading)
		return row;
	if (key.n == 0 || !snapshot_check(s, key.n <= QUOTA_KEY_MAX))
		return NULL;
	return hold_again(s->quotas, key, kind);
}

/* --- who is at a limit --------------------------------------------------- */

struct limited_walk {
	const struct quotas *quotas;
	uint64_t now;
	size_t count;
	bool (*fn)(const struct quota_use *use, void *arg);
	void *arg;
};

/* True: it is worth telling. */
static bool fill_use(
    struct quota_use *use, const struct quota_row *row, const struct quotas *q, uint64_t now)
{
	bool is_limited = row->refused > 0;

	*use = (struct quota_use){ .key = { row->key, row->key_len }, .refused = row->refused };
	for (unsigned i = 0; i < q->count; i++) {
		struct bucket copy = row->buckets[i];
		struct quota limit = limit_of(q, i);

		use->held[i] = row->held[i];
		use->is_at_most[i] = limit.most && row->held[i] >= limit.most;
		use->is_too_fast[i] =
		    limit.per_second && !bucket_take(&copy, limit.per_second, now);
		is_limited = is_limited || use->is_at_most[i] || use->is_too_fast[i];
	}
	return is_limited;
}

static bool visit_row(struct map_node *node, void *arg)
{
	const struct quota_row *row = container_of(node, struct quota_row, node);
	struct limited_walk *walk = arg;
	struct quota_use use;

	walk->count++;
	return !fill_use(&use, row, walk->quotas, walk->now) || walk->fn(&use, walk->arg);
}

size_t quotas_each_limited(
    struct quotas *q, unsigned part, bool (*fn)(const struct quota_use *use, void *arg), void *arg)
{
	struct limited_walk walk = { q, clock_now(), 0, fn, arg };
	struct quota_shard *shard = &q->shards[part % SHARDS];

	pthread_mutex_lock(&shard->lock);
	map_each(&shard->map, visit_row, &walk);
	pthread_mutex_unlock(&shard->lock);
	return walk.count;
}

uint64_t quotas_count(struct quotas *q)
{
	uint64_t n = 0;

	for (int i = 0; i < SHARDS; i++) {
		pthread_mutex_lock(&q->shards[i].lock);
		n += map_count(&q->shards[i].map);
		pthread_mutex_unlock(&q->shards[i].lock);
	}
	return n;
}
