/*
 * http/http_postpone.c - requests with so much in them that there is no time for them in
 * this turn.
 *
 * A body is complete at once when its last octet comes, however long it is; and hundreds of
 * them may be in the same turn. Those for which it has no time wait, suspended, for one that has,
 * in the order in which they came.
 */
#include "http/http_private.h"

#define LARGE_BODY 1024         /* octets; a smaller one is not worth the detour */
#define TAKE_UP    (16u * 1024) /* octets of bodies that go on together, or one body */

bool http_postpone(struct http_request *r)
{
	struct http_server *server = r->conn->server;

	if (r->has_waited || buf_len(&r->body) < LARGE_BODY ||
	    !budget_is_spent(loop_budget(server->loop)))
		return false;
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
	struct list *node;
	size_t octets = 0;

	while ((node = list_first(&server->postponed)) && octets < TAKE_UP &&
	       !budget_is_spent(loop_budget(server->loop))) {
		struct http_request *r = container_of(node, struct http_request, node);

		octets += buf_len(&r->body);
		take_up(r, REQUEST_READING);
	}
	if (!list_empty(&server->postponed))
		loop_want(server->loop, LOOP_STAGE_HTTP);
}

void http_postponed_end(struct http_server *server)
{
	struct list *node;

	while ((node = list_first(&server->postponed)))
		take_up(container_of(node, struct http_request, node), REQUEST_FAILED);
}
