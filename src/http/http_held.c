/*
 * http/http_held.c - polls that cannot leave libmicrohttpd, because the client has
 * pipelined something behind them (or sent a chunked body, after which nobody
 * can tell).
 *
 * The connection is suspended, and whoever answers the poll gets one end of a
 * socket pair instead: what comes out of the other end is the body. So the
 * session, which may live in another reactor, need not know. A suspended
 * connection does not notice that its client leaves: http_conn's watch or its relay
 * tells.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/http_private.h"

#define BODY_MAX (256u << 20) /* the session's own limits are far below */

struct http_held {
	struct deferred deferred;
	struct http_request *request; /* NULL once libmicrohttpd has dropped it */
	struct loop *loop;
	struct stream inner; /* our end of the pair */
	struct buf body;
	struct http_head head;
};

static void held_free(struct deferred *d)
{
	struct http_held *held = container_of(d, struct http_held, deferred);

	buf_fini(&held->body);
	mem_free(held);
}

void http_held_end(struct http_held *held)
{
	held->request->conn->server->counters.held--;
	held->request = NULL;
	stream_close(&held->inner);
	loop_defer(held->loop, &held->deferred, held_free);
}

/* The body is complete: answer, and the request behind it gets its turn. */
static void finish(struct http_held *held)
{
	struct http_request *r = held->request;
	struct bytes body = { held->body.data ? buf_data(&held->body) : NULL,
		buf_len(&held->body) };

	r->held = NULL;
	if (body.n == 0 && held->head.status != 204)
		http_head_init(&held->head, 500); /* the session went without a word */
	http_respond(r, &held->head, body);
	http_held_end(held);
}

void http_held_hangup(struct http_held *held)
{
	int fd = held->request->conn->fd;

	finish(held); /* libmicrohttpd must run again to learn of the end */
	shutdown(fd, SHUT_RDWR);
}

static void on_inner_readable(struct stream *s)
{
	struct http_held *held = container_of(s, struct http_held, inner);
	ssize_t n = stream_read(s, loop_scratch(held->loop), LOOP_SCRATCH_BYTES);

	if (n == -EAGAIN)
		return;
	if (n > 0 && buf_len(&held->body) + (size_t)n <= BODY_MAX &&
	    buf_add(&held->body, loop_scratch(held->loop), (size_t)n) == 0)
		return;
	finish(held);
}

static void on_inner_hangup(struct stream *s, int err)
{
	(void)err;
	finish(container_of(s, struct http_held, inner));
}

static void on_inner_writable(struct stream *s)
{
	(void)s;
}

static const struct stream_events inner_events = {
	.readable = on_inner_readable,
	.writable = on_inner_writable,
	.hangup = on_inner_hangup,
};

int http_hold(struct http_request *r, const struct http_head *head, struct http_detached *out)
{
	struct http_server *server = r->conn->server;
	struct http_held *held = mem_zalloc(sizeof(*held));
	int pair[2], err;

	if (!held)
		return -ENOMEM;
	held->loop = server->loop;
	held->request = r;
	held->head = *head;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
		err = -errno;
		mem_free(held);
		return err;
	}
	stream_init(&held->inner, server->loop, pair[0], &inner_events);
	err = stream_want(&held->inner, STREAM_READ);
	if (err < 0) {
		stream_close(&held->inner);
		close(pair[1]);
		loop_defer(server->loop, &held->deferred, held_free);
		return err;
	}
	timer_stop(loop_timers(server->loop), &r->conn->timer);
	MHD_suspend_connection(r->conn->mhd);
	r->held = held;
	r->state = REQUEST_HELD;
	server->counters.held++;
	/* It ended right behind its request, which nobody will say again */
	if (r->conn->half_closed)
		timer_start(loop_timers(server->loop), &r->conn->timer, 1);
	stream_init(&out->stream, server->loop, pair[1], NULL);
	out->peer = r->conn->peer;
	out->keep_alive = false;
	out->bare = true;
	out->misses = 0;
	out->memo = (struct http_memo){ 0 };
	return 0;
}
