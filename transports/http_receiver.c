/*
 * transports/http_receiver.c - one response that carries SockJS frames; see
 * http_receiver.h.
 *
 * Owns: the detached connection, from attach until the response has left. It is
 * then given back to libmicrohttpd if it may serve another request, else ended.
 * The session knows the receiver only while it is attached.
 */
#include "transports/http_receiver.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/http_detach.h"
#include "session/sockjs_frame.h"

#define CHUNK_GAP    10 /* room for "xxxxxxxx\r\n" */
#define FINISH_MS    30000 /* for the rest of a response to leave */

enum phase {
	IN_REQUEST, /* frames collect in `said` */
	DETACHED,   /* frames go to the stream */
	FINISHED,   /* the last byte was said; it may still be on its way */
};

struct http_receiver {
	struct receiver base;
	struct deferred deferred;
	struct stream stream;
	struct timer timer; /* of the finish */
	const struct http_wire *wire;
	const struct transport_request *request; /* while IN_REQUEST */
	struct endpoint *endpoint;
	struct transport_reactor *reactor;
	struct addr peer;
	uint16_t lines_len, callback_len; /* of `text` */
	struct buf *said;                 /* while IN_REQUEST */
	size_t framed;                    /* octets of frames said, for response_limit */
	uint8_t phase;
	bool is_1_1, chunked, keep_alive, bare, head_sent, complete;
	char text[]; /* the head's lines that vary, then the callback */
};

static struct http_receiver *of(struct receiver *base)
{
	return container_of(base, struct http_receiver, base);
}

static struct bytes lines_of(const struct http_receiver *r)
{
	return (struct bytes){ r->text, r->lines_len };
}

static struct bytes callback_of(const struct http_receiver *r)
{
	return (struct bytes){ r->text + r->lines_len, r->callback_len };
}

/* --- life ------------------------------------------------------------------------------------------ */

static void receiver_free(struct deferred *d)
{
	mem_free(container_of(d, struct http_receiver, deferred));
}

static void end(struct http_receiver *r)
{
	r->phase = FINISHED;
	r->reactor->sessions.counters.receivers--;
	stream_close(&r->stream);
	timer_stop(loop_timers(r->reactor->sessions.loop), &r->timer);
	loop_defer(r->reactor->sessions.loop, &r->deferred, receiver_free);
}

static void on_finish_timer(struct timer *t)
{
	struct http_receiver *r = container_of(t, struct http_receiver, timer);

	stream_reset(&r->stream);
	end(r);
}

/* --- the head ----------------------------------------------------------------------------------------- */

/* The lines that are the same for every request of a wire. */
static void add_fixed_lines(struct http_head *head, const struct http_wire *wire)
{
	http_head_add(head, "Content-Type", wire->content_type);
	http_head_never_cache(head);
	http_head_add(head, "X-Accel-Buffering", "no"); /* nginx must not collect what we say */
	if (wire->more_headers)
		http_head_add_lines(head, bytes_of(wire->more_headers));
}

static void make_head(const struct http_receiver *r, struct http_head *head)
{
	http_head_init(head, 200);
	add_fixed_lines(head, r->wire);
	http_head_add_lines(head, lines_of(r));
}

/* Appends the raw head of a detached response; `length` -1 for a stream. */
static int add_head(const struct http_receiver *r, struct buf *out, long long length)
{
	struct http_head head;
	char *to = buf_reserve(out, HTTP_HEAD_MAX + HTTP_HEAD_EXTRA);

	if (!to)
		return -ENOMEM;
	make_head(r, &head);
	buf_commit(out, http_head_render(to, 200, (struct bytes){ head.text, head.len },
	                    (struct http_framing){ r->keep_alive, r->chunked, length }));
	return 0;
}

/* --- chunks ---------------------------------------------------------------------------------------------- */

/* Leaves room for the length of a chunk; the payload is appended next. */
static int chunk_begin(struct buf *out, size_t *mark)
{
	if (!buf_reserve(out, CHUNK_GAP))
		return -ENOMEM;
	*mark = buf_len(out);
	buf_commit(out, CHUNK_GAP);
	return 0;
}

/* Writes the length, closes the gap and ends the chunk. */
static int chunk_end(struct buf *out, size_t mark)
{
	size_t n = buf_len(out) - mark - CHUNK_GAP, unused;
	char digits[CHUNK_GAP + 1], *at;
	int len = snprintf(digits, sizeof(digits), "%zx\r\n", n);

	if (len < 0 || len > CHUNK_GAP || buf_add(out, "\r\n", 2) < 0)
		return -ENOMEM;
	at = buf_data(out) + mark;
	unused = CHUNK_GAP - (size_t)len;
	if (mark == 0) {
		out->start += unused; /* nothing stands before: begin later */
	} else {
		memmove(at, at + unused, CHUNK_GAP - unused + n + 2);
		out->end -= unused;
		unused = 0;
	}
	memcpy(at + unused, digits, (size_t)len);
	return 0;
}

static int add_prelude(const struct http_receiver *r, struct buf *out)
{
	size_t mark = 0;
	int err = 0;

	if (!r->wire->prelude)
		return 0;
	if (r->chunked)
		err = chunk_begin(out, &mark);
	if (err == 0)
		err = r->wire->prelude(out, callback_of(r));
	if (err == 0 && r->chunked)
		err = chunk_end(out, mark);
	return err;
}

/* One wrapped frame, as a chunk if the response has chunks. Counts it. */
static int add_frame(struct http_receiver *r, struct buf *out, struct bytes frame)
{
	size_t mark = 0, before;
	int err = 0;

	if (r->chunked)
		err = chunk_begin(out, &mark);
	before = buf_len(out);
	if (err == 0)
		err = r->wire->wrap(out, callback_of(r), frame.p, frame.n);
	r->framed += buf_len(out) - before;
	if (err == 0 && r->chunked)
		err = chunk_end(out, mark);
	return err;
}

struct shared *http_wire_encode(const struct http_wire *wire, const struct message *m)
{
	struct message *one = (struct message *)(uintptr_t)m; /* read only all the way down */
	struct buf frame = BUF_INIT, out = BUF_INIT;
	struct shared *shared = NULL;
	size_t mark = 0;

	if (sockjs_frame_array_add(&frame, &one, 1) == 0 && chunk_begin(&out, &mark) == 0 &&
	    wire->wrap(&out, (struct bytes){ 0 }, buf_data(&frame), buf_len(&frame)) == 0 &&
	    chunk_end(&out, mark) == 0)
		shared = shared_new(buf_len(&out));
	if (shared)
		memcpy(shared->data, buf_data(&out), buf_len(&out));
	buf_fini(&frame);
	buf_fini(&out);
	return shared;
}

/* --- saying ------------------------------------------------------------------------------------------------- */

static enum recv_status gone(struct http_receiver *r)
{
	if (r->phase != IN_REQUEST)
		end(r);
	else
		r->complete = true;
	return RECV_GONE;
}

/* Everything was said: when the last byte has left, the connection serves the next request, or ends. */
static void finish(struct http_receiver *r)
{
	r->phase = FINISHED;
	if (stream_queued(&r->stream) > 0) {
		stream_want(&r->stream, STREAM_HANGUP);
		timer_start(loop_timers(r->reactor->sessions.loop), &r->timer, FINISH_MS);
		return;
	}
	if (r->keep_alive)
		http_server_give_back(r->reactor->http, &r->stream, &r->peer);
	else
		http_server_end(r->reactor->http, &r->stream);
	end(r);
}

static enum recv_status write_out(struct http_receiver *r, const struct stream_piece *pieces, unsigned n, bool last)
{
	if (stream_write(&r->stream, pieces, n) < 0)
		return gone(r);
	if (!last)
		return RECV_MORE;
	finish(r);
	return RECV_DONE;
}

/* Streaming: head and prelude if they have not gone out yet, then the frame, then the end if it is the last. */
static enum recv_status say_in_stream(struct http_receiver *r, struct bytes frame, bool last)
{
	struct buf *out = r->phase == IN_REQUEST ? r->said : &r->reactor->wire;
	struct stream_piece piece = { 0 };
	int err = 0;

	if (r->phase != IN_REQUEST) {
		buf_clear(out);
		if (!r->head_sent) {
			err = add_head(r, out, -1);
			if (err == 0)
				err = add_prelude(r, out);
			r->head_sent = true;
		}
	}
	if (err == 0 && frame.n)
		err = add_frame(r, out, frame);
	last = last || r->framed >= r->endpoint->response_limit_bytes;
	if (err == 0 && last && r->chunked)
		err = buf_add(out, "0\r\n\r\n", 5);
	if (err < 0)
		return gone(r);
	if (r->phase == IN_REQUEST) {
		r->complete = last;
		return last ? RECV_DONE : RECV_MORE;
	}
	piece.p = buf_data(out);
	piece.n = buf_len(out);
	return write_out(r, &piece, 1, last);
}

/* Polling: the first frame completes the response. */
static enum recv_status say_in_poll(struct http_receiver *r, struct bytes frame)
{
	struct buf *body = r->phase == IN_REQUEST ? r->said : &r->reactor->wire;
	char head[HTTP_HEAD_MAX + HTTP_HEAD_EXTRA];
	struct buf head_buf = { .data = head, .cap = sizeof(head) };
	struct stream_piece pieces[2];

	if (r->phase != IN_REQUEST)
		buf_clear(body);
	if (add_frame(r, body, frame) < 0)
		return gone(r);
	if (r->phase == IN_REQUEST) {
		r->complete = true;
		return RECV_DONE;
	}
	if (!r->bare)
		add_head(r, &head_buf, (long long)buf_len(body)); /* it fits: no memory is asked for */
	pieces[0] = (struct stream_piece){ head, buf_len(&head_buf), NULL };
	pieces[1] = (struct stream_piece){ buf_data(body), buf_len(body), NULL };
	return write_out(r, pieces, 2, true);
}

static enum recv_status say(struct http_receiver *r, struct bytes frame, bool last)
{
	return r->wire->is_streaming ? say_in_stream(r, frame, last) : say_in_poll(r, frame);
}

/* --- the verbs ------------------------------------------------------------------------------------------------- */

static enum recv_status receiver_open(struct receiver *base)
{
	return say(of(base), BYTES(SOCKJS_OPEN), false);
}

static enum recv_status receiver_heartbeat(struct receiver *base)
{
	return say(of(base), BYTES(SOCKJS_HEARTBEAT), false);
}

/* Octets of payload in a chunk of this total length. */
static size_t chunk_payload(size_t total)
{
	size_t digits = 1;

	while (((total - digits - 4) >> (4 * digits)) != 0)
		digits++;
	return total - digits - 4;
}

/* A broadcast message is encoded once for all streams of its wire; the bytes are shared. */
static enum recv_status say_shared(struct http_receiver *r, struct message *m)
{
	struct shared *chunk = message_form(m, r->wire->form, r->wire->encode);
	struct stream_piece pieces[2];
	bool last;

	if (!chunk)
		return gone(r);
	r->framed += chunk_payload(chunk->len);
	last = r->framed >= r->endpoint->response_limit_bytes;
	pieces[0] = (struct stream_piece){ chunk->data, chunk->len, chunk };
	pieces[1] = (struct stream_piece){ "0\r\n\r\n", 5, NULL };
	return write_out(r, pieces, last ? 2 : 1, last);
}

static enum recv_status receiver_messages(struct receiver *base, struct message *const *messages, size_t count)
{
	struct http_receiver *r = of(base);
	struct buf *frame;

	if (count == 1 && messages[0]->cache && r->phase == DETACHED && r->head_sent && r->chunked)
		return say_shared(r, messages[0]);
	frame = session_scratch(&r->reactor->sessions);
	if (sockjs_frame_array_add(frame, messages, count) < 0)
		return gone(r);
	return say(r, (struct bytes){ buf_data(frame), buf_len(frame) }, false);
}

static void receiver_close(struct receiver *base, unsigned code, const char *reason)
{
	struct http_receiver *r = of(base);
	struct buf *frame = session_scratch(&r->reactor->sessions);
	size_t n = strlen(reason);
	char *to = buf_reserve(frame, sockjs_frame_close_max(n));

	if (!to) {
		gone(r);
		return;
	}
	say(r, (struct bytes){ to, (size_t)(sockjs_frame_close(to, code, reason, n) - to) }, true);
}

static void receiver_abort(struct receiver *base)
{
	struct http_receiver *r = of(base);

	if (r->phase == IN_REQUEST) {
		r->complete = true;
		return;
	}
	stream_reset(&r->stream);
	end(r);
}

static size_t receiver_buffered(const struct receiver *base)
{
	const struct http_receiver *r = container_of(base, struct http_receiver, base);

	return r->phase == IN_REQUEST ? 0 : stream_queued(&r->stream);
}

static const struct receiver_ops http_receiver_ops = {
	.open = receiver_open,
	.messages = receiver_messages,
	.heartbeat = receiver_heartbeat,
	.close = receiver_close,
	.abort = receiver_abort,
	.buffered = receiver_buffered,
};

/* --- the stream's events ------------------------------------------------------------------------------------------ */

static void on_readable(struct stream *s)
{
	(void)s; /* never wanted: a request behind this one waits in the kernel */
}

static void on_writable(struct stream *s)
{
	struct http_receiver *r = container_of(s, struct http_receiver, stream);

	if (r->phase == FINISHED)
		finish(r);
	else if (r->base.session)
		session_writable(r->base.session);
}

static void on_hangup(struct stream *s, int err)
{
	struct http_receiver *r = container_of(s, struct http_receiver, stream);

	(void)err;
	if (r->base.session)
		session_receiver_gone(r->base.session, &r->base);
	end(r);
}

static const struct stream_events http_receiver_events = {
	.readable = on_readable, .writable = on_writable, .hangup = on_hangup,
};

/* --- serving a request ----------------------------------------------------------------------------------------------- */

static struct http_receiver *receiver_new(const struct transport_request *t, const struct http_wire *wire,
    struct bytes callback, struct buf *said)
{
	struct http_head head;
	struct http_receiver *r;

	transport_head(t, &head, 200);
	r = mem_alloc(offsetof(struct http_receiver, text) + head.len + callback.n);
	if (!r)
		return NULL;
	memset(r, 0, offsetof(struct http_receiver, text));
	r->base.ops = &http_receiver_ops;
	stream_init_empty(&r->stream);
	timer_init(&r->timer, on_finish_timer);
	r->wire = wire;
	r->request = t;
	r->endpoint = t->endpoint;
	r->reactor = t->reactor;
	r->said = said;
	r->phase = IN_REQUEST;
	r->is_1_1 = http_request_is_1_1(t->http);
	r->chunked = wire->is_streaming && r->is_1_1;
	r->lines_len = (uint16_t)head.len;
	r->callback_len = (uint16_t)callback.n;
	memcpy(r->text, head.text, head.len);
	if (callback.n)
		memcpy(r->text + head.len, callback.p, callback.n);
	r->reactor->sessions.counters.receivers++;
	return r;
}

/* Takes the connection out of its request, to live in `loop`, or (NULL) to be sent to another one. */
static int detach(struct http_receiver *r, struct loop *loop)
{
	struct http_detached d;
	struct http_head head;
	int err;

	if (r->wire->is_streaming) {
		err = http_detach_stream(r->request->http, &d);
	} else {
		make_head(r, &head);
		err = http_detach_poll(r->request->http, &head, &d);
	}
	if (err < 0)
		return err;
	r->request = NULL;
	r->peer = d.peer;
	r->keep_alive = d.keep_alive && r->is_1_1;
	r->bare = d.bare;
	stream_move(&r->stream, &d.stream, loop, &http_receiver_events);
	return 0;
}

/* A stream begins, or one that said its last word within the request is delivered whole. */
static void start_stream(struct http_receiver *r)
{
	struct buf *out = &r->reactor->wire;
	struct stream_piece pieces[2];
	struct session *s = r->base.session;

	buf_clear(out);
	if (add_head(r, out, -1) < 0 || add_prelude(r, out) < 0) {
		if (s)
			session_receiver_gone(s, &r->base);
		end(r);
		return;
	}
	r->head_sent = true;
	r->phase = DETACHED;
	pieces[0] = (struct stream_piece){ buf_data(out), buf_len(out), NULL };
	pieces[1] = (struct stream_piece){ r->said->data ? buf_data(r->said) : "", buf_len(r->said), NULL };
	stream_write(&r->stream, pieces, 2); /* if the wire is broken a hang-up follows */
	if (r->complete)
		finish(r);
	else
		stream_want(&r->stream, STREAM_HANGUP);
}

static void wait_detached(struct http_receiver *r)
{
	if (detach(r, r->reactor->sessions.loop) < 0) {
		struct http_request *http = r->request->http;

		if (r->base.session)
			session_receiver_gone(r->base.session, &r->base);
		http_respond_text(http, 503, "No descriptor is left for this connection.");
		end(r);
		return;
	}
	if (r->wire->is_streaming) {
		start_stream(r);
	} else {
		r->phase = DETACHED;
		stream_want(&r->stream, STREAM_HANGUP);
	}
	r->said = NULL;
}

/* A session of this loop. */
static void attach_local(struct http_receiver *r, struct session *s)
{
	struct http_head head;

	if (session_attach(s, &r->base) < 0) {
		transport_refuse(r->request, 404, "There is no such session any more.");
		end(r);
		return;
	}
	if (r->wire->is_streaming || !r->complete) {
		wait_detached(r);
		return;
	}
	make_head(r, &head);
	if (buf_len(r->said) == 0)
		head.status = 503; /* out of memory while encoding */
	http_respond(r->request->http, &head, (struct bytes){ r->said->data ? buf_data(r->said) : NULL, buf_len(r->said) });
	end(r);
}

/* --- a session of another loop ------------------------------------------------------------------------------------------- */

/* A receiver on its way to the reactor of its session: by id, for the session may end meanwhile. */
struct handover {
	struct mail mail;
	struct http_receiver *receiver;
	struct addr client;
	size_t id_len;
	char id[];
};

static void say_not_found(struct http_receiver *r)
{
	static const char body[] = "There is no such session any more.\n";
	char text[HTTP_HEAD_EXTRA + sizeof(body) + 64];
	struct stream_piece piece = { text, 0, NULL };

	if (!r->bare) {
		piece.n = http_head_render(text, 404, BYTES("Content-Type: text/plain; charset=UTF-8\r\n"),
		    (struct http_framing){ .length = sizeof(body) - 1 });
		memcpy(text + piece.n, body, sizeof(body) - 1);
		piece.n += sizeof(body) - 1;
		stream_write(&r->stream, &piece, 1);
	}
	r->keep_alive = false;
	finish(r);
}

static void on_handover(struct mail *mail, struct loop *loop)
{
	struct handover *h = container_of(mail, struct handover, mail);
	struct http_receiver *r = h->receiver;
	struct session_found found;

	stream_adopt(&r->stream, loop);
	r->reactor = transport_reactor_current();
	r->reactor->sessions.counters.receivers++;
	r->phase = DETACHED;
	if (!session_table_find(r->endpoint->table, (struct bytes){ h->id, h->id_len }, &h->client, &found) ||
	    !found.session || session_attach(found.session, &r->base) < 0) {
		say_not_found(r);
	} else if (r->phase == DETACHED) {
		if (r->wire->is_streaming && !r->head_sent)
			say_in_stream(r, (struct bytes){ 0 }, false);
		if (r->phase == DETACHED)
			stream_want(&r->stream, STREAM_HANGUP);
	}
	mem_free(h);
}

static void hand_over(struct http_receiver *r, const struct transport_request *t, struct loop *owner)
{
	struct handover *h = mem_alloc(sizeof(*h) + t->session_id.n);

	if (!h || detach(r, NULL) < 0) {
		mem_free(h);
		transport_refuse(t, 503, "Out of memory or descriptors.");
		end(r);
		return;
	}
	h->receiver = r;
	h->client = t->client;
	h->id_len = t->session_id.n;
	memcpy(h->id, t->session_id.p, t->session_id.n);
	r->reactor->sessions.counters.receivers--;
	r->said = NULL;
	loop_post(owner, &h->mail, on_handover);
}

/* --- finding or making the session ------------------------------------------------------------------------------------------ */

/* Another kind of transport may not take a session over; but it is told that somebody is there, or that the session
 * has ended. */
static bool is_other_kind(const struct transport_request *t, const struct session_found *found)
{
	return strcmp(found->transport, t->transport->name) != 0 && found->open && !found->attached;
}

static void serve_existing(struct http_receiver *r, const struct transport_request *t, const struct session_found *found)
{
	if (is_other_kind(t, found)) {
		transport_refuse(t, 404, "This session was opened by another transport.");
		end(r);
	} else if (found->session) {
		attach_local(r, found->session);
	} else {
		hand_over(r, t, found->owner);
	}
}

/* NULL when the request was answered with a refusal. */
static struct session *make_session(const struct transport_request *t, int *err)
{
	struct transport_accept accepted = { 0 };
	unsigned status = t->endpoint->ops->accept(t, &accepted);

	if (status) {
		transport_refuse(t, status, "The session was refused.");
		return NULL;
	}
	*err = session_table_insert(t->endpoint->table, t->session_id, accepted.session, &t->client);
	if (*err == 0)
		return accepted.session;
	session_discard(accepted.session);
	if (*err != -EEXIST)
		transport_refuse(t, 503, "Out of memory.");
	return NULL;
}

void http_receiver_serve(const struct transport_request *t, const struct http_wire *wire, struct bytes callback)
{
	struct buf said = BUF_INIT;
	struct http_receiver *r = receiver_new(t, wire, callback, &said);
	struct session_found found;
	struct session *s;
	int err = 0;

	if (!r) {
		transport_refuse(t, 503, "Out of memory.");
		return;
	}
	/* Two requests may open one session at the same time on two reactors: the second one finds it then. */
	if (session_table_find(t->endpoint->table, t->session_id, &t->client, &found)) {
		serve_existing(r, t, &found);
	} else if ((s = make_session(t, &err)) != NULL) {
		attach_local(r, s);
	} else if (err == -EEXIST && session_table_find(t->endpoint->table, t->session_id, &t->client, &found)) {
		serve_existing(r, t, &found);
	} else {
		if (err == -EEXIST) /* bound to another client, or gone again */
			transport_refuse(t, 404, "There is no such session.");
		end(r);
	}
	buf_fini(&said);
}

/* --- callbacks of jsonp and htmlfile ---------------------------------------------------------------------------------------------- */

static bool is_callback(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = p[i];
		bool ok = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' ||
		          c == '_' || c == '.';

		if (!ok)
			return false;
	}
	return n > 0;
}

size_t http_receiver_callback(const struct transport_request *t, char out[CALLBACK_MAX])
{
	struct bytes query = http_request_query(t->http), raw = http_parameter(query, "c");
	ssize_t n;

	if (!raw.p)
		raw = http_parameter(query, "callback");
	if (raw.n == 0) {
		transport_refuse(t, 500, "\"callback\" parameter required");
		return 0;
	}
	n = http_percent_decode(raw, true, out, CALLBACK_MAX);
	if (n <= 0 || !is_callback(out, (size_t)n)) {
		transport_refuse(t, 500, "invalid \"callback\" parameter");
		return 0;
	}
	return (size_t)n;
}
