/*
 * http/http_again.c - connections that wait outside for their last request to come
 * again; see http_again.h.
 *
 * They are still watched for reading while a repeated request waits for its answer, so
 * that a round costs no epoll_ctl(2): the owner stops that when something comes too early.
 */
#include "http/http_again.h"

#include <errno.h>

#include "http/http_private.h"

#define MISSES_MAX 4 /* then it is no connection that repeats itself */
#define COPY_MOST  16384 /* of a body: the owner may change what he then does not want */
#define READS_MOST 4 /* of a request that comes in pieces; it is compared anew each time */

static struct loop *loop_of(const struct http_again *a)
{
	return a->server->loop;
}

/* --- remembering ---------------------------------------------------------- */

/* A head whose request is told by it and by what stands in its two gaps. */
static bool is_memorable(const struct http_request *r)
{
	return !r->frame.is_1_0 && r->frame.body != HTTP_BODY_CHUNKED &&
	       !r->headers[HTTP_EXPECT].p && !r->conn->is_pipelined;
}

static void remember(struct http_again *a, const struct http_request *r)
{
	struct bytes length = r->headers[HTTP_CONTENT_LENGTH];
	struct http_shape shape = {
		.head = r->frame.octets,
		.query_at = r->query.p ? (uint32_t)(r->query.p - r->head) : 0,
		.query_n = (uint32_t)r->query.n,
		.digits_at = length.p ? (uint32_t)(length.p - r->head) : 0,
		.digits_n = (uint32_t)length.n,
	};

	if (is_memorable(r))
		http_memo_make(&a->memo, &r->conn->server->memo_key, r->head, &shape);
}

bool http_again_is_worthwhile(const struct http_request *r)
{
	return r->conn->has_served && r->conn->misses < MISSES_MAX && is_memorable(r) &&
	       http_request_keeps_alive(r);
}

int http_again_detach(struct http_again *a, struct http_request *r, struct loop *loop,
    const struct stream_events *on, const struct http_again_ops *ops, bool repeats)
{
	int err;

	a->memo = (struct http_memo){ 0 };
	a->misses = r->conn->misses;
	if (repeats && a->misses < MISSES_MAX)
		remember(a, r);
	a->peer = *http_request_peer(r);
	a->keep_alive = http_comes_back(r);
	a->access = http_access_keep(r);
	err = http_detach(r, &a->stream, loop, on);
	if (err < 0) {
		http_access_free(a->access);
		a->access = NULL;
		return err;
	}
	a->ops = ops;
	a->server = NULL;
	return 0;
}

/* --- waiting -------------------------------------------------------------- */

static void stop_waiting(struct http_again *a)
{
	list_remove(&a->turn.node);
	timer_stop(loop_timers(loop_of(a)), &a->timer);
	a->server->counters.connections--;
	a->server = NULL;
}

static void end(struct http_again *a)
{
	stop_waiting(a);
	stream_close(&a->stream);
	a->ops->gone(a);
}

static void on_idle(struct timer *t)
{
	end(container_of(t, struct http_again, timer));
}

static void wait_on(struct http_again *a)
{
	struct http_server *server = a->server;
	unsigned ms = server->draining ? 1 : server->limits->idle_timeout_ms;

	list_append(&server->waiting, &a->turn.node);
	if (ms)
		timer_start(loop_timers(server->loop), &a->timer, ms);
}

/* Its answer may still be in a batch, or in the queue if a send came short. A client that has not
 * taken it by now hears it, and the end. */
static void give_back(struct http_again *a, struct http_server *server)
{
	if (stream_flush(&a->stream) < 0 || stream_queued(&a->stream) > 0)
		http_server_end(server, &a->stream);
	else
		http_conn_give_back(server, &a->stream, &a->peer, NULL, a->misses);
}

/* What has come is not what is remembered: it is read as any request. */
static void pass_on(struct http_again *a, struct bytes raw)
{
	struct http_server *server = a->server;

	a->misses++;
	stop_waiting(a);
	if (stream_unread(&a->stream, raw) < 0)
		stream_close(&a->stream);
	else
		give_back(a, server);
	a->ops->gone(a);
}

/* Whether it is what was expected, and has been served. */
static bool serve(struct http_again *a, struct bytes raw)
{
	struct http_server *server = a->server;
	size_t empty = http_empty_lines(raw);
	struct bytes query, body;
	char copy[COPY_MOST];

	raw = (struct bytes){ raw.p + empty, raw.n - empty };
	if (server->draining || raw.n > sizeof(copy) ||
	    !http_memo_matches(&a->memo, &server->memo_key, raw, &query, &body))
		return false;
	bytes_put(copy, body);
	return a->ops->serve(a, query, copy, body.n);
}

/* Head and body may come in two pieces. */
static void read_on(struct http_turn *turn)
{
	struct http_again *a = container_of(turn, struct http_again, turn);
	char *scratch = loop_scratch(loop_of(a));
	struct bytes raw = { scratch, 0 };
	ssize_t n = -EAGAIN;

	a->is_ready = false;
	budget_spend(loop_budget(loop_of(a)), COST_EVENT + COST_SEND);
	for (unsigned i = 0; i < READS_MOST && raw.n < LOOP_SCRATCH_BYTES; i++) {
		n = stream_read(&a->stream, scratch + raw.n, LOOP_SCRATCH_BYTES - raw.n);
		if (n <= 0)
			break;
		raw.n += (size_t)n;
		if (serve(a, raw))
			return;
	}
	if (http_empty_lines(raw) < raw.n)
		pass_on(a, raw);
	else if (n == -EAGAIN)
		wait_on(a); /* it was nothing but empty lines */
	else
		end(a);
}

struct http_again *http_again_of_turn(struct http_turn *turn)
{
	return turn->fn == read_on ? container_of(turn, struct http_again, turn) : NULL;
}

bool http_again_wait(struct http_again *a, struct http_server *server)
{
	if (a->misses >= MISSES_MAX || server->draining ||
	    stream_want(&a->stream, STREAM_READ) < 0) {
		give_back(a, server);
		return false;
	}
	a->server = server;
	a->is_ready = false;
	a->turn = (struct http_turn){ .fn = read_on };
	list_init(&a->turn.node);
	server->counters.connections++;
	timer_init(&a->timer, on_idle);
	wait_on(a);
	return true;
}

void http_again_readable(struct http_again *a)
{
	if (a->is_ready)
		return;
	a->is_ready = true;
	timer_stop(loop_timers(loop_of(a)), &a->timer);
	http_want_turn(a->server, &a->turn);
}

void http_again_hangup(struct http_again *a)
{
	end(a);
}

void http_again_take(struct http_again *a)
{
	a->misses = 0;
	a->server->counters.requests++;
	a->server->counters.repeated++;
	http_access_again(a->access, loop_now(loop_of(a)));
	stop_waiting(a);
}

/* --- the server ends ------------------------------------------------------ */

void http_again_drain(struct http_server *server)
{
	struct list *pos;

	list_foreach (pos, &server->waiting) {
		struct http_again *a = container_of(pos, struct http_again, turn.node);

		timer_start(loop_timers(server->loop), &a->timer, 1);
	}
}

void http_again_end_all(struct http_server *server)
{
	struct list *node;

	list_splice(&server->waiting, &server->turns); /* there is nobody else in them any more */
	while ((node = list_first(&server->waiting)))
		end(container_of(node, struct http_again, turn.node));
}
