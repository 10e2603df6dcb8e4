/*
 * upstream/checks.c - checks of backends, at regular times; see checks.h.
 */
#include "upstream/checks.h"

#include <errno.h>

#include "base/mem.h"
#include "base/random.h"

#define FIRST_WITHIN_MS 500 /* of the beginning; and never later than an interval */

struct check {
	struct checks *checks;
	struct target *target;
	struct probe probe;
	struct timer timer;
	uint64_t begun;
	unsigned passed, failed; /* in a row */
};

struct checks {
	const struct check_settings *settings;
	const struct balancer *balancer;
	struct loop *loop;
	struct resolver *resolver;
	struct deferred end;
	size_t count;
	struct check each[];
};

/* --- when ------------------------------------------------------------------------- */

static uint64_t random_below(uint64_t n)
{
	uint32_t noise;

	random_bytes(&noise, sizeof(noise));
	return n * noise / UINT32_MAX;
}

/* Give or take a tenth, so that many gateways do not ask in step. */
static uint64_t next_interval(const struct check_settings *s)
{
	uint64_t tenth = s->interval_ms / 10;

	return s->interval_ms - tenth + random_below(2 * tenth);
}

/* Counted from the beginning of the last one, which may have taken longer than that. */
static void wait_for_next(struct check *c)
{
	uint64_t now = loop_now(c->checks->loop),
	         next = c->begun + next_interval(c->checks->settings);

	timer_start(loop_timers(c->checks->loop), &c->timer, next > now ? next - now : 1);
}

/* --- what it means ---------------------------------------------------------------- */

/* The very first one decides alone: nobody knows better. */
static void take_pass(struct check *c, const char *why)
{
	enum target_health health = (enum target_health)target_load_word(&c->target->health);

	c->failed = 0;
	c->passed++;
	tally_add(&c->target->tally.checks_passed, 1);
	if (health == TARGET_UNCHECKED || c->passed >= c->checks->settings->rise)
		balancer_set_health(c->target, TARGET_PASSES, why, loop_now(c->checks->loop));
}

static void take_failure(struct check *c, const char *why)
{
	enum target_health health = (enum target_health)target_load_word(&c->target->health);

	c->passed = 0;
	c->failed++;
	tally_add(&c->target->tally.checks_failed, 1);
	if (health == TARGET_UNCHECKED || c->failed >= c->checks->settings->fall)
		balancer_set_health(c->target, TARGET_FAILS, why, loop_now(c->checks->loop));
}

static void on_probed(struct probe *p, enum probe_verdict verdict, const char *why)
{
	struct check *c = container_of(p, struct check, probe);

	if (verdict == PROBE_PASSED)
		take_pass(c, why);
	else if (verdict == PROBE_FAILED)
		take_failure(c, why);
	wait_for_next(c);
}

static bool is_wanted(const struct check *c)
{
	return !atomic_load_explicit(&c->checks->balancer->is_withdrawn, memory_order_relaxed) &&
	       target_load_word(&c->target->mode) != TARGET_DOWN;
}

/* What is taken down is left alone; when it returns nothing is known of it. */
static void on_timer(struct timer *t)
{
	struct check *c = container_of(t, struct check, timer);

	c->begun = loop_now(c->checks->loop);
	if (!is_wanted(c)) {
		c->passed = c->failed = 0;
		balancer_forget_health(c->target);
		wait_for_next(c);
	} else {
		probe_start(&c->probe);
	}
}

/* --- life ------------------------------------------------------------------------- */

static void begin(struct checks *checks, struct check *c, struct target *t)
{
	uint64_t interval = checks->settings->interval_ms;

	c->checks = checks;
	c->target = t;
	probe_init(
	    &c->probe, &checks->settings->probe, t, checks->loop, checks->resolver, on_probed);
	timer_init(&c->timer, on_timer);
	timer_start(loop_timers(checks->loop), &c->timer,
	    random_below(interval < FIRST_WITHIN_MS ? interval : FIRST_WITHIN_MS));
}

int checks_new(struct checks **out, const struct check_settings *settings,
    struct balancer *balancer, struct loop *loop, const struct resolver_options *options)
{
	struct checks *checks =
	    mem_zalloc(sizeof(*checks) + balancer->count * sizeof(struct check));
	int err;

	if (!checks)
		return -ENOMEM;
	err = resolver_new(&checks->resolver, loop, options);
	if (err < 0) {
		mem_free(checks);
		return err;
	}
	checks->settings = settings;
	checks->balancer = balancer;
	checks->loop = loop;
	checks->count = balancer->count;
	for (size_t i = 0; i < checks->count; i++)
		begin(checks, &checks->each[i], &balancer->targets[i]);
	*out = checks;
	return 0;
}

static void free_memory(struct deferred *d)
{
	mem_free(container_of(d, struct checks, end));
}

void checks_free(struct checks *checks)
{
	if (!checks)
		return;
	for (size_t i = 0; i < checks->count; i++) {
		timer_stop(loop_timers(checks->loop), &checks->each[i].timer);
		probe_stop(&checks->each[i].probe);
	}
	resolver_free(checks->resolver);
	loop_defer(checks->loop, &checks->end, free_memory);
}
