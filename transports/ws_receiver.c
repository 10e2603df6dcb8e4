/*
 * transports/ws_receiver.c - a WebSocket as a receiver; see ws_receiver.h.
 *
 * Owns: the upgraded stream, from 101 until the closing handshake is over. The
 * session knows it only while it is attached; after that it closes on its own.
 *
 * Frames are parsed in place in the loop's scratch buffer. Bytes are kept only when
 * the application pauses in the middle of a buffer, or when there is more to do with them than one
 * turn has time for: then the next turns go on with them before more is read. A message for many is
 * framed, and compressed, once for all receivers that agreed on the same; one that is long goes out
 * from where it is.
 */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "session/sockjs_frame.h"
#include "transports/ws_receiver_private.h"

#define RETRY_AFTER 5 /* seconds, if nobody knows better */

#define READ_BUSY 8192 /* octets at a time, while others wait */

#define AS_THEY_ARE_BYTES 4096 /* a message that is not worth copying */
#define AS_THEY_ARE_MOST  16

static struct ws_receiver *of(struct receiver *base)
{
	return container_of(base, struct ws_receiver, base);
}

static struct loop *loop_of(const struct ws_receiver *r)
{
	return r->reactor->sessions.loop;
}

static struct budget *budget_of(const struct ws_receiver *r)
{
	return r->reactor->sessions.budget;
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
		mem_free(r->extras->pending);
		mem_free(r->extras);
	}
	mem_free(r);
}

struct ws_extras *ws_receiver_extras(struct ws_receiver *r)
{
	if (!r->extras)
		r->extras = mem_zalloc(sizeof(*r->extras));
	return r->extras;
}

void ws_receiver_end(struct ws_receiver *r)
{
	if (r->ended)
		return;
	r->ended = true;
	r->reactor->sessions.counters.receivers--;
	list_remove(&r->base.node);
	stream_close(&r->stream);
	timer_stop(loop_timers(loop_of(r)), &r->timer);
	loop_defer(loop_of(r), &r->deferred, receiver_free);
}

/* The wire broke, or its client vanished. */
static void lost(struct ws_receiver *r)
{
	if (r->base.session)
		session_receiver_gone(r->base.session, &r->base);
	ws_receiver_end(r);
}

/* Both Close frames are out: shut down, drain, close; the server first (RFC 6455 section 7.1.1). */
static void part(struct ws_receiver *r)
{
	if (r->ended)
		return;
	http_server_end(r->reactor->http, &r->stream);
	ws_receiver_end(r);
}

/* --- frames ------------------------------------------------------------- */

int ws_frame_begin(struct buf *out, size_t *mark)
{
	if (!buf_reserve(out, WS_HEADER_MAX))
		return -ENOMEM;
	*mark = buf_len(out);
	buf_commit(out, WS_HEADER_MAX);
	return 0;
}

/* Makes the payload behind the header's place smaller, if that can be: 1, 0 or -ENOMEM. */
static int compress(struct buf *out, size_t mark, const struct ws_deflate_how *how)
{
	size_t n = buf_len(out) - mark - WS_HEADER_MAX;
	char *room, *payload;
	ssize_t len;

	if (!how || n < how->min_bytes)
		return 0;
	room = buf_reserve(out, n + WS_DEFLATE_ROOM);
	if (!room)
		return -ENOMEM;
	payload = buf_data(out) + mark + WS_HEADER_MAX;
	len = ws_deflate(how, payload, n, room);
	if (len <= 0)
		return (int)len;
	memcpy(payload, room, (size_t)len);
	out->end -= n - (size_t)len;
	return 1;
}

int ws_frame_end(
    struct buf *out, size_t mark, enum ws_opcode opcode, const struct ws_deflate_how *how)
{
	int compressed = compress(out, mark, how);
	size_t n = buf_len(out) - mark - WS_HEADER_MAX, len, unused;
	char header[WS_HEADER_MAX], *at = buf_data(out) + mark;

	if (compressed < 0)
		return compressed;
	len = ws_frame_header(header, true, compressed ? WS_RSV1 : 0, opcode, n, NULL);
	unused = WS_HEADER_MAX - len;
	if (mark == 0) {
		out->start += unused;
		memcpy(at + unused, header, len);
	} else {
		memcpy(at, header, len);
		memmove(at + len, at + WS_HEADER_MAX, n);
		out->end -= unused;
	}
	return 0;
}

struct shared *ws_wire_encode(
    const struct ws_wire *wire, const struct message *m, const struct ws_deflate_how *how)
{
	struct message *one = (struct message *)(uintptr_t)m; /* read only all the way down */
	struct buf out = BUF_INIT;
	struct shared *shared = NULL;

	if (wire->outgoing(&out, &one, 1, how) == 0)
		shared = shared_new(buf_len(&out));
	if (shared)
		memcpy(shared->data, buf_data(&out), buf_len(&out));
	buf_fini(&out);
	return shared;
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

static bool is_pending(const struct ws_receiver *r)
{
	return r->extras && r->extras->pending;
}

/* A head, the application's own lines, and what follows the empty line, in one piece. */
static enum recv_status write_answer(struct ws_receiver *r, const struct http_head *head,
    struct http_framing framing, const struct session *of, struct bytes body)
{
	struct bytes more = of ? r->endpoint->ops->headers(of) : (struct bytes){ 0 };
	struct buf *out = transport_wire(r->reactor);
	char *to = buf_reserve(out, HTTP_HEAD_MAX + HTTP_HEAD_EXTRA);

	if (!to) {
		ws_receiver_end(r);
		return RECV_GONE;
	}
	buf_commit(out,
	    http_head_render(to, head->status, (struct bytes){ head->text, head->len }, framing) -
	        2);
	if (buf_add(out, more.p, more.n) < 0 || buf_add(out, "\r\n", 2) < 0 ||
	    buf_add(out, body.p, body.n) < 0) {
		ws_receiver_end(r);
		return RECV_GONE;
	}
	return write_piece(r, (struct stream_piece){ buf_data(out), buf_len(out), NULL });
}

/* The 101 that has been waiting. */
static enum recv_status say_101(struct ws_receiver *r)
{
	struct ws_pending *pending = r->extras->pending;
	const struct session *session = r->base.session;
	const char *subprotocol = session ? r->endpoint->ops->subprotocol(session) : NULL;
	struct http_framing framing = { .keep_alive = true, .length = -1 };
	struct http_head head;

	http_head_init(&head, 101);
	http_head_add(&head, "Connection", "Upgrade");
	http_head_add(&head, "Upgrade", "websocket");
	http_head_add(&head, "Sec-WebSocket-Accept", pending->accept);
	if (subprotocol)
		http_head_add(&head, "Sec-WebSocket-Protocol", subprotocol);
	if (pending->extensions[0])
		http_head_add(&head, "Sec-WebSocket-Extensions", pending->extensions);
	mem_free(pending);
	r->extras->pending = NULL;
	if (!r->extras->compressor && !r->extras->rest.data) { /* most need none of it again */
		mem_free(r->extras);
		r->extras = NULL;
	}
	return write_answer(r, &head, framing, session, (struct bytes){ 0 });
}

static void start_pings(struct ws_receiver *r)
{
	r->last_heard = loop_now(loop_of(r));
	if (r->endpoint->ping_interval_ms)
		timer_start(loop_timers(loop_of(r)), &r->timer, r->endpoint->ping_interval_ms);
}

static enum recv_status receiver_open(struct receiver *base)
{
	struct ws_receiver *r = of(base);

	if (is_pending(r)) {
		start_pings(r);
		if (say_101(r) == RECV_GONE)
			return RECV_GONE;
	}
	return r->wire->open ? say_text(r, r->wire->open) : RECV_MORE;
}

static enum recv_status receiver_heartbeat(struct receiver *base)
{
	struct ws_receiver *r = of(base);

	return r->wire->heartbeat ? say_text(r, r->wire->heartbeat) : RECV_MORE;
}

/* By a ping, though there may be no others; its answer is not waited for. */
static enum recv_status receiver_ask(struct receiver *base)
{
	ws_conn_ping(&of(base)->conn, NULL, 0);
	return RECV_MORE;
}

/* The frame of a message for many, made once for all who agreed on the same window; NULL when
 * memory is out. */
static struct shared *frame_for_many(struct ws_receiver *r, struct message *m)
{
	const struct ws_wire *wire = r->wire;
	struct ws_deflate_how how;
	enum message_form form;
	struct shared *frame;

	if (m->len < r->endpoint->deflate.min_bytes ||
	    !ws_conn_deflates(&r->conn, &r->endpoint->deflate, true, &how))
		return message_form(m, wire->form, wire->encode);
	form = wire->deflated + how.window_bits - 8u;
	frame = message_form_find(m, form);
	if (!frame) {
		budget_spend(budget_of(r), cost_of_deflating(m->len));
		frame = ws_wire_encode(wire, m, &how);
		frame = frame ? message_form_keep(m, form, frame) : NULL;
	}
	if (frame && frame->data[0] & WS_RSV1)
		ws_conn_sent_for_many(&r->conn);
	return frame;
}

/* Whether these are a few long ones that the wire carries as they are. */
static bool may_go_as_they_are(
    const struct ws_wire *wire, struct message *const *messages, size_t count)
{
	if (!wire->is_raw || count > AS_THEY_ARE_MOST)
		return false;
	for (size_t i = 0; i < count; i++)
		if (messages[i]->len < AS_THEY_ARE_BYTES || messages[i]->has_surrogates)
			return false;
	return true;
}

/* Each behind its header, without a copy. */
static enum recv_status write_as_they_are(
    struct ws_receiver *r, struct message *const *messages, size_t count)
{
	struct stream_piece pieces[2 * AS_THEY_ARE_MOST];
	char headers[AS_THEY_ARE_MOST][WS_HEADER_MAX];

	for (size_t i = 0; i < count; i++) {
		const struct message *m = messages[i];
		size_t n = ws_frame_header(
		    headers[i], true, 0, m->binary ? WS_BINARY : WS_TEXT, m->len, NULL);

		pieces[2 * i] = (struct stream_piece){ headers[i], n, NULL };
		pieces[2 * i + 1] = (struct stream_piece){ m->data, m->len, NULL };
	}
	if (stream_write(&r->stream, pieces, (unsigned)(2 * count)) == 0)
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
		budget_spend(budget_of(r), cost_of_deflating(octets));
}

static enum recv_status receiver_messages(
    struct receiver *base, struct message *const *messages, size_t count)
{
	struct ws_receiver *r = of(base);
	struct buf *out = transport_wire(r->reactor);
	struct ws_deflate_how how;
	struct shared *frame;
	bool deflates;

	if (count == 1 && messages[0]->cache) {
		frame = frame_for_many(r, messages[0]);
		if (frame)
			return write_piece(
			    r, (struct stream_piece){ frame->data, frame->len, frame });
	}
	deflates = ws_conn_deflates(&r->conn, &r->endpoint->deflate, false, &how);
	if (deflates)
		spend_for_deflating(r, messages, count);
	if (!deflates && may_go_as_they_are(r->wire, messages, count))
		return write_as_they_are(r, messages, count);
	if (r->wire->outgoing(out, messages, count, deflates ? &how : NULL) < 0) {
		ws_receiver_end(r);
		return RECV_GONE;
	}
	return write_piece(r, (struct stream_piece){ buf_data(out), buf_len(out), NULL });
}

static void read_on(struct ws_receiver *r);

static void receiver_close(struct receiver *base, unsigned code, const char *reason)
{
	struct ws_receiver *r = of(base);
	struct buf *out = transport_wire(r->reactor);
	size_t n = strlen(reason), mark;
	char *to;

	if (is_pending(r) && say_101(r) == RECV_GONE)
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
	timer_start(loop_timers(loop_of(r)), &r->timer, r->endpoint->close_timeout_ms);
	/* Whatever the application paused: the client's Close is waited for */
	ws_conn_resume(&r->conn);
	read_on(r);
}

/* Instead of 101. A client that has to come back later is told when. */
static void receiver_refuse(struct receiver *base, const struct session *of, unsigned status,
    unsigned retry_after, const char *reason)
{
	struct ws_receiver *r = container_of(base, struct ws_receiver, base);
	char body[WS_REASON_MAX + 2], seconds[16];
	struct http_framing framing = { .length = snprintf(body, sizeof(body), "%s\n", reason) };
	struct http_head head;

	http_head_init(&head, status);
	http_head_add(&head, "Content-Type", "text/plain; charset=UTF-8");
	snprintf(seconds, sizeof(seconds), "%u", retry_after ? retry_after : RETRY_AFTER);
	if (status == 503 || (status == 429 && retry_after))
		http_head_add(&head, "Retry-After", seconds);
	if (write_answer(r, &head, framing, of, (struct bytes){ body, (size_t)framing.length }) !=
	    RECV_GONE)
		part(r);
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

/* It was heard, or may have been: its pongs may be among what was not read for a while. */
static void not_silent(struct ws_receiver *r)
{
	r->last_heard = loop_now(loop_of(r));
	r->pinged = false;
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
	not_silent(r);
	if (!r->choked)
		read_on(r);
}

static const struct receiver_ops ws_receiver_ops = {
	.open = receiver_open,
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
	.pause = receiver_pause,
};

/* --- the codec's ops ---------------------------------------------------- */

static void on_message(struct ws_conn *c, enum ws_opcode type, char *data, size_t n)
{
	struct ws_receiver *r = container_of(c, struct ws_receiver, conn);

	if (r->base.session)
		r->wire->incoming(r, type, data, n);
}

/* The pongs of one reading, in one send. */
static void say_pongs(struct ws_receiver *r)
{
	struct buf *pongs = &r->reactor->pongs;
	struct stream_piece piece = { buf_data(pongs), buf_len(pongs), NULL };
	struct loop *loop = loop_of(r);

	if (piece.n == 0)
		return;
	if (!r->ended) {
		budget_spend(budget_of(r), COST_SEND);
		stream_batch_expect(loop, true); /* others may be at it, too */
		if (stream_write_soon(&r->stream, &piece) < 0)
			ws_conn_pause(&r->conn); /* a hang-up follows */
		stream_batch_expect(loop, false);
	}
	buf_clear(pongs);
}

/* While closing everything is read for the sake of a Close: who pings and does not read gets no
 * pongs. */
static void keep_pong(struct ws_receiver *r, const void *frame, size_t n)
{
	if (!r->closing || stream_queued(&r->stream) == 0)
		buf_add(&r->reactor->pongs, frame, n); /* without memory there is no answer */
}

static void on_write(struct ws_conn *c, const void *frame, size_t n)
{
	struct ws_receiver *r = container_of(c, struct ws_receiver, conn);
	struct stream_piece piece = { frame, n, NULL };
	uint8_t opcode = *(const uint8_t *)frame & 0x0f;

	if (opcode == WS_PONG) {
		keep_pong(r, frame, n);
		return;
	}
	/* The answer to a Close is the last frame: what the messages before it have called forth
	 * goes first. */
	if (opcode == WS_CLOSE && r->base.session)
		session_say_the_rest(r->base.session);
	say_pongs(r);
	if (r->ended || stream_write(&r->stream, &piece, 1) < 0)
		ws_conn_pause(c); /* a hang-up follows */
}

static void on_pong(struct ws_conn *c, const char *data, size_t n)
{
	struct ws_receiver *r = container_of(c, struct ws_receiver, conn);

	(void)data, (void)n;
	if (r->base.session)
		session_heard(r->base.session);
}

static void on_close(struct ws_conn *c, unsigned code, const char *reason, size_t n, bool failed)
{
	struct ws_receiver *r = container_of(c, struct ws_receiver, conn);
	char text[WS_REASON_MAX + 1];

	(void)failed;
	n = n < WS_REASON_MAX ? n : WS_REASON_MAX;
	if (n)
		memcpy(text, reason, n);
	text[n] = '\0';
	if (r->base.session)
		session_client_closed(r->base.session, &r->base, code, text);
	r->shut = true;
}

static struct ws_deflate *on_deflate(struct ws_conn *c, bool own)
{
	struct ws_receiver *r = container_of(c, struct ws_receiver, conn);

	if (!own)
		return transport_deflate(r->reactor);
	if (ws_receiver_extras(r) && !r->extras->compressor)
		r->extras->compressor = ws_deflate_new();
	return r->extras ? r->extras->compressor : NULL;
}

static const struct ws_conn_ops conn_ops = {
	.message = on_message,
	.write = on_write,
	.pong = on_pong,
	.close = on_close,
	.deflate = on_deflate,
};

void ws_receiver_fail(struct ws_receiver *r, unsigned code, const char *reason)
{
	ws_conn_close(&r->conn, code, reason, strlen(reason));
	if (r->base.session)
		session_client_closed(r->base.session, &r->base, code, reason);
	r->closing = true;
	timer_start(loop_timers(loop_of(r)), &r->timer, r->endpoint->close_timeout_ms);
}

/* --- a message that does not end ----------------------------------------- */

/* Whoever does not send it on is given up, unless it is we who do not read. The timer fires early
 * enough to see that. */
static void watch_unfinished(struct ws_receiver *r)
{
	uint64_t now = loop_now(loop_of(r)), octets;
	struct pace_watch *w = ws_conn_unfinished(&r->conn, &octets);

	if (!w || r->closing || r->conn.paused || r->choked)
		return;
	if (pace_is_too_slow(w, &r->endpoint->pace, now, octets))
		ws_receiver_fail(r, CLOSE_LATE, close_reason(CLOSE_LATE));
	else if (!timer_is_active(&r->timer) || r->timer.deadline > w->look_at)
		timer_start(loop_timers(loop_of(r)), &r->timer, w->look_at - now);
}

/* --- the stream's events ------------------------------------------------ */

/* In front of nothing, for it is fed before more is read. */
static void keep_rest(struct ws_receiver *r, const char *p, size_t n)
{
	if (!ws_receiver_extras(r) || buf_add(&r->extras->rest, p, n) < 0)
		lost(r); /* out of memory: what was read cannot be kept */
}

static bool has_rest(const struct ws_receiver *r)
{
	return r->extras && buf_len(&r->extras->rest) > 0;
}

/* Whether there is something to do before more may be read. */
static bool is_behind(const struct ws_receiver *r)
{
	return has_rest(r) || (r->conn.partial && ws_conn_is_behind(&r->conn));
}

/* As much of it as there is time for; how much that was. */
static size_t feed(struct ws_receiver *r, char *p, size_t n)
{
	ssize_t taken = ws_conn_feed(&r->conn, p, n, budget_of(r));

	if (buf_len(&r->reactor->pongs) > 0)
		say_pongs(r);
	if (!r->ended && r->shut)
		part(r);
	return taken < 0 ? n : (size_t)taken;
}

static void feed_rest(struct ws_receiver *r)
{
	struct buf *rest = has_rest(r) ? &r->extras->rest : NULL;
	size_t taken = feed(r, rest ? buf_data(rest) : NULL, rest ? buf_len(rest) : 0);

	if (!rest)
		return;
	buf_consume(rest, taken);
	if (buf_len(rest) == 0)
		buf_fini(rest);
}

static void read_on(struct ws_receiver *r)
{
	if (is_behind(r))
		stream_read_later(&r->stream, false);
	stream_want(&r->stream, STREAM_READ);
}

/* What is kept in memory for a message is to be done with before others are begun. */
static void read_later(struct ws_receiver *r)
{
	if (!r->conn.paused && is_behind(r))
		stream_read_later(&r->stream, ws_conn_is_behind(&r->conn));
}

/* Who does not read gets nobody to read him. */
static void choke_if_blocked(struct ws_receiver *r)
{
	if (r->ended || r->closing ||
	    stream_queued(&r->stream) <= r->endpoint->limits.send_buffer_bytes / 2)
		return;
	r->choked = true;
	stream_want(&r->stream, 0);
}

/* With little time, because others wait, little is read: who sends much that means much work keeps
 * it in the kernel's buffers, not in ours. */
static size_t read_size(const struct ws_receiver *r)
{
	return budget_of(r)->left <= LOOP_LITTLE ? READ_BUSY : LOOP_SCRATCH_BYTES;
}

static void read_more(struct ws_receiver *r)
{
	char *scratch = loop_scratch(loop_of(r));
	ssize_t n = stream_read(&r->stream, scratch, read_size(r));
	size_t taken;

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		lost(r);
		return;
	}
	not_silent(r);
	taken = feed(r, scratch, (size_t)n);
	if (!r->ended && taken < (size_t)n)
		keep_rest(r, scratch + taken, (size_t)n - taken);
}

static void on_readable(struct stream *s)
{
	struct ws_receiver *r = container_of(s, struct ws_receiver, stream);

	if (is_behind(r))
		feed_rest(r);
	else
		read_more(r);
	if (r->ended)
		return;
	choke_if_blocked(r);
	if (r->conn.partial)
		watch_unfinished(r);
	if (r->conn.partial || r->extras)
		read_later(r);
}

static void on_writable(struct stream *s)
{
	struct ws_receiver *r = container_of(s, struct ws_receiver, stream);

	if (r->choked) {
		r->choked = false;
		not_silent(r);
		if (!r->conn.paused)
			read_on(r);
	}
	if (r->base.session)
		session_writable(r->base.session);
}

static void on_hangup(struct stream *s, int err)
{
	(void)err;
	lost(container_of(s, struct ws_receiver, stream));
}

static void on_blocked(struct stream *s)
{
	struct ws_receiver *r = container_of(s, struct ws_receiver, stream);

	if (r->base.session)
		session_blocked(r->base.session);
}

static const struct stream_events stream_events = {
	.readable = on_readable,
	.writable = on_writable,
	.hangup = on_hangup,
	.blocked = on_blocked,
};

/* --- liveness (RFC 6455 section 5.5.2) ---------------------------------- */

/* Behind what the kernel has not even taken it would prove nothing. */
static void ping(struct ws_receiver *r)
{
	if (r->pinged || stream_queued(&r->stream) > 0)
		return;
	r->pinged = true;
	r->ping_waits = stream_unacked(&r->stream) > 0;
	r->progress = (uint32_t)stream_progress(&r->stream);
	ws_conn_ping(&r->conn, NULL, 0);
}

/* Whether there was time to answer. A client on a slow line has to read first what stands before
 * the ping: as long as it does, it is alive, and then it has its time. */
static bool is_unanswered(struct ws_receiver *r)
{
	uint32_t progress, before = r->progress;

	if (!r->pinged || r->conn.paused || is_behind(r) || stream_queued(&r->stream) > 0)
		return false;
	if (!r->ping_waits)
		return true;
	r->ping_waits = stream_unacked(&r->stream) > 0;
	r->progress = progress = (uint32_t)stream_progress(&r->stream);
	return (int32_t)(progress - before) <= 0;
}

static void check_liveness(struct ws_receiver *r)
{
	struct timer_wheel *wheel = loop_timers(loop_of(r));
	uint64_t silent = loop_now(loop_of(r)) - r->last_heard,
	         interval = r->endpoint->ping_interval_ms;

	if (is_unanswered(r)) {
		log_debug("a WebSocket answers no ping", LOG_INT("silent_ms", silent));
		stream_reset(&r->stream);
		lost(r);
	} else if (silent >= interval) {
		ping(r);
		timer_start(wheel, &r->timer, r->endpoint->pong_timeout_ms);
	} else {
		timer_start(wheel, &r->timer, interval - silent);
	}
}

static void on_timer(struct timer *t)
{
	struct ws_receiver *r = container_of(t, struct ws_receiver, timer);

	if (r->closing) {
		part(r); /* no Close came in time */
		return;
	}
	watch_unfinished(r);
	if (r->closing || r->ended)
		return;
	if (r->endpoint->ping_interval_ms)
		check_liveness(r);
	if (!r->ended)
		watch_unfinished(r); /* the timer is one */
}

/* --- the beginning ------------------------------------------------------ */

struct ws_receiver *ws_receiver_new(const struct transport_request *t, const struct ws_wire *wire,
    const struct ws_deflate_params *deflate)
{
	struct ws_receiver *r = mem_zalloc(sizeof(*r));

	if (!r)
		return NULL;
	r->base.ops = &ws_receiver_ops;
	list_init(&r->base.node);
	r->wire = wire;
	r->reactor = t->reactor;
	r->endpoint = t->endpoint;
	stream_init_empty(&r->stream);
	timer_init(&r->timer, on_timer);
	ws_conn_init(
	    &r->conn, WS_SERVER, &conn_ops, wire->is_raw ? &t->endpoint->ws_raw : &t->endpoint->ws);
	if (deflate->agreed)
		ws_conn_use_deflate(&r->conn, deflate);
	r->reactor->sessions.counters.receivers++;
	return r;
}

void ws_receiver_begin(
    struct ws_receiver *r, struct stream *s, struct session *session, struct bytes early)
{
	bool waits = is_pending(r);

	list_append(&r->reactor->receivers, &r->base.node);
	stream_move(&r->stream, s, loop_of(r), &stream_events);
	stream_want(&r->stream, waits ? STREAM_HANGUP : STREAM_READ);
	if (!waits)
		start_pings(r);
	if (session_attach(session, &r->base) < 0) {
		part(r);
		return;
	}
	if (early.n && !r->ended)
		keep_rest(r, early.p, early.n);
	if (early.n && !r->ended && !r->conn.paused)
		read_on(r);
}
