/*
 * http/http_relay.c - a socket pair between a connection and libmicrohttpd.
 *
 * libmicrohttpd's own TLS is GnuTLS, and its bytes cannot be counted on a unix
 * socket. So for these two the connection stays ours (the outer stream), and
 * libmicrohttpd gets one end of a pair (the inner stream is the other). Only short
 * requests pass through here: when a connection is detached or upgraded the pair
 * is dropped and the outer stream is used directly.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/http_private.h"

#define QUEUE_MAX (64 * 1024) /* each way; beyond it the other side is not read */

struct http_relay {
	struct deferred deferred;
	struct http_conn *conn; /* NULL once libmicrohttpd has gone */
	struct http_server *server;
	struct stream outer, inner;
	uint64_t received; /* bytes passed inwards */
	uint64_t sent;     /* and outwards */
	bool client_gone;
	bool ended;
};

static void relay_free(struct deferred *d)
{
	mem_free(container_of(d, struct http_relay, deferred));
}

void http_relay_abort(struct http_relay *relay)
{
	if (!relay || relay->ended)
		return;
	relay->ended = true;
	stream_close(&relay->outer);
	stream_close(&relay->inner);
	loop_defer(relay->server->loop, &relay->deferred, relay_free);
}

/* What to be told of a side that is not read for now. A client's end comes behind what it has sent,
 * and is read like that; only a held request has to hear of it at once. */
static unsigned want_unread(const struct http_relay *relay, const struct stream *side)
{
	const struct http_request *r = relay->conn ? relay->conn->request : NULL;

	return side == &relay->outer && !(r && r->state == REQUEST_HELD) ? 0 : STREAM_HANGUP;
}

/* Counts what libmicrohttpd will read: all but empty lines before the first request. */
static struct stream_piece take_in(struct http_relay *relay, struct stream_piece piece)
{
	size_t skip = relay->received == 0 ? http_empty_lines(piece.p, piece.n) : 0;

	piece.p = (const char *)piece.p + skip;
	piece.n -= skip;
	relay->received += piece.n;
	return piece;
}

/* Copies what `from` has to `to`; false when `from` has ended or broken. */
static bool pump(struct http_relay *relay, struct stream *from, struct stream *to)
{
	char *scratch = loop_scratch(relay->server->loop);
	struct stream_piece piece = { scratch, 0, NULL };
	ssize_t n = stream_read(from, scratch, LOOP_SCRATCH_BYTES);

	if (n == -EAGAIN)
		return true;
	if (n <= 0)
		return false;
	piece.n = (size_t)n;
	if (from == &relay->outer)
		piece = take_in(relay, piece);
	else
		relay->sent += piece.n;
	if (stream_write(to, &piece, 1) < 0)
		return false;
	if (stream_queued(to) > QUEUE_MAX)
		stream_want(from, want_unread(relay, from));
	return true;
}

/* --- events ------------------------------------------------------------- */

/* The client has ended or broken: libmicrohttpd sees an end too, and closes. A held request has to
 * be told, for nobody reads its end of the pair. */
static void client_gone(struct http_relay *relay)
{
	struct http_conn *conn = relay->conn;

	relay->client_gone = true;
	if (conn && conn->mhd) {
		stream_want(&relay->outer, 0);
		stream_shutdown(&relay->inner);
		if (stream_queued(&relay->inner) == 0 ||
		    (conn->request && conn->request->state == REQUEST_HELD))
			http_conn_client_ended(conn);
		return;
	}
	http_relay_abort(relay);
	if (conn) { /* still in its handshake */
		conn->relay = NULL;
		http_conn_end(conn);
	}
}

static void on_outer_readable(struct stream *s)
{
	struct http_relay *relay = container_of(s, struct http_relay, outer);

	if (!pump(relay, &relay->outer, &relay->inner))
		client_gone(relay);
}

static void on_outer_writable(struct stream *s)
{
	struct http_relay *relay = container_of(s, struct http_relay, outer);

	if (stream_is_open(&relay->inner))
		stream_want(&relay->inner, STREAM_READ);
}

/* The outer wire is broken: nothing can be said any more, so libmicrohttpd need not try. */
static void on_outer_hangup(struct stream *s, int err)
{
	struct http_relay *relay = container_of(s, struct http_relay, outer);

	(void)err;
	if (stream_is_open(&relay->inner))
		shutdown(relay->inner.watch.fd, SHUT_RDWR);
	client_gone(relay);
}

/* libmicrohttpd has closed: what it said last is delivered, then the connection ends. */
static void inner_gone(struct http_relay *relay)
{
	if (relay->ended)
		return;
	if (relay->conn) {
		stream_want(&relay->inner, 0); /* on_connection() is about to say so too */
		return;
	}
	http_server_end(relay->server, &relay->outer);
	http_relay_abort(relay);
}

static void on_inner_readable(struct stream *s)
{
	struct http_relay *relay = container_of(s, struct http_relay, inner);

	if (!pump(relay, &relay->inner, &relay->outer))
		inner_gone(relay);
}

static void on_inner_writable(struct stream *s)
{
	struct http_relay *relay = container_of(s, struct http_relay, inner);

	if (!relay->client_gone)
		stream_want(&relay->outer, STREAM_READ);
	else if (relay->conn && relay->conn->mhd)
		http_conn_client_ended(relay->conn);
}

static void on_inner_hangup(struct stream *s, int err)
{
	(void)err;
	inner_gone(container_of(s, struct http_relay, inner));
}

static const struct stream_events outer_events = {
	.readable = on_outer_readable,
	.writable = on_outer_writable,
	.hangup = on_outer_hangup,
};
static const struct stream_events inner_events = {
	.readable = on_inner_readable,
	.writable = on_inner_writable,
	.hangup = on_inner_hangup,
};

/* Everything libmicrohttpd has said so far goes out (or into the outer queue). */
static void drain_inner(struct http_relay *relay)
{
	while (stream_is_open(&relay->inner)) {
		char *scratch = loop_scratch(relay->server->loop);
		struct stream_piece piece = { scratch, 0, NULL };
		ssize_t n = stream_read(&relay->inner, scratch, LOOP_SCRATCH_BYTES);

		if (n <= 0)
			return;
		piece.n = (size_t)n;
		relay->sent += (uint64_t)n;
		if (stream_write(&relay->outer, &piece, 1) < 0)
			return;
	}
}

void http_relay_finish(struct http_relay *relay)
{
	if (relay->ended)
		return;
	relay->conn = NULL;
	drain_inner(relay);
	http_server_end(relay->server, &relay->outer);
	http_relay_abort(relay);
}

/* --- coming and going --------------------------------------------------- */

static int connect_inner(struct http_relay *relay)
{
	struct http_conn *conn = relay->conn;
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	stream_init(&relay->inner, relay->server->loop, pair[0], &inner_events);
	err = stream_want(&relay->inner, STREAM_READ);
	if (err == 0)
		err = stream_want(&relay->outer, STREAM_READ);
	if (err < 0) {
		close(pair[1]);
		return err;
	}
	conn->relay = relay;
	if (http_conn_hand_over(conn, pair[1]) < 0)
		http_relay_abort(relay); /* the connection has ended already */
	return 0;
}

/* OpenSSL has said nothing so far, for it takes HTTP for no TLS at all. */
static void answer_in_plain_text(struct http_conn *conn, int fd)
{
	conn->server->counters.bad_requests++;
	conn->fd = fd;
	http_last_words(conn, 400,
	    "This plain HTTP request was sent to a port for HTTPS: begin the URL with https://.");
}

static void on_tls_done(struct stream *s, int err)
{
	struct http_relay *relay = container_of(s, struct http_relay, outer);
	struct http_conn *conn = relay->conn;

	if (err == 0)
		err = connect_inner(relay);
	if (err == 0)
		return;
	http_refused(conn->server, HTTP_REFUSED_TLS, &conn->peer,
	    HTTP_REFUSED_FIELDS(LOG_STR("why", stream_tls_why(s)), LOG_ERR(err)));
	if (stream_tls_met_text(s))
		answer_in_plain_text(conn, s->watch.fd);
	http_relay_abort(relay);
	http_conn_end(conn);
}

static struct http_relay *relay_new(struct http_conn *conn)
{
	struct http_relay *relay = mem_zalloc(sizeof(*relay));

	if (!relay)
		return NULL;
	relay->conn = conn;
	relay->server = conn->server;
	stream_init_empty(&relay->outer);
	stream_init_empty(&relay->inner);
	return relay;
}

int http_relay_accept(struct http_conn *conn, int fd, struct tls_context *tls)
{
	struct http_relay *relay = relay_new(conn);
	int err;

	if (!relay) {
		close(fd);
		return -ENOMEM;
	}
	stream_init(&relay->outer, conn->server->loop, fd, &outer_events);
	relay->outer.visitor = conn->visitor;
	conn->visitor = NULL;
	conn->relay = relay;
	err = tls ? stream_tls_accept(&relay->outer, tls, on_tls_done) : connect_inner(relay);
	if (err < 0) {
		conn->relay = NULL;
		http_relay_abort(relay);
	}
	return err;
}

int http_relay_give_back(struct http_conn *conn, struct stream *s, struct bytes early)
{
	struct http_relay *relay = relay_new(conn);
	struct stream_piece piece = { early.p, early.n, NULL };
	int err;

	if (!relay) {
		stream_close(s);
		return -ENOMEM;
	}
	stream_move(&relay->outer, s, conn->server->loop, &outer_events);
	err = connect_inner(relay);
	if (err < 0) {
		conn->relay = NULL;
		http_relay_abort(relay);
		return err;
	}
	if (relay->ended || early.n == 0)
		return 0;
	piece = take_in(relay, piece);
	if (stream_write(&relay->inner, &piece, 1) < 0)
		shutdown(relay->inner.watch.fd, SHUT_RDWR); /* libmicrohttpd sees an end */
	return 0;
}

uint64_t http_relay_progress(const struct http_relay *relay)
{
	return stream_progress(&relay->outer);
}

uint64_t http_relay_received(const struct http_relay *relay)
{
	return relay->received;
}

/* Counts what still waits in the pair, too. */
uint64_t http_relay_sent(const struct http_relay *relay)
{
	int waiting = 0;

	if (stream_is_open(&relay->inner))
		ioctl(relay->inner.watch.fd, SIOCINQ, &waiting);
	return relay->sent + (uint64_t)waiting;
}

void http_relay_take(struct http_relay *relay, struct stream *out)
{
	drain_inner(relay);
	stream_move(out, &relay->outer, relay->server->loop, NULL);
	http_relay_abort(relay);
}

int http_relay_unread(struct http_relay *relay, int mhd_fd, struct buf *early)
{
	char *scratch = loop_scratch(relay->server->loop);
	ssize_t n;
	size_t got;

	/* What the pair could not take waits in the inner queue: it is moved through. */
	do {
		got = buf_len(early);
		while ((n = recv(mhd_fd, scratch, LOOP_SCRATCH_BYTES, MSG_DONTWAIT)) > 0)
			if (buf_add(early, scratch, (size_t)n) < 0)
				return -ENOMEM;
	} while (stream_queued(&relay->inner) > 0 && stream_flush(&relay->inner) == 0 &&
	         buf_len(early) > got);
	return 0;
}
