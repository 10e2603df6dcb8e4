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

#define MISSES_MAX 4     /* then it is no connection that repeats itself */
#define COPY_MOST  16384 /* of a body that has to be copied before it may be changed */
#define LOOKS_MOST 4     /* at a request that comes in pieces; it is compared anew each time */

static struct loop *loop_of(const struct http_again *a)
{
	return a->server->loop;
}

void http_again_init(struct http_again *a, struct http_detached *d, struct loop *loop,
    const struct stream_events *on, const struct http_again_ops *ops)
{
	stream_move(&a->stream, &d->stream, loop, on);
	a->peer = d->peer;
	a->memo = d->memo;
	a->misses = d->misses;
	a->ops = ops;
	a->server = NULL;
	list_init(&a->node);
}

/* --- waiting -------------------------------------------------------------- */

static void stop_waiting(struct http_again *a)
{
	list_remove(&a->node);
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

	list_append(&server->waiting, &a->node);
	if (ms)
		timer_start(loop_timers(server->loop), &a->timer, ms);
}

/* Its answer may still be in a batch, or in the queue if a send came short; libmicrohttpd knows
 * nothing of that. A client that has not taken it by now hears it, and the end. */
static void give_back(struct http_again *a, struct http_server *server,
    const struct http_guess *guess, struct bytes early)
{
	if (stream_flush(&a->stream) < 0 || stream_queued(&a->stream) > 0)
		http_server_end(server, &a->stream);
	else
		http_give_back(server, &a->stream, &a->peer, NULL, guess, early);
}

/* It was nothing. */
static void wait_more(struct http_again *a)
{
	list_remove(&a->node);
	wait_on(a);
}

bool http_again_wait(struct http_again *a, struct http_server *server)
{
	/* It is not asked again whether it repeats itself. */
	const struct http_guess guess = { .misses = a->misses };

	if (a->misses >= MISSES_MAX || server->draining ||
	    stream_want(&a->stream, STREAM_READ) < 0) {
		give_back(a, server, &guess, (struct bytes){ 0 });
		return false;
	}
	a->server = server;
	server->counters.connections++;
	timer_init(&a->timer, on_idle);
	wait_on(a);
	return true;
}

void http_again_readable(struct http_again *a)
{
	timer_stop(loop_timers(loop_of(a)), &a->timer);
	list_remove(&a->node);
	list_append(&a->server->ready, &a->node);
	loop_want(loop_of(a), LOOP_STAGE_HTTP);
}

void http_again_hangup(struct http_again *a)
{
	end(a);
}

/* --- the next request ----------------------------------------------------- */

/* Takes what was looked at out of the kernel; it is there, for we have just seen it. TCP can drop
 * it without a copy, a unix socket cannot. */
static void consume(struct http_again *a, size_t n)
{
	int drop = a->peer.family == AF_UNIX ? 0 : MSG_TRUNC;

	if (recv(a->stream.watch.fd, loop_scratch(loop_of(a)), n, drop | MSG_DONTWAIT) !=
	    (ssize_t)n)
		shutdown(a->stream.watch.fd, SHUT_RDWR);
}

void http_again_take(struct http_again *a)
{
	struct http_server *server = a->server;

	if (!stream_is_tls(&a->stream))
		consume(a, server->looked_at);
	a->misses = 0;
	server->counters.requests++;
	server->counters.repeated++;
	stop_waiting(a);
}

/* libmicrohttpd reads what was only looked at, or gets what was taken from under TLS. If it comes
 * to the same view of it, the request may be remembered. */
static void pass_on(struct http_again *a, struct bytes raw)
{
	struct http_server *server = a->server;
	struct http_guess guess = { .misses = (uint8_t)(a->misses + 1) };

	if (guess.misses < MISSES_MAX)
		http_memo_make(&guess.memo, &server->memo_key, raw, &guess.shape);
	stop_waiting(a);
	give_back(a, server, &guess, stream_is_tls(&a->stream) ? raw : (struct bytes){ 0 });
	a->ops->gone(a);
}

/* Whether it is what was expected, and has been served. TCP keeps the octets that were looked at,
 * so the body may be changed where it is. */
static bool serve(struct http_again *a, struct bytes raw)
{
	struct http_server *server = a->server;
	char copy[COPY_MOST];
	struct bytes body;

	server->looked_at = raw.n;
	if (server->draining || raw.n >= LOOP_SCRATCH_BYTES ||
	    !http_memo_matches(&a->memo, &server->memo_key, raw, &body))
		return false;
	if (!stream_is_tls(&a->stream) && a->peer.family != AF_UNIX)
		return a->ops->serve(a, (char *)(uintptr_t)body.p, body.n);
	if (body.n > sizeof(copy))
		return false;
	bytes_put(copy, body);
	return a->ops->serve(a, copy, body.n);
}

/* Under TLS nothing can be looked at without being taken; head and body may be two records. */
static void look_under_tls(struct http_again *a)
{
	char *scratch = loop_scratch(loop_of(a));
	struct bytes raw = { scratch, 0 };
	ssize_t n = -EAGAIN;

	for (unsigned i = 0; i < LOOKS_MOST && raw.n < LOOP_SCRATCH_BYTES; i++) {
		n = stream_read(&a->stream, scratch + raw.n, LOOP_SCRATCH_BYTES - raw.n);
		if (n <= 0)
			break;
		raw.n += (size_t)n;
		if (serve(a, raw))
			return;
	}
	if (raw.n > 0)
		pass_on(a, raw);
	else if (n == -EAGAIN)
		wait_more(a);
	else
		end(a);
}

static void look(struct http_again *a)
{
	char *scratch = loop_scratch(loop_of(a));
	struct bytes raw = { scratch, 0 };
	size_t empty;
	ssize_t n;

	if (stream_is_tls(&a->stream)) {
		look_under_tls(a);
		return;
	}
	n = recv(a->stream.watch.fd, scratch, LOOP_SCRATCH_BYTES, MSG_PEEK | MSG_DONTWAIT);
	raw.n = n > 0 ? (size_t)n : 0;
	empty = http_empty_lines(raw.p, raw.n);
	if (empty > 0) {
		consume(a, empty);
		raw = (struct bytes){ raw.p + empty, raw.n - empty };
	}
	if (n > 0 && raw.n == 0)
		wait_more(a);
	else if (n < 0 && (errno == EAGAIN || errno == EINTR))
		wait_more(a);
	else if (n <= 0)
		end(a);
	else if (!serve(a, raw))
		pass_on(a, raw);
}

void http_again_run(struct http_server *server)
{
	struct list now, *node;
	bool many;

	list_init(&now);
	list_splice(&now, &server->ready);
	many = list_has(&now, STREAM_BATCH_FEW);
	if (many)
		stream_batch_expect(server->loop, true);
	while ((node = list_first(&now)) && !budget_is_spent(loop_budget(server->loop))) {
		budget_spend(loop_budget(server->loop), COST_EVENT + COST_SEND);
		look(container_of(node, struct http_again, node));
	}
	if (many)
		stream_batch_expect(server->loop, false);
	if (list_empty(&now))
		return;
	list_splice(&now, &server->ready); /* in the next turn, and before who comes then */
	list_splice(&server->ready, &now);
	loop_want(server->loop, LOOP_STAGE_HTTP);
}

/* --- the server ends ------------------------------------------------------ */

void http_again_drain(struct http_server *server)
{
	struct list *pos;

	list_foreach (pos, &server->waiting) {
		struct http_again *a = container_of(pos, struct http_again, node);

		timer_start(loop_timers(server->loop), &a->timer, 1);
	}
}

void http_again_end_all(struct http_server *server)
{
	struct list *node;

	list_splice(&server->waiting, &server->ready);
	while ((node = list_first(&server->waiting)))
		end(container_of(node, struct http_again, node));
}

/* --- remembering ---------------------------------------------------------- */

/* Whether the guess is what libmicrohttpd and our checks have found, place for place. */
static bool is_confirmed(const struct http_guess *guess, const struct http_request *r)
{
	const struct http_shape *shape = &guess->shape;
	struct bytes length = r->headers[HTTP_CONTENT_LENGTH];
	size_t query_at =
	           r->query.p ? strlen(r->method_name) + 1 + (size_t)(r->query.p - r->target) : 0,
	       length_at = length.p ? (size_t)(length.p - r->method_name) : 0;

	return guess->memo.octets && r->conn->consumed == 0 && !r->chunked &&
	       !r->headers[HTTP_EXPECT].p && shape->head == r->header_bytes &&
	       shape->body == r->body_received && shape->query_at == query_at &&
	       shape->query_n == r->query.n && shape->digits_at == length_at &&
	       shape->digits_n == length.n;
}

void http_again_remember(const struct http_request *r, struct http_detached *out)
{
	const struct http_guess *guess = &r->conn->guess;

	out->misses = guess->misses;
	out->memo = is_confirmed(guess, r) ? guess->memo : (struct http_memo){ 0 };
}

/* Not the first request of a connection, or one whose head is remembered: it may be the beginning
 * of a series. */
bool http_again_is_worthwhile(const struct http_request *r)
{
	const struct http_conn *conn = r->conn;

	return r->is_1_1 && conn->guess.misses < MISSES_MAX &&
	       (conn->consumed > 0 || is_confirmed(&conn->guess, r)) &&
	       http_request_keeps_alive(r) && http_surplus(r) == 0;
}
