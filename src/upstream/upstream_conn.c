/*
 * upstream/upstream_conn.c - an open connection to a backend: what the backend says, and closing
 * both ways; see upstream_conn.h. When the client takes nothing the backend is not read.
 */
#include <errno.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/mem.h"
#include "upstream/upstream_private.h"
#include "upstream/upstream_report.h"

/* --- closing ------------------------------------------------------------------------ */

/* Our Close, behind the messages; then the backend's is waited for. */
static void send_close(struct upstream_conn *uc, unsigned code, const char *reason)
{
	struct timer_wheel *wheel = loop_timers(uc->reactor->loop);

	if (uc->ended || uc->closing)
		return;
	uc->closing = true;
	if (uc->broken)
		return; /* nobody would hear it; who reads the rest ends the connection */
	ws_conn_close(&uc->conn, code, reason, strlen(reason));
	if (uc->ended)
		return;
	upstream_conn_has_moved(uc); /* from here on */
	timer_start(wheel, &uc->timer, uc->reactor->settings->close_timeout_ms);
	uc->choked = true; /* its Close is waited for, whatever stands before it */
	upstream_conn_client_writable(uc);
}

/* Both Close frames are out. The server closes the connection, and the wait after that (TIME_WAIT)
 * is its own (RFC 6455 section 7.1.1); but it is not waited for without end. */
static void part_ways(struct upstream_conn *uc)
{
	uc->closing = true;
	timer_start(
	    loop_timers(uc->reactor->loop), &uc->timer, uc->reactor->settings->close_timeout_ms);
	stream_want(&uc->stream, STREAM_READ);
}

/* What a client's end means to a backend: a client that just went has gone away. */
static unsigned code_for_backend(unsigned code)
{
	if (code == SOCKJS_CLOSE_INTERRUPTED)
		return SOCKJS_CLOSE_GOING_AWAY;
	return code == SOCKJS_CLOSE_GO_AWAY ? SOCKJS_CLOSE_GOING_AWAY : code;
}

/* A Close without a code has no reason either. */
static const char *report(
    const struct upstream_conn *uc, unsigned *code, const char *reason, char out[WS_REASON_MAX + 1])
{
	if (!uc->reactor->settings->reports_delivery)
		return reason;
	if (*code == SOCKJS_CLOSE_NO_STATUS)
		*code = SOCKJS_CLOSE_NORMAL;
	return upstream_report(uc->session, uc->parting ? "" : reason, out);
}

void upstream_conn_client_closed(struct upstream_conn *uc, unsigned code, const char *reason)
{
	char reported[WS_REASON_MAX + 1];

	reason = report(uc, &code, reason, reported);
	uc->session = NULL;
	if (uc->parting)
		code = SOCKJS_CLOSE_GOING_AWAY;
	if (uc->opening)
		upstream_opening_left(uc);
	if (uc->opening || uc->broken)
		upstream_conn_end(uc);
	else
		send_close(uc, code_for_backend(code), reason);
}

void upstream_conn_part(struct upstream_conn *uc)
{
	if (!uc->session || uc->ended)
		return;
	if (uc->reactor->settings->reports_delivery && !uc->broken) {
		uc->parting = true; /* its Close can be composed when the session has ended */
		upstream_conn_end_session(uc->session, SOCKJS_CLOSE_RESTART, UPSTREAM_WENT_AWAY);
		return;
	}
	upstream_conn_close_session(uc, SOCKJS_CLOSE_RESTART, UPSTREAM_WENT_AWAY);
	if (uc->broken)
		upstream_conn_end(uc);
	else
		send_close(uc, SOCKJS_CLOSE_GOING_AWAY, "");
}

/* --- from the backend --------------------------------------------------------------- */

/* As a SockJS client can have it. */
static int send_base64(struct upstream_conn *uc, const char *data, size_t n)
{
	char *text;
	int err = -ENOMEM;

	if (BASE64_LEN(n) > uc->reactor->settings->limits.max_message_bytes)
		return -EMSGSIZE;
	text = mem_alloc(BASE64_LEN(n) + (n == 0));
	if (text) {
		base64_encode(text, data, n);
		err = sockjs_send(uc->session, text, BASE64_LEN(n));
	}
	mem_free(text);
	return err;
}

static int send_binary(struct upstream_conn *uc, const char *data, size_t n)
{
	int err = sockjs_send_binary(uc->session, data, n);

	if (err != -ENOTSUP)
		return err;
	if (uc->reactor->settings->binary == BINARY_BASE64)
		return send_base64(uc, data, n);
	return err;
}

static void fail_both(struct upstream_conn *uc, unsigned code, const char *reason)
{
	upstream_conn_close_session(uc, code, reason);
	send_close(uc, code, reason);
}

static void on_message(struct ws_conn *c, enum ws_opcode type, char *data, size_t n)
{
	struct upstream_conn *uc = container_of(c, struct upstream_conn, conn);
	int status;

	if (!uc->session)
		return;
	status = type == WS_TEXT ? sockjs_send(uc->session, data, n) : send_binary(uc, data, n);
	if (status == SOCKJS_FULL) {
		uc->choked = true;
		ws_conn_pause(c);
	} else if (status == -ENOTSUP) {
		fail_both(
		    uc, SOCKJS_CLOSE_UNSUPPORTED, "A binary message came for a SockJS client");
	} else if (status == -EMSGSIZE) {
		fail_both(uc, SOCKJS_CLOSE_TOO_BIG, "Message too big");
	} else if (status == -ENOMEM) {
		fail_both(uc, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory");
	} /* else the session is closing, and says so itself */
}

/* Those of one reading go together. A backend that pings and does not read gets no pong for each:
 * the last ping is what has to be answered (RFC 6455 section 5.5.3). */
static void say_pongs(struct upstream_conn *uc)
{
	struct buf *pongs = &uc->reactor->pongs;

	if (buf_len(pongs) > 0 &&
	    stream_queued(&uc->stream) <= uc->reactor->settings->send_buffer_bytes)
		upstream_conn_write(uc, buf_data(pongs), buf_len(pongs));
	buf_clear(pongs);
}

static void on_write(struct ws_conn *c, const void *frame, size_t n)
{
	struct upstream_conn *uc = container_of(c, struct upstream_conn, conn);

	if ((*(const uint8_t *)frame & 0x0f) == WS_PONG) {
		buf_add(&uc->reactor->pongs, frame, n); /* without memory there is no answer */
		return;
	}
	if (uc->reactor->out_conn == uc)
		upstream_conn_flush(uc->reactor); /* messages before it go before it */
	say_pongs(uc);
	upstream_conn_write(uc, frame, n);
}

/* The backend's Close passes to the client; what it says without a code is a normal end. A
 * connection that failed is a gateway's own kind of end (1014). */
static void on_close(struct ws_conn *c, unsigned code, const char *reason, size_t n, bool failed)
{
	struct upstream_conn *uc = container_of(c, struct upstream_conn, conn);
	char text[WS_REASON_MAX + 1];

	n = n < WS_REASON_MAX ? n : WS_REASON_MAX;
	if (n)
		memcpy(text, reason, n);
	text[n] = '\0';
	if (failed) {
		tally_failure(&uc->target->tally, TALLY_LOST);
		log_warn_limited("an upstream broke the rules",
		    LOG_STR("upstream", uc->target->url), LOG_STR("reason", text));
		upstream_conn_close_session(
		    uc, code == WS_CLOSE_TOO_BIG ? code : SOCKJS_CLOSE_BAD_GATEWAY, text);
	} else {
		upstream_conn_close_session(
		    uc, code == WS_CLOSE_NO_STATUS ? WS_CLOSE_NORMAL : code, text);
	}
	uc->shut = true;
}

static struct ws_deflate *on_deflate(struct ws_conn *c, bool own)
{
	struct upstream_conn *uc = container_of(c, struct upstream_conn, conn);
	struct ws_deflate **d = own ? &uc->compressor : &uc->reactor->deflate;

	if (!*d)
		*d = ws_deflate_new();
	return *d;
}

const struct ws_conn_ops upstream_conn_ops = {
	.message = on_message,
	.write = on_write,
	.close = on_close,
	.deflate = on_deflate,
};

/* --- the stream's events -------------------------------------------------------------- */

static void keep_rest(struct upstream_conn *uc, const char *p, size_t n)
{
	if (!uc->rest)
		uc->rest = mem_zalloc(sizeof(*uc->rest));
	if (!uc->rest || buf_add(uc->rest, p, n) < 0)
		upstream_conn_lost(uc, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory");
}

/* As much of it as there is time for; how much that was. */
static size_t feed(struct upstream_conn *uc, char *p, size_t n)
{
	ssize_t taken = ws_conn_feed(&uc->conn, p, n, loop_budget(uc->reactor->loop));

	say_pongs(uc);
	if (!uc->ended && uc->shut)
		part_ways(uc);
	return taken < 0 ? n : (size_t)taken;
}

static void feed_rest(struct upstream_conn *uc)
{
	struct buf *rest = uc->rest;
	size_t taken = feed(uc, rest ? buf_data(rest) : NULL, rest ? buf_len(rest) : 0);

	if (!rest)
		return;
	buf_consume(rest, taken);
	if (buf_len(rest) > 0)
		return;
	uc->rest = NULL;
	buf_fini(rest);
	mem_free(rest);
}

static void feed_new(struct upstream_conn *uc, char *p, size_t n)
{
	size_t taken = feed(uc, p, n);

	if (!uc->ended && taken < n)
		keep_rest(uc, p + taken, n - taken);
}

/* What is next after some of it was taken. */
static void read_on(struct upstream_conn *uc)
{
	if (uc->ended)
		return;
	if (uc->choked)
		stream_want(&uc->stream, 0);
	else if (upstream_conn_is_behind(uc))
		stream_read_later(&uc->stream, ws_conn_is_behind(&uc->conn));
}

/* A message may be larger on the client's wire than it is, so that its buffer can be too full for a
 * next one although nothing has been said of it. Then we have to ask. */
static bool has_no_room(struct upstream_conn *uc)
{
	if (!uc->session ||
	    sockjs_buffered(uc->session) <= uc->reactor->settings->client_buffer_bytes / 2)
		return false;
	if (sockjs_set_timer(uc->session, UPSTREAM_ASK_AGAIN_MS) < 0)
		return false; /* better read now than never again */
	uc->choked = uc->asks_again = true;
	stream_want(&uc->stream, 0);
	return true;
}

/* Without a Close, unless both have said one. */
static void went_away(struct upstream_conn *uc)
{
	if (uc->session)
		tally_failure(&uc->target->tally, TALLY_LOST);
	upstream_conn_lost(uc, SOCKJS_CLOSE_RESTART, UPSTREAM_WENT_AWAY);
}

static void on_readable(struct stream *s)
{
	struct upstream_conn *uc = container_of(s, struct upstream_conn, stream);
	char *scratch = loop_scratch(uc->reactor->loop);
	ssize_t n;

	if (has_no_room(uc))
		return;
	if (upstream_conn_is_behind(uc)) {
		feed_rest(uc);
		read_on(uc);
		return;
	}
	n = stream_read(s, scratch, LOOP_SCRATCH_BYTES);
	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		went_away(uc);
		return;
	}
	uc->last_heard = loop_now(uc->reactor->loop);
	uc->pinged = false;
	if (uc->shut)
		return; /* it is drained until its end */
	feed_new(uc, scratch, (size_t)n);
	read_on(uc);
}

static void let_client_speak(struct upstream_conn *uc)
{
	if (!uc->client_paused)
		return;
	uc->client_paused = false;
	if (uc->session)
		sockjs_resume(uc->session);
}

static void on_writable(struct stream *s)
{
	struct upstream_conn *uc = container_of(s, struct upstream_conn, stream);

	uc->moved = true;
	let_client_speak(uc);
}

/* What a broken connection has brought, as far as the client has room for it; the kernel keeps the
 * rest until then. Then the end. */
static void read_rest(struct upstream_conn *uc)
{
	char *scratch = loop_scratch(uc->reactor->loop);
	ssize_t n = 1;

	while (
	    n > 0 && !uc->ended && !uc->shut && !uc->closing && !uc->choked && !has_no_room(uc)) {
		if (upstream_conn_is_behind(uc)) {
			feed_rest(uc);
			continue;
		}
		n = stream_read_rest(&uc->stream, scratch, LOOP_SCRATCH_BYTES);
		if (n > 0)
			feed_new(uc, scratch, (size_t)n);
	}
	if (uc->choked && uc->session)
		let_client_speak(uc); /* it may do so before it reads; nobody hears it any more */
	else
		went_away(uc);
}

/* A backend that says its last words and a Close, and closes before it has read all, resets the
 * connection: what we wrote meanwhile failed, but what it said is here. */
static void on_hangup(struct stream *s, int err)
{
	struct upstream_conn *uc = container_of(s, struct upstream_conn, stream);

	(void)err;
	uc->broken = true;
	read_rest(uc);
}

const struct stream_events upstream_conn_events = {
	.readable = on_readable,
	.writable = on_writable,
	.hangup = on_hangup,
};

/* What is said to a backend that is not here yet waits with the session: it is bounded there, and
 * its sender waits too. */
void upstream_conn_client_open(struct upstream_conn *uc)
{
	if (uc->opening) {
		uc->client_paused = true;
		sockjs_pause(uc->session);
	} else {
		upstream_conn_client_writable(uc);
	}
}

void upstream_conn_client_writable(struct upstream_conn *uc)
{
	if (!uc->choked || uc->ended || uc->opening || has_no_room(uc))
		return;
	uc->choked = uc->asks_again = false;
	uc->last_heard = loop_now(uc->reactor->loop); /* its pongs may be among what was not read */
	uc->pinged = false;
	ws_conn_resume(&uc->conn);
	if (uc->broken) {
		read_rest(uc);
		return;
	}
	read_on(uc);
	stream_want(&uc->stream, STREAM_READ);
}

void upstream_conn_opened(
    struct upstream_conn *uc, const struct ws_client_outcome *outcome, struct bytes early)
{
	struct upstream_reactor *reactor = uc->reactor;

	ws_conn_init(&uc->conn, WS_CLIENT, &upstream_conn_ops, &reactor->settings->limits);
	if (outcome->deflate.agreed)
		ws_conn_use_deflate(&uc->conn, &outcome->deflate);
	upstream_conn_enlist(uc);
	uc->stream.on = &upstream_conn_events;
	timer_init(&uc->timer, upstream_conn_on_timer);
	uc->last_heard = loop_now(reactor->loop);
	if (reactor->settings->ping_interval_ms)
		timer_start(
		    loop_timers(reactor->loop), &uc->timer, reactor->settings->ping_interval_ms);
	/* Not a word to the client before its session is open */
	uc->choked = true;
	stream_want(&uc->stream, 0);
	if (early.n)
		keep_rest(uc, early.p, early.n);
	if (uc->client_paused) { /* but this one is */
		let_client_speak(uc);
		upstream_conn_client_writable(uc);
	}
}

size_t upstream_conn_held(const struct upstream_conn *uc)
{
	return stream_queued(&uc->stream) + ws_conn_held(&uc->conn) +
	       (uc->rest ? buf_len(uc->rest) : 0);
}
