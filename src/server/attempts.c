/*
 * server/attempts.c - who has failed by which transport, a moment ago; see attempts.h.
 *
 * A row of a table of fixed size for each, found by a keyed hash; whoever comes later to the same
 * row takes it over. It is touched when a session begins or fails, never by its messages.
 */
#include "server/attempts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "net/addr.h"

#define ROWS      8192  /* a power of two */
#define OF_LATE   20000 /* milliseconds: sockjs-client gives up a transport after some seconds */
#define AGENT_MAX 256

struct row {
	uint64_t key;
	uint64_t at_ms;                       /* of the last failure */
	uint8_t failed[ATTEMPT_FAILURE_ROWS]; /* transports, a bit for each */
};

struct attempts {
	pthread_mutex_t lock;
	struct map_seed seed;
	struct row rows[ROWS];
	atomic_uint_fast64_t fallbacks[ATTEMPT_FAILURE_ROWS][SESSION_TRANSPORTS_MAX]
	                              [SESSION_TRANSPORTS_MAX]; /* from, to */
};

const char *attempt_failure_word(enum attempt_failure failure)
{
	static const char *const words[] = {
#define X(name, word) word,
		ATTEMPT_FAILURES(X)
#undef X
	};

	return words[failure];
}

struct attempts *attempts_new(void)
{
	struct attempts *a = mem_zalloc(sizeof(*a));

	if (!a)
		return NULL;
	pthread_mutex_init(&a->lock, NULL);
	map_seed_random(&a->seed);
	return a;
}

void attempts_free(struct attempts *a)
{
	if (a)
		pthread_mutex_destroy(&a->lock);
	mem_free(a);
}

uint64_t attempts_key(
    const struct attempts *a, const struct addr *client, const void *endpoint, struct bytes agent)
{
	char text[sizeof(client->ip) + sizeof(endpoint) + AGENT_MAX];
	size_t n = agent.n < AGENT_MAX ? agent.n : AGENT_MAX;

	memcpy(text, client->ip, sizeof(client->ip));
	memcpy(text + sizeof(client->ip), &endpoint, sizeof(endpoint));
	bytes_put(text + sizeof(client->ip) + sizeof(endpoint), (struct bytes){ agent.p, n });
	return map_hash(
	    &a->seed, (struct bytes){ text, sizeof(client->ip) + sizeof(endpoint) + n });
}

/* Clocks of two reactors differ by a turn. */
static bool is_of_late(const struct row *row, uint64_t now_ms)
{
	return (int64_t)(now_ms - row->at_ms) < OF_LATE;
}

/* Locked. */
static struct row *row_of(struct attempts *a, uint64_t key)
{
	return &a->rows[key & (ROWS - 1)];
}

void attempts_failed(struct attempts *a, uint64_t key, unsigned transport,
    enum attempt_failure failure, uint64_t now_ms)
{
	struct row *row;

	if (transport >= SESSION_TRANSPORTS_MAX)
		return;
	pthread_mutex_lock(&a->lock);
	row = row_of(a, key);
	if (row->key != key || !is_of_late(row, now_ms))
		*row = (struct row){ .key = key };
	row->at_ms = now_ms;
	row->failed[failure] |= (uint8_t)(1u << transport);
	pthread_mutex_unlock(&a->lock);
}

static void count(struct attempts *a, uint8_t failed, enum attempt_failure failure, unsigned to)
{
	for (unsigned from = 0; from < SESSION_TRANSPORTS_MAX; from++)
		if (failed & 1u << from)
			atomic_fetch_add_explicit(
			    &a->fallbacks[failure][from][to], 1, memory_order_relaxed);
}

uint8_t attempts_before(
    struct attempts *a, uint64_t key, unsigned transport, uint8_t known, uint64_t now_ms)
{
	uint8_t others = (uint8_t)(0xff & ~(1u << transport));
	struct row row;

	if (transport >= SESSION_TRANSPORTS_MAX)
		return known;
	pthread_mutex_lock(&a->lock);
	row = *row_of(a, key);
	pthread_mutex_unlock(&a->lock);
	if (row.key != key || !is_of_late(&row, now_ms))
		return known;
	others = (uint8_t)(others & ~known);
	for (unsigned i = 0; i < ATTEMPT_FAILURE_ROWS; i++) {
		count(a, row.failed[i] & others, (enum attempt_failure)i, transport);
		known = (uint8_t)(known | (row.failed[i] & others));
		others = (uint8_t)(others & ~row.failed[i]); /* one that failed twice counts once */
	}
	return known;
}

uint64_t attempts_fallbacks(
    const struct attempts *a, unsigned from, unsigned to, enum attempt_failure failure)
{
	return atomic_load_explicit(&a->fallbacks[failure][from][to], memory_order_relaxed);
}
