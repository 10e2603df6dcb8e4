/*
 * http/http_conn.c - the life of a connection, from accept to its end or until somebody takes it.
 *
 *	                                         HELD
 *	                                         |  ^
 *	                                         v  |
 *	HANDSHAKE --> IDLE --> HEAD --> BODY --> SERVED --> ANSWERED --> SENDING
 *	               ^                           |           |            |
 *	               |                           v           |            |
 *	               |                       GONE: detached  |            |
 *	               +--------- keep-alive ------------------+------------+--> lingers, or closed
 *
 * A step takes from what has come as much as belongs to the present state. A request is shown to
 * libmicrohttpd when its head is whole (http_parse.h; http_known.h), and served when its body is; what is
 * pipelined behind it waits in `input` until it was answered. Nothing is read meanwhile.
 */
#include <errno.h>
#include <fcntl.h>

#include "base/mem.h"
#include "http/http_hold.h"
#include "http/http_private.h"

#define FIELDS_MOST     256   /* of a head; browsers send twenty */
#define SENDING_LOOK_MS 30000 /* how often it is looked whether a client takes its answer */
#define SENDING_LEAST   30000 /* octets that it has to take meanwhile */

/* --- life --------------------------------------------------------------------------------- */

static void conn_free(struct deferred *d)
{
	struct http_conn *c = container_of(d, struct http_conn, deferred);

	if (c->request)
		http_request_free(c->request);
	mem_free(c);
}

static void forget_input(struct http_conn *c)
{
	if (c->input)
		buf_fini(&c->input->buf);
	mem_free(c->input);
	c->input = NULL;
}

static void let_go_of_hold(struct http_conn *c)
{
	struct http_hold *h = c->request ? c->request->hold : NULL;

	if (!h)
		return;
	c->request->hold = NULL;
	h->request = NULL;
	h->gone(h);
}

/* Its request, if any, may still be looked at in this turn. */
static void leave(struct http_conn *c)
{
	struct http_server *server = c->server;

	let_go_of_hold(c);

	c->state = HTTP_CONN_GONE;
	forget_input(c);
	timer_stop(loop_timers(server->loop), &c->timer);
	list_remove(&c->turn.node);
	list_remove(&c->node);
	server->counters.connections--;
	loop_defer_anew(server->loop, &c->deferred, conn_free);
}

void http_conn_end(struct http_conn *c)
{
	stream_close(&c->stream);
	leave(c);
}

/* So that what was said arrives. */
static void end_gently(struct http_conn *c)
{
	http_server_end(c->server, &c->stream);
	leave(c);
}

static void set_deadline(struct http_conn *c, unsigned ms)
{
	if (ms)
		timer_start(loop_timers(c->server->loop), &c->timer, ms);
	else
		timer_stop(loop_timers(c->server->loop), &c->timer);
}

/* Answers the client, and nothing of what it still sends is looked at. */
static void refuse(struct http_conn *c, unsigned status, const char *sentence)
{
	if (c->request)
		http_refuse(c->request, status, sentence);
	else
		http_refuse_unread(c, status, sentence);
	end_gently(c);
}

/* --- requests ------------------------------------------------------------------------------- */

static void want_turn(struct http_conn *c)
{
	if (c->is_ready)
		return; /* it keeps its place */
	c->is_ready = true;
	http_want_turn(c->server, &c->turn);
}

static void wait_for_next(struct http_conn *c)
{
	c->state = HTTP_CONN_IDLE;
	set_deadline(c, c->server->draining ? 1 : c->server->limits->idle_timeout_ms);
	if (c->is_pipelined)
		want_turn(c);
}

/* The answer has left whole. */
static void answer_has_left(struct http_conn *c)
{
	if (c->keep_alive)
		wait_for_next(c);
	else
		end_gently(c);
}

static void wait_for_wire(struct http_conn *c)
{
	c->state = HTTP_CONN_SENDING;
	c->progress = 0;
	set_deadline(c, SENDING_LOOK_MS);
	stream_want(&c->stream, 0);
}

static void request_has_ended(struct http_conn *c)
{
	http_request_free(c->request);
	c->request = NULL;
	c->has_served = true;
	if (c->keep_alive && stream_queued(&c->stream) > 0)
		wait_for_wire(c);
	else
		answer_has_left(c); /* what is queued is sent while it lingers */
}

static void serve(struct http_conn *c)
{
	struct http_request *r = c->request;

	c->state = HTTP_CONN_SERVED;
	c->server->handler->serve(r, c->server->arg);
	if (c->state == HTTP_CONN_SERVED)
		http_respond_text(r, 500, "No answer was found for this request.");
	if (c->state == HTTP_CONN_ANSWERED)
		request_has_ended(c);
}

/* --- requests that are put off ---------------------------------------------------------------- */

void http_hold(struct http_request *r, struct http_hold *h, void (*gone)(struct http_hold *h))
{
	struct http_conn *c = r->conn;

	h->request = r;
	h->gone = gone;
	r->hold = h;
	c->state = HTTP_CONN_HELD;
	set_deadline(c, 0);
	stream_want(&c->stream, STREAM_HANGUP); /* a wire that is broken already is told of later */
}

struct http_request *http_hold_take(struct http_hold *h)
{
	struct http_request *r = h->request;

	h->request = NULL;
	r->hold = NULL;
	r->conn->state = HTTP_CONN_SERVED;
	return r;
}

const char *http_hold_was_in_vain(const struct http_request *r)
{
	return r->in_vain;
}

void http_hold_resume(struct http_hold *h, const char *in_vain)
{
	struct http_request *r = h->request;

	if (!r)
		return;
	h->request = NULL;
	r->hold = NULL;
	r->in_vain = in_vain;
	if (stream_want(&r->conn->stream, STREAM_READ) < 0)
		http_conn_end(r->conn);
	else
		want_turn(r->conn);
}

/* The body is ours, so is 100 (RFC 9110 section 10.1.1). */
static void invite_body(struct http_conn *c)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct stream_piece piece = { text, sizeof(text) - 1, NULL };
	struct bytes expected = http_request_header(c->request, HTTP_EXPECT);

	if (!c->request->frame.is_1_0 && bytes_equal_nocase(expected, BYTES("100-continue")))
		stream_write(&c->stream, &piece, 1);
}

/* A second reader finds in the head what we have found (or has done so in one that is the same). */
static struct http_verdict read_again(struct http_server *server, const struct http_request *r)
{
	struct http_verdict v = { 0 };
	uint64_t hash[2];
	bool may_be_known =
	    http_known_hash(&server->memo_key, r->head, &r->frame, r->fields, hash);

	if (may_be_known && http_known_has(&server->known, hash)) {
		server->counters.known++;
		return v;
	}
	v = http_parse(server->parser, r->head, &r->frame, r->fields);
	if (v.status == 0 && may_be_known)
		http_known_add(&server->known, hash);
	return v;
}

/* Finds the head's meaning; false: it was refused. */
static bool accept_head(struct http_conn *c, const char *head, const struct http_frame *frame)
{
	struct http_server *server = c->server;
	struct http_verdict verdict;
	const char *wrong;
	int err;

	server->counters.requests++;
	budget_spend(loop_budget(server->loop), COST_REQUEST);
	c->request = http_request_new(c, head, frame);
	if (!c->request) {
		refuse(c, 503, "Out of memory.");
		return false;
	}
	verdict = read_again(server, c->request);
	if (verdict.status != 0) {
		refuse(c, verdict.status, verdict.sentence);
		return false;
	}
	err = http_request_read(c->request, &wrong);
	if (err < 0) {
		refuse(c, err == -EINVAL ? 400 : 503, err == -EINVAL ? wrong : "Out of memory.");
		return false;
	}
	c->request->is_sound = true;
	if (frame->fields > FIELDS_MOST) {
		refuse(c, 431, "The head of the request has too many fields.");
		return false;
	}
	return true;
}

static bool is_whole(const struct http_request *r)
{
	return r->frame.body == HTTP_BODY_NONE ||
	       (r->frame.body == HTTP_BODY_LENGTH && r->body_received == r->frame.length);
}

static void begin_body(struct http_conn *c)
{
	struct http_server *server = c->server;
	struct http_request *r = c->request;

	c->state = is_whole(r) ? HTTP_CONN_SERVED : HTTP_CONN_BODY;
	r->body_limit = server->handler->body_limit(r, server->arg);
	if (r->frame.length > r->body_limit) {
		refuse(c, 413, "The request body is too large.");
		return;
	}
	if (c->state == HTTP_CONN_SERVED)
		return;
	pace_is_too_slow(&r->pace, &server->limits->body, loop_now(server->loop), 0);
	set_deadline(c, server->limits->body.grace_ms);
}

/* --- steps: how many octets each has used ---------------------------------------------------- */

static struct http_input *get_input(struct http_conn *c)
{
	if (!c->input)
		c->input = mem_zalloc(sizeof(*c->input));
	return c->input;
}

static size_t read_head(struct http_conn *c, struct bytes in)
{
	struct http_frame begun = { 0 }, *f = c->input ? &c->input->frame : &begun, whole;

	switch (http_frame_head(f, in, c->server->limits->header_bytes)) {
	case HTTP_FRAME_BAD:
		refuse(c, f->status, f->sentence);
		return 0;
	case HTTP_FRAME_MORE:
		if (get_input(c))
			c->input->frame = *f;
		return 0;
	case HTTP_FRAME_WHOLE:
		break;
	}
	whole = *f;
	*f = (struct http_frame){ 0 };
	if (accept_head(c, in.p, &whole))
		begin_body(c);
	return whole.octets;
}

/* The body is appended; false: it was refused. */
static bool add_to_body(struct http_conn *c, struct bytes data)
{
	struct http_request *r = c->request;

	if (data.n > r->body_limit || buf_len(&r->body) > r->body_limit - data.n) {
		refuse(c, 413, "The request body is too large.");
		return false;
	}
	if (data.n > 0 && buf_add(&r->body, data.p, data.n) < 0) {
		refuse(c, 503, "Out of memory.");
		return false;
	}
	return true;
}

static size_t read_counted(struct http_conn *c, struct bytes in)
{
	struct http_request *r = c->request;
	uint64_t left = r->frame.length - r->body_received;

	if (in.n > left)
		in.n = (size_t)left;
	r->body_received += in.n;
	if (add_to_body(c, in) && is_whole(r))
		c->state = HTTP_CONN_SERVED;
	return in.n;
}

static size_t read_chunks(struct http_conn *c, struct bytes in)
{
	struct http_request *r = c->request;
	size_t most = c->server->limits->header_bytes, used;
	struct bytes data;

	switch (http_chunks_next(&r->chunks, in, most, &used, &data)) {
	case HTTP_FRAME_BAD:
		if (r->chunks.framed > most)
			refuse(c, 431, "The trailer of the request is too large.");
		else
			refuse(c, 400, "The chunked body is malformed.");
		return 0;
	case HTTP_FRAME_WHOLE:
		c->state = HTTP_CONN_SERVED;
		break;
	case HTTP_FRAME_MORE:
		break;
	}
	r->body_received += used;
	add_to_body(c, data);
	return used;
}

static size_t step(struct http_conn *c, struct bytes in)
{
	size_t empty;

	switch (c->state) {
	case HTTP_CONN_IDLE:
		empty = http_empty_lines(in);
		if (empty < in.n)
			c->state = HTTP_CONN_HEAD;
		return empty < in.n ? empty + step(c, (struct bytes){ in.p + empty, in.n - empty })
		                    : empty;
	case HTTP_CONN_HEAD:
		return read_head(c, in);
	default:
		return c->request->frame.body == HTTP_BODY_CHUNKED ? read_chunks(c, in)
		                                                   : read_counted(c, in);
	}
}

static bool is_reading(const struct http_conn *c)
{
	return c->state == HTTP_CONN_IDLE || c->state == HTTP_CONN_HEAD ||
	       c->state == HTTP_CONN_BODY;
}

/* --- what has come ----------------------------------------------------------------------------- */

/* Keeps what no step could use yet; `rest` stands at the end of `input` already, or elsewhere. */
static bool keep(struct http_conn *c, struct bytes rest, bool is_in_input)
{
	if (rest.n == 0)
		forget_input(c);
	else if (is_in_input)
		buf_consume(&c->input->buf, buf_len(&c->input->buf) - rest.n);
	else if (!get_input(c) || buf_add(&c->input->buf, rest.p, rest.n) < 0)
		return false;
	c->is_pipelined = rest.n > 0 && c->state == HTTP_CONN_SERVED;
	return true;
}

/* Until it is short of octets, or has a whole request. */
static void take_in(struct http_conn *c, struct bytes in)
{
	bool is_in_input = c->input && buf_len(&c->input->buf) > 0;
	bool asks = c->state == HTTP_CONN_IDLE || c->state == HTTP_CONN_HEAD;
	size_t used = 1;

	if (is_in_input) {
		if (buf_add(&c->input->buf, in.p, in.n) < 0) {
			refuse(c, 503, "Out of memory.");
			return;
		}
		in = (struct bytes){ buf_data(&c->input->buf), buf_len(&c->input->buf) };
	}
	while (used > 0 && in.n > 0 && is_reading(c)) {
		used = step(c, in);
		in = (struct bytes){ in.p + used, in.n - used };
	}
	if (c->state == HTTP_CONN_GONE)
		return;
	if (!keep(c, in, is_in_input)) {
		refuse(c, 503, "Out of memory.");
		return;
	}
	if (asks && c->state == HTTP_CONN_BODY)
		invite_body(c);
	if (c->state == HTTP_CONN_SERVED)
		serve(c);
}

static void client_has_ended(struct http_conn *c)
{
	if (c->state == HTTP_CONN_IDLE)
		http_conn_end(c);
	else
		refuse(c, 400, "The request is incomplete.");
}

static void read_on(struct http_turn *turn)
{
	struct http_conn *c = container_of(turn, struct http_conn, turn);
	char *scratch = loop_scratch(c->server->loop);
	ssize_t n;

	c->is_ready = false;
	if (c->state == HTTP_CONN_HELD && !c->request->hold) {
		serve(c);
		return;
	}
	if (!is_reading(c))
		return;
	if (c->is_pipelined) {
		c->is_pipelined = false;
		take_in(c, (struct bytes){ scratch, 0 });
		return;
	}
	n = stream_read(&c->stream, scratch, LOOP_SCRATCH_BYTES);
	budget_spend(loop_budget(c->server->loop), COST_EVENT + cost_of_octets(n > 0 ? n : 0));
	if (n > 0)
		take_in(c, (struct bytes){ scratch, (size_t)n });
	else if (n == 0)
		client_has_ended(c);
}

/* --- the stream's events ---------------------------------------------------------------------- */

static void on_readable(struct stream *s)
{
	want_turn(container_of(s, struct http_conn, stream));
}

static void on_writable(struct stream *s)
{
	struct http_conn *c = container_of(s, struct http_conn, stream);

	if (c->state != HTTP_CONN_SENDING)
		return;
	answer_has_left(c);
	if (c->state == HTTP_CONN_IDLE && stream_want(s, STREAM_READ) < 0)
		http_conn_end(c);
}

/* An answer that was taken to have left had to be queued. */
static void on_blocked(struct stream *s)
{
	struct http_conn *c = container_of(s, struct http_conn, stream);

	if (c->state == HTTP_CONN_IDLE)
		wait_for_wire(c);
}

static void on_hangup(struct stream *s, int err)
{
	(void)err;
	http_conn_end(container_of(s, struct http_conn, stream));
}

static const struct stream_events events = {
	.readable = on_readable,
	.writable = on_writable,
	.hangup = on_hangup,
	.blocked = on_blocked,
};

/* --- deadlines -------------------------------------------------------------------------------- */

/* The first look only takes note, so that an answer that leaves in time costs nothing. */
static bool takes_answer(struct http_conn *c)
{
	uint64_t now = stream_progress(&c->stream), before = c->progress;

	c->progress = now;
	return before == 0 || (int64_t)(now - before) >= SENDING_LEAST;
}

static void look_at_body(struct http_conn *c)
{
	struct http_request *r = c->request;
	uint64_t now = loop_now(c->server->loop);

	if (pace_is_too_slow(&r->pace, &c->server->limits->body, now, r->body_received))
		refuse(c, 408, "The request did not come in time.");
	else
		set_deadline(c, (unsigned)(r->pace.look_at - now));
}

static void on_deadline(struct timer *t)
{
	struct http_conn *c = container_of(t, struct http_conn, timer);

	switch (c->state) {
	case HTTP_CONN_HANDSHAKE:
		http_refused(c->server, HTTP_REFUSED_TLS, &c->peer,
		    HTTP_REFUSED_FIELDS(LOG_STR("why", "it took too long"),
		        LOG_INT("limit_ms", c->server->limits->header_timeout_ms)));
		http_conn_end(c);
		break;
	case HTTP_CONN_HEAD:
		refuse(c, 408, "The request did not come in time.");
		break;
	case HTTP_CONN_BODY:
		look_at_body(c);
		break;
	case HTTP_CONN_SENDING:
		if (takes_answer(c)) {
			set_deadline(c, SENDING_LOOK_MS);
			break;
		}
		stream_give_up(&c->stream);
		http_conn_end(c);
		break;
	default:
		http_conn_end(c);
	}
}

void http_conn_drain(struct http_conn *c)
{
	if (c->state == HTTP_CONN_IDLE && !c->is_pipelined)
		set_deadline(c, 1);
}

/* --- coming ----------------------------------------------------------------------------------- */

/* OpenSSL has said nothing so far, for it takes HTTP for no TLS at all. */
static void answer_in_plain_text(struct http_conn *c)
{
	int copy = fcntl(c->stream.watch.fd, F_DUPFD_CLOEXEC, 3);
	struct stream plain;

	c->server->counters.bad_requests++;
	if (copy < 0)
		return;
	loop_unwatch(c->server->loop, &c->stream.watch); /* before it is closed: there are two */
	stream_init(&plain, c->server->loop, copy, &events);
	http_close_with(c->server, &plain, 400,
	    "This plain HTTP request was sent to a port for HTTPS: begin the URL with https://.");
}

static void on_tls_done(struct stream *s, int err)
{
	struct http_conn *c = container_of(s, struct http_conn, stream);

	c->state = HTTP_CONN_IDLE;
	if (err == 0)
		err = stream_want(s, STREAM_READ);
	if (err == 0)
		return;
	http_refused(c->server, HTTP_REFUSED_TLS, &c->peer,
	    HTTP_REFUSED_FIELDS(LOG_STR("why", stream_tls_why(s)), LOG_ERR(err)));
	if (stream_tls_met_text(s))
		answer_in_plain_text(c);
	http_conn_end(c);
}

/* NULL: out of memory, and the stream is closed. */
static struct http_conn *conn_new(
    struct http_server *server, struct stream *s, const struct addr *peer, const void *listener)
{
	struct http_conn *c = mem_zalloc(sizeof(*c));

	if (!c) {
		stream_close(s);
		return NULL;
	}
	c->server = server;
	c->peer = *peer;
	c->listener = listener;
	c->state = HTTP_CONN_IDLE;
	c->turn.fn = read_on;
	list_init(&c->turn.node);
	timer_init(&c->timer, on_deadline);
	list_append(&server->conns, &c->node);
	server->counters.connections++;
	stream_move(&c->stream, s, server->loop, &events);
	return c;
}

void http_conn_new(struct http_server *server, struct stream *s, const struct addr *peer,
    struct tls_context *tls, const void *listener)
{
	struct http_conn *c = conn_new(server, s, peer, listener);
	int err;

	if (!c)
		return;
	set_deadline(c, server->limits->header_timeout_ms);
	c->is_tls = tls != NULL;
	if (tls) {
		c->state = HTTP_CONN_HANDSHAKE;
		err = stream_tls_accept(&c->stream, tls, on_tls_done);
	} else {
		err = stream_want(&c->stream, STREAM_READ);
	}
	if (err < 0)
		http_conn_end(c);
}

struct http_conn *http_conn_restore(
    struct http_server *server, struct stream *s, const struct addr *peer)
{
	uint8_t want = s->want;
	struct http_conn *c = conn_new(server, s, peer, NULL);

	if (c && stream_want(&c->stream, want) < 0) {
		http_conn_end(c);
		return NULL;
	}
	return c;
}

void http_conn_want_turn(struct http_conn *c)
{
	want_turn(c);
}

void http_conn_give_back(struct http_server *server, struct stream *s, const struct addr *peer,
    const void *listener, unsigned misses)
{
	struct http_conn *c = conn_new(server, s, peer, listener);

	if (!c)
		return;
	c->is_tls = stream_is_tls(&c->stream);
	c->has_served = true;
	c->misses = (uint8_t)misses;
	wait_for_next(c);
	if (stream_want(&c->stream, STREAM_READ) < 0)
		http_conn_end(c);
}

void http_server_give_back(
    struct http_server *server, struct stream *s, const struct addr *peer, const void *listener)
{
	http_conn_give_back(server, s, peer, listener, 0);
}

/* --- going -------------------------------------------------------------------------------------- */

bool http_is_followed(const struct http_request *r)
{
	return r->conn->is_pipelined;
}

bool http_comes_back(const struct http_request *r)
{
	return http_request_keeps_alive(r) && !r->frame.is_1_0;
}

int http_detach(struct http_request *r, struct stream *to, struct loop *loop,
    const struct stream_events *on)
{
	struct http_conn *c = r->conn;

	if (c->is_pipelined &&
	    stream_unread(&c->stream,
	        (struct bytes){ buf_data(&c->input->buf), buf_len(&c->input->buf) }) < 0)
		return -ENOMEM;
	stream_move(to, &c->stream, loop, on);
	c->server->counters.detached++;
	leave(c);
	return 0;
}
