/*
 * http/http_snapshot.c - the connections of a reactor's HTTP, for another process; see http_server.h.
 *
 * A request that is under way is written as its head, from which the rest is found again by the functions that read any
 * head; what has come of its body; and how far its framing is. One that somebody else has been asked about is served
 * anew. Connections that wait for the same request again (http_again.h) are written as idle ones: they find back to that by
 * themselves. A TLS handshake comes to its end where it began, so its connection is one that has said nothing yet.
 */
#include <errno.h>

#include "base/mem.h"
#include "http/http_private.h"

static const struct bytes none = { NULL, 0 };

/* --- deadlines ---------------------------------------------------------------------------------------- */

static void timer_snapshot(struct timer *t, struct snapshot *s)
{
	uint64_t due = snapshot_u64(s, timer_is_active(t) ? t->deadline : 0), now;

	if (!s->is_reading || due == 0)
		return;
	now = loop_now(loop_current());
	timer_start(loop_timers(loop_current()), t, due > now ? due - now : 0);
}

/* --- a request under way --------------------------------------------------------------------------------- */

static void chunks_snapshot(struct http_chunks *c, struct snapshot *s)
{
	c->at = snapshot_below(s, c->at, CHUNK_TRAILER + 1);
	SNAPSHOT(s, u64, c->left);
	SNAPSHOT(s, u32, c->framed);
}

static void pace_snapshot(struct pace_watch *w, struct snapshot *s)
{
	SNAPSHOT(s, u64, w->began);
	SNAPSHOT(s, u64, w->look_at);
	SNAPSHOT(s, u64, w->octets);
}

/* As it was read when it came; but libmicrohttpd has been asked. */
static struct http_request *read_head(struct http_conn *c, struct bytes head, struct snapshot *s)
{
	struct http_frame frame = { 0 };
	struct http_request *r;
	const char *wrong;

	if (!snapshot_check(s, http_frame_head(&frame, head, head.n) == HTTP_FRAME_WHOLE && frame.octets == head.n))
		return NULL;
	r = http_request_new(c, head.p, &frame);
	if (!r) {
		snapshot_fail(s, -ENOMEM);
		return NULL;
	}
	r->is_sound = true;
	if (http_request_read(r, &wrong) < 0) {
		snapshot_fail(s, -EPROTO);
		http_request_free(r);
		return NULL;
	}
	r->body_limit = c->server->handler->body_limit(r, c->server->arg);
	return r;
}

/* What has come of a body is no more than was to come. */
static bool is_sound(const struct http_conn *c)
{
	const struct http_request *r = c->request;
	uint64_t length = r->frame.body == HTTP_BODY_LENGTH ? r->frame.length : 0;

	if (r->frame.body == HTTP_BODY_CHUNKED)
		return true;
	return buf_len(&r->body) == r->body_received && r->body_received <= length &&
	       (c->state == HTTP_CONN_HELD) == (r->body_received == length);
}

static void request_snapshot(struct http_conn *c, struct snapshot *s)
{
	struct http_request *r = c->request;
	struct bytes head = snapshot_bytes(s, r ? (struct bytes){ r->head, r->frame.octets } : none);

	if (s->is_reading)
		c->request = r = read_head(c, head, s);
	if (!r)
		return;
	snapshot_buf(s, &r->body);
	SNAPSHOT(s, u64, r->body_received);
	SNAPSHOT(s, u64, r->begun);
	chunks_snapshot(&r->chunks, s);
	pace_snapshot(&r->pace, s);
	snapshot_check(s, !s->is_reading || is_sound(c));
}

/* --- a connection --------------------------------------------------------------------------------------------- */

/* What it is to the other process. Between two turns the others do not occur. */
static uint8_t state_of(const struct http_conn *c)
{
	return c->state == HTTP_CONN_HANDSHAKE ? HTTP_CONN_IDLE : c->state;
}

static void input_snapshot(struct http_conn *c, struct snapshot *s)
{
	struct bytes in = none;

	if (c->input)
		in = (struct bytes){ buf_data(&c->input->buf), buf_len(&c->input->buf) };
	in = snapshot_bytes(s, in);
	if (!s->is_reading || in.n == 0)
		return;
	c->input = mem_zalloc(sizeof(*c->input));
	if (!c->input || buf_add(&c->input->buf, in.p, in.n) < 0)
		snapshot_fail(s, -ENOMEM);
}

static void state_snapshot(struct http_conn *c, struct snapshot *s, const void *internal)
{
	c->state = (uint8_t)snapshot_below(s, state_of(c), HTTP_CONN_GONE);
	snapshot_check(s, c->state == HTTP_CONN_IDLE || c->state == HTTP_CONN_HEAD || c->state == HTTP_CONN_BODY ||
	                      c->state == HTTP_CONN_HELD || c->state == HTTP_CONN_SENDING);
	c->listener = snapshot_bool(s, c->listener != NULL) ? internal : NULL;
	SNAPSHOT(s, u64, c->progress);
	SNAPSHOT(s, u8, c->misses);
	SNAPSHOT(s, bool, c->is_tls);
	SNAPSHOT(s, bool, c->has_served);
	SNAPSHOT(s, bool, c->keep_alive);
	SNAPSHOT(s, bool, c->is_last);
	SNAPSHOT(s, bool, c->is_pipelined);
	input_snapshot(c, s);
	if (c->state == HTTP_CONN_BODY || c->state == HTTP_CONN_HELD)
		request_snapshot(c, s);
	timer_snapshot(&c->timer, s);
}

/* Writing, `from` is that of the connection, or of one that waits. */
static void write_conn(
    struct http_conn *c, struct stream *from, struct snapshot *s, const void *internal)
{
	uint8_t before = c->state;

	snapshot_more(s, true);
	if (!snapshot_enter(s, "CONN", 1))
		return;
	addr_snapshot(s, c->peer);
	stream_snapshot(from, s, NULL, NULL);
	state_snapshot(c, s, internal);
	c->state = before;
	snapshot_leave(s);
}

/* Its octets that were read already stand in `input`; a head among them is looked at anew. One that was in its TLS
 * handshake has not wanted any. */
static void go_on(struct http_conn *c)
{
	bool is_held = c->state == HTTP_CONN_HELD;

	if (is_held || c->state == HTTP_CONN_IDLE)
		stream_want(&c->stream, STREAM_READ); /* if it broke a hang-up follows */
	if (is_held || (c->state == HTTP_CONN_IDLE && c->is_pipelined))
		http_conn_want_turn(c);
}

static void read_conn(struct http_server *server, struct snapshot *s, const void *internal)
{
	struct http_conn *c = NULL;
	struct stream stream;
	struct addr peer;

	if (!snapshot_enter(s, "CONN", 1))
		return;
	peer = addr_snapshot(s, (struct addr){ 0 });
	stream_snapshot(&stream, s, NULL, NULL);
	if (snapshot_check(s, stream_is_open(&stream)) &&
	    !(c = http_conn_restore(server, &stream, &peer)))
		snapshot_fail(s, -ENOMEM);
	if (c)
		state_snapshot(c, s, internal);
	if (c && !snapshot_error(s))
		go_on(c);
	else if (c)
		http_conn_end(c);
	snapshot_leave(s);
}

/* --- those that wait outside ------------------------------------------------------------------------------------ */

static void write_waiting(struct http_again *a, struct snapshot *s, const void *internal)
{
	struct http_conn idle = {
		.state = HTTP_CONN_IDLE,
		.peer = a->peer,
		.misses = a->misses,
		.is_tls = stream_is_tls(&a->stream),
		.has_served = true,
	};

	idle.timer.deadline = timer_is_active(&a->timer) ? a->timer.deadline : 0;
	write_conn(&idle, &a->stream, s, internal);
}

/* --- all of them ---------------------------------------------------------------------------------------------- */

static void write_all(struct http_server *server, struct snapshot *s, const void *internal)
{
	struct list *pos;

	list_foreach (pos, &server->conns) {
		struct http_conn *c = container_of(pos, struct http_conn, node);

		write_conn(c, &c->stream, s, internal);
	}
	list_foreach (pos, &server->waiting)
		write_waiting(container_of(pos, struct http_again, turn.node), s, internal);
	/* Those whose turn it is would be in that list else */
	list_foreach (pos, &server->turns) {
		struct http_turn *turn = container_of(pos, struct http_turn, node);
		struct http_again *a = http_again_of_turn(turn);

		if (a)
			write_waiting(a, s, internal);
	}
	snapshot_more(s, false);
	http_linger_snapshot(server, s);
}

void http_server_snapshot(struct http_server *server, struct snapshot *s, const void *internal)
{
	if (!snapshot_enter(s, "HTTP", 1))
		return;
	if (s->is_reading) {
		while (snapshot_more(s, false))
			read_conn(server, s, internal);
		http_linger_snapshot(server, s);
	} else {
		write_all(server, s, internal);
	}
	snapshot_leave(s);
}
