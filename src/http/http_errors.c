/*
 * http/http_errors.c - what libmicrohttpd refuses by itself, without asking us: whoever sent
 * something gets one answer, neither none nor two.
 *
 * We learn of these refusals by its log alone, which does not say whose request it was. The texts
 * looked for are the same in 0.9.75 and in 1.0; were they to change, then an error of its own would
 * be answered in its own words, and some of them twice.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "http/http_private.h"

#define LOOKS            64 /* at the newest connections, for the one a line of the log is about */
#define REQUEST_LINE_MIN 16 /* "GET / HTTP/1.1" and its line end */

/* --- last words --------------------------------------------------------- */

static void say_last_words(struct http_conn *conn, unsigned status, const char *sentence)
{
	char text[HTTP_LAST_WORDS_MAX];
	size_t n;

	if (!conn->relay) {
		conn->lingers = true;
		http_last_words(conn, status, sentence);
		return;
	}
	n = http_render_last_words(text, status, sentence);
	if (send(conn->fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("no last words", LOG_ERR(errno));
	shutdown(conn->fd, SHUT_WR);
}

/* The proxy, if there is one: what it says of its client cannot be trusted to be whole. */
static void count_refusal(
    struct http_server *server, const struct http_conn *conn, unsigned status, const char *sentence)
{
	server->counters.bad_requests++;
	http_refused(server, http_refusal_of(status), conn ? &conn->peer : NULL,
	    HTTP_REFUSED_FIELDS(LOG_INT("status", status), LOG_STR("answer", sentence)));
}

static void refuse(struct http_conn *conn, unsigned status, const char *sentence)
{
	count_refusal(conn->server, conn, status, sentence);
	say_last_words(conn, status, sentence);
}

/* Some connections are closed without a word (garbage instead of a request line). */
void http_conn_answer_the_unanswered(struct http_conn *conn)
{
	if (conn->timed_out)
		refuse(conn, 408, "The request did not come in time.");
	else if (conn->broke_off)
		refuse(conn, 400, "The request is incomplete.");
	else
		refuse(conn, 400, "This is not an HTTP request.");
}

/* A response is not one of ours, then, for the request was still being read. One that has waited
 * until the deadline will not leave any more. */
void http_errors_broke_off(struct http_conn *conn)
{
	conn->broke_off = true;
	if (!conn->timed_out && MHD_get_connection_info(conn->mhd, MHD_CONNECTION_INFO_HTTP_STATUS))
		conn->refused = true;
}

/* A connection is closed one or two runs after its refusal; of what was no request at all, nothing
 * else is known. */
static bool has_answered(const struct http_conn *conn)
{
	const struct http_server *server = conn->server;

	if (conn->refused || conn->broke_off)
		return conn->refused;
	if (conn->relay && conn->consumed == 0)
		return http_relay_sent(conn->relay) > 0;
	if (conn->consumed == 0 && conn->base == 0)
		return !http_has_said_nothing(conn->fd);
	return server->error_run != 0 && server->runs - server->error_run <= 2;
}

/* What is behind the last request when the client ends, or its time is over, and too short for
 * another: empty lines (RFC 9112 section 2.2), which old clients send behind a body. */
static bool is_remnant(const struct http_conn *conn, uint64_t octets)
{
	return conn->consumed > 0 && (conn->half_closed || conn->timed_out) &&
	       octets < REQUEST_LINE_MIN;
}

bool http_conn_is_unanswered(const struct http_conn *conn)
{
	struct http_request nothing = { .conn = (struct http_conn *)(uintptr_t)conn };
	uint64_t surplus;

	if (conn->taken || has_answered(conn))
		return false;
	if (conn->broke_off || conn->uncounted)
		return conn->broke_off;
	surplus = http_surplus(&nothing);
	return surplus > 0 && !is_remnant(conn, surplus);
}

/* --- its own answers ---------------------------------------------------- */

/* The request whose head is complete and has not been shown to us; a refusal before it may still be
 * on its way out. */
static struct http_request *refused_request(struct http_server *server)
{
	struct list *at = server->reading.prev;

	for (unsigned n = 0; n < LOOKS && at != &server->reading; n++, at = at->prev) {
		struct http_request *r = container_of(at, struct http_request, node);

		if (!r->conn->refused &&
		    MHD_get_connection_info(r->conn->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE))
			return r;
	}
	return NULL;
}

/* Whose head it was that we were not shown, for the log: the one connection in the midst of a head
 * that has sent so much. NULL if there are several, or none. */
static const struct http_conn *suspect(const struct http_server *server, uint64_t least)
{
	const struct http_conn *found = NULL;
	struct list *at = server->conns.prev;

	for (unsigned n = 0; n < LOOKS && at != &server->conns; n++, at = at->prev) {
		struct http_conn *conn = container_of(at, struct http_conn, node);
		struct http_request nothing = { .conn = conn };

		if (!conn->mhd || (conn->request && conn->request->head_read) ||
		    http_surplus(&nothing) < least)
			continue;
		if (found)
			return NULL;
		found = conn;
	}
	return found;
}

/* When libmicrohttpd 0.9.75 dislikes a head as a whole (a Content-Length that is no number, more
 * cookies than fit), it forgets that it has answered and sends the head of its answer twice. Ours
 * is there before; behind it the connection is shut, and its own is lost. */
static void on_refusal(struct http_server *server, unsigned status)
{
	struct http_request *r = refused_request(server);
	const char *sentence = status == 431   ? "The head of the request is too large."
	                       : status == 413 ? "The request body is too large."
	                                       : "The request is malformed.";

	server->error_run = server->runs;
	count_refusal(server,
	    r ? r->conn : suspect(server, status == 431 ? server->limits->header_bytes / 2 : 1),
	    status, sentence);
	if (!r)
		return;
	r->conn->refused = true;
	say_last_words(r->conn, status, sentence);
}

/* Version 1.0 closes a connection that has sent too much before it looks like a request, but does
 * not notice by itself, and its epoll is edge-triggered. Whoever is suspended and resumed is looked
 * at anew, which does no harm to others. It is most likely one of the newest; for any other there
 * is the deadline. */
void http_errors_look_at_the_overrun(struct http_server *server)
{
	struct list *at = server->conns.prev;

	server->overrun = false;
	for (unsigned n = 0; n < LOOKS && at != &server->conns; n++, at = at->prev) {
		struct http_conn *conn = container_of(at, struct http_conn, node);
		struct http_request nothing = { .conn = conn };

		if (!conn->mhd || conn->request ||
		    http_surplus(&nothing) < server->limits->header_bytes / 2)
			continue;
		MHD_suspend_connection(conn->mhd);
		MHD_resume_connection(conn->mhd);
	}
}

void http_errors_heard(struct http_server *server, const char *text)
{
	unsigned status;

	if (sscanf(text, "Error processing request (HTTP response code is %u", &status) == 1)
		on_refusal(server, status);
	else if (strncmp(text, "No space left in the read buffer", 32) == 0)
		server->overrun = true;
}
