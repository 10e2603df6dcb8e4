/*
 * server/memory.c - limits.memory_bytes: what all clients together may make us hold.
 *
 * Each client is bounded, but most hold nothing at all, and the sum of what all might hold is more
 * than any machine has. So every half second the size of the process is looked at, which costs a
 * system call. Only when that is beyond the limit is added up what clients hold: messages that
 * wait for them or for the application, messages and bodies that are unfinished, what the kernel
 * has not taken. If it is too much, those who hold most end (4503), the largest first, until an
 * eighth of the limit is free again. Each reactor says how much its clients hold, by size, and ends
 * its own: those of a size that all reactors together have to end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "server/server_private.h"

#define LOOK_MS 500

/* What is held, by how much each holds of it. */
struct tally {
	size_t total;
	size_t by_class[HELD_CLASSES];
};

static unsigned size_class(size_t n)
{
	return n ? HELD_CLASSES - 1 - (unsigned)__builtin_clzll(n) : 0;
}

/* --- looking ------------------------------------------------------------ */

/* Resident octets; SIZE_MAX if nobody tells. */
static size_t process_size(const struct sockjs_server *server)
{
	uint64_t all, resident;

	return process_memory(server, &all, &resident) ? resident : SIZE_MAX;
}

/* --- adding up ------------------------------------------------------------ */

static void count(struct tally *tally, size_t held)
{
	tally->total += held;
	tally->by_class[size_class(held)] += held;
}

static bool count_body(size_t held, void *arg)
{
	count(arg, held);
	return false;
}

/* A wire that its session has left, and that still has something to say. */
static size_t orphan_held(const struct receiver *receiver)
{
	return receiver->session ? 0 : receiver->ops->buffered(receiver);
}

/* With what its application holds for it. */
static size_t held_by(const struct session *base)
{
	const struct sockjs_session *s = container_of(base, struct sockjs_session, base);
	const struct sockjs_callbacks *app = &s->endpoint->callbacks;
	size_t held = session_held(base);

	if (app->held && base->state == SESSION_OPEN)
		held += app->held(s, s->endpoint->app);
	return held;
}

static void add_up(struct reactor *r, struct tally *tally)
{
	struct list *pos;

	list_foreach (pos, &r->base.sessions.sessions)
		count(tally, held_by(container_of(pos, struct session, node)));
	list_foreach (pos, &r->base.receivers)
		count(tally, orphan_held(container_of(pos, struct receiver, node)));
	http_server_each_body(r->base.http, count_body, tally);
}

/* --- what all reactors hold ------------------------------------------------ */

static void publish(struct reactor *r, const struct tally *tally)
{
	for (unsigned i = 0; i < HELD_CLASSES; i++)
		atomic_store_explicit(&r->held[i], tally->by_class[i], memory_order_relaxed);
}

static void add_up_published(const struct sockjs_server *server, struct tally *all)
{
	for (unsigned i = 0; i < server->reactor_count; i++)
		for (unsigned class = 0; class < HELD_CLASSES; class ++) {
			size_t held = atomic_load_explicit(
			    &server->reactors[i]->held[class], memory_order_relaxed);

			all->by_class[class] += held;
			all->total += held;
		}
}

/* --- ending ---------------------------------------------------------------- */

struct shedding {
	unsigned class; /* of those who end */
	size_t wanted;  /* octets of this class still to be freed */
	size_t freed;
	unsigned victims;
};

static bool sheds(struct shedding *s, size_t held)
{
	if (s->freed >= s->wanted || held == 0 || size_class(held) != s->class)
		return false;
	s->freed += held;
	s->victims++;
	return true;
}

static bool shed_body(size_t held, void *arg)
{
	return sheds(arg, held);
}

static void shed(struct reactor *r, struct shedding *s)
{
	struct list *pos, *next;

	list_foreach_safe (pos, next, &r->base.sessions.sessions) {
		struct session *session = container_of(pos, struct session, node);

		if (sheds(s, held_by(session)))
			session_cut(session, CLOSE_TOO_MUCH_HELD);
	}
	list_foreach_safe (pos, next, &r->base.receivers) {
		struct receiver *receiver = container_of(pos, struct receiver, node);

		if (sheds(s, orphan_held(receiver)))
			receiver->ops->abort(receiver);
	}
	http_server_each_body(r->base.http, shed_body, s);
}

/* The largest go first, wherever they are; of one class as they come, and each reactor ends as
 * much of it as it has in it. Returns how many ended here. */
static unsigned free_some(
    struct reactor *r, struct tally *ours, const struct tally *all, size_t excess)
{
	unsigned victims = 0;

	for (int class = HELD_CLASSES - 1; class >= 0 && excess > 0; class --) {
		size_t held = all->by_class[class], wanted = held < excess ? held : excess;
		double share = held ? (double)ours->by_class[class] / (double)held : 0;
		struct shedding s = { (unsigned)class, (size_t)((double)wanted * share), 0, 0 };

		if (s.wanted > 0)
			shed(r, &s);
		ours->by_class[class] -=
		    s.freed < ours->by_class[class] ? s.freed : ours->by_class[class];
		victims += s.victims;
		excess -= wanted;
	}
	return victims;
}

/* --- each half second --------------------------------------------------------- */

static void look(struct reactor *r, size_t limit)
{
	struct tally ours = { 0 }, all = { 0 };
	unsigned victims;

	if (process_size(r->server) <= limit) {
		publish(r, &ours);
		return;
	}
	add_up(r, &ours);
	publish(r, &ours);
	add_up_published(r->server, &all);
	if (all.total <= limit)
		return;
	victims = free_some(r, &ours, &all, all.total - (limit - limit / 8));
	publish(r, &ours); /* what has ended is nobody else's reason to end more */
	if (victims > 0)
		log_warn_limited("limits.memory_bytes is reached; those who held most were ended",
		    LOG_INT("reactor", r->index), LOG_INT("held", all.total),
		    LOG_INT("ended", victims));
}

static void on_memory_timer(struct timer *t)
{
	struct reactor *r = container_of(t, struct reactor, memory_timer);

	look(r, r->config->options.server.limit_memory);
	timer_start(loop_timers(r->loop), t, LOOK_MS);
}

void memory_watch(struct reactor *r)
{
	timer_init(&r->memory_timer, on_memory_timer);
	memory_configure(r);
}

void memory_configure(struct reactor *r)
{
	if (!r->config->options.server.limit_memory)
		timer_stop(loop_timers(r->loop), &r->memory_timer);
	else if (!timer_is_active(&r->memory_timer))
		timer_start(loop_timers(r->loop), &r->memory_timer, LOOK_MS);
}
