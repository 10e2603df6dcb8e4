/*
 * upstream/balancer.c - which backend a new session goes to; see balancer.h.
 */
#include "upstream/balancer.h"

#include "base/log.h"
#include "base/random.h"

/* A trial keeps others away for so long, if nothing is heard of it. */
#define TRIAL_MS 5000

/* So many 503s in a row are about the backend, and not about who asked. */
#define UNAVAILABLE_MAX 3

#define DOWN_MS 10000 /* balancer_is_down() */

/* So many attempts without an answer in a row, likewise; and who has left sooner than after this
 * time has not waited for one. */
#define UNANSWERED_MAX 3
#define LEFT_MS        1000

static uint64_t load(const atomic_uint_fast64_t *p)
{
	return atomic_load_explicit((atomic_uint_fast64_t *)(uintptr_t)p, memory_order_relaxed);
}

/* Whom a session may go to: at first those that do well and those whose rest is over; if there are
 * none, those that have had a short one, and those that are at the back. */
enum pass { AT_FIRST, IF_NEED_BE };

static uint64_t not_before(const struct target *t, enum pass pass)
{
	return load(pass == AT_FIRST ? &t->rests_until : &t->barred_until);
}

static bool is_open(
    const struct balancer *balancer, size_t i, uint64_t tried, uint64_t now, enum pass pass)
{
	const struct target *t = &balancer->targets[i];
	uint64_t until = not_before(t, pass);

	if (tried >> i & 1)
		return false;
	return until == 0 || (until <= now && load(&t->trial_until) <= now);
}

/* --- three ways to choose; an index, or -1 -------------------------------------- */

static int pick_in_turn(struct balancer *balancer, uint64_t tried, uint64_t now, enum pass pass)
{
	size_t first = atomic_fetch_add_explicit(&balancer->turn, 1, memory_order_relaxed);

	for (size_t i = 0; i < balancer->count; i++)
		if (is_open(balancer, (first + i) % balancer->count, tried, now, pass))
			return (int)((first + i) % balancer->count);
	return -1;
}

/* Of equals the one whose turn it is. */
static int pick_least(struct balancer *balancer, uint64_t tried, uint64_t now, enum pass pass)
{
	size_t first = atomic_fetch_add_explicit(&balancer->turn, 1, memory_order_relaxed);
	unsigned least = 0;
	int best = -1;

	for (size_t k = 0; k < balancer->count; k++) {
		size_t i = (first + k) % balancer->count;
		unsigned n =
		    atomic_load_explicit(&balancer->targets[i].connections, memory_order_relaxed);

		if (is_open(balancer, i, tried, now, pass) && (best < 0 || n < least)) {
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
static int pick_by_hash(
    struct balancer *balancer, uint64_t tried, uint64_t hash, uint64_t now, enum pass pass)
{
	uint64_t highest = 0;
	int best = -1;

	for (size_t i = 0; i < balancer->count; i++) {
		uint64_t score = mix(hash ^ mix(i + 1));

		if (is_open(balancer, i, tried, now, pass) && (best < 0 || score > highest)) {
			best = (int)i;
			highest = score;
		}
	}
	return best;
}

static int pick_index(
    struct balancer *balancer, uint64_t tried, uint64_t hash, uint64_t now, enum pass pass)
{
	if (balancer->method == BALANCER_HASH)
		return pick_by_hash(balancer, tried, hash, now, pass);
	if (balancer->method == BALANCER_LEAST_CONNECTIONS)
		return pick_least(balancer, tried, now, pass);
	return pick_in_turn(balancer, tried, now, pass);
}

/* A target that comes back from its rest is tried by one session first. */
static bool claim(struct target *t, uint64_t now, enum pass pass, uint64_t *trial)
{
	uint64_t until = not_before(t, pass);
	uint_fast64_t taken = load(&t->trial_until);

	*trial = until ? now + TRIAL_MS : 0;
	if (until == 0)
		return true;
	return until <= now && taken <= now &&
	       atomic_compare_exchange_strong(&t->trial_until, &taken, *trial);
}

static struct target *pick(struct balancer *balancer, uint64_t tried, uint64_t hash, uint64_t now,
    enum pass pass, uint64_t *trial)
{
	int i;

	while ((i = pick_index(balancer, tried, hash, now, pass)) >= 0) {
		if (claim(&balancer->targets[i], now, pass, trial))
			return &balancer->targets[i];
		tried |= UINT64_C(1) << i;
	}
	return NULL;
}

struct target *balancer_pick(
    struct balancer *balancer, uint64_t tried, uint64_t hash, uint64_t now, uint64_t *trial)
{
	struct target *t = pick(balancer, tried, hash, now, AT_FIRST, trial);

	if (!t)
		t = pick(balancer, tried, hash, now, IF_NEED_BE, trial);
	if (t)
		atomic_fetch_add_explicit(&t->connections, 1, memory_order_relaxed);
	return t;
}

bool balancer_has_more(const struct balancer *balancer, uint64_t tried, uint64_t now)
{
	for (size_t i = 0; i < balancer->count; i++)
		if (is_open(balancer, i, tried, now, AT_FIRST))
			return true;
	return false;
}

uint64_t balancer_rests_for(const struct balancer *balancer, uint64_t now)
{
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < balancer->count; i++) {
		uint64_t until = not_before(&balancer->targets[i], IF_NEED_BE),
		         trial = load(&balancer->targets[i].trial_until);

		if (is_open(balancer, i, 0, now, IF_NEED_BE))
			return 0;
		until = until > trial ? until : trial;
		first = until < first ? until : first;
	}
	return balancer->count > 0 ? first - now : 0;
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

/* --- health --------------------------------------------------------------------- */

static bool is_news(const struct target *t, uint64_t begun)
{
	return begun >= load(&t->failed_at) && begun >= load(&t->worked_at);
}

/* What is not 0 for once: a store for each session would keep the others' processors waiting. */
static void clear(atomic_uint *count)
{
	if (atomic_load_explicit(count, memory_order_relaxed) != 0)
		atomic_store_explicit(count, 0, memory_order_relaxed);
}

/* Give or take a quarter, by the same share for all that is said of one failure. */
static uint64_t about(uint64_t ms, uint32_t noise)
{
	return ms * 3 / 4 + ms / 2 * noise / UINT32_MAX;
}

/* For how long after so many failures in a row. */
static uint64_t rest_after(const struct balancer *balancer, unsigned failures)
{
	uint64_t rest = balancer->rest_ms;

	while (failures-- > 0 && rest < balancer->rest_max_ms)
		rest *= 2;
	return rest < balancer->rest_max_ms ? rest : balancer->rest_max_ms;
}

/* True: it has been doing well until now. `is_barred`: nobody goes there for a while, even if there
 * is no other. */
static bool send_to_rest(struct balancer *balancer, struct target *t, bool is_barred, uint64_t now)
{
	unsigned failures = atomic_fetch_add_explicit(&t->failures, 1, memory_order_relaxed);
	uint64_t rest = rest_after(balancer, failures), first = rest_after(balancer, 0);
	bool did_well;
	uint32_t noise;

	random_bytes(&noise, sizeof(noise));
	atomic_store_explicit(&t->failed_at, now, memory_order_relaxed);
	clear(&t->unanswered);
	if (is_barred)
		atomic_store_explicit(
		    &t->barred_until, now + about(first, noise), memory_order_relaxed);
	did_well = atomic_exchange(&t->rests_until, now + about(rest, noise)) == 0;
	atomic_store_explicit(&t->trial_until, 0, memory_order_relaxed);
	return did_well;
}

void balancer_failed(struct balancer *balancer, struct target *t, uint64_t begun, uint64_t now)
{
	if (!is_news(t, begun))
		return;
	clear(&t->unavailable);
	if (send_to_rest(balancer, t, true, now))
		log_warn("an upstream rests", LOG_STR("upstream", t->url));
}

static bool is_one_too_many(atomic_uint *count, unsigned most)
{
	return atomic_fetch_add_explicit(count, 1, memory_order_relaxed) >= most - 1;
}

void balancer_unavailable(struct balancer *balancer, struct target *t, uint64_t begun, uint64_t now)
{
	clear(&t->unanswered);
	if (is_news(t, begun) && is_one_too_many(&t->unavailable, UNAVAILABLE_MAX))
		balancer_failed(balancer, t, begun, now);
}

/* At the back already, one is enough. */
static void count_unanswered(
    struct balancer *balancer, struct target *t, uint64_t begun, uint64_t now)
{
	if (!is_news(t, begun) ||
	    (load(&t->rests_until) == 0 && !is_one_too_many(&t->unanswered, UNANSWERED_MAX)))
		return;
	if (send_to_rest(balancer, t, false, now))
		log_warn("an upstream does not answer, others are asked first",
		    LOG_STR("upstream", t->url));
}

void balancer_late(struct balancer *balancer, struct target *t, uint64_t begun, uint64_t now)
{
	if (is_news(t, begun) && is_one_too_many(&t->unavailable, UNAVAILABLE_MAX))
		balancer_failed(balancer, t, begun, now);
	else
		count_unanswered(balancer, t, begun, now);
}

void balancer_left(struct balancer *balancer, struct target *t, uint64_t begun, uint64_t now)
{
	if (now - begun >= LEFT_MS)
		count_unanswered(balancer, t, begun, now);
}

void balancer_worked(struct target *t, uint64_t now)
{
	atomic_store_explicit(&t->worked_at, now, memory_order_relaxed);
	clear(&t->failures);
	clear(&t->unavailable);
	clear(&t->unanswered);
	if (load(&t->rests_until) == 0)
		return;
	atomic_store_explicit(&t->barred_until, 0, memory_order_relaxed);
	if (atomic_exchange(&t->rests_until, 0) != 0)
		log_warn("an upstream is back", LOG_STR("upstream", t->url));
	atomic_store_explicit(&t->trial_until, 0, memory_order_relaxed);
}

/* A target that was found down is taken for that while it rests, and for so long at least. Then it
 * has to be given a chance, or a balancer that has taken us out would never let us find out. */
bool balancer_is_down(const struct balancer *balancer, uint64_t now)
{
	for (size_t i = 0; i < balancer->count; i++) {
		const struct target *t = &balancer->targets[i];
		uint64_t rest = load(&t->barred_until);

		if (rest == 0 || (rest <= now && now >= load(&t->failed_at) + DOWN_MS))
			return false;
	}
	return balancer->count > 0;
}
