/*
 * server/dashboard_figures.c - the figures of all reactors.
 *
 * Counters belong to their reactors. So a piece of mail walks from one to the next, adds up, and
 * comes back, as it does for /metrics; but it is one and the same each time, so there is never a
 * second one under way.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/dashboard_private.h"

/* --- of one reactor ----------------------------------------------------------- */

static void add_sessions(struct session_counters *sum, const struct session_counters *more)
{
	sum->now += more->now;
	sum->connecting += more->connecting;
	sum->receivers += more->receivers;
	sum->opened += more->opened;
	sum->unopened += more->unopened;
	sum->messages_in += more->messages_in;
	sum->bytes_in += more->bytes_in;
	sum->messages_out += more->messages_out;
	sum->bytes_out += more->bytes_out;
	sum->connect_failures += more->connect_failures;
	for (unsigned i = 0; i < CLOSE_CODE_ROWS; i++)
		sum->closed[i] += more->closed[i];
}

static void add_up(struct figures *f, const struct dashboard *d, const struct reactor *r)
{
	const struct http_counters *http = http_server_counters(r->base.http);

	add_sessions(&f->sessions, &r->base.sessions.counters);
	if (r->index == 0)
		dashboard_take_away_own(d, &f->sessions);
	f->connections += reactor_connections(r);
	f->requests += http->requests;
	for (unsigned i = 0; i < HTTP_REFUSAL_ROWS; i++)
		f->refused[i] += http->refused[i];
}

/* --- of endpoints, which all reactors share --------------------------------------- */

static void add_carried(struct figures *f, const struct server_config *c)
{
	for (size_t i = 0; i < c->endpoint_count; i++)
		for (unsigned k = 0; k < SESSION_TRANSPORTS_MAX; k++)
			f->carried[k] += atomic_load_explicit(
			    &c->endpoints[i]->place->carried[k].now, memory_order_relaxed);
}

/* --- of the process ------------------------------------------------------------- */

static uint64_t milliseconds(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000 + (uint64_t)t->tv_usec / 1000;
}

static void add_process(struct figures *f, const struct sockjs_server *server)
{
	struct rusage used;
	uint64_t all;

	if (!process_memory(server, &all, &f->resident))
		f->resident = 0;
	if (getrusage(RUSAGE_SELF, &used) == 0)
		f->processor_ms = milliseconds(&used.ru_utime) + milliseconds(&used.ru_stime);
}

/* --- the walk -------------------------------------------------------------------- */

static void on_walk(struct mail *mail, struct loop *loop);

static void go_to(struct figures_walk *w, unsigned reactor)
{
	w->posted_ns = clock_ns();
	loop_post(w->d->server->reactors[reactor]->loop, &w->mail, on_walk);
}

/* In reactor 0. */
static void arrive(struct figures_walk *w)
{
	struct dashboard *d = w->d;

	w->is_under_way = false;
	add_carried(&w->sum, d->reactor->config);
	add_process(&w->sum, d->server);
	w->sum.wait_us = waits_read(d);
	w->sum.at = (uint64_t)time(NULL);
	w->sum.at_ms = clock_now();
	d->now = w->sum;
	dashboard_gathered(d);
}

static void on_walk(struct mail *mail, struct loop *loop)
{
	struct figures_walk *w = container_of(mail, struct figures_walk, mail);
	const struct reactor *r = reactor_current();
	unsigned count = w->d->server->reactor_count;

	(void)loop;
	if (!r || !r->base.http)
		return; /* the server has stopped meanwhile */
	if (w->next == count) {
		arrive(w);
		return;
	}
	waits_note(&w->d->waits[r->index], clock_ns() - w->posted_ns);
	add_up(&w->sum, w->d, r);
	w->next++;
	go_to(w, w->next % count);
}

void figures_gather(struct dashboard *d)
{
	struct figures_walk *w = &d->walk;

	if (w->is_under_way)
		return;
	*w = (struct figures_walk){ .d = d, .is_under_way = true };
	go_to(w, 0);
}
