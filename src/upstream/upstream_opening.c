/*
 * upstream/upstream_opening.c - what a connection is while it is made, and how that ends;
 * upstream_connect.c makes it.
 */
#include "base/mem.h"
#include "upstream/upstream_private.h"

static struct upstream_conn *alloc(void)
{
	struct upstream_conn *uc = mem_zalloc(sizeof(*uc));
	struct upstream_opening *o = mem_zalloc(sizeof(*o));

	if (uc && o) {
		o->conn = uc;
		uc->opening = o;
		return uc;
	}
	mem_free(uc);
	mem_free(o);
	return NULL;
}

struct upstream_conn *upstream_opening_new(struct upstream_reactor *reactor,
    struct sockjs_session *session, struct upstream_request *request)
{
	struct upstream_conn *uc = NULL;

	if (reactor->resolver || resolver_new(&reactor->resolver, reactor->loop, NULL) == 0)
		uc = alloc();
	if (!uc) {
		upstream_request_free(request);
		return NULL;
	}
	uc->opening->request = request;
	upstream_conn_join(uc, reactor, session);
	return uc;
}

void upstream_opening_stop_attempt(struct upstream_opening *o)
{
	if (o->dialling)
		dial_cancel(&o->dial);
	if (o->resolving)
		resolution_cancel(&o->resolution);
	o->dialling = o->resolving = false;
}

void upstream_opening_forget_answer(struct upstream_opening *o)
{
	ws_client_free(o->answer);
	o->answer = NULL;
}

void upstream_release_target(struct upstream_conn *uc)
{
	if (uc->opening)
		balancer_end_trial(uc->target, uc->opening->trial);
	balancer_release(uc->target);
}

void upstream_opening_stop(struct upstream_conn *uc)
{
	struct upstream_opening *o = uc->opening;

	if (!o)
		return;
	upstream_opening_stop_attempt(o);
	timer_stop(loop_timers(uc->reactor->loop), &o->early);
}

void upstream_opening_left(struct upstream_conn *uc)
{
	if (uc->target)
		balancer_left(&uc->reactor->settings->balancer, uc->target, uc->opening->begun,
		    upstream_conn_now(uc));
}

void upstream_opening_free(struct upstream_conn *uc)
{
	struct upstream_opening *o = uc->opening;

	uc->opening = NULL;
	if (!o)
		return;
	ws_client_free(o->handshake);
	upstream_opening_forget_answer(o);
	upstream_request_free(o->request);
	mem_free(o);
}
