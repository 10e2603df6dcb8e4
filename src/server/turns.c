/*
 * server/turns.c - who has something to do in each turn of a reactor; see turn.h.
 */
#include "server/turn.h"

#include "base/clock.h"
#include "server/server_private.h"

void server_add_turn(struct sockjs_server *server, unsigned reactor, struct server_turn *t)
{
	t->index = reactor;
	t->server = server;
	pthread_mutex_lock(&server->turns_lock);
	list_append(&server->turns, &t->node);
	pthread_mutex_unlock(&server->turns_lock);
}

void server_remove_turn(struct server_turn *t)
{
	if (!t->server)
		return; /* it was never added */
	pthread_mutex_lock(&t->server->turns_lock);
	list_remove(&t->node);
	pthread_mutex_unlock(&t->server->turns_lock);
}

bool server_is_stopping(const struct sockjs_server *server)
{
	return atomic_load_explicit(&server->stops, memory_order_relaxed) > 0;
}

bool server_avoids_io_uring(const struct sockjs_server *server)
{
	return server->avoids_io_uring;
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
	list_foreach (pos, &r->turns)
		call(r, container_of(pos, struct server_turn, node));
}

/* Its first turn comes by itself. */
static int begin(struct reactor *r, struct server_turn *t)
{
	list_append(&r->turns, &t->node);
	timer_init(&t->timer, on_due);
	t->watch = (struct watch){ .fd = t->fd, .fn = on_readable };
	loop_set_hook(r->loop, LOOP_STAGE_KEEP, run_turns, r);
	loop_again(r->loop);
	return t->fd >= 0 ? loop_watch(r->loop, &t->watch, EPOLLIN) : 0;
}

int turns_begin(struct reactor *r)
{
	struct sockjs_server *server = r->server;
	struct list *pos, *next;
	int err = 0;

	pthread_mutex_lock(&server->turns_lock);
	list_foreach_safe (pos, next, &server->turns) {
		struct server_turn *t = container_of(pos, struct server_turn, node);

		if (t->index != r->index || err < 0)
			continue;
		list_remove(&t->node);
		err = begin(r, t);
	}
	pthread_mutex_unlock(&server->turns_lock);
	return err;
}

void turns_end(struct reactor *r)
{
	struct list *pos;

	loop_set_hook(r->loop, LOOP_STAGE_KEEP, NULL, NULL);
	list_foreach (pos, &r->turns) {
		struct server_turn *t = container_of(pos, struct server_turn, node);

		loop_unwatch(r->loop, &t->watch);
		timer_stop(loop_timers(r->loop), &t->timer);
	}
}
