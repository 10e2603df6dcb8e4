/*
 * upstream/balancer_rest.c - which backend is left alone for a while, judged by what became of real
 * connections; see balancer.h.
 */
#include "base/log.h"
#include "base/random.h"
#include "upstream/balancer_private.h"

/* So many 503s in a row are about the backend, and not about who asked. */
#define UNAVAILABLE_MAX 3

#define DOWN_MS 10000 /* balancer_is_down() */

/* So many attempts without an answer in a row, likewise; and who has left sooner than after this
 * time has not waited for one. */
#define UNANSWERED_MAX 3
#define LEFT_MS        1000

static bool is_news(const struct target *t, uint64_t begun)
{
	return begun >= target_load(&t->failed_at) && begun >= target_load(&t->worked_at);
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
 * is no other. `why` is for operators. */
static bool send_to_rest(
    struct balancer *balancer, struct target *t, bool is_barred, const char *why, uint64_t now)
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
	if (did_well)
		target_note(t, now, why);
	return did_well;
}

static void let_rest(
    struct balancer *balancer, struct target *t, const char *why, uint64_t begun, uint64_t now)
{
	if (!is_news(t, begun))
		return;
	clear(&t->unavailable);
	if (send_to_rest(balancer, t, true, why, now))
		log_warn("an upstream rests", LOG_STR("upstream", t->url));
}

void balancer_failed(struct balancer *balancer, struct target *t, uint64_t begun, uint64_t now)
{
	let_rest(balancer, t, "a session could not reach it", begun, now);
}

static bool is_one_too_many(atomic_uint *count, unsigned most)
{
	return atomic_fetch_add_explicit(count, 1, memory_order_relaxed) >= most - 1;
}

void balancer_unavailable(struct balancer *balancer, struct target *t, uint64_t begun, uint64_t now)
{
	clear(&t->unanswered);
	if (is_news(t, begun) && is_one_too_many(&t->unavailable, UNAVAILABLE_MAX))
		let_rest(balancer, t, "it has answered sessions with 503", begun, now);
}

/* At the back already, one is enough. */
static void count_unanswered(
    struct balancer *balancer, struct target *t, uint64_t begun, uint64_t now)
{
	if (!is_news(t, begun) ||
	    (target_load(&t->rests_until) == 0 && !is_one_too_many(&t->unanswered, UNANSWERED_MAX)))
		return;
	if (send_to_rest(balancer, t, false, "it has not answered sessions", now))
		log_warn("an upstream does not answer, others are asked first",
		    LOG_STR("upstream", t->url));
}

void balancer_late(struct balancer *balancer, struct target *t, uint64_t begun, uint64_t now)
{
	if (is_news(t, begun) && is_one_too_many(&t->unavailable, UNAVAILABLE_MAX))
		let_rest(balancer, t, "it has not answered sessions in time", begun, now);
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
	if (target_load(&t->rests_until) == 0)
		return;
	if (balancer_end_rest(t)) {
		target_note(t, now, "a session was accepted");
		log_warn("an upstream is back", LOG_STR("upstream", t->url));
	}
}

bool balancer_end_rest(struct target *t)
{
	bool has_rested;

	atomic_store_explicit(&t->barred_until, 0, memory_order_relaxed);
	has_rested = atomic_exchange(&t->rests_until, 0) != 0;
	atomic_store_explicit(&t->trial_until, 0, memory_order_relaxed);
	return has_rested;
}

uint64_t balancer_rests_for(const struct balancer *balancer, uint64_t now)
{
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < balancer->count; i++) {
		const struct target *t = &balancer->targets[i];
		uint64_t until = not_before(t, IF_NEED_BE), trial = target_load(&t->trial_until);

		if (!target_takes(t))
			continue;
		if (until == 0 || (until <= now && trial <= now))
			return 0;
		until = until > trial ? until : trial;
		first = until < first ? until : first;
	}
	return first < UINT64_MAX ? first - now : 0;
}

/* A target that was found down is taken for that while it rests, and for so long at least. Then it
 * has to be given a chance, or a balancer that has taken us out would never let us find out. What
 * checks have found, and operators want, holds for as long as they say. */
bool balancer_is_down(const struct balancer *balancer, uint64_t now)
{
	for (size_t i = 0; i < balancer->count; i++) {
		const struct target *t = &balancer->targets[i];
		uint64_t rest = target_load(&t->barred_until);

		if (!target_takes(t))
			continue;
		if (rest == 0 || (rest <= now && now >= target_load(&t->failed_at) + DOWN_MS))
			return false;
	}
	return balancer->count > 0;
}
