/*
 * http/http_response.c - answers in one piece, through libmicrohttpd.
 */
#include "http/http_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

/* Gives the lines of a head to a response, one by one. */
void http_response_add_lines(struct MHD_Response *response, const struct http_head *head)
{
	char copy[HTTP_HEAD_MAX];
	char *at = copy, *end = copy + head->len;

	memcpy(copy, head->text, head->len);
	while (at < end) {
		char *colon = memchr(at, ':', (size_t)(end - at));
		char *eol = memchr(at, '\r', (size_t)(end - at));

		*colon = *eol = '\0';
		MHD_add_response_header(response, at, colon + 2);
		at = eol + 2;
	}
}

/* Queues and, for a held request, lets libmicrohttpd go on. A response that cannot be made (out of
 * memory) ends the connection. */
static void queue(
    struct http_request *r, const struct http_head *head, struct MHD_Response *response)
{
	struct MHD_Connection *mhd = r->conn->mhd;
	enum request_state was = r->state;

	r->state = REQUEST_FAILED;
	if (response) {
		http_response_add_lines(response, head);
		if (r->conn->server->draining)
			MHD_add_response_header(response, "Connection", "close");
		if (MHD_queue_response(mhd, head->status, response) == MHD_YES)
			r->state = REQUEST_ANSWERED;
		MHD_destroy_response(response);
	}
	if (r->state == REQUEST_FAILED)
		shutdown(r->conn->fd, SHUT_RDWR);
	if (was == REQUEST_HELD) {
		http_conn_wait_for_response(r->conn);
		MHD_resume_connection(mhd);
		http_server_run_again(r->conn->server);
	}
}

void http_respond(struct http_request *r, const struct http_head *head, struct bytes body)
{
	queue(r, head,
	    MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p,
	        body.n ? MHD_RESPMEM_MUST_COPY : MHD_RESPMEM_PERSISTENT));
}

void http_respond_take(struct http_request *r, const struct http_head *head, char *body, size_t n)
{
	struct MHD_Response *response =
	    MHD_create_response_from_buffer_with_free_callback(n, body, mem_free);

	if (!response)
		mem_free(body);
	queue(r, head, response);
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

void http_refuse(struct http_request *r, unsigned status, const char *sentence)
{
	struct http_server *server = r->conn->server;
	struct stream s;
	char text[HTTP_LAST_WORDS_MAX];
	struct stream_piece piece = { text, 0, NULL };

	server->counters.bad_requests++;
	if (http_take(r, &s) < 0) {
		http_respond_text(r, status, sentence);
		return;
	}
	piece.n = http_render_last_words(text, status, sentence);
	stream_write(&s, &piece, 1);
	http_server_end(server, &s);
}
