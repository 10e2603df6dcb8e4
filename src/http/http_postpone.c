/*
 * http/http_postpone.c - requests with so much in them that there is no time for them in
 * this turn.
 *
 * A body is complete at once when its last octet comes, however long it is; and hundreds of
 * them may be in the same turn. Each but the first waits, suspended, until a turn has time
 * for it, in the order in which they came.
 */
#include "http/http_private.h"

#define LARGE_BODY 16384 /* octets; a smaller one is not worth the detour */

bool http_postpone(struct http_request *r)
{
	struct http_server *server = r->conn->server;
	size_t n = buf_len(&r->body);

	if (n < LARGE_BODY)
		return false;
	if (r->has_waited || server->large_run != server->runs) {
		server->large_run = server->runs; /* one in each run */
		return false;
	}
	r->has_waited = true;
	r->state = REQUEST_POSTPONED;
	list_append(&server->postponed, &r->node);
	MHD_suspend_connection(r->conn->mhd);
	loop_want(server->loop, LOOP_STAGE_HTTP);
	return true;
}

static void take_up(struct http_request *r, enum request_state state)
{
	list_remove(&r->node);
	list_init(&r->node);
	r->state = state;
	MHD_resume_connection(r->conn->mhd);
	r->conn->server->due = true;
}

void http_postponed_take_up(struct http_server *server)
{
	struct list *node = list_first(&server->postponed);

	if (node && !budget_is_spent(loop_budget(server->loop)))
		take_up(container_of(node, struct http_request, node), REQUEST_READING);
	if (!list_empty(&server->postponed))
		loop_want(server->loop, LOOP_STAGE_HTTP);
}

void http_postponed_end(struct http_server *server)
{
	struct list *node;

	while ((node = list_first(&server->postponed)))
		take_up(container_of(node, struct http_request, node), REQUEST_FAILED);
}
