/*
 * transports/ws_receiver.c - a WebSocket as a receiver: its end, and the verbs; see
 * ws_receiver.h.
 *
 * Owns: the upgraded stream, from 101 until the closing handshake is over. The
 * session knows it only while it is attached; after that it closes on its own.
 */
#include <errno.h>

#include "base/mem.h"
#include "session/sockjs_frame.h"
#include "transports/ws_receiver_private.h"

static struct ws_receiver *of(struct receiver *base)
{
	return container_of(base, struct ws_receiver, base);
}

struct session *ws_receiver_session(struct ws_receiver *r)
{
	return r->base.session;
}

struct transport_reactor *ws_receiver_reactor(struct ws_receiver *r)
{
	return r->reactor;
}

const struct endpoint *ws_receiver_endpoint(struct ws_receiver *r)
{
	return r->endpoint;
}

/* --- life --------------------------------------------------------------- */

static void receiver_free(struct deferred *d)
{
	struct ws_receiver *r = container_of(d, struct ws_receiver, deferred);

	ws_conn_fini(&r->conn);
	if (r->extras) {
		buf_fini(&r->extras->rest);
		ws_deflate_free(r->extras->compressor);
		ws_pending_free(r);
		mem_free(r->extras);
	}
	endpoint_unref(r->endpoint);
	mem_free(r);
}

void ws_receiver_end(struct ws_receiver *r)
{
	if (r->ended)
		return;
	if (r->base.session) /* in a call of its, which will hear that the wire is gone */
		session_settle(r->base.session);
	r->ended = true;
	r->reactor->sessions.counters.receivers--;
	list_remove(&r->base.node);
	stream_close(&r->stream);
	timer_stop(loop_timers(ws_receiver_loop(r)), &r->timer);
	loop_defer_anew(ws_receiver_loop(r), &r->deferred, receiver_free);
}

void ws_receiver_lost(struct ws_receiver *r)
{
	if (r->base.session)
		session_receiver_gone(r->base.session, &r->base);
	ws_receiver_end(r);
}

#define PART_MS 2000

/* Both Close frames are out, so nothing is to come but the client's end, which is awaited right here. (By
 * TLS there is its close_notify, too.) */
static bool may_part(const struct ws_receiver *r)
{
	return r->is_answered && !r->parting && !stream_is_tls(&r->stream) &&
	       stream_queued(&r->stream) == 0;
}

static void part(struct ws_receiver *r)
{
	r->parting = true;
	stream_shutdown(&r->stream);
	stream_want(&r->stream, STREAM_READ);
	timer_start(loop_timers(ws_receiver_loop(r)), &r->timer, PART_MS);
}

void ws_receiver_finish(struct ws_receiver *r)
{
	if (r->ended)
		return;
	if (may_part(r)) {
		part(r);
		return;
	}
	http_server_end(r->reactor->http, &r->stream);
	ws_receiver_end(r);
}

/* It says something behind its Close: a socket that is closed with that unread would be reset, and what it
 * has not taken yet be lost. */
void ws_receiver_parting_readable(struct ws_receiver *r)
{
	ssize_t n = stream_read(&r->stream, loop_scratch(ws_receiver_loop(r)), LOOP_SCRATCH_BYTES);

	if (n > 0)
		ws_receiver_finish(r);
	else if (n != -EAGAIN)
		ws_receiver_end(r);
}

void ws_receiver_parting_late(struct ws_receiver *r)
{
	if (stream_unacked(&r->stream) > 0)
		ws_receiver_finish(r);
	else
		ws_receiver_end(r);
}

void ws_receiver_fail(struct ws_receiver *r, unsigned code, const char *reason)
{
	ws_conn_close(&r->conn, code, reason, strlen(reason));
	if (r->base.session)
		session_client_closed(r->base.session, &r->base, code, reason);
	r->closing = true;
	timer_start(loop_timers(ws_receiver_loop(r)), &r->timer, r->endpoint->close_timeout_ms);
}

void ws_receiver_start_pings(struct ws_receiver *r)
{
	r->last_heard = loop_now(ws_receiver_loop(r));
	if (r->endpoint->ping_interval_ms)
		timer_start(
		    loop_timers(ws_receiver_loop(r)), &r->timer, r->endpoint->ping_interval_ms);
}

void ws_receiver_read_on(struct ws_receiver *r)
{
	if (ws_receiver_is_behind(r))
		stream_read_later(&r->stream, false);
	stream_want(&r->stream, STREAM_READ);
}

/* --- the verbs ---------------------------------------------------------- */

/* A frame of the session's: it need not hurry before the end of the turn. */
static enum recv_status write_piece(struct ws_receiver *r, struct stream_piece piece)
{
	if (stream_write_soon(&r->stream, &piece) == 0)
		return RECV_MORE;
	ws_receiver_end(r);
	return RECV_GONE;
}

static enum recv_status say_text(struct ws_receiver *r, const char *text)
{
	char frame[WS_HEADER_MAX + 16];
	size_t n = strlen(text), len = ws_frame_header(frame, true, 0, WS_TEXT, n, NULL);

	memcpy(frame + len, text, n);
	return write_piece(r, (struct stream_piece){ frame, len + n, NULL });
}

/* The 101 that has been waiting. */
static enum recv_status write_101(struct ws_receiver *r)
{
	struct buf *out = transport_wire(r->reactor);

	if (ws_pending_add_101(r, out) == 0)
		return write_piece(r, (struct stream_piece){ buf_data(out), buf_len(out), NULL });
	ws_receiver_end(r);
	return RECV_GONE;
}

static enum recv_status receiver_open(struct receiver *base)
{
	struct ws_receiver *r = of(base);

	if (ws_receiver_is_pending(r)) {
		ws_receiver_start_pings(r);
		if (write_101(r) == RECV_GONE)
			return RECV_GONE;
	}
	if (!r->wire->open)
		return RECV_MORE;
	ws_receiver_said(r);
	return say_text(r, r->wire->open);
}

/* Whether the client has been about as silent as we, so that a ping is due as well, or nearly. */
static bool is_silent(const struct ws_receiver *r)
{
	uint64_t silent = loop_now(ws_receiver_loop(r)) - r->last_heard;
	unsigned interval = r->endpoint->ping_interval_ms;

	if (interval && r->base.session && session_is_on_rung(r->base.session))
		interval = session_silence_ms(r->base.session);
	return interval && silent >= interval / 2;
}

/* Then the next ones are due at the same time, too. */
static enum recv_status receiver_heartbeat(struct receiver *base)
{
	struct ws_receiver *r = of(base);

	if (r->wire->heartbeat && say_text(r, r->wire->heartbeat) == RECV_GONE)
		return RECV_GONE;
	if (!r->pinged && is_silent(r))
		ws_receiver_ping_and_wait(r);
	return r->ended ? RECV_GONE : RECV_MORE;
}

/* By a ping, though there may be no others; its answer is not waited for. */
static enum recv_status receiver_ask(struct receiver *base)
{
	struct ws_receiver *r = of(base);

	if (!r->pinged)
		ws_receiver_ping(r);
	return r->ended ? RECV_GONE : RECV_MORE;
}

/* By the answer to a ping, which is waited for. */
static enum recv_status receiver_prove(struct receiver *base)
{
	struct ws_receiver *r = of(base);

	if (ws_receiver_is_pending(r)) {
		ws_receiver_start_pings(r);
		if (write_101(r) == RECV_GONE)
			return RECV_GONE;
	}
	ws_receiver_ping_first(r);
	return r->ended ? RECV_GONE : RECV_MORE;
}

/* Each behind its header, without a copy. */
static enum recv_status write_in_place(
    struct ws_receiver *r, struct message *const *messages, size_t count)
{
	if (ws_frames_write_in_place(&r->stream, messages, count) == 0)
		return RECV_MORE;
	ws_receiver_end(r);
	return RECV_GONE;
}

/* Of what is compressed for this client alone. */
static void spend_for_deflating(
    struct ws_receiver *r, struct message *const *messages, size_t count)
{
	size_t octets = 0;

	for (size_t i = 0; i < count; i++)
		octets += messages[i]->len;
	if (octets >= r->endpoint->deflate.min_bytes)
		budget_spend(ws_receiver_budget(r), cost_of_deflating(octets));
}

static enum recv_status receiver_messages(
    struct receiver *base, struct message *const *messages, size_t count)
{
	struct ws_receiver *r = of(base);
	struct buf *out = transport_wire(r->reactor);
	struct ws_deflate_how how;
	struct shared *frame;
	bool deflates;

	ws_receiver_said(r);
	if (count == 1 && messages[0]->cache) {
		frame = ws_frames_shared(r, messages[0]);
		if (frame)
			return write_piece(
			    r, (struct stream_piece){ frame->data, frame->len, frame });
	}
	if (count == 1)
		messages = message_parts(messages, &count);
	deflates = ws_conn_deflates(&r->conn, &r->endpoint->deflate, false, &how);
	if (deflates)
		spend_for_deflating(r, messages, count);
	if (!deflates && ws_frames_may_go_in_place(r->wire, messages, count))
		return write_in_place(r, messages, count);
	if (r->wire->outgoing(out, messages, count, deflates ? &how : NULL) < 0) {
		ws_receiver_end(r);
		return RECV_GONE;
	}
	return write_piece(r, (struct stream_piece){ buf_data(out), buf_len(out), NULL });
}

static void receiver_close(struct receiver *base, unsigned code, const char *reason)
{
	struct ws_receiver *r = of(base);
	size_t n = strlen(reason), mark;
	struct buf *out;
	char *to;

	if (ws_receiver_is_pending(r) && write_101(r) == RECV_GONE)
		return;
	out = transport_wire(r->reactor);
	if (!r->wire->is_raw && ws_frame_begin(out, &mark) == 0 &&
	    (to = buf_reserve(out, sockjs_frame_close_max(n))) != NULL) {
		buf_commit(out, (size_t)(sockjs_frame_close(to, code, reason, n) - to));
		ws_frame_end(out, mark, WS_TEXT, NULL);
		write_piece(r, (struct stream_piece){ buf_data(out), buf_len(out), NULL });
	}
	if (r->ended)
		return;
	r->closing = true;
	ws_conn_close(&r->conn, code, reason, n);
	timer_start(loop_timers(ws_receiver_loop(r)), &r->timer, r->endpoint->close_timeout_ms);
	/* Whatever the application paused: the client's Close is waited for */
	ws_conn_resume(&r->conn);
	ws_receiver_read_on(r);
}

/* Instead of 101. A client that has to come back later is told when. */
static void receiver_refuse(struct receiver *base, const struct session *of, unsigned status,
    unsigned retry_after, const char *reason)
{
	struct ws_receiver *r = container_of(base, struct ws_receiver, base);
	struct buf *out = transport_wire(r->reactor);

	if (ws_pending_add_refusal(r, out, of, status, retry_after, reason) < 0)
		ws_receiver_end(r);
	else if (write_piece(r, (struct stream_piece){ buf_data(out), buf_len(out), NULL }) !=
	         RECV_GONE)
		ws_receiver_finish(r);
}

static void receiver_abort(struct receiver *base)
{
	struct ws_receiver *r = of(base);

	stream_reset(&r->stream);
	ws_receiver_end(r);
}

static size_t receiver_buffered(const struct receiver *base)
{
	return stream_queued(&container_of(base, struct ws_receiver, base)->stream);
}

static size_t receiver_unfinished(const struct receiver *base)
{
	const struct ws_receiver *r = container_of(base, struct ws_receiver, base);

	return ws_conn_held(&r->conn) + (r->extras ? r->extras->rest.cap : 0);
}

static size_t receiver_unacked(const struct receiver *base)
{
	return stream_unacked(&container_of(base, struct ws_receiver, base)->stream);
}

static uint64_t receiver_progress(const struct receiver *base)
{
	return stream_progress(&container_of(base, struct ws_receiver, base)->stream);
}

static uint32_t receiver_written(const struct receiver *base)
{
	return stream_written(&container_of(base, struct ws_receiver, base)->stream);
}

static void receiver_measure(struct receiver *base, struct stream_reach *reach)
{
	stream_measure(&of(base)->stream, reach);
}

/* Nothing is wanted while paused, not even the news of the client's end: messages may stand before
 * it. */
static void receiver_pause(struct receiver *base, bool paused)
{
	struct ws_receiver *r = of(base);

	if (paused) {
		ws_conn_pause(&r->conn);
		stream_want(&r->stream, 0);
		return;
	}
	ws_conn_resume(&r->conn);
	ws_receiver_may_have_been_heard(r);
	if (!r->choked)
		ws_receiver_read_on(r);
}

const struct receiver_ops ws_receiver_ops = {
	.open = receiver_open,
	.prove = receiver_prove,
	.messages = receiver_messages,
	.heartbeat = receiver_heartbeat,
	.ask = receiver_ask,
	.close = receiver_close,
	.refuse = receiver_refuse,
	.abort = receiver_abort,
	.buffered = receiver_buffered,
	.unfinished = receiver_unfinished,
	.progress = receiver_progress,
	.unacked = receiver_unacked,
	.written = receiver_written,
	.measure = receiver_measure,
	.pause = receiver_pause,
};
