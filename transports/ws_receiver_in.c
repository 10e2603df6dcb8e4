/*
 * transports/ws_receiver_in.c - what comes to a WebSocket: the events of its stream, and
 * what the codec makes of the octets.
 *
 * Frames are parsed in place in the loop's scratch buffer. Bytes are kept only when
 * the application pauses in the middle of a buffer, or when there is more to do with them than one
 * turn has time for: then the next turns go on with them before more is read.
 */
#include <errno.h>

#include "transports/ws_receiver_private.h"

#define READ_BUSY 8192 /* octets at a time, while others wait */

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
	struct loop *loop = ws_receiver_loop(r);

	if (piece.n == 0)
		return;
	if (!r->ended) {
		budget_spend(ws_receiver_budget(r), COST_SEND);
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

	if (!r->base.session)
		return;
	session_heard(r->base.session);
	if (n == 1)
		ws_receiver_answered(r, (uint8_t)*data);
	session_answered(r->base.session);
}

static void on_close(struct ws_conn *c, unsigned code, const char *reason, size_t n, bool failed)
{
	struct ws_receiver *r = container_of(c, struct ws_receiver, conn);
	char text[WS_REASON_MAX + 1];

	n = n < WS_REASON_MAX ? n : WS_REASON_MAX;
	if (n)
		memcpy(text, reason, n);
	text[n] = '\0';
	if (r->base.session)
		session_client_closed(r->base.session, &r->base, code, text);
	r->shut = true;
	r->is_answered = !failed;
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

const struct ws_conn_ops ws_receiver_conn_ops = {
	.message = on_message,
	.write = on_write,
	.pong = on_pong,
	.close = on_close,
	.deflate = on_deflate,
};

/* --- the stream's events ------------------------------------------------ */

void ws_receiver_keep_rest(struct ws_receiver *r, const char *p, size_t n)
{
	if (!ws_receiver_extras(r) || buf_add(&r->extras->rest, p, n) < 0)
		ws_receiver_lost(r); /* out of memory: what was read cannot be kept */
}

/* As much of it as there is time for; how much that was. */
static size_t feed(struct ws_receiver *r, char *p, size_t n)
{
	ssize_t taken = ws_conn_feed(&r->conn, p, n, ws_receiver_budget(r));

	if (buf_len(&r->reactor->pongs) > 0)
		say_pongs(r);
	if (!r->ended && r->shut)
		ws_receiver_finish(r);
	return taken < 0 ? n : (size_t)taken;
}

static void feed_rest(struct ws_receiver *r)
{
	struct buf *rest = ws_receiver_has_rest(r) ? &r->extras->rest : NULL;
	size_t taken = feed(r, rest ? buf_data(rest) : NULL, rest ? buf_len(rest) : 0);

	if (!rest)
		return;
	buf_consume(rest, taken);
	if (buf_len(rest) == 0)
		buf_fini(rest);
}

/* What is kept in memory for a message is to be done with before others are begun. */
static void read_later(struct ws_receiver *r)
{
	if (!r->conn.paused && ws_receiver_is_behind(r))
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
	return ws_receiver_budget(r)->left <= LOOP_LITTLE ? READ_BUSY : LOOP_SCRATCH_BYTES;
}

static void read_more(struct ws_receiver *r)
{
	char *scratch = loop_scratch(ws_receiver_loop(r));
	ssize_t n = stream_read(&r->stream, scratch, read_size(r));
	size_t taken;

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		ws_receiver_lost(r);
		return;
	}
	ws_receiver_heard(r);
	taken = feed(r, scratch, (size_t)n);
	if (!r->ended && taken < (size_t)n)
		ws_receiver_keep_rest(r, scratch + taken, (size_t)n - taken);
}

static void on_readable(struct stream *s)
{
	struct ws_receiver *r = container_of(s, struct ws_receiver, stream);

	if (r->parting) {
		ws_receiver_parting_readable(r);
		return;
	}
	if (ws_receiver_is_behind(r))
		feed_rest(r);
	else
		read_more(r);
	if (r->ended || r->parting)
		return;
	choke_if_blocked(r);
	if (r->conn.partial)
		ws_receiver_watch_unfinished(r);
	if (r->conn.partial || r->extras)
		read_later(r);
}

static void on_writable(struct stream *s)
{
	struct ws_receiver *r = container_of(s, struct ws_receiver, stream);

	if (r->choked) {
		r->choked = false;
		ws_receiver_heard(r);
		if (!r->conn.paused)
			ws_receiver_read_on(r);
	}
	if (r->base.session)
		session_writable(r->base.session);
}

static void on_hangup(struct stream *s, int err)
{
	(void)err;
	ws_receiver_lost(container_of(s, struct ws_receiver, stream));
}

static void on_blocked(struct stream *s)
{
	struct ws_receiver *r = container_of(s, struct ws_receiver, stream);

	if (r->base.session)
		session_blocked(r->base.session);
}

const struct stream_events ws_receiver_stream_events = {
	.readable = on_readable,
	.writable = on_writable,
	.hangup = on_hangup,
	.blocked = on_blocked,
};
