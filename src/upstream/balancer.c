/*
 * upstream/balancer.c - which backend a new session goes to; see balancer.h.
 *
 * Shares are kept by a clock of the balancer's own: a target is due again 1/weight after it was due
 * last, and of those that may have the session the one that is due first gets it. Who was away has
 * nothing to make up for: he begins with what the clock says then.
 */
#include "upstream/balancer.h"

#include <math.h>

#include "upstream/balancer_private.h"

/* A trial keeps others away for so long, if nothing is heard of it. */
#define TRIAL_MS 5000

/* Between two sessions of a target with the weight 1, on the balancer's clock. */
#define STRIDE ((uint64_t)1 << 20)

/* A session looks for a target. */
struct search {
	const struct balancer *balancer;
	uint64_t tried, hash, now;
	enum pass pass;
	bool among_backups;
};

static bool is_full(const struct target *t)
{
	return t->max_sessions && target_load_count(&t->connections) >= t->max_sessions;
}

static bool is_open(const struct search *s, size_t i)
{
	const struct target *t = &s->balancer->targets[i];
	uint64_t until = not_before(t, s->pass);

	if ((s->tried >> i & 1) || t->is_backup != s->among_backups || !target_takes(t) ||
	    is_full(t))
		return false;
	return until == 0 || (until <= s->now && target_load(&t->trial_until) <= s->now);
}

/* --- shares --------------------------------------------------------------------- */

static uint64_t stride_of(const struct target *t)
{
	unsigned weight = target_load_count(&t->weight);

	return weight > 0 ? STRIDE / weight : STRIDE;
}

static uint64_t later_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t due_of(const struct balancer *balancer, const struct target *t)
{
	return later_of(target_load(&t->due), target_load(&balancer->clock));
}

/* It has got a session. Threads that do so at the same time are each counted. */
static void charge(struct balancer *balancer, struct target *t)
{
	uint_fast64_t due = target_load(&t->due);
	uint64_t now;

	do
		now = later_of(due, target_load(&balancer->clock));
	while (!atomic_compare_exchange_weak_explicit(
	    &t->due, &due, now + stride_of(t), memory_order_relaxed, memory_order_relaxed));
	if (now > target_load(&balancer->clock))
		atomic_store_explicit(&balancer->clock, now, memory_order_relaxed);
}

/* In the middle of its first interval, so that many with small shares do not come all at once. */
void balancer_set_weight(struct balancer *balancer, struct target *t, unsigned weight)
{
	atomic_store_explicit(&t->weight, weight, memory_order_relaxed);
	atomic_store_explicit(
	    &t->due, target_load(&balancer->clock) + stride_of(t) / 2, memory_order_relaxed);
}

/* --- three ways to choose; an index, or -1 -------------------------------------- */

static int pick_in_turn(const struct search *s)
{
	uint64_t first = 0;
	int best = -1;

	for (size_t i = 0; i < s->balancer->count; i++) {
		uint64_t due = due_of(s->balancer, &s->balancer->targets[i]);

		if ((best < 0 || due < first) && is_open(s, i)) {
			best = (int)i;
			first = due;
		}
	}
	return best;
}

/* Whether `a` would have fewer connections for its weight than `b`, each with this one; of equals
 * the one that is due. */
static bool is_less_used(
    const struct balancer *balancer, const struct target *a, const struct target *b)
{
	uint64_t of_a = ((uint64_t)target_load_count(&a->connections) + 1) *
	                target_load_count(&b->weight),
	         of_b = ((uint64_t)target_load_count(&b->connections) + 1) *
	                target_load_count(&a->weight);

	return of_a < of_b || (of_a == of_b && due_of(balancer, a) < due_of(balancer, b));
}

static int pick_least(const struct search *s)
{
	const struct target *targets = s->balancer->targets;
	int best = -1;

	for (size_t i = 0; i < s->balancer->count; i++)
		if (is_open(s, i) &&
		    (best < 0 || is_less_used(s->balancer, &targets[i], &targets[best])))
			best = (int)i;
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

/* Weighted rendezvous hashing: each target draws a number for this client, and the one with the
 * least -ln(number) / weight has it. When a target goes, only its own clients move; when its weight
 * changes, only to it or from it. */
static double score_of(const struct target *t, uint64_t hash)
{
	double drawn =
	    (double)((mix(hash ^ mix(t->key)) >> 11) + 1) / 9007199254740992.0; /* 2^53 */

	return -log(drawn) / target_load_count(&t->weight);
}

static int pick_by_hash(const struct search *s)
{
	double least = 0;
	int best = -1;

	for (size_t i = 0; i < s->balancer->count; i++) {
		double score;

		if (!is_open(s, i))
			continue;
		score = score_of(&s->balancer->targets[i], s->hash);
		if (best < 0 || score < least) {
			best = (int)i;
			least = score;
		}
	}
	return best;
}

static int pick_index(const struct search *s)
{
	if (s->balancer->method == BALANCER_HASH)
		return pick_by_hash(s);
	if (s->balancer->method == BALANCER_LEAST_CONNECTIONS)
		return pick_least(s);
	return pick_in_turn(s);
}

/* A target that comes back from its rest is tried by one session first. */
static bool claim(struct target *t, const struct search *s, uint64_t *trial)
{
	uint64_t until = not_before(t, s->pass);
	uint_fast64_t taken = target_load(&t->trial_until);

	*trial = until ? s->now + TRIAL_MS : 0;
	if (until == 0)
		return true;
	return until <= s->now && taken <= s->now &&
	       atomic_compare_exchange_strong(&t->trial_until, &taken, *trial);
}

/* Others may have had the last place meanwhile. */
static bool take_place(struct target *t)
{
	unsigned others = atomic_fetch_add_explicit(&t->connections, 1, memory_order_relaxed);

	if (!t->max_sessions || others < t->max_sessions)
		return true;
	balancer_release(t);
	return false;
}

static struct target *find(struct search s, uint64_t *trial)
{
	int i;

	while ((i = pick_index(&s)) >= 0) {
		struct target *t = &s.balancer->targets[i];

		if (claim(t, &s, trial)) {
			if (take_place(t))
				return t;
			balancer_end_trial(t, *trial);
		}
		s.tried |= UINT64_C(1) << i;
	}
	return NULL;
}

struct target *balancer_pick(
    struct balancer *balancer, uint64_t tried, uint64_t hash, uint64_t now, uint64_t *trial)
{
	struct target *t = NULL;

	for (int pass = AT_FIRST; pass <= IF_NEED_BE && !t; pass++)
		for (int among_backups = 0; among_backups <= 1 && !t; among_backups++)
			t = find((struct search){ balancer, tried, hash, now, (enum pass)pass,
			             among_backups },
			    trial);
	if (t)
		charge(balancer, t);
	return t;
}

bool balancer_has_more(const struct balancer *balancer, uint64_t tried, uint64_t now)
{
	for (int among_backups = 0; among_backups <= 1; among_backups++) {
		struct search s = { balancer, tried, 0, now, AT_FIRST, among_backups };

		for (size_t i = 0; i < balancer->count; i++)
			if (is_open(&s, i))
				return true;
	}
	return false;
}

void balancer_adopt(struct target *t)
{
	atomic_fetch_add_explicit(&t->connections, 1, memory_order_relaxed);
}

void balancer_release(struct target *t)
{
	atomic_fetch_sub_explicit(&t->connections, 1, memory_order_relaxed);
}

/* What stands there is still ours only as long as nobody has found anything out. */
void balancer_end_trial(struct target *t, uint64_t trial)
{
	uint_fast64_t ours = trial;

	if (trial)
		atomic_compare_exchange_strong(&t->trial_until, &ours, 0);
}
