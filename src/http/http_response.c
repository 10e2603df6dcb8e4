/*
 * http/http_response.c - answers in one piece.
 */
#include <stdio.h>

#include "base/log.h"
#include "http/http_private.h"

#define ONE_PIECE 16384 /* a body up to this goes out with its head, and perhaps with others */
#define SENTENCE_MAX 256
#define KEPT_MOST 65536 /* of memory for the answer in hand, from one to the next */

/* --- what is written ------------------------------------------------------------------------- */

/* RFC 9110 section 6.4.1. */
static bool may_have_body(unsigned status)
{
	return status >= 200 && status != 204 && status != 304;
}

static struct http_framing framing_of(const struct http_request *r, unsigned status, size_t length)
{
	return (struct http_framing){
		.keep_alive = r->conn->keep_alive,
		.is_1_0 = r->frame.is_1_0,
		.length = may_have_body(status) ? (long long)length : -1,
	};
}

/* Head and lines; false: out of memory. */
static bool render(struct buf *out, const struct http_head *head, struct http_framing framing)
{
	char *to = buf_reserve(out, head->len + head->more.n + HTTP_HEAD_EXTRA);

	if (!to)
		return false;
	buf_commit(out, http_head_render_parts(to, head->status,
	                    (struct bytes){ head->text, head->len }, head->more, framing));
	return true;
}

/* The body goes along if that is no great copy. */
static bool send_parts(struct http_conn *c, struct buf *out, struct bytes body)
{
	struct stream_piece pieces[2];
	unsigned n = 1;

	if (body.n > 0 && body.n <= ONE_PIECE && buf_add(out, body.p, body.n) < 0)
		return false;
	pieces[0] = (struct stream_piece){ buf_data(out), buf_len(out), NULL };
	if (body.n > ONE_PIECE)
		pieces[n++] = (struct stream_piece){ body.p, body.n, NULL };
	if (n == 1 && c->keep_alive)
		return stream_write_soon(&c->stream, pieces) == 0;
	return stream_write(&c->stream, pieces, n) == 0;
}

/* If it cannot be said the connection ends. */
static void answer(struct http_request *r, const struct http_head *head, struct bytes body)
{
	struct http_conn *c = r->conn;
	struct buf *out = &c->server->out;
	struct http_framing framing = framing_of(r, head->status, body.n);

	if (r->method == HTTP_HEAD || framing.length < 0)
		body = (struct bytes){ 0 };
	buf_clear(out);
	if (!render(out, head, framing) || !send_parts(c, out, body))
		c->keep_alive = false;
	if (out->cap > KEPT_MOST)
		buf_fini(out);
	c->state = HTTP_CONN_ANSWERED;
}

/* --- answers --------------------------------------------------------------------------------- */

void http_respond(struct http_request *r, const struct http_head *head, struct bytes body)
{
	if (head->is_cut) {
		http_respond_text(r, 500, "The head of the answer is too large.");
		return;
	}
	r->conn->keep_alive = http_request_keeps_alive(r);
	answer(r, head, body);
}

/* A sentence and its line end, in `text`. */
static struct bytes plain_text(struct http_head *head, unsigned status, const char *sentence,
    char text[SENTENCE_MAX])
{
	int n = snprintf(text, SENTENCE_MAX, "%s\n", sentence);

	http_head_init(head, status);
	http_head_add(head, "Content-Type", "text/plain; charset=UTF-8");
	return (struct bytes){ text, (size_t)n < SENTENCE_MAX ? (size_t)n
		                                                   : SENTENCE_MAX - 1 };
}

void http_respond_text(struct http_request *r, unsigned status, const char *sentence)
{
	char text[SENTENCE_MAX];
	struct http_head head;
	struct bytes body = plain_text(&head, status, sentence, text);

	http_respond(r, &head, body);
}

/* --- refusals -------------------------------------------------------------------------------- */

static enum http_refusal refusal_of(unsigned status)
{
	switch (status) {
	case 408:
		return HTTP_REFUSED_TIMEOUT;
	case 413:
		return HTTP_REFUSED_BODY_TOO_LARGE;
	case 414:
	case 431:
		return HTTP_REFUSED_HEAD_TOO_LARGE;
	case 503:
		return HTTP_REFUSED_NO_MEMORY;
	default:
		return HTTP_REFUSED_BAD_REQUEST;
	}
}

static struct log_field limit_of(const struct http_conn *c, unsigned status)
{
	if (status == 431 || status == 414)
		return LOG_INT("limit", c->server->limits->header_bytes);
	return status == 413 ? LOG_INT("limit", c->request->body_limit) : (struct log_field){ 0 };
}

/* Of a head that is not sound nothing is believed: then it is the proxy's, if there is one. */
static struct addr client_of(const struct http_conn *c)
{
	const struct http_server *server = c->server;

	return server->handler->client && c->request && c->request->is_sound
	           ? server->handler->client(c->request, server->arg)
	           : c->peer;
}

static void count_refusal(const struct http_conn *c, unsigned status, const char *sentence)
{
	struct addr client = client_of(c);

	c->server->counters.bad_requests++;
	http_refused(c->server, refusal_of(status), &client,
	    HTTP_REFUSED_FIELDS(
	        LOG_INT("status", status), LOG_STR("answer", sentence), limit_of(c, status)));
}

void http_refuse(struct http_request *r, unsigned status, const char *sentence)
{
	const struct http_server *server = r->conn->server;
	char text[SENTENCE_MAX];
	struct http_head head;
	struct bytes body = plain_text(&head, status, sentence, text);

	count_refusal(r->conn, status, sentence);
	if (r->is_sound && server->handler->refusal)
		server->handler->refusal(r, &head, server->arg);
	r->conn->keep_alive = false;
	answer(r, &head, body);
}

void http_refuse_unread(struct http_conn *c, unsigned status, const char *sentence)
{
	struct http_request nothing = { .conn = c };
	char text[SENTENCE_MAX];
	struct http_head head;
	struct bytes body = plain_text(&head, status, sentence, text);

	count_refusal(c, status, sentence);
	c->keep_alive = false;
	answer(&nothing, &head, body);
}
