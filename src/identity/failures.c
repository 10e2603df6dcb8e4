/*
 * identity/failures.c - see failures.h.
 *
 * A bucket (base/bucket.h) fills in a second; here its second is a minute, so the clock it is shown
 * goes at a sixtieth of the speed.
 */
#include "identity/failures.h"

#include <pthread.h>

#include "base/bucket.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

#define SWEEP_MOST 4 /* rows looked at with each call, for those to be forgotten */

struct failures {
	pthread_mutex_t lock;
	struct map rows;
	struct list order; /* the one that has not failed for the longest time first */
	unsigned per_minute;
	size_t most;
};

struct failures_row {
	struct map_node node;
	struct list order;
	struct bucket bucket;
	size_t key_len;
	char key[];
};

static struct bytes row_key(const struct map_node *node)
{
	const struct failures_row *row = container_of(node, struct failures_row, node);

	return (struct bytes){ row->key, row->key_len };
}

struct failures *failures_new(unsigned per_minute, size_t most)
{
	struct failures *f = mem_zalloc(sizeof(*f));

	if (!f)
		return NULL;
	pthread_mutex_init(&f->lock, NULL);
	map_init(&f->rows, row_key, NULL);
	list_init(&f->order);
	f->per_minute = per_minute;
	f->most = most;
	return f;
}

static void forget(struct failures *f, struct failures_row *row)
{
	map_remove(&f->rows, &row->node);
	list_remove(&row->order);
	mem_free(row);
}

static struct failures_row *oldest(const struct failures *f)
{
	struct list *first = list_first(&f->order);

	return first ? container_of(first, struct failures_row, order) : NULL;
}

void failures_free(struct failures *f)
{
	if (!f)
		return;
	while (oldest(f))
		forget(f, oldest(f));
	map_fini(&f->rows);
	pthread_mutex_destroy(&f->lock);
	mem_free(f);
}

static uint64_t slowed(uint64_t now)
{
	return now / 60;
}

/* What a new row would say as well need not be kept. */
static void sweep(struct failures *f, uint64_t now)
{
	struct failures_row *row;

	for (int i = 0; i < SWEEP_MOST && (row = oldest(f)) != NULL; i++) {
		if (map_count(&f->rows) <= f->most && bucket_missing(&row->bucket, slowed(now)))
			return;
		forget(f, row);
	}
}

static struct failures_row *add_row(struct failures *f, struct bytes key)
{
	struct failures_row *row = mem_zalloc(sizeof(*row) + key.n);

	if (!row)
		return NULL;
	row->key_len = key.n;
	bytes_put(row->key, key);
	list_init(&row->order);
	if (map_insert(&f->rows, &row->node) < 0) {
		mem_free(row);
		return NULL;
	}
	return row;
}

static struct failures_row *find_row(const struct failures *f, struct bytes key)
{
	struct map_node *node = map_find(&f->rows, key);

	return node ? container_of(node, struct failures_row, node) : NULL;
}

static struct bytes bounded(struct bytes key)
{
	return (struct bytes){ key.p, key.n < FAILURES_KEY_MAX ? key.n : FAILURES_KEY_MAX };
}

void failures_note(struct failures *f, struct bytes key, uint64_t now)
{
	struct failures_row *row;

	key = bounded(key);
	pthread_mutex_lock(&f->lock);
	row = find_row(f, key);
	if (!row)
		row = add_row(f, key);
	if (row) {
		/* A failure beyond what the bucket has is not owed: it ends when they end. */
		bucket_take(&row->bucket, f->per_minute, slowed(now));
		list_remove(&row->order);
		list_append(&f->order, &row->order);
	}
	sweep(f, now);
	pthread_mutex_unlock(&f->lock);
}

bool failures_too_many(struct failures *f, struct bytes key, uint64_t now)
{
	const struct failures_row *row;
	struct bucket next = { 0 };

	pthread_mutex_lock(&f->lock);
	row = find_row(f, bounded(key));
	if (row)
		next = row->bucket;
	pthread_mutex_unlock(&f->lock);
	return !bucket_take(&next, f->per_minute, slowed(now));
}

size_t failures_count(struct failures *f)
{
	size_t n;

	pthread_mutex_lock(&f->lock);
	n = map_count(&f->rows);
	pthread_mutex_unlock(&f->lock);
	return n;
}
