/*
 * upstream/balancer_snapshot.c - how backends do, for another process; see balancer.h.
 *
 * Of their clock and their figures nothing is told: shares and counters begin anew. Nor of trials: who tries ends with
 * this process, and another one may.
 */
#include <string.h>

#include "base/snapshot.h"
#include "base/utf8.h"
#include "upstream/balancer_private.h"

#define COUNT_MOST 255 /* in a row; of more nobody knows more */

/* What was found out about a target, beside what operators want. */
struct findings {
	enum target_health health;
	unsigned failures, unavailable, unanswered;
	uint64_t failed_at, worked_at, rests_until, barred_until, parting_until;
};

struct target *balancer_find(const struct balancer *balancer, struct bytes url)
{
	for (size_t i = 0; i < balancer->count; i++)
		if (bytes_equal(bytes_of(balancer->targets[i].url), url))
			return &balancer->targets[i];
	return NULL;
}

/* --- fields ------------------------------------------------------------------------ */

static void orders_snapshot(struct target_orders *o, struct snapshot *s)
{
	struct bytes why = bytes_of(o->why);

	o->mode = (enum target_mode)snapshot_below(s, o->mode, TARGET_DOWN + 1);
	o->weight = snapshot_below(s, o->weight, BALANCER_WEIGHT_MAX + 1);
	SNAPSHOT(s, u32, o->own_weight);
	SNAPSHOT(s, u64, o->since);
	why = snapshot_bytes(s, why);
	if (s->is_reading && snapshot_check(s, why.n <= TARGET_WHY_MAX && utf8_is_valid(why.p, why.n)))
		*(char *)bytes_put(o->why, why) = '\0';
}

static unsigned count_snapshot(unsigned count, struct snapshot *s)
{
	return snapshot_below(s, count < COUNT_MOST ? count : COUNT_MOST, COUNT_MOST + 1);
}

static void findings_snapshot(struct findings *f, struct snapshot *s)
{
	f->health = (enum target_health)snapshot_below(s, f->health, TARGET_FAILS + 1);
	f->failures = count_snapshot(f->failures, s);
	f->unavailable = count_snapshot(f->unavailable, s);
	f->unanswered = count_snapshot(f->unanswered, s);
	SNAPSHOT(s, u64, f->failed_at);
	SNAPSHOT(s, u64, f->worked_at);
	SNAPSHOT(s, u64, f->rests_until);
	SNAPSHOT(s, u64, f->barred_until);
	SNAPSHOT(s, u64, f->parting_until);
}

/* --- writing ----------------------------------------------------------------------- */

static void write_target(struct target *t, struct snapshot *s)
{
	struct target_orders o;
	struct findings f = {
		.health = (enum target_health)target_load_word(&t->health),
		.failures = target_load_count(&t->failures),
		.unavailable = target_load_count(&t->unavailable),
		.unanswered = target_load_count(&t->unanswered),
		.failed_at = target_load(&t->failed_at),
		.worked_at = target_load(&t->worked_at),
		.rests_until = target_load(&t->rests_until),
		.barred_until = target_load(&t->barred_until),
		.parting_until = target_load(&t->parting_until),
	};

	balancer_orders(t, &o);
	snapshot_bytes(s, bytes_of(t->url));
	orders_snapshot(&o, s);
	findings_snapshot(&f, s);
}

/* --- reading ----------------------------------------------------------------------- */

static uint64_t at_most(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Nobody rests for longer than he would here: about() may add a quarter. */
static void believe(const struct balancer *balancer, struct target *t, const struct findings *f, uint64_t now)
{
	uint64_t longest = now + balancer->rest_max_ms + balancer->rest_max_ms / 4;

	atomic_store(&t->failures, f->failures);
	atomic_store(&t->unavailable, f->unavailable);
	atomic_store(&t->unanswered, f->unanswered);
	atomic_store(&t->failed_at, at_most(f->failed_at, now));
	atomic_store(&t->worked_at, at_most(f->worked_at, now));
	atomic_store(&t->rests_until, at_most(f->rests_until, longest));
	atomic_store(&t->barred_until, at_most(f->barred_until, longest));
	atomic_store(&t->parting_until, f->parting_until);
}

static void read_target(struct balancer *balancer, struct snapshot *s, bool is_checked, uint64_t now)
{
	struct target *t = balancer_find(balancer, snapshot_bytes(s, (struct bytes){ NULL, 0 }));
	struct target_orders o = { 0 };
	struct findings f = { 0 };

	orders_snapshot(&o, s);
	findings_snapshot(&f, s);
	if (!t || snapshot_error(s))
		return;
	balancer_obey(balancer, t, &o);
	believe(balancer, t, &f, now);
	if (is_checked)
		atomic_store(&t->health, (int)f.health);
	target_note(t, at_most(o.since, now), o.why);
}

void balancer_snapshot(struct balancer *balancer, struct snapshot *s, bool is_checked, uint64_t now)
{
	if (!snapshot_enter(s, "BLNC", 1))
		return;
	for (size_t i = 0; !s->is_reading && i < balancer->count; i++) {
		snapshot_more(s, true);
		write_target(&balancer->targets[i], s);
	}
	if (!s->is_reading)
		snapshot_more(s, false);
	while (s->is_reading && snapshot_more(s, false))
		read_target(balancer, s, is_checked, now);
	snapshot_leave(s);
}
