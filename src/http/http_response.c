/*
 * http/http_response.c - answers in one piece, through libmicrohttpd.
 */
#include "http/http_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/http_forwarded.h"

/* Lines in a copy, which is taken apart. */
static bool add_lines(struct MHD_Response *response, char *at, size_t n)
{
	char *end = at + n;

	while (at < end) {
		char *colon = memchr(at, ':', (size_t)(end - at));
		char *eol = memchr(at, '\r', (size_t)(end - at));

		*colon = *eol = '\0';
		if (MHD_add_response_header(response, at, colon + 2) != MHD_YES)
			return false;
		at = eol + 2;
	}
	return true;
}

static bool add_more_lines(struct MHD_Response *response, struct bytes more)
{
	char *copy = more.n ? mem_strndup(more.p, more.n) : NULL;
	bool ok = more.n == 0 || (copy && add_lines(response, copy, more.n));

	mem_free(copy);
	return ok;
}

bool http_response_add_lines(struct MHD_Response *response, const struct http_head *head)
{
	char copy[HTTP_HEAD_MAX];

	memcpy(copy, head->text, head->len);
	return add_lines(response, copy, head->len) && add_more_lines(response, head->more);
}

/* --- answers without a body: few, and the same again and again ---------------- */

static bool is_head_of(const struct http_ready *ready, const struct http_head *head)
{
	return ready->response && ready->head.status == head->status &&
	       ready->head.more.p == head->more.p && ready->head.len == head->len &&
	       memcmp(ready->head.text, head->text, head->len) == 0;
}

/* With the lines of this head, or NULL when memory is out; `response` may be NULL. */
static struct MHD_Response *with_lines(struct MHD_Response *response, const struct http_head *head)
{
	if (!response || http_response_add_lines(response, head))
		return response;
	MHD_destroy_response(response);
	return NULL;
}

/* The one made of this head before, or a new one that is kept in place of the oldest. NULL: out of
 * memory. */
static struct MHD_Response *ready_response(struct http_server *server, const struct http_head *head)
{
	struct http_ready *place = &server->ready_responses[server->ready_next % HTTP_READY];

	for (unsigned i = 0; i < HTTP_READY; i++)
		if (is_head_of(&server->ready_responses[i], head))
			return server->ready_responses[i].response;
	if (place->response)
		MHD_destroy_response(place->response);
	place->response =
	    with_lines(MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT), head);
	place->head.status = head->status;
	place->head.more = head->more;
	place->head.len = head->len;
	memcpy(place->head.text, head->text, head->len);
	server->ready_next++;
	return place->response;
}

void http_response_forget_ready(struct http_server *server)
{
	for (unsigned i = 0; i < HTTP_READY; i++)
		if (server->ready_responses[i].response)
			MHD_destroy_response(server->ready_responses[i].response);
}

/* --- queuing ------------------------------------------------------------ */

/* Queues and, for a held request, lets libmicrohttpd go on. A response that could not be made (out
 * of memory) ends the connection. */
static void queue(struct http_request *r, unsigned status, struct MHD_Response *response)
{
	struct MHD_Connection *mhd = r->conn->mhd;
	enum request_state was = r->state;

	r->state = REQUEST_FAILED;
	if (response && MHD_queue_response(mhd, status, response) == MHD_YES)
		r->state = REQUEST_ANSWERED;
	if (r->state == REQUEST_FAILED)
		shutdown(r->conn->fd, SHUT_RDWR);
	if (was == REQUEST_HELD) {
		http_conn_wait_for_response(r->conn);
		MHD_resume_connection(mhd);
		http_server_run_again(r->conn->server);
	}
}

void http_response_queue(
    struct http_request *r, const struct http_head *head, struct MHD_Response *response)
{
	response = with_lines(response, head);
	if (response && r->conn->server->draining)
		MHD_add_response_header(response, "Connection", "close");
	queue(r, head->status, response);
	if (response)
		MHD_destroy_response(response);
}

static void respond_cut(struct http_request *r)
{
	http_respond_text(r, 500, "The head of the answer is too large.");
}

void http_respond(struct http_request *r, const struct http_head *head, struct bytes body)
{
	if (head->is_cut)
		respond_cut(r);
	else if (body.n == 0 && !r->conn->server->draining)
		queue(r, head->status, ready_response(r->conn->server, head));
	else
		http_response_queue(r, head,
		    MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p,
		        body.n ? MHD_RESPMEM_MUST_COPY : MHD_RESPMEM_PERSISTENT));
}

void http_respond_text(struct http_request *r, unsigned status, const char *sentence)
{
	struct http_head head;
	char body[256];
	int n = snprintf(body, sizeof(body), "%s\n", sentence);

	http_head_init(&head, status);
	http_head_add(&head, "Content-Type", "text/plain; charset=UTF-8");
	http_respond(r, &head, (struct bytes){ body, (size_t)n });
}

/* Of a head that is not sound nothing is believed, and nothing but the sentence said. */
static void make_refusal(struct http_request *r, unsigned status, struct http_head *head)
{
	const struct http_server *server = r->conn->server;

	http_head_init(head, status);
	http_head_add(head, "Content-Type", "text/plain; charset=UTF-8");
	if (r->is_sound && server->handler->refusal)
		server->handler->refusal(r, head, server->arg);
}

enum http_refusal http_refusal_of(unsigned status)
{
	switch (status) {
	case 408:
		return HTTP_REFUSED_TIMEOUT;
	case 413:
		return HTTP_REFUSED_BODY_TOO_LARGE;
	case 431:
		return HTTP_REFUSED_HEAD_TOO_LARGE;
	case 503:
		return HTTP_REFUSED_NO_MEMORY;
	default:
		return HTTP_REFUSED_BAD_REQUEST;
	}
}

static struct log_field limit_of(const struct http_request *r, unsigned status)
{
	if (status == 431)
		return LOG_INT("limit", r->conn->server->limits->header_bytes);
	return status == 413 ? LOG_INT("limit", r->body_limit) : (struct log_field){ 0 };
}

static void count_refusal(struct http_request *r, unsigned status, const char *sentence)
{
	struct http_server *server = r->conn->server;
	const struct http_trust *trust = server->limits->trust;
	struct addr client = trust ? http_client_address(trust, r) : r->conn->peer;

	server->counters.bad_requests++;
	http_refused(server, http_refusal_of(status), &client,
	    HTTP_REFUSED_FIELDS(
	        LOG_INT("status", status), LOG_STR("answer", sentence), limit_of(r, status)));
}

void http_refuse(struct http_request *r, unsigned status, const char *sentence)
{
	struct http_server *server = r->conn->server;
	struct stream s;
	struct http_head head;
	char text[HTTP_HEAD_MAX + HTTP_HEAD_EXTRA], body[256];
	int n = snprintf(body, sizeof(body), "%s\n", sentence);
	struct stream_piece pieces[2] = { { text, 0, NULL }, { body, (size_t)n, NULL } };

	count_refusal(r, status, sentence);
	make_refusal(r, status, &head);
	if (http_take(r, &s) < 0) {
		http_respond(r, &head, (struct bytes){ body, (size_t)n });
		return;
	}
	pieces[0].n = http_head_render(text, status, (struct bytes){ head.text, head.len },
	    (struct http_framing){ .keep_alive = false, .length = n });
	stream_write(&s, pieces, 2);
	http_server_end(server, &s);
}
