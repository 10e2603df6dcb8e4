/*
 * upstream/link_opening.c - what a link is while it is made, and how that ends;
 * link_open.c makes it.
 */
#include "base/mem.h"
#include "upstream/link_private.h"

void link_opening_stop_attempt(struct link_opening *o)
{
	if (o->dialling)
		dial_cancel(&o->dial);
	if (o->resolving)
		resolution_cancel(&o->resolution);
	o->dialling = o->resolving = false;
}

void link_opening_forget_answer(struct link_opening *o)
{
	ws_client_free(o->answer);
	o->answer = NULL;
}

void link_release_target(struct link *l)
{
	if (l->opening)
		pool_end_trial(l->target, l->opening->trial);
	pool_release(l->target);
}

void link_opening_stop(struct link *l)
{
	struct link_opening *o = l->opening;

	if (!o)
		return;
	link_opening_stop_attempt(o);
	timer_stop(loop_timers(l->part->loop), &o->early);
}

void link_opening_left(struct link *l)
{
	if (l->target)
		pool_left(&l->part->settings->pool, l->target, l->opening->begun, link_now(l));
}

void link_opening_free(struct link *l)
{
	struct link_opening *o = l->opening;

	l->opening = NULL;
	if (!o)
		return;
	ws_client_free(o->handshake);
	link_opening_forget_answer(o);
	link_request_free(o->request);
	mem_free(o);
}
