/*
 * networks/network_attempts.c - what clients have begun a moment ago; see network_attempts.h.
 */
#include "networks/network_attempts.h"

#include <string.h>

#include "base/mem.h"

#define ROWS     8192 /* a power of two */
#define LOCKS    16
#define OF_LATE  10000 /* milliseconds: later he has not given it up for the next one */
#define TOO_SOON 250   /* sockjs-client waits for 600 at least */

struct row {
	uint64_t key;             /* 0: none */
	uint32_t at_ms, first_ms; /* this one has begun, and the first of those in a row */
	bool is_said; /* its session has opened, or its client was asked for a sign: at at_ms */
	bool is_heard, is_refused;
	struct network_attempt attempt;
};

struct network_attempts {
	struct map_seed seed;
	pthread_mutex_t locks[LOCKS];
	struct row rows[ROWS];
};

struct network_attempts *network_attempts_new(void)
{
	struct network_attempts *all = mem_zalloc(sizeof(*all));

	if (!all)
		return NULL;
	map_seed_random(&all->seed);
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_init(&all->locks[i], NULL);
	return all;
}

void network_attempts_free(struct network_attempts *all)
{
	if (!all)
		return;
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_destroy(&all->locks[i]);
	mem_free(all);
}

static pthread_mutex_t *lock_of(struct network_attempts *all, uint64_t key)
{
	return &all->locks[key & (LOCKS - 1)];
}

static struct row *row_of(struct network_attempts *all, uint64_t key)
{
	return &all->rows[key & (ROWS - 1)];
}

static bool is_same(const struct network_attempt *a, const struct network_attempt *b)
{
	return a->id_len > 0 && a->id_len == b->id_len && memcmp(a->id, b->id, a->id_len) == 0;
}

/* Whether one who goes on with this has come from there: a client goes from the better ways to the
 * worse, and there are several streams, but no second WebSocket. Others have one server number for
 * all sessions. */
static bool is_next(enum network_way now, enum network_way before)
{
	return now > before || (now == NETWORK_BY_STREAM && before == NETWORK_BY_STREAM);
}

/* What has not been said anything yet, for its application takes its time, is not the network's
 * fault. */
static bool was_given_up(const struct row *row, const struct network_attempt *now, uint64_t now_ms)
{
	uint32_t ago = (uint32_t)now_ms - row->at_ms;

	return row->is_said && !row->is_heard && !row->is_refused && ago >= TOO_SOON &&
	       ago < OF_LATE && is_next(now->way, row->attempt.way) && !is_same(&row->attempt, now);
}

/* The beginning of the row of attempts that this one is in. */
static uint32_t first_of(const struct row *row, bool goes_on, uint64_t now_ms)
{
	uint32_t ago = (uint32_t)now_ms - row->at_ms;

	return goes_on || (row->is_refused && ago < OF_LATE) ? row->first_ms : (uint32_t)now_ms;
}

bool network_attempts_begin(struct network_attempts *all, struct bytes name,
    const struct network_attempt *now, uint64_t now_ms, struct network_attempt *before)
{
	uint64_t key = map_hash(&all->seed, name) | 1ull << 63;
	struct row *row = row_of(all, key);
	bool given_up;

	pthread_mutex_lock(lock_of(all, key));
	given_up = row->key == key && was_given_up(row, now, now_ms);
	if (given_up)
		*before = row->attempt;
	*row = (struct row){
		.key = key,
		.at_ms = (uint32_t)now_ms,
		.first_ms = row->key == key ? first_of(row, given_up, now_ms) : (uint32_t)now_ms,
		.attempt = *now,
	};
	pthread_mutex_unlock(lock_of(all, key));
	return given_up;
}

void network_attempts_refused(struct network_attempts *all, struct bytes name, uint64_t now_ms)
{
	uint64_t key = map_hash(&all->seed, name) | 1ull << 63;
	struct row *row = row_of(all, key);

	pthread_mutex_lock(lock_of(all, key));
	*row = (struct row){
		.key = key,
		.at_ms = (uint32_t)now_ms,
		.first_ms = row->key == key ? first_of(row, false, now_ms) : (uint32_t)now_ms,
		.is_refused = true,
	};
	pthread_mutex_unlock(lock_of(all, key));
}

void network_attempts_said(struct network_attempts *all, struct bytes name, uint64_t now_ms)
{
	uint64_t key = map_hash(&all->seed, name) | 1ull << 63;
	struct row *row = row_of(all, key);

	pthread_mutex_lock(lock_of(all, key));
	if (row->key == key && !row->is_said) {
		row->is_said = true;
		row->at_ms = (uint32_t)now_ms;
	}
	pthread_mutex_unlock(lock_of(all, key));
}

int64_t network_attempts_heard(struct network_attempts *all, struct bytes name)
{
	uint64_t key = map_hash(&all->seed, name) | 1ull << 63;
	struct row *row = row_of(all, key);
	int64_t delay = -1;

	pthread_mutex_lock(lock_of(all, key));
	if (row->key == key && !row->is_heard && !row->is_refused) {
		row->is_heard = true;
		delay = row->at_ms - row->first_ms;
	}
	pthread_mutex_unlock(lock_of(all, key));
	return delay;
}
