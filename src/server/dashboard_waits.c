/*
 * server/dashboard_waits.c - how long the loops keep somebody waiting.
 *
 * It is measured as whoever comes would feel it, from outside: a call is posted to each loop, and
 * arrives in its next turn. So a turn itself costs nothing more, and nothing is sent while nobody
 * looks. A loop that stands still is seen as well: its call is still out.
 */
#include "base/clock.h"
#include "server/dashboard_private.h"

static void raise_to(atomic_uint_fast64_t *most, uint64_t value)
{
	uint64_t known = atomic_load_explicit(most, memory_order_relaxed);

	while (known < value && !atomic_compare_exchange_weak_explicit(most, &known, value,
	                            memory_order_relaxed, memory_order_relaxed))
		;
}

void waits_note(struct loop_wait *w, uint64_t ns)
{
	raise_to(&w->worst_ns, ns);
	atomic_fetch_add_explicit(&w->sum_ns, ns, memory_order_relaxed);
	atomic_fetch_add_explicit(&w->count, 1, memory_order_relaxed);
}

static void arrive(void *arg)
{
	struct loop_wait *w = *(struct loop_wait **)arg;

	waits_note(w, clock_ns() - w->sent_ns);
	atomic_store(&w->is_out, false);
}

void waits_ask_all(struct dashboard *d)
{
	for (unsigned i = 0; i < d->server->reactor_count; i++) {
		struct loop_wait *w = &d->waits[i];

		if (atomic_load(&w->is_out))
			continue;
		w->sent_ns = clock_ns();
		atomic_store(&w->is_out, true);
		if (sockjs_reactor_call(d->server, i, arrive, NULL, &w, sizeof(w)) < 0)
			atomic_store(&w->is_out, false);
	}
}

static void read_one(struct loop_wait *w, uint64_t now)
{
	uint64_t worst = atomic_exchange(&w->worst_ns, 0), sum = atomic_exchange(&w->sum_ns, 0),
	         count = atomic_exchange(&w->count, 0);

	if (atomic_load(&w->is_out) && now - w->sent_ns > worst)
		worst = now - w->sent_ns;
	w->worst_us = worst / 1000;
	w->mean_us = count ? sum / count / 1000 : w->worst_us;
}

uint64_t waits_read(struct dashboard *d)
{
	uint64_t worst = 0, now = clock_ns();

	for (unsigned i = 0; i < d->server->reactor_count; i++) {
		read_one(&d->waits[i], now);
		if (d->waits[i].worst_us > worst)
			worst = d->waits[i].worst_us;
	}
	return worst;
}
