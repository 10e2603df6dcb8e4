/*
 * cluster/hop.c - a request that is passed on to another gateway; see hop.h.
 */
#include "cluster/hop.h"

#include <errno.h>

#include "base/mem.h"
#include "http/http_detach.h"

#define QUEUED_MOST 65536 /* octets that wait for the client; then nothing more is read */

static const char no_answer[] = "The gateway of this session has not answered.";

struct hop {
	struct list node;
	struct hop_desk *desk;
	struct hop_pool *pool;
	struct hop_conn *conn; /* NULL: it has ended */
	struct http_hold hold;
	struct buf request; /* until its answer begins, as long as it may be sent once more */
	struct hop_answer answer;
	struct buf rest; /* of its body, not yet a whole line of a chunk */
	/* Once the answer has begun */
	struct stream client;
	struct addr peer;
	struct http_access *access;
	uint64_t octets;
	struct timer timer;
	struct deferred gone;
	bool keep_alive, has_begun;
	size_t name_len; /* 0: it brings messages */
	char name[];
};

/* --- the end ------------------------------------------------------------------------------------ */

static void hop_free(struct deferred *d)
{
	mem_free(container_of(d, struct hop, gone));
}

static void end_conn(struct hop *h)
{
	if (h->conn)
		hop_conn_end(h->conn);
	h->conn = NULL;
}

static void end(struct hop *h)
{
	end_conn(h);
	timer_stop(loop_timers(h->desk->loop), &h->timer);
	list_remove(&h->node);
	h->desk->counters.now--;
	buf_fini(&h->request);
	buf_fini(&h->rest);
	hop_answer_fini(&h->answer);
	loop_defer(h->desk->loop, &h->gone, hop_free);
}

static void tell_log(struct hop *h, bool is_aborted)
{
	if (h->access)
		h->access->is_aborted = is_aborted;
	http_access_end(h->access, h->desk->http, h->answer.status, h->octets);
	h->access = NULL;
}

/* The client's connection ends in the middle, which it notices: where its end would be that of the answer, it is
 * reset. */
static void abort_client(struct hop *h)
{
	tell_log(h, true);
	if (h->answer.body == HOP_BODY_CLOSE)
		stream_reset(&h->client);
	else
		stream_close(&h->client);
	end(h);
}

static void fail(struct hop *h, enum hop_failure why, const char *reason)
{
	struct hop_desk *desk = h->desk;

	desk->counters.failed[why]++;
	desk->failed(desk, h->pool, why, reason);
	if (h->has_begun) {
		abort_client(h);
		return;
	}
	http_hold_resume(&h->hold, why == HOP_REFUSED ? NULL : no_answer);
	end(h);
}

/* The answer is whole. What the client has not taken yet it takes while its connection ends. */
static void finish(struct hop *h)
{
	tell_log(h, false);
	if (h->keep_alive && stream_queued(&h->client) == 0)
		http_server_give_back(h->desk->http, &h->client, &h->peer, NULL);
	else
		http_server_end(h->desk->http, &h->client);
	if (h->conn && h->answer.keeps_alive && buf_len(&h->rest) == 0) {
		hop_conn_keep(h->conn);
		h->conn = NULL;
	}
	end(h);
}

/* --- to the client ------------------------------------------------------------------------------ */

static void on_client_gone(struct http_hold *hold)
{
	end(container_of(hold, struct hop, hold));
}

static void on_client_hangup(struct stream *s, int err)
{
	(void)err;
	abort_client(container_of(s, struct hop, client));
}

static void on_client_writable(struct stream *s)
{
	struct hop *h = container_of(s, struct hop, client);

	if (h->conn && stream_want(&h->conn->stream, STREAM_READ) < 0)
		abort_client(h);
}

/* What it sends meanwhile is its next request. */
static void on_client_readable(struct stream *s)
{
	(void)s;
}

static const struct stream_events client_events = {
	.readable = on_client_readable,
	.writable = on_client_writable,
	.hangup = on_client_hangup,
};

static bool pass(struct hop *h, struct bytes data)
{
	struct stream_piece piece = { data.p, data.n, NULL };

	return data.n == 0 || stream_write(&h->client, &piece, 1) == 0;
}

static void wait_for_client(struct hop *h)
{
	if (h->conn && stream_queued(&h->client) > QUEUED_MOST)
		stream_want(&h->conn->stream, 0);
}

/* --- the answer's body -------------------------------------------------------------------------- */

/* What is no whole line yet is kept: it is short. */
static bool keep_rest(struct hop *h, struct bytes rest)
{
	return rest.n == 0 || buf_add(&h->rest, rest.p, rest.n) == 0;
}

static void take_body(struct hop *h, struct bytes in)
{
	size_t n;

	if (h->answer.state == HOP_ANSWER_BODY) {
		n = hop_answer_feed_body(&h->answer, in);
		h->octets += n;
		if (!pass(h, (struct bytes){ in.p, n }) ||
		    !keep_rest(h, (struct bytes){ in.p + n, in.n - n })) {
			abort_client(h);
			return;
		}
	} else if (in.n > 0) {
		h->answer.keeps_alive = false; /* it says more than it was asked */
	}
	if (h->answer.state == HOP_ANSWER_OVER)
		finish(h);
	else if (h->answer.state == HOP_ANSWER_BAD)
		fail(h, HOP_CUT, "its answer is malformed");
	else
		wait_for_client(h);
}

static void take_more(struct hop *h, struct bytes in)
{
	struct buf all = h->rest;

	if (buf_len(&all) == 0) {
		take_body(h, in);
		return;
	}
	h->rest = BUF_INIT;
	if (buf_add(&all, in.p, in.n) < 0)
		abort_client(h);
	else
		take_body(h, (struct bytes){ buf_data(&all), buf_len(&all) });
	buf_fini(&all);
}

/* --- its head ----------------------------------------------------------------------------------- */

/* The client's connection is ours from here on. */
static int detach(struct hop *h)
{
	struct http_request *r = h->hold.request;
	bool comes_back = http_comes_back(r) && h->answer.body != HOP_BODY_CLOSE;
	int err;

	h->peer = *http_request_peer(r);
	h->access = http_access_keep(r);
	r = http_hold_take(&h->hold);
	err = http_detach(r, &h->client, h->desk->loop, &client_events);
	if (err < 0) {
		http_hold(r, &h->hold, on_client_gone);
		http_access_free(h->access);
		h->access = NULL;
		return err;
	}
	h->has_begun = true;
	h->keep_alive = comes_back;
	return 0;
}

static bool send_head(struct hop *h)
{
	struct buf head = BUF_INIT;
	bool ok = hop_answer_add_head(&h->answer, h->keep_alive, &head) == 0 &&
	          pass(h, (struct bytes){ buf_data(&head), buf_len(&head) }) &&
	          stream_want(&h->client, STREAM_HANGUP) == 0;

	buf_fini(&head);
	hop_answer_fini(&h->answer);
	return ok;
}

static void begin(struct hop *h, struct bytes rest)
{
	timer_stop(loop_timers(h->desk->loop), &h->timer);
	buf_fini(&h->request);
	if (detach(h) < 0) {
		fail(h, HOP_NO_ANSWER, "out of memory");
		return;
	}
	h->desk->counters.passed_on++;
	if (h->name_len > 0)
		h->desk->answered(h->desk, h->pool, (struct bytes){ h->name, h->name_len });
	if (!send_head(h))
		abort_client(h);
	else
		take_body(h, rest);
}

static void take_head(struct hop *h, struct bytes in)
{
	size_t n = hop_answer_feed_head(&h->answer, in);

	if (h->answer.state == HOP_ANSWER_BAD)
		fail(h, HOP_NO_ANSWER, "its answer is malformed");
	else if (h->answer.state != HOP_ANSWER_HEAD)
		begin(h, (struct bytes){ in.p + n, in.n - n });
}

/* --- the other gateway -------------------------------------------------------------------------- */

static void send_request(struct hop *h)
{
	struct stream_piece piece = { buf_data(&h->request), buf_len(&h->request), NULL };

	timer_stop(loop_timers(h->desk->loop), &h->timer);
	stream_write(&h->conn->stream, &piece, 1); /* a wire that breaks is told of later */
}

static void on_ready(struct hop_conn *c)
{
	send_request(c->arg);
}

static void on_end_of_answer(struct hop *h, const char *why)
{
	if (h->has_begun && hop_answer_ends_here(&h->answer))
		finish(h);
	else
		fail(h, h->has_begun ? HOP_CUT : HOP_NO_ANSWER, why);
}

static bool try_once_more(struct hop *h, bool was_used_again);

static void on_closed(struct hop *h)
{
	bool was_used_again = h->conn->is_used_again;

	end_conn(h);
	if (!try_once_more(h, was_used_again))
		on_end_of_answer(h, "it has closed the connection");
}

static void on_readable(struct hop_conn *c)
{
	struct hop *h = c->arg;
	char *scratch = loop_scratch(h->desk->loop);
	ssize_t n = stream_read(&c->stream, scratch, LOOP_SCRATCH_BYTES);

	budget_spend(loop_budget(h->desk->loop), COST_EVENT + cost_of_octets(n > 0 ? n : 0));
	if (n < 0)
		return; /* not now; or a hangup follows */
	if (n == 0)
		on_closed(h);
	else if (h->has_begun)
		take_more(h, (struct bytes){ scratch, (size_t)n });
	else
		take_head(h, (struct bytes){ scratch, (size_t)n });
}

static void on_writable(struct hop_conn *c)
{
	(void)c;
}

static int connect_hop(struct hop *h, bool fresh);

/* A connection that has served before may have been closed while the request was on its way. */
static bool try_once_more(struct hop *h, bool was_used_again)
{
	return was_used_again && h->name_len > 0 && !h->has_begun && buf_len(&h->answer.head) == 0 &&
	       connect_hop(h, true) == 0;
}

static void on_broken(struct hop_conn *c, const char *why)
{
	struct hop *h = c->arg;
	bool was_ready = c->is_ready;

	h->conn = NULL; /* it ends by itself */
	if (try_once_more(h, c->is_used_again))
		return;
	if (!was_ready)
		fail(h, c->error == -ECONNREFUSED ? HOP_REFUSED : HOP_UNREACHABLE, why);
	else if (c->error == 0)
		on_end_of_answer(h, why);
	else
		fail(h, h->has_begun ? HOP_CUT : HOP_NO_ANSWER, why);
}

static const struct hop_conn_events conn_events = {
	.ready = on_ready,
	.readable = on_readable,
	.writable = on_writable,
	.broken = on_broken,
};

static void on_timer(struct timer *t)
{
	struct hop *h = container_of(t, struct hop, timer);

	end_conn(h);
	fail(h, HOP_UNREACHABLE, "it could not be connected to in time");
}

static int connect_hop(struct hop *h, bool fresh)
{
	h->conn = hop_pool_take(h->pool, fresh, &conn_events, h);
	if (!h->conn)
		return -ENOMEM;
	timer_start(loop_timers(h->desk->loop), &h->timer, h->desk->timeout_ms);
	if (h->conn->is_ready)
		send_request(h);
	return 0;
}

/* --- life --------------------------------------------------------------------------------------- */

int hop_start(struct hop_desk *desk, struct hop_pool *pool, struct http_request *r, const struct hop_client *client,
    struct bytes name)
{
	struct hop *h = mem_zalloc(sizeof(*h) + name.n);

	if (!h)
		return -ENOMEM;
	h->desk = desk;
	h->pool = pool;
	h->name_len = name.n;
	bytes_put(h->name, name);
	timer_init(&h->timer, on_timer);
	stream_init_empty(&h->client);
	if (hop_request_add(&h->request, r, client, pool->gateway.card.secret) < 0 || connect_hop(h, false) < 0) {
		buf_fini(&h->request);
		mem_free(h);
		return -ENOMEM;
	}
	list_append(&desk->hops, &h->node);
	desk->counters.now++;
	http_hold(r, &h->hold, on_client_gone);
	return 0;
}

void hop_end_all(struct hop_desk *desk, const struct hop_pool *pool)
{
	struct list *pos = desk->hops.next, *next;

	for (; pos != &desk->hops; pos = next) {
		struct hop *h = container_of(pos, struct hop, node);

		next = pos->next;
		if (pool && h->pool != pool)
			continue;
		if (h->has_begun) {
			abort_client(h);
		} else {
			http_hold_resume(&h->hold, NULL);
			end(h);
		}
	}
}
