/*
 * server/turns.c - who has something to do in each turn of a reactor; see turn.h.
 */
#include "server/turn.h"

#include "base/clock.h"
#include "server/server_private.h"

void server_add_turn(struct sockjs_server *server, unsigned reactor, struct server_turn *t)
{
	t->index = reactor;
	list_append(&server->turns, &t->node);
}

void server_remove_turn(struct server_turn *t)
{
	list_remove(&t->node);
}

bool server_is_stopping(const struct sockjs_server *server)
{
	return atomic_load_explicit(&server->stops, memory_order_relaxed) > 0;
}

bool server_avoids_io_uring(const struct sockjs_server *server)
{
	return strcmp(server->config->options.server.io_uring, "off") == 0;
}

/* --- in a reactor ------------------------------------------------------------- */

static void on_readable(struct watch *w, uint32_t events)
{
	(void)events;
	container_of(w, struct server_turn, watch)->is_readable = true;
}

/* That there is a turn is all that it is for. */
static void on_due(struct timer *t)
{
	(void)t;
}

static void call(struct reactor *r, struct server_turn *t)
{
	uint64_t due = t->fn(t), now = loop_now(r->loop);

	t->is_readable = false;
	if (due == 0)
		loop_again(r->loop);
	else if (due == UINT64_MAX)
		timer_stop(loop_timers(r->loop), &t->timer);
	else if (!timer_is_active(&t->timer) || t->timer.deadline != due)
		timer_start(loop_timers(r->loop), &t->timer, due > now ? due - now : 0);
}

static void run_turns(struct loop *loop, void *reactor)
{
	struct reactor *r = reactor;
	struct list *pos;

	(void)loop;
	list_foreach (pos, &r->server->turns) {
		struct server_turn *t = container_of(pos, struct server_turn, node);

		if (t->index == r->index)
			call(r, t);
	}
}

int turns_begin(struct reactor *r)
{
	struct list *pos;
	int err = 0;

	list_foreach (pos, &r->server->turns) {
		struct server_turn *t = container_of(pos, struct server_turn, node);

		if (t->index != r->index || err < 0)
			continue;
		timer_init(&t->timer, on_due);
		t->watch = (struct watch){ .fd = t->fd, .fn = on_readable };
		loop_set_hook(r->loop, LOOP_STAGE_KEEP, run_turns, r);
		loop_again(r->loop); /* the first turn comes by itself */
		if (t->fd >= 0)
			err = loop_watch(r->loop, &t->watch, EPOLLIN);
	}
	return err;
}

void turns_end(struct reactor *r)
{
	struct list *pos;

	loop_set_hook(r->loop, LOOP_STAGE_KEEP, NULL, NULL);
	list_foreach (pos, &r->server->turns) {
		struct server_turn *t = container_of(pos, struct server_turn, node);

		if (t->index != r->index)
			continue;
		loop_unwatch(r->loop, &t->watch);
		timer_stop(loop_timers(r->loop), &t->timer);
	}
}
