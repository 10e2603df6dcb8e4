/*
 * upstream/balancer_state.c - which backend is out because checks or operators say so; see
 * balancer.h.
 */
#include <string.h>

#include "base/log.h"
#include "upstream/balancer_private.h"

/* Sessions need not find out again what rise checks in a row have found: its rest is over, too. */
static void is_well(struct target *t, enum target_health before)
{
	if (before == TARGET_FAILS) {
		balancer_end_rest(t);
		log_warn("an upstream passes its checks", LOG_STR("upstream", t->url));
	} else {
		log_info("an upstream passes its checks", LOG_STR("upstream", t->url));
	}
}

void balancer_set_health(struct target *t, enum target_health health, const char *why, uint64_t now)
{
	enum target_health before = (enum target_health)atomic_exchange(&t->health, (int)health);

	if (before == health)
		return;
	target_note(t, now, why);
	if (health == TARGET_PASSES)
		is_well(t, before);
	else if (health == TARGET_FAILS)
		log_warn("an upstream fails its checks", LOG_STR("upstream", t->url),
		    LOG_STR("reason", why));
}

void balancer_forget_health(struct target *t)
{
	atomic_store_explicit(&t->health, TARGET_UNCHECKED, memory_order_relaxed);
}

const char *target_mode_name(enum target_mode mode)
{
	static const char *const names[] = {
		[TARGET_READY] = "ready",
		[TARGET_DRAIN] = "drain",
		[TARGET_DOWN] = "down",
	};

	return names[mode];
}

void balancer_set_mode(struct target *t, enum target_mode mode, const char *why, uint64_t now)
{
	enum target_mode before = (enum target_mode)atomic_exchange(&t->mode, (int)mode);

	if (mode == TARGET_READY)
		atomic_store(&t->parting_until, 0);
	if (before == mode)
		return;
	target_note(t, now, why);
	log_warn("the state of an upstream was set by a command", LOG_STR("upstream", t->url),
	    LOG_STR("state", target_mode_name(mode)), LOG_STR("before", target_mode_name(before)));
}

void balancer_obey(struct balancer *balancer, struct target *t, const struct target_orders *o)
{
	unsigned weight = o->weight;

	if (atomic_exchange(&t->mode, (int)o->mode) != (int)o->mode)
		target_note(t, o->since, o->why);
	if (weight == o->own_weight || t->own_weight != o->own_weight)
		weight = t->own_weight;
	balancer_set_weight(balancer, t, weight);
}

void balancer_orders(struct target *t, struct target_orders *o)
{
	o->mode = (enum target_mode)target_load_word(&t->mode);
	o->weight = target_load_count(&t->weight);
	o->own_weight = t->own_weight;
	o->since = target_noted(t, o->why);
}

static void succeed(struct balancer *balancer, struct target *t, struct target *before)
{
	struct target_orders o;

	balancer_orders(before, &o);
	balancer_obey(balancer, t, &o);
}

void balancer_succeed(struct balancer *balancer, const struct balancer *before)
{
	for (size_t i = 0; i < balancer->count; i++)
		for (size_t j = 0; j < before->count; j++)
			if (strcmp(balancer->targets[i].url, before->targets[j].url) == 0) {
				succeed(balancer, &balancer->targets[i], &before->targets[j]);
				break;
			}
}

const char *const balancer_states[] = { "up", "untried", "trial", "resting", "down", "drain",
	NULL };

/* What balancer_pick() makes of it. */
const char *balancer_state_of(const struct target *t, uint64_t now)
{
	uint64_t rests = target_load(&t->rests_until);
	enum target_mode mode = (enum target_mode)target_load_word(&t->mode);
	int health = target_load_word(&t->health);

	if (mode != TARGET_READY)
		return mode == TARGET_DRAIN ? "drain" : "down";
	if (health == TARGET_FAILS)
		return "down";
	if (rests == 0)
		return target_load(&t->worked_at) || health == TARGET_PASSES ? "up" : "untried";
	if (rests <= now)
		return "trial";
	return target_load(&t->barred_until) > now ? "down" : "resting";
}
