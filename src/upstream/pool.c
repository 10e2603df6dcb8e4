/*
 * upstream/pool.c - which backend a new session goes to; see pool.h.
 */
#include "upstream/pool.h"

#include "base/random.h"

/* A trial keeps others away for so long, if nothing is heard of it. */
#define TRIAL_MS 5000

/* So many 503s in a row are about the backend, and not about who asked. */
#define UNAVAILABLE_MAX 3

#define DOWN_MS 10000 /* pool_is_down() */

static uint64_t rests_until(const struct target *t)
{
	return atomic_load_explicit(
	    &((struct target *)(uintptr_t)t)->rests_until, memory_order_relaxed);
}

static bool is_open(const struct pool *pool, size_t i, uint64_t tried, uint64_t now)
{
	return !(tried >> i & 1) && rests_until(&pool->targets[i]) <= now;
}

/* --- three ways to choose; an index, or -1 -------------------------------------- */

static int pick_in_turn(struct pool *pool, uint64_t tried, uint64_t now)
{
	size_t first = atomic_fetch_add_explicit(&pool->turn, 1, memory_order_relaxed);

	for (size_t i = 0; i < pool->count; i++)
		if (is_open(pool, (first + i) % pool->count, tried, now))
			return (int)((first + i) % pool->count);
	return -1;
}

/* Of equals the one whose turn it is. */
static int pick_least(struct pool *pool, uint64_t tried, uint64_t now)
{
	size_t first = atomic_fetch_add_explicit(&pool->turn, 1, memory_order_relaxed);
	unsigned least = 0;
	int best = -1;

	for (size_t k = 0; k < pool->count; k++) {
		size_t i = (first + k) % pool->count;
		unsigned n =
		    atomic_load_explicit(&pool->targets[i].connections, memory_order_relaxed);

		if (is_open(pool, i, tried, now) && (best < 0 || n < least)) {
			best = (int)i;
			least = n;
		}
	}
	return best;
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

/* Rendezvous hashing: when a target goes, only its own clients move. */
static int pick_by_hash(struct pool *pool, uint64_t tried, uint64_t hash, uint64_t now)
{
	uint64_t highest = 0;
	int best = -1;

	for (size_t i = 0; i < pool->count; i++) {
		uint64_t score = mix(hash ^ mix(i + 1));

		if (is_open(pool, i, tried, now) && (best < 0 || score > highest)) {
			best = (int)i;
			highest = score;
		}
	}
	return best;
}

/* A target that comes back from its rest is tried by one session first. */
static bool claim(struct target *t, uint64_t now, uint64_t *trial)
{
	uint_fast64_t until = rests_until(t);

	*trial = until ? now + TRIAL_MS : 0;
	if (until == 0)
		return true;
	return until <= now && atomic_compare_exchange_strong(&t->rests_until, &until, *trial);
}

struct target *pool_pick(
    struct pool *pool, uint64_t tried, uint64_t hash, uint64_t now, uint64_t *trial)
{
	for (;;) {
		int i = pool->balance == POOL_HASH ? pick_by_hash(pool, tried, hash, now)
		        : pool->balance == POOL_LEAST_CONNECTIONS ? pick_least(pool, tried, now)
		                                                  : pick_in_turn(pool, tried, now);

		if (i < 0)
			return NULL;
		if (claim(&pool->targets[i], now, trial)) {
			atomic_fetch_add_explicit(
			    &pool->targets[i].connections, 1, memory_order_relaxed);
			return &pool->targets[i];
		}
		tried |= UINT64_C(1) << i;
	}
}

bool pool_has_more(const struct pool *pool, uint64_t tried, uint64_t now)
{
	for (size_t i = 0; i < pool->count; i++)
		if (is_open(pool, i, tried, now))
			return true;
	return false;
}

uint64_t pool_rests_for(const struct pool *pool, uint64_t now)
{
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < pool->count; i++) {
		uint64_t until = rests_until(&pool->targets[i]);

		if (until <= now)
			return 0;
		first = until < first ? until : first;
	}
	return pool->count > 0 ? first - now : 0;
}

void pool_release(struct target *t)
{
	atomic_fetch_sub_explicit(&t->connections, 1, memory_order_relaxed);
}

/* What stands there is still ours only as long as nobody has found anything out. */
void pool_end_trial(struct target *t, uint64_t trial)
{
	uint_fast64_t ours = trial;

	if (trial)
		atomic_compare_exchange_strong(&t->rests_until, &ours, trial - TRIAL_MS);
}

/* --- health --------------------------------------------------------------------- */

static bool is_news(const struct target *target, uint64_t begun)
{
	struct target *t = (struct target *)(uintptr_t)target;

	return begun >= atomic_load_explicit(&t->failed_at, memory_order_relaxed) &&
	       begun >= atomic_load_explicit(&t->worked_at, memory_order_relaxed);
}

void pool_failed(struct pool *pool, struct target *t, uint64_t begun, uint64_t now)
{
	uint64_t rest = pool->rest_ms;
	unsigned failures;
	uint32_t noise;

	if (!is_news(t, begun))
		return;
	atomic_store_explicit(&t->failed_at, now, memory_order_relaxed);
	atomic_store_explicit(&t->unavailable, 0, memory_order_relaxed);
	failures = atomic_fetch_add_explicit(&t->failures, 1, memory_order_relaxed);
	while (failures-- > 0 && rest < pool->rest_max_ms)
		rest *= 2;
	if (rest > pool->rest_max_ms)
		rest = pool->rest_max_ms;
	random_bytes(&noise, sizeof(noise));
	rest = rest * 3 / 4 + rest / 2 * noise / UINT32_MAX;
	atomic_store_explicit(&t->rests_until, now + rest, memory_order_relaxed);
}

void pool_unavailable(struct pool *pool, struct target *t, uint64_t begun, uint64_t now)
{
	if (is_news(t, begun) && atomic_fetch_add_explicit(&t->unavailable, 1,
	                             memory_order_relaxed) >= UNAVAILABLE_MAX - 1)
		pool_failed(pool, t, begun, now);
}

void pool_worked(struct target *t, uint64_t now)
{
	atomic_store_explicit(&t->worked_at, now, memory_order_relaxed);
	if (rests_until(t) != 0)
		atomic_store_explicit(&t->rests_until, 0, memory_order_relaxed);
	if (atomic_load_explicit(&t->failures, memory_order_relaxed) != 0)
		atomic_store_explicit(&t->failures, 0, memory_order_relaxed);
	if (atomic_load_explicit(&t->unavailable, memory_order_relaxed) != 0)
		atomic_store_explicit(&t->unavailable, 0, memory_order_relaxed);
}

/* A target that was found down is taken for that while it rests, and for so long at least. Then it
 * has to be given a chance, or a balancer that has taken us out would never let us find out. */
bool pool_is_down(const struct pool *pool, uint64_t now)
{
	for (size_t i = 0; i < pool->count; i++) {
		struct target *t = &pool->targets[i];
		uint64_t rest = rests_until(t);

		if (rest == 0 ||
		    (rest <= now &&
		        now >= atomic_load_explicit(&t->failed_at, memory_order_relaxed) + DOWN_MS))
			return false;
	}
	return pool->count > 0;
}
