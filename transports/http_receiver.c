/*
 * transports/http_receiver.c - one response that carries SockJS frames: the verbs;
 * see http_receiver.h.
 *
 * Owns: the detached connection, until the response has left. It is then given back if it
 * may serve another request, else ended. A receiver stays
 * attached until the wire has taken its last byte: if that breaks before, the
 * session knows that something was lost.
 */
#include <errno.h>

#include "base/mem.h"
#include "session/sockjs_frame.h"
#include "transports/http_receiver_private.h"

#define ARRIVING_BYTES                                                                             \
	16384 /* so much takes a slow line a second, and fits no sooner into a delay */
#define ARRIVING_LOOK_MS 500
#define FINISH_MS        30000 /* a client may take nothing of the rest of a response for so long */

static struct http_receiver *of(struct receiver *base)
{
	return container_of(base, struct http_receiver, base);
}

static struct loop *loop_of(const struct http_receiver *r)
{
	return r->reactor->sessions.loop;
}

/* --- life --------------------------------------------------------------- */

static void receiver_free(struct deferred *d)
{
	struct http_receiver *r = container_of(d, struct http_receiver, again.deferred);

	endpoint_unref(r->endpoint);
	http_access_free(r->again.access);
	mem_free(r);
}

void http_receiver_retire(struct http_receiver *r)
{
	r->reactor->sessions.counters.receivers--;
	list_remove(&r->base.node);
}

/* Before the count of its octets makes room for something else. */
static void said_all(struct http_receiver *r)
{
	if (r->again.access && r->framed > 0)
		r->again.access->octets = r->framed;
}

/* Not all was said, or taken; nothing happens where all was. */
static void broken_off(struct http_receiver *r)
{
	struct http_access *a = r->again.access;

	if (!a || a->is_over)
		return;
	a->is_aborted = true;
	if (!r->head_sent && a->octets == 0)
		a->status = 499;
	http_access_tell(a, r->reactor->http);
}

void http_receiver_end(struct http_receiver *r)
{
	if (r->phase != HTTP_WAITING)
		http_receiver_retire(r);
	if (r->phase == HTTP_DETACHED)
		said_all(r);
	broken_off(r);
	r->phase = HTTP_FINISHED;
	stream_close(&r->again.stream);
	timer_stop(loop_timers(loop_of(r)), &r->again.timer);
	loop_defer_anew(loop_of(r), &r->again.deferred, receiver_free);
}

/* The rest of a response that nobody waits for any more. */
static void on_finish_timer(struct timer *t)
{
	struct http_receiver *r = container_of(t, struct http_receiver, again.timer);
	uint64_t progress = stream_progress(&r->again.stream);

	if ((int64_t)(progress - r->progress) > 0) {
		r->progress = progress;
		timer_start(loop_timers(loop_of(r)), t, FINISH_MS);
		return;
	}
	stream_reset(&r->again.stream);
	http_receiver_end(r);
}

void http_receiver_init(struct http_receiver *r)
{
	r->base.ops = &http_receiver_ops;
	list_init(&r->base.node);
	stream_init_empty(&r->again.stream);
	r->again.access = NULL;
	timer_init(&r->again.timer, on_finish_timer);
}

/* --- saying ------------------------------------------------------------- */

static enum recv_status gone(struct http_receiver *r)
{
	if (r->base.session)
		session_settle(r->base.session);
	if (r->phase != HTTP_IN_REQUEST)
		http_receiver_end(r);
	else
		r->complete = true; /* with nothing in it: http_serve.c answers 503 */
	return RECV_GONE;
}

/* The wire has taken everything: the connection serves the next request, or ends. */
static void part(struct http_receiver *r)
{
	struct http_server *http = r->reactor->http;

	timer_stop(loop_timers(loop_of(r)), &r->again.timer);
	http_access_tell(r->again.access, http);
	if (!r->again.keep_alive) {
		http_server_end(http, &r->again.stream);
	} else if (!http_receiver_repeats(r)) {
		http_server_give_back(http, &r->again.stream, &r->again.peer, NULL);
	} else if (http_again_wait(&r->again, http)) {
		http_receiver_retire(r);
		r->phase = HTTP_WAITING;
		return;
	}
	http_receiver_end(r);
}

/* Whether the client has a lot to take yet. One that is told little need not be asked. */
static bool is_arriving(const struct http_receiver *r)
{
	return r->framed > ARRIVING_BYTES && stream_unacked(&r->again.stream) > ARRIVING_BYTES;
}

/* It has taken all, or it says something new, or nobody wants to know any more. */
static void arrived(struct http_receiver *r)
{
	if (r->base.session)
		session_receiver_arrived(r->base.session, &r->base);
	part(r);
}

static void on_arriving_timer(struct timer *t)
{
	struct http_receiver *r = container_of(t, struct http_receiver, again.timer);

	if (!r->base.session || stream_unacked(&r->again.stream) == 0)
		arrived(r);
	else
		timer_start(loop_timers(loop_of(r)), t, ARRIVING_LOOK_MS);
}

void http_receiver_set_timer(struct http_receiver *r)
{
	timer_init(&r->again.timer, r->phase == HTTP_ARRIVING ? on_arriving_timer : on_finish_timer);
}

/* The connection is kept until then; a client that begins anew on it is heard, and one that reads
 * until the end has it behind what it reads. */
static void wait_for_arrival(struct http_receiver *r)
{
	r->phase = HTTP_ARRIVING;
	if (!r->again.keep_alive)
		stream_shutdown(&r->again.stream);
	stream_want(&r->again.stream, STREAM_READ);
	timer_init(&r->again.timer, on_arriving_timer);
	timer_start(loop_timers(loop_of(r)), &r->again.timer, ARRIVING_LOOK_MS);
}

/* Everything was said. */
static enum recv_status finish(struct http_receiver *r)
{
	bool attached = r->base.session != NULL;

	said_all(r);
	if (stream_queued(&r->again.stream) == 0 && attached && is_arriving(r)) {
		wait_for_arrival(r);
		return RECV_ARRIVING;
	}
	if (stream_queued(&r->again.stream) == 0) {
		if (attached)
			session_note_reach(r->base.session, &r->base);
		part(r);
		return RECV_DONE;
	}
	stream_want(&r->again.stream, STREAM_HANGUP);
	if (attached) { /* the session's send timeout applies */
		r->phase = HTTP_LEAVING;
		return RECV_MORE;
	}
	r->phase = HTTP_FINISHED;
	timer_init(&r->again.timer, on_finish_timer);
	r->progress = stream_progress(&r->again.stream);
	timer_start(loop_timers(loop_of(r)), &r->again.timer, FINISH_MS);
	return RECV_DONE;
}

/* What is not the last is one piece, and need not hurry before the end of the turn. */
static enum recv_status write_out(
    struct http_receiver *r, const struct stream_piece *pieces, unsigned n, bool last)
{
	if ((last ? stream_write(&r->again.stream, pieces, n)
	          : stream_write_soon(&r->again.stream, pieces)) < 0)
		return gone(r);
	return last ? finish(r) : RECV_MORE;
}

/* Streaming: head and prelude if they have not gone out yet, then the frame (may be none), then the
 * end if it is the last. */
static enum recv_status say_in_stream(struct http_receiver *r, struct bytes frame, bool last)
{
	struct buf *out = transport_wire(r->reactor);
	int err = 0;

	if (!r->head_sent) {
		err = http_wire_add_head(r, out, -1);
		if (err == 0)
			err = http_wire_add_prelude(r, out);
		r->head_sent = true;
	}
	if (err == 0 && frame.n)
		err = http_wire_add_frame(r, out, frame);
	last = last || r->framed >= http_receiver_limit(r);
	if (err == 0 && last && r->chunked)
		err = buf_add(out, "0\r\n\r\n", 5);
	if (err < 0)
		return gone(r);
	return write_out(r, &(struct stream_piece){ buf_data(out), buf_len(out), NULL }, 1, last);
}

/* Polling: the first frame completes the response. */
static enum recv_status say_in_poll(struct http_receiver *r, struct bytes frame)
{
	char head[HTTP_HEAD_MAX + HTTP_HEAD_EXTRA];
	struct buf head_buf = { .data = head, .cap = sizeof(head) };
	struct stream_piece pieces[2];
	struct buf *body = transport_wire(r->reactor);

	if (http_wire_add_frame(r, body, frame) < 0)
		return gone(r);
	/* It fits: no memory is asked for */
	http_wire_add_head(r, &head_buf, (long long)buf_len(body));
	pieces[0] = (struct stream_piece){ head, buf_len(&head_buf), NULL };
	pieces[1] = (struct stream_piece){ buf_data(body), buf_len(body), NULL };
	return write_out(r, pieces, 2, true);
}

/* A poll that may be answered within its request. */
static enum recv_status say_in_request(struct http_receiver *r, struct bytes frame)
{
	if (http_wire_add_frame(r, r->said, frame) < 0) {
		buf_clear(r->said);
		return gone(r);
	}
	r->complete = true;
	return RECV_DONE;
}

static enum recv_status say(struct http_receiver *r, struct bytes frame, bool last)
{
	if (r->phase == HTTP_IN_REQUEST)
		return say_in_request(r, frame);
	return r->wire->is_streaming ? say_in_stream(r, frame, last) : say_in_poll(r, frame);
}

/* --- the verbs ---------------------------------------------------------- */

static enum recv_status receiver_open(struct receiver *base)
{
	return say(of(base), BYTES(SOCKJS_OPEN), false);
}

static enum recv_status receiver_heartbeat(struct receiver *base)
{
	return say(of(base), BYTES(SOCKJS_HEARTBEAT), false);
}

/* A broadcast message is encoded once for all streams of its wire; the bytes are shared. */
static enum recv_status say_shared(struct http_receiver *r, struct message *m)
{
	struct shared *chunk = message_form(m, r->wire->form, r->wire->encode);
	struct stream_piece pieces[2];
	bool last;

	if (!chunk)
		return gone(r);
	r->framed += http_wire_chunk_payload(chunk->len);
	last = r->framed >= http_receiver_limit(r);
	pieces[0] = (struct stream_piece){ chunk->data, chunk->len, chunk };
	pieces[1] = (struct stream_piece){ "0\r\n\r\n", 5, NULL };
	return write_out(r, pieces, last ? 2 : 1, last);
}

static enum recv_status receiver_messages(
    struct receiver *base, struct message *const *messages, size_t count)
{
	struct http_receiver *r = of(base);
	struct buf *frame;

	if (count == 1 && messages[0]->cache && r->head_sent && r->chunked)
		return say_shared(r, messages[0]);
	if (count == 1)
		messages = message_parts(messages, &count);
	frame = session_scratch(&r->reactor->sessions);
	if (sockjs_frame_array_add(frame, messages, count) < 0)
		return gone(r);
	return say(r, (struct bytes){ buf_data(frame), buf_len(frame) }, false);
}

/* A stream ends, and who is there comes back; a poll does so anyway. */
static enum recv_status receiver_ask(struct receiver *base)
{
	struct http_receiver *r = of(base);

	if (!r->wire->is_streaming || r->phase != HTTP_DETACHED)
		return RECV_MORE;
	return say_in_stream(r, (struct bytes){ 0 }, true);
}

static void receiver_close(struct receiver *base, unsigned code, const char *reason)
{
	struct http_receiver *r = of(base);
	struct buf *frame = session_scratch(&r->reactor->sessions);
	size_t n = strlen(reason);
	char *to = buf_reserve(frame, sockjs_frame_close_max(n));

	if (!to)
		gone(r);
	else
		say(r, (struct bytes){ to, (size_t)(sockjs_frame_close(to, code, reason, n) - to) },
		    true);
}

static void receiver_abort(struct receiver *base)
{
	struct http_receiver *r = of(base);

	if (r->phase == HTTP_IN_REQUEST) {
		r->complete = true;
		return;
	}
	stream_reset(&r->again.stream);
	http_receiver_end(r);
}

static size_t receiver_buffered(const struct receiver *base)
{
	return stream_queued(&container_of(base, struct http_receiver, base)->again.stream);
}

static size_t receiver_unacked(const struct receiver *base)
{
	return stream_unacked(&container_of(base, struct http_receiver, base)->again.stream);
}

static uint64_t receiver_progress(const struct receiver *base)
{
	return stream_progress(&container_of(base, struct http_receiver, base)->again.stream);
}

/* What comes on the same connection comes behind the end of the last response. But a proxy that keeps
 * connections may send the same request there again, in the name of its client. (An EventSource has no
 * query of its own.) */
static bool receiver_proves(const struct receiver *base, struct request_mark *last)
{
	const struct http_receiver *r = container_of(base, struct http_receiver, base);
	struct request_mark before = *last, now = r->mark;

	*last = now;
	if (now.query != before.query)
		return true;
	return now.connection != 0 && now.connection == before.connection &&
	       (now.query == 0 || r->wire->form == MESSAGE_EVENTSOURCE);
}

static uint32_t receiver_written(const struct receiver *base)
{
	return stream_written(&container_of(base, struct http_receiver, base)->again.stream);
}

static void receiver_measure(struct receiver *base, struct stream_reach *reach)
{
	stream_measure(&of(base)->again.stream, reach);
}

static const char *receiver_transport(const struct receiver *base)
{
	return container_of(base, struct http_receiver, base)->wire->transport->name;
}

const struct receiver_ops http_receiver_ops = {
	.open = receiver_open,
	.messages = receiver_messages,
	.heartbeat = receiver_heartbeat,
	.ask = receiver_ask,
	.close = receiver_close,
	.abort = receiver_abort,
	.buffered = receiver_buffered,
	.progress = receiver_progress,
	.unacked = receiver_unacked,
	.written = receiver_written,
	.measure = receiver_measure,
	.proves = receiver_proves,
	.transport = receiver_transport,
};

/* --- the stream's events ------------------------------------------------ */

static void on_readable(struct stream *s)
{
	struct http_receiver *r = container_of(s, struct http_receiver, again.stream);

	if (r->phase == HTTP_WAITING)
		http_again_readable(&r->again);
	else if (r->phase == HTTP_ARRIVING)
		arrived(r);
	else
		stream_want(s, STREAM_HANGUP); /* a request behind this one waits in the stream */
}

/* For its end; that was read from until now, and to ask epoll(7) for less would cost. */
void http_receiver_watch(struct http_receiver *r)
{
	stream_want(&r->again.stream, STREAM_READ);
}

static void on_writable(struct stream *s)
{
	struct http_receiver *r = container_of(s, struct http_receiver, again.stream);
	struct session *session = r->base.session;

	if (r->phase == HTTP_DETACHED) {
		if (session)
			session_writable(session);
		return;
	}
	if (session && is_arriving(r)) {
		wait_for_arrival(r);
		session_receiver_arriving(session, &r->base);
		return;
	}
	if (session)
		session_receiver_done(session, &r->base);
	part(r);
}

static void on_hangup(struct stream *s, int err)
{
	struct http_receiver *r = container_of(s, struct http_receiver, again.stream);

	(void)err;
	if (r->phase == HTTP_WAITING) {
		http_again_hangup(&r->again);
		return;
	}
	if (r->base.session)
		session_receiver_gone(r->base.session, &r->base);
	http_receiver_end(r);
}

static void on_blocked(struct stream *s)
{
	struct http_receiver *r = container_of(s, struct http_receiver, again.stream);

	if (r->base.session)
		session_blocked(r->base.session);
}

const struct stream_events http_receiver_events = {
	.readable = on_readable,
	.writable = on_writable,
	.hangup = on_hangup,
	.blocked = on_blocked,
};

/* --- attaching ---------------------------------------------------------- */

static void count_not_found(const struct http_receiver *r)
{
	struct addr client = r->again.peer;

	if (r->has_address)
		memcpy(
		    &client, r->text + r->lines_len + r->callback_len + r->id_len, sizeof(client));
	http_refused(r->reactor->http, HTTP_REFUSED_NO_SESSION, &client,
	    HTTP_REFUSED_FIELDS(LOG_STR("endpoint", r->endpoint->prefix),
	        LOG_STR("transport", r->wire->transport->name), LOG_INT("status", 404)));
}

static void say_not_found(struct http_receiver *r)
{
	static const char body[] = "There is no such session any more.\n";
	char text[HTTP_HEAD_MAX + HTTP_HEAD_EXTRA + sizeof(body)];
	struct stream_piece piece = { text, 0, NULL };
	struct http_head head;

	count_not_found(r);
	http_head_init(&head, 404);
	http_head_add(&head, "Content-Type", "text/plain; charset=UTF-8");
	http_head_add_lines(&head, (struct bytes){ r->text, r->lines_len });
	piece.n = http_head_render(text, 404, (struct bytes){ head.text, head.len },
	    (struct http_framing){ .length = sizeof(body) - 1 });
	memcpy(text + piece.n, body, sizeof(body) - 1);
	piece.n += sizeof(body) - 1;
	if (r->again.access) {
		r->again.access->status = 404;
		r->again.access->octets = sizeof(body) - 1;
	}
	r->again.keep_alive = false;
	write_out(r, &piece, 1, true);
}

/* A stream that the session had nothing to say to yet begins all the same. */
static void begin_stream(struct http_receiver *r, struct session *s)
{
	switch (say_in_stream(r, (struct bytes){ 0 }, false)) {
	case RECV_GONE: /* said on our own account, so the session has to be told */
		session_receiver_gone(s, &r->base);
		break;
	case RECV_DONE:
		session_receiver_done(s, &r->base);
		break;
	case RECV_ARRIVING:
		session_receiver_arriving(s, &r->base);
		break;
	case RECV_MORE:
		break;
	}
}

void http_receiver_begin(struct http_receiver *r, struct session *s)
{
	r->phase = HTTP_DETACHED;
	r->is_short = s && s->network.is_short;
	if (r->is_whole && !r->is_short)
		r->chunked = r->again.keep_alive = false;
	list_append(&r->reactor->receivers, &r->base.node);
	if (!s || session_attach(s, &r->base) < 0) {
		say_not_found(r);
		return;
	}
	if (r->phase == HTTP_DETACHED && r->wire->is_streaming && !r->head_sent)
		begin_stream(r, s);
	if (r->phase == HTTP_DETACHED)
		http_receiver_watch(r);
}
