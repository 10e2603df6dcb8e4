/*
 * upstream/link.c - an open link: what the backend says, and closing both ways; see
 * link.h. When the client takes nothing the backend is not read.
 */
#include <errno.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/mem.h"
#include "upstream/link_private.h"

#define ASK_AGAIN_MS 20 /* whether a client has room */

/* --- closing ------------------------------------------------------------------------ */

/* Our Close, behind the messages; then the backend's is waited for. */
static void send_close(struct link *l, unsigned code, const char *reason)
{
	struct timer_wheel *wheel = loop_timers(l->part->loop);

	if (l->ended || l->closing)
		return;
	l->closing = true;
	if (l->broken)
		return; /* nobody would hear it; who reads the rest ends the link */
	ws_conn_close(&l->conn, code, reason, strlen(reason));
	if (l->ended)
		return;
	link_has_moved(l); /* from here on */
	timer_start(wheel, &l->timer, l->part->settings->close_timeout_ms);
	l->choked = true; /* its Close is waited for, whatever stands before it */
	link_client_writable(l);
}

/* Both Close frames are out. The server closes the connection, and the wait after that (TIME_WAIT)
 * is its own (RFC 6455 section 7.1.1); but it is not waited for without end. */
static void part_ways(struct link *l)
{
	l->closing = true;
	timer_start(loop_timers(l->part->loop), &l->timer, l->part->settings->close_timeout_ms);
	stream_want(&l->stream, STREAM_READ);
}

/* What a client's end means to a backend: a client that just went has gone away. */
static unsigned code_for_backend(unsigned code)
{
	if (code == SOCKJS_CLOSE_INTERRUPTED)
		return SOCKJS_CLOSE_GOING_AWAY;
	return code == SOCKJS_CLOSE_GO_AWAY ? SOCKJS_CLOSE_GOING_AWAY : code;
}

void link_client_closed(struct link *l, unsigned code, const char *reason)
{
	l->session = NULL;
	if (l->opening)
		link_opening_left(l);
	if (l->opening || l->broken)
		link_end(l);
	else
		send_close(l, code_for_backend(code), reason);
}

/* --- from the backend --------------------------------------------------------------- */

/* As a SockJS client can have it. */
static int send_base64(struct link *l, const char *data, size_t n)
{
	char *text;
	int err = -ENOMEM;

	if (BASE64_LEN(n) > l->part->settings->limits.max_message_bytes)
		return -EMSGSIZE;
	text = mem_alloc(BASE64_LEN(n) + (n == 0));
	if (text) {
		base64_encode(text, data, n);
		err = sockjs_send(l->session, text, BASE64_LEN(n));
	}
	mem_free(text);
	return err;
}

static int send_binary(struct link *l, const char *data, size_t n)
{
	int err = sockjs_send_binary(l->session, data, n);

	if (err != -ENOTSUP)
		return err;
	if (l->part->settings->binary == BINARY_BASE64)
		return send_base64(l, data, n);
	return err;
}

static void fail_both(struct link *l, unsigned code, const char *reason)
{
	link_close_session(l, code, reason);
	send_close(l, code, reason);
}

static void on_message(struct ws_conn *c, enum ws_opcode type, char *data, size_t n)
{
	struct link *l = container_of(c, struct link, conn);
	int status;

	if (!l->session)
		return;
	status = type == WS_TEXT ? sockjs_send(l->session, data, n) : send_binary(l, data, n);
	if (status == SOCKJS_FULL) {
		l->choked = true;
		ws_conn_pause(c);
	} else if (status == -ENOTSUP) {
		fail_both(l, SOCKJS_CLOSE_UNSUPPORTED, "A binary message came for a SockJS client");
	} else if (status == -EMSGSIZE) {
		fail_both(l, SOCKJS_CLOSE_TOO_BIG, "Message too big");
	} else if (status == -ENOMEM) {
		fail_both(l, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory");
	} /* else the session is closing, and says so itself */
}

/* Those of one reading go together. A backend that pings and does not read gets no pong for each:
 * the last ping is what has to be answered (RFC 6455 section 5.5.3). */
static void say_pongs(struct link *l)
{
	struct buf *pongs = &l->part->pongs;

	if (buf_len(pongs) > 0 && stream_queued(&l->stream) <= l->part->settings->send_buffer_bytes)
		link_write(l, buf_data(pongs), buf_len(pongs));
	buf_clear(pongs);
}

static void on_write(struct ws_conn *c, const void *frame, size_t n)
{
	struct link *l = container_of(c, struct link, conn);

	if ((*(const uint8_t *)frame & 0x0f) == WS_PONG) {
		buf_add(&l->part->pongs, frame, n); /* without memory there is no answer */
		return;
	}
	if (l->part->out_link == l)
		link_flush(l->part); /* messages before it go before it */
	say_pongs(l);
	link_write(l, frame, n);
}

/* The backend's Close passes to the client; what it says without a code is a normal end. A
 * connection that failed is a gateway's own kind of end (1014). */
static void on_close(struct ws_conn *c, unsigned code, const char *reason, size_t n, bool failed)
{
	struct link *l = container_of(c, struct link, conn);
	char text[WS_REASON_MAX + 1];

	n = n < WS_REASON_MAX ? n : WS_REASON_MAX;
	if (n)
		memcpy(text, reason, n);
	text[n] = '\0';
	if (failed) {
		log_warn_limited("an upstream broke the rules", LOG_STR("upstream", l->target->url),
		    LOG_STR("reason", text));
		link_close_session(
		    l, code == WS_CLOSE_TOO_BIG ? code : SOCKJS_CLOSE_BAD_GATEWAY, text);
	} else {
		link_close_session(l, code == WS_CLOSE_NO_STATUS ? WS_CLOSE_NORMAL : code, text);
	}
	l->shut = true;
}

static struct ws_deflate *on_deflate(struct ws_conn *c, bool own)
{
	struct link *l = container_of(c, struct link, conn);
	struct ws_deflate **d = own ? &l->compressor : &l->part->deflate;

	if (!*d)
		*d = ws_deflate_new();
	return *d;
}

static const struct ws_conn_ops conn_ops = {
	.message = on_message,
	.write = on_write,
	.close = on_close,
	.deflate = on_deflate,
};

/* --- the stream's events -------------------------------------------------------------- */

static void keep_rest(struct link *l, const char *p, size_t n)
{
	if (!l->rest)
		l->rest = mem_zalloc(sizeof(*l->rest));
	if (!l->rest || buf_add(l->rest, p, n) < 0)
		link_lost(l, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory");
}

/* As much of it as there is time for; how much that was. */
static size_t feed(struct link *l, char *p, size_t n)
{
	ssize_t taken = ws_conn_feed(&l->conn, p, n, loop_budget(l->part->loop));

	say_pongs(l);
	if (!l->ended && l->shut)
		part_ways(l);
	return taken < 0 ? n : (size_t)taken;
}

static void feed_rest(struct link *l)
{
	struct buf *rest = l->rest;
	size_t taken = feed(l, rest ? buf_data(rest) : NULL, rest ? buf_len(rest) : 0);

	if (!rest)
		return;
	buf_consume(rest, taken);
	if (buf_len(rest) > 0)
		return;
	l->rest = NULL;
	buf_fini(rest);
	mem_free(rest);
}

static void feed_new(struct link *l, char *p, size_t n)
{
	size_t taken = feed(l, p, n);

	if (!l->ended && taken < n)
		keep_rest(l, p + taken, n - taken);
}

/* What is next after some of it was taken. */
static void read_on(struct link *l)
{
	if (l->ended)
		return;
	if (l->choked)
		stream_want(&l->stream, 0);
	else if (link_is_behind(l))
		stream_read_later(&l->stream, ws_conn_is_behind(&l->conn));
}

/* A message may be larger on the client's wire than it is, so that its buffer can be too full for a
 * next one although nothing has been said of it. Then we have to ask. */
static bool has_no_room(struct link *l)
{
	if (!l->session ||
	    sockjs_buffered(l->session) <= l->part->settings->client_buffer_bytes / 2)
		return false;
	if (sockjs_set_timer(l->session, ASK_AGAIN_MS) < 0)
		return false; /* better read now than never again */
	l->choked = true;
	stream_want(&l->stream, 0);
	return true;
}

static void on_readable(struct stream *s)
{
	struct link *l = container_of(s, struct link, stream);
	char *scratch = loop_scratch(l->part->loop);
	ssize_t n;

	if (has_no_room(l))
		return;
	if (link_is_behind(l)) {
		feed_rest(l);
		read_on(l);
		return;
	}
	n = stream_read(s, scratch, LOOP_SCRATCH_BYTES);
	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		link_lost(l, SOCKJS_CLOSE_RESTART, UPSTREAM_WENT_AWAY);
		return;
	}
	l->last_heard = loop_now(l->part->loop);
	l->pinged = false;
	if (l->shut)
		return; /* it is drained until its end */
	feed_new(l, scratch, (size_t)n);
	read_on(l);
}

static void let_client_speak(struct link *l)
{
	if (!l->client_paused)
		return;
	l->client_paused = false;
	if (l->session)
		sockjs_resume(l->session);
}

static void on_writable(struct stream *s)
{
	struct link *l = container_of(s, struct link, stream);

	l->moved = true;
	let_client_speak(l);
}

/* What a broken connection has brought, as far as the client has room for it; the kernel keeps the
 * rest until then. Then the end. */
static void read_rest(struct link *l)
{
	char *scratch = loop_scratch(l->part->loop);
	ssize_t n = 1;

	while (n > 0 && !l->ended && !l->shut && !l->closing && !l->choked && !has_no_room(l)) {
		if (link_is_behind(l)) {
			feed_rest(l);
			continue;
		}
		n = stream_read_rest(&l->stream, scratch, LOOP_SCRATCH_BYTES);
		if (n > 0)
			feed_new(l, scratch, (size_t)n);
	}
	if (l->choked && l->session)
		let_client_speak(l); /* it may do so before it reads; nobody hears it any more */
	else
		link_lost(l, SOCKJS_CLOSE_RESTART, UPSTREAM_WENT_AWAY);
}

/* A backend that says its last words and a Close, and closes before it has read all, resets the
 * connection: what we wrote meanwhile failed, but what it said is here. */
static void on_hangup(struct stream *s, int err)
{
	struct link *l = container_of(s, struct link, stream);

	(void)err;
	l->broken = true;
	read_rest(l);
}

static const struct stream_events stream_events = {
	.readable = on_readable,
	.writable = on_writable,
	.hangup = on_hangup,
};

/* What is said to a backend that is not here yet waits with the session: it is bounded there, and
 * its sender waits too. */
void link_client_open(struct link *l)
{
	if (l->opening) {
		l->client_paused = true;
		sockjs_pause(l->session);
	} else {
		link_client_writable(l);
	}
}

void link_client_writable(struct link *l)
{
	if (!l->choked || l->ended || l->opening || has_no_room(l))
		return;
	l->choked = false;
	l->last_heard = loop_now(l->part->loop); /* its pongs may be among what was not read */
	l->pinged = false;
	ws_conn_resume(&l->conn);
	if (l->broken) {
		read_rest(l);
		return;
	}
	read_on(l);
	stream_want(&l->stream, STREAM_READ);
}

void link_opened(struct link *l, const struct ws_client_outcome *outcome, struct bytes early)
{
	struct upstream_part *part = l->part;

	ws_conn_init(&l->conn, WS_CLIENT, &conn_ops, &part->settings->limits);
	if (outcome->deflate.agreed)
		ws_conn_use_deflate(&l->conn, &outcome->deflate);
	l->stream.on = &stream_events;
	timer_init(&l->timer, link_on_timer);
	l->last_heard = loop_now(part->loop);
	if (part->settings->ping_interval_ms)
		timer_start(loop_timers(part->loop), &l->timer, part->settings->ping_interval_ms);
	/* Not a word to the client before its session is open */
	l->choked = true;
	stream_want(&l->stream, 0);
	if (early.n)
		keep_rest(l, early.p, early.n);
	if (l->client_paused) { /* but this one is */
		let_client_speak(l);
		link_client_writable(l);
	}
}

size_t link_held(const struct link *l)
{
	return stream_queued(&l->stream) + ws_conn_held(&l->conn) +
	       (l->rest ? buf_len(l->rest) : 0);
}
