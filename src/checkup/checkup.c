/*
 * checkup/checkup.c - one examination after the other; see checkup.h.
 *
 *	resolve --> connect --> /info, thrice --> seven trials --> [without Origin] --> [silence]
 */
#include "checkup/checkup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "checkup/idle.h"
#include "checkup/info.h"
#include "checkup/tell.h"
#include "checkup/trial.h"
#include "net/resolver.h"

struct checkup {
	const struct checkup_settings *settings;
	const struct checkup_watcher *watcher;
	struct facts *facts;
	struct net net;
	struct resolver *resolver;
	struct resolution resolution;
	struct timer timer;
	struct addr addrs[RESOLVER_ADDRS_MAX];
	size_t addr_count, addr_at;
	struct line reach;
	struct info_test info;
	struct exchange *anonymous; /* a request without an origin */
	struct trial trials[WAYS];
	unsigned trying;
	bool is_begun;
	struct idle_test idle;
	struct tell tell;
	struct checkup_view view;
};

static void show(struct checkup *c)
{
	if (c->watcher)
		c->watcher->changed(c->watcher->arg, &c->view);
}

static void enter(struct checkup *c, enum stage stage)
{
	c->view.stage = stage;
	show(c);
	if (stage == STAGE_DONE)
		loop_stop(c->net.loop);
}

/* --- telling ------------------------------------------------------------------------------- */

static void told(struct tell *t)
{
	enter(container_of(t, struct checkup, tell), STAGE_DONE);
}

static void tell(struct checkup *c)
{
	if (!c->settings->tells) {
		enter(c, STAGE_DONE);
		return;
	}
	enter(c, STAGE_TELLING);
	tell_start(&c->tell, &c->net, c->facts, told);
}

/* --- silence ------------------------------------------------------------------------------- */

static void idle_done(struct idle_test *t)
{
	tell(container_of(t, struct checkup, idle));
}

static void try_idle(struct checkup *c)
{
	c->facts->idle_s = (int)c->settings->idle_s;
	if (c->settings->idle_s == 0) {
		tell(c);
		return;
	}
	enter(c, STAGE_IDLE);
	idle_start(&c->idle, &c->net, c->facts, idle_done);
}

/* --- without Origin: is it that which is refused? ------------------------------------------ */

static bool is_forbidden(const struct failure *f)
{
	return f->fate == FATE_STATUS && f->status == 403;
}

static bool wants_origin_test(const struct facts *f)
{
	return !f->refuses_origin && (is_forbidden(&f->way[WAY_XHR].failure) ||
	                                 is_forbidden(&f->way[WAY_XHR].send_failure));
}

static void ignore_data(struct exchange *x, struct bytes data)
{
	(void)x;
	(void)data;
}

static void without_origin(struct exchange *x, const struct failure *failure)
{
	struct checkup *c = x->owner;

	c->anonymous = NULL;
	if (failure->fate == FATE_NONE && x->answer.facts.status == 200)
		c->facts->refuses_origin = true;
	try_idle(c);
}

static void test_origin(struct checkup *c)
{
	static const struct exchange_events events = { .data = ignore_data,
		.done = without_origin };
	struct exchange_request r = { "POST", "/000/withoutorigin/xhr", .is_anonymous = true,
		.patience_ms = c->net.timeout_ms };

	if (wants_origin_test(c->facts)) {
		enter(c, STAGE_ORIGIN);
		c->anonymous = exchange_start(&c->net, &r, &events, c);
	}
	if (!c->anonymous)
		try_idle(c);
}

/* --- trials -------------------------------------------------------------------------------- */

static const char *words_of(const struct trial *t)
{
	static const char *const words[] = { [TRIAL_WAITING] = "",
		[TRIAL_OPENING] = "opening",
		[TRIAL_ASKING] = "asking",
		[TRIAL_FILLING] = "held: filling it up",
		[TRIAL_LOADING] = "sending much",
		[TRIAL_HEARING] = "hearing pushes",
		[TRIAL_LISTENING] = "silent: waiting for a heartbeat (27 s)",
		[TRIAL_DONE] = "" };

	return words[t->step];
}

static void on_trial(struct trial *t)
{
	struct checkup *c = t->owner;

	c->view.doing[t->channel.way] = words_of(t);
	show(c);
	if (t->step == TRIAL_DONE && --c->trying == 0)
		test_origin(c);
}

/* All at once; the one that is the checkup's own keeps it from being over before the last has
 * begun. */
static void try_all(struct checkup *c)
{
	enter(c, STAGE_TRIALS);
	c->trying = 1;
	for (int i = 0; i < WAYS; i++) {
		if (!c->facts->info.offers[i])
			continue;
		c->trying++;
		c->view.doing[i] = "opening";
		trial_start(&c->trials[i], &c->net, (enum way)i, c->facts, on_trial, c);
	}
	if (--c->trying == 0)
		test_origin(c);
}

/* --- /info --------------------------------------------------------------------------------- */

/* Where it is missing there is no SockJS, and the rest would say nothing. */
static void info_done(struct info_test *t)
{
	struct checkup *c = container_of(t, struct checkup, info);
	const struct failure *f = &c->facts->info.failure;

	if (f->fate == FATE_TLS || f->fate == FATE_PROXY || f->fate == FATE_OURS)
		c->facts->reach = *f;
	if (c->facts->reach.fate != FATE_NONE || f->status == 404 || f->fate == FATE_GARBAGE)
		enter(c, STAGE_DONE);
	else
		try_all(c);
}

/* --- a connection -------------------------------------------------------------------------- */

static void reach_next(struct checkup *c);

static void on_reached(struct line *l)
{
	struct checkup *c = container_of(l, struct checkup, reach);

	c->facts->connect_ms = l->connect_ms;
	if (c->net.tls)
		c->facts->tls_ms = l->ready_ms - l->connect_ms;
	line_close(l);
	enter(c, STAGE_INFO);
	info_start(&c->info, &c->net, c->facts, info_done);
}

static void on_no_data(struct line *l, char *p, size_t n)
{
	(void)l;
	(void)p;
	(void)n;
}

static void on_unreached(struct line *l, enum fate fate, unsigned status, const char *why)
{
	struct checkup *c = container_of(l, struct checkup, reach);
	struct failure failure = { 0 };

	failure_set(&failure, fate, status, why);
	line_close(l);
	if (c->addr_at < c->addr_count && fate == FATE_UNCONNECTED) {
		timer_start(loop_timers(c->net.loop), &c->timer, 0);
		return;
	}
	c->facts->reach = failure;
	enter(c, STAGE_DONE);
}

static const struct line_events reach_events = { on_reached, on_no_data, on_unreached };

static void reach_next(struct checkup *c)
{
	c->net.addr = c->addrs[c->addr_at++];
	line_start(&c->reach, &c->net, &reach_events, false);
}

static void on_resolved(
    struct resolution *r, int err, const struct addr *addrs, size_t n, unsigned ttl_seconds)
{
	struct checkup *c = container_of(r, struct checkup, resolution);

	(void)ttl_seconds;
	timer_stop(loop_timers(c->net.loop), &c->timer);
	if (err < 0) {
		failure_set(&c->facts->reach, FATE_UNRESOLVED, 0, resolution_why(r));
		enter(c, STAGE_DONE);
		return;
	}
	memcpy(c->addrs, addrs, n * sizeof(*addrs));
	c->addr_count = n;
	reach_next(c);
}

static void on_timer(struct timer *t)
{
	struct checkup *c = container_of(t, struct checkup, timer);
	const struct place *p = c->net.proxy ? c->net.proxy : c->net.place;

	if (!c->is_begun) {
		c->is_begun = true;
		timer_start(loop_timers(c->net.loop), t, c->net.timeout_ms);
		resolver_start(c->resolver, &c->resolution, p->host, p->port, on_resolved);
	} else if (c->addr_count > 0) {
		reach_next(c);
	} else {
		resolution_cancel(&c->resolution);
		failure_set(&c->facts->reach, FATE_UNRESOLVED, 0, "no name server answers in time");
		enter(c, STAGE_DONE);
	}
}

/* --- all ----------------------------------------------------------------------------------- */

static void free_all(struct checkup *c)
{
	struct loop *loop = c->net.loop;

	if (loop) {
		timer_stop(loop_timers(loop), &c->timer);
		line_close(&c->reach);
		info_fini(&c->info);
		exchange_stop(c->anonymous);
		for (int i = 0; i < WAYS; i++)
			trial_fini(&c->trials[i]);
		idle_fini(&c->idle);
		tell_fini(&c->tell);
		resolver_free(c->resolver);
		loop_turn(loop, 0); /* descriptors that are closed, memory that goes later */
		loop_free(loop);
	}
	mem_free(c);
}

static int begin(struct checkup *c)
{
	struct resolver_options options = { .timeout_ms = c->settings->timeout_ms, .tries = 1 };
	int err = loop_new(&c->net.loop);

	err = err ? err : resolver_new(&c->resolver, c->net.loop, &options);
	if (err < 0)
		return err;
	loop_enter(c->net.loop);
	timer_init(&c->timer, on_timer);
	timer_start(loop_timers(c->net.loop), &c->timer, 0);
	enter(c, STAGE_REACHING);
	return 0;
}

static void take_settings(struct checkup *c)
{
	const struct checkup_settings *s = c->settings;

	c->net.place = &s->place;
	c->net.proxy = s->has_proxy ? &s->proxy : NULL;
	c->net.tls = s->tls;
	c->net.timeout_ms = s->timeout_ms;
	c->facts->by_proxy = s->has_proxy;
	c->facts->is_tls = s->tls != NULL;
	c->view.facts = c->facts;
	for (int i = 0; i < WAYS; i++)
		c->view.doing[i] = "";
}

int checkup_run(const struct checkup_settings *settings, struct facts *facts,
    const struct checkup_watcher *watcher)
{
	struct checkup *c = mem_zalloc(sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->settings = settings;
	c->watcher = watcher;
	c->facts = facts;
	facts_init(facts);
	take_settings(c);
	err = begin(c);
	if (err == 0)
		err = loop_run(c->net.loop);
	free_all(c);
	return err;
}
