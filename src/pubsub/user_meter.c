/*
 * pubsub/user_meter.c - see user_meter.h.
 */
#include "pubsub/user_meter.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/bucket.h"
#include "base/map.h"
#include "base/mem.h"

struct user_meters {
	pthread_mutex_t lock; /* guards the map and the counts of sessions */
	struct map by_user;
	uint64_t messages_per_second, bytes_per_second;
};

struct user_meter {
	struct map_node node;
	struct user_meters *all;
	unsigned sessions;
	atomic_uint_fast64_t messages, bytes; /* as struct bucket has it */
	size_t name_len;
	char name[];
};

static struct bytes name_of(const struct map_node *node)
{
	const struct user_meter *m = container_of(node, struct user_meter, node);

	return (struct bytes){ m->name, m->name_len };
}

struct user_meters *user_meters_new(uint64_t messages_per_second, uint64_t bytes_per_second)
{
	struct user_meters *all = mem_zalloc(sizeof(*all));

	if (!all)
		return NULL;
	pthread_mutex_init(&all->lock, NULL);
	map_init(&all->by_user, name_of, NULL);
	all->messages_per_second = messages_per_second;
	all->bytes_per_second = bytes_per_second;
	return all;
}

void user_meters_free(struct user_meters *all)
{
	if (!all)
		return;
	map_fini(&all->by_user);
	pthread_mutex_destroy(&all->lock);
	mem_free(all);
}

/* The lock is held. */
static struct user_meter *find_or_add(struct user_meters *all, struct bytes user)
{
	struct map_node *node = map_find(&all->by_user, user);
	struct user_meter *m;

	if (node)
		return container_of(node, struct user_meter, node);
	m = mem_zalloc(sizeof(*m) + user.n);
	if (!m)
		return NULL;
	m->all = all;
	m->name_len = user.n;
	bytes_put(m->name, user);
	if (map_insert(&all->by_user, &m->node) < 0) {
		mem_free(m);
		return NULL;
	}
	return m;
}

struct user_meter *user_meter_open(struct user_meters *all, struct bytes user)
{
	struct user_meter *m;

	pthread_mutex_lock(&all->lock);
	m = find_or_add(all, user);
	if (m)
		m->sessions++;
	pthread_mutex_unlock(&all->lock);
	return m;
}

void user_meter_close(struct user_meter *m)
{
	struct user_meters *all;
	bool last;

	if (!m)
		return;
	all = m->all;
	pthread_mutex_lock(&all->lock);
	last = --m->sessions == 0;
	if (last)
		map_remove(&all->by_user, &m->node);
	pthread_mutex_unlock(&all->lock);
	if (last)
		mem_free(m);
}

/* A bucket that several threads charge. */
static uint64_t charge(
    atomic_uint_fast64_t *bucket, uint64_t per_second, uint64_t n, uint64_t now_ms)
{
	uint_fast64_t before = atomic_load_explicit(bucket, memory_order_relaxed);
	struct bucket after;
	uint64_t wait;

	if (per_second == 0)
		return 0;
	do {
		after.full_at = before;
		wait = bucket_charge(&after, per_second, n, now_ms);
	} while (!atomic_compare_exchange_weak_explicit(
	    bucket, &before, after.full_at, memory_order_relaxed, memory_order_relaxed));
	return wait;
}

uint64_t user_meter_charge(struct user_meter *m, size_t n, uint64_t now_ms)
{
	uint64_t messages = charge(&m->messages, m->all->messages_per_second, 1, now_ms),
	         bytes = charge(&m->bytes, m->all->bytes_per_second, n, now_ms);

	return messages > bytes ? messages : bytes;
}
