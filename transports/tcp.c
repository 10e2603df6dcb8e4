/*
 * transports/tcp.c - a connection without HTTP as a receiver; see tcp.h.
 *
 * Owns: the accepted stream, until its end is left to http_server_end(), which sees to it that the
 * last octets arrive. The session knows the receiver only while it is attached.
 *
 * Nothing is kept of what is read: a reading is one message, and is delivered at once. While the
 * application pauses nothing is read, and the kernel slows the client down.
 */
#include "transports/tcp.h"

#include <errno.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/visitors.h"
#include "transports/transport_snapshot.h"

#define READ_BUSY 8192 /* octets at a time, while others wait */

#define AS_THEY_ARE_BYTES 4096 /* a message that is not worth copying */
#define AS_THEY_ARE_MOST  16

/* What is needed until a TLS handshake is over. */
struct tcp_newcomer {
	struct tcp_receiver *receiver;
	struct timer timer;
	struct addr peer;
	unsigned timeout_ms;
};

struct tcp_receiver {
	struct receiver base;
	struct stream stream;
	struct deferred deferred;
	struct transport_reactor *reactor;
	struct endpoint *endpoint;
	struct tcp_newcomer *newcomer; /* NULL: not any more */
	bool ended;
};

const struct transport tcp_transport = {
	.name = "tcp",
	.is_raw = true,
};

static struct tcp_receiver *of(struct receiver *base)
{
	return container_of(base, struct tcp_receiver, base);
}

static const struct stream *stream_of(const struct receiver *base)
{
	return &container_of(base, struct tcp_receiver, base)->stream;
}

static struct loop *loop_of(const struct tcp_receiver *r)
{
	return r->reactor->sessions.loop;
}

/* --- life --------------------------------------------------------------- */

static void receiver_free(struct deferred *d)
{
	struct tcp_receiver *r = container_of(d, struct tcp_receiver, deferred);

	mem_free(r->newcomer);
	endpoint_unref(r->endpoint);
	mem_free(r);
}

static void receiver_end(struct tcp_receiver *r)
{
	if (r->ended)
		return;
	if (r->base.session) /* in a call of its, which will hear that the wire is gone */
		session_settle(r->base.session);
	r->ended = true;
	r->reactor->sessions.counters.receivers--;
	list_remove(&r->base.node);
	stream_close(&r->stream);
	if (r->newcomer)
		timer_stop(loop_timers(loop_of(r)), &r->newcomer->timer);
	loop_defer(loop_of(r), &r->deferred, receiver_free);
}

/* The wire broke, or its client vanished. */
static void receiver_lost(struct tcp_receiver *r)
{
	if (r->base.session)
		session_receiver_gone(r->base.session, &r->base);
	receiver_end(r);
}

/* What was said last arrives: written, then shut down, drained and closed. */
static void receiver_finish(struct tcp_receiver *r)
{
	if (r->ended)
		return;
	http_server_end(r->reactor->http, &r->stream);
	receiver_end(r);
}

/* --- the verbs ---------------------------------------------------------- */

static enum recv_status receiver_silent(struct receiver *base)
{
	(void)base;
	return RECV_MORE;
}

static enum recv_status verdict(struct tcp_receiver *r, int err)
{
	if (err == 0)
		return RECV_MORE;
	receiver_end(r);
	return RECV_GONE;
}

/* Whether these are a few of which some are long: then they go without a copy. */
static bool may_go_as_they_are(struct message *const *messages, size_t count)
{
	bool some = false;

	if (count > AS_THEY_ARE_MOST)
		return false;
	for (size_t i = 0; i < count; i++)
		some = some || messages[i]->len >= AS_THEY_ARE_BYTES;
	return some;
}

static int write_as_they_are(struct tcp_receiver *r, struct message *const *messages, size_t count)
{
	struct stream_piece pieces[AS_THEY_ARE_MOST];

	for (size_t i = 0; i < count; i++)
		pieces[i] = (struct stream_piece){ messages[i]->data, messages[i]->len, NULL };
	return stream_write(&r->stream, pieces, (unsigned)count);
}

static enum recv_status receiver_messages(
    struct receiver *base, struct message *const *messages, size_t count)
{
	struct stream_piece piece = { messages[0]->data, messages[0]->len, NULL };
	struct tcp_receiver *r = of(base);
	struct buf *out;

	if (count == 1)
		return verdict(r, stream_write_soon(&r->stream, &piece));
	if (may_go_as_they_are(messages, count))
		return verdict(r, write_as_they_are(r, messages, count));
	out = transport_wire(r->reactor);
	for (size_t i = 0; i < count; i++)
		if (buf_add(out, messages[i]->data, messages[i]->len) < 0)
			return verdict(r, -ENOMEM);
	piece = (struct stream_piece){ buf_data(out), buf_len(out), NULL };
	return verdict(r, stream_write_soon(&r->stream, &piece));
}

static void receiver_close(struct receiver *base, unsigned code, const char *reason)
{
	(void)code, (void)reason;
	receiver_finish(of(base));
}

static void receiver_abort(struct receiver *base)
{
	struct tcp_receiver *r = of(base);

	stream_reset(&r->stream);
	receiver_end(r);
}

static size_t receiver_buffered(const struct receiver *base)
{
	return stream_queued(stream_of(base));
}

static size_t receiver_unacked(const struct receiver *base)
{
	return stream_unacked(stream_of(base));
}

static uint64_t receiver_progress(const struct receiver *base)
{
	return stream_progress(stream_of(base));
}

static uint32_t receiver_written(const struct receiver *base)
{
	return stream_written(stream_of(base));
}

static void receiver_measure(struct receiver *base, struct stream_reach *reach)
{
	stream_measure(&of(base)->stream, reach);
}

/* Nothing is wanted while paused, not even the news of the client's end: octets may stand before
 * it. */
static void receiver_pause(struct receiver *base, bool paused)
{
	stream_want(&of(base)->stream, paused ? 0 : STREAM_READ);
}

const struct receiver_ops tcp_receiver_ops = {
	.open = receiver_silent,
	.messages = receiver_messages,
	.heartbeat = receiver_silent,
	.close = receiver_close,
	.abort = receiver_abort,
	.buffered = receiver_buffered,
	.progress = receiver_progress,
	.unacked = receiver_unacked,
	.written = receiver_written,
	.measure = receiver_measure,
	.pause = receiver_pause,
};

/* --- the stream's events ------------------------------------------------ */

/* With little time, because others wait, little is read. */
static size_t read_size(const struct tcp_receiver *r)
{
	bool busy = r->reactor->sessions.budget->left <= LOOP_LITTLE;
	size_t most = busy ? READ_BUSY : LOOP_SCRATCH_BYTES, limit = r->endpoint->max_message_bytes;

	return most < limit ? most : limit;
}

/* It says no more, and that is all that a Close frame without a status would tell. It may read on:
 * what its messages have called forth goes out. */
static void client_ended(struct tcp_receiver *r)
{
	if (r->base.session)
		session_say_the_rest(r->base.session);
	if (r->base.session)
		session_client_closed(
		    r->base.session, &r->base, CLOSE_NO_STATUS, close_reason(CLOSE_NO_STATUS));
	receiver_finish(r);
}

static void on_readable(struct stream *s)
{
	struct tcp_receiver *r = container_of(s, struct tcp_receiver, stream);
	char *scratch = loop_scratch(loop_of(r));
	ssize_t n = stream_read(s, scratch, read_size(r));

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		(n == 0 ? client_ended : receiver_lost)(r);
		return;
	}
	if (r->base.session)
		session_deliver(r->base.session, scratch, (size_t)n, true);
}

static void on_writable(struct stream *s)
{
	struct tcp_receiver *r = container_of(s, struct tcp_receiver, stream);

	if (r->base.session)
		session_writable(r->base.session);
}

static void on_hangup(struct stream *s, int err)
{
	(void)err;
	receiver_lost(container_of(s, struct tcp_receiver, stream));
}

static void on_blocked(struct stream *s)
{
	struct tcp_receiver *r = container_of(s, struct tcp_receiver, stream);

	if (r->base.session)
		session_blocked(r->base.session);
}

static const struct stream_events stream_events = {
	.readable = on_readable,
	.writable = on_writable,
	.hangup = on_hangup,
	.blocked = on_blocked,
};

/* --- a newcomer --------------------------------------------------------- */

static void refused(struct transport_reactor *reactor, const struct endpoint *endpoint,
    enum http_refusal why, const struct addr *peer, struct log_field more, struct log_field other)
{
	http_refused(reactor->http, why, peer,
	    HTTP_REFUSED_FIELDS(LOG_STR("endpoint", endpoint->prefix),
	        LOG_STR("transport", tcp_transport.name), more, other));
}

/* Nothing was said to who is refused, so that nothing has to arrive. */
static void welcome(struct tcp_receiver *r, const struct addr *peer)
{
	struct transport_request t = {
		.endpoint = r->endpoint,
		.transport = &tcp_transport,
		.wire = &r->stream,
		.client = { .address = *peer, .is_tls = stream_is_tls(&r->stream) },
		.reactor = r->reactor,
	};
	struct transport_accept accepted = { 0 };

	if (r->endpoint->ops->accept(&t, &accepted) != 0) {
		receiver_end(r);
		return;
	}
	/* On hold nothing is read, but that it leaves is heard */
	stream_want(&r->stream, accepted.held ? STREAM_HANGUP : STREAM_READ);
	if (session_attach(accepted.session, &r->base) < 0)
		receiver_finish(r);
}

static void on_tls_done(struct stream *s, int err)
{
	struct tcp_receiver *r = container_of(s, struct tcp_receiver, stream);
	struct addr peer = r->newcomer->peer;

	if (err < 0) {
		refused(r->reactor, r->endpoint, HTTP_REFUSED_TLS, &peer,
		    LOG_STR("why", stream_tls_met_text(s) ? "plain text" : stream_tls_why(s)),
		    LOG_ERR(err));
		receiver_end(r);
		return;
	}
	timer_stop(loop_timers(loop_of(r)), &r->newcomer->timer);
	mem_free(r->newcomer);
	r->newcomer = NULL;
	welcome(r, &peer);
}

static void on_tls_timeout(struct timer *t)
{
	struct tcp_newcomer *n = container_of(t, struct tcp_newcomer, timer);
	struct tcp_receiver *r = n->receiver;

	refused(r->reactor, r->endpoint, HTTP_REFUSED_TLS, &n->peer,
	    LOG_STR("why", "it took too long"), LOG_INT("limit_ms", n->timeout_ms));
	receiver_end(r);
}

static int begin_tls(struct tcp_receiver *r, const struct tcp_arrival *a)
{
	struct tcp_newcomer *n = mem_zalloc(sizeof(*n));

	if (!n)
		return -ENOMEM;
	*n = (struct tcp_newcomer){
		.receiver = r, .peer = a->peer, .timeout_ms = a->tls_timeout_ms
	};
	timer_init(&n->timer, on_tls_timeout);
	timer_start(loop_timers(loop_of(r)), &n->timer, a->tls_timeout_ms);
	r->newcomer = n;
	return stream_tls_accept(&r->stream, a->tls, on_tls_done);
}

static struct tcp_receiver *receiver_new(
    struct transport_reactor *reactor, struct endpoint *endpoint, const struct tcp_arrival *a)
{
	struct tcp_receiver *r = mem_zalloc(sizeof(*r));

	if (!r)
		return NULL;
	r->base.ops = &tcp_receiver_ops;
	r->reactor = reactor;
	r->endpoint = endpoint_ref(endpoint);
	stream_init(&r->stream, loop_of(r), a->fd, &stream_events);
	r->stream.visitor = a->visitor;
	list_append(&reactor->receivers, &r->base.node);
	reactor->sessions.counters.receivers++;
	return r;
}

void tcp_serve(
    struct transport_reactor *reactor, struct endpoint *endpoint, const struct tcp_arrival *arrival)
{
	struct tcp_receiver *r = receiver_new(reactor, endpoint, arrival);

	if (r && !arrival->tls) {
		welcome(r, &arrival->peer);
		return;
	}
	if (r && begin_tls(r, arrival) == 0)
		return;
	refused(reactor, endpoint, HTTP_REFUSED_NO_MEMORY, &arrival->peer, (struct log_field){ 0 },
	    (struct log_field){ 0 });
	if (r) {
		receiver_end(r);
		return;
	}
	close(arrival->fd);
	quota_release(arrival->visitor, VISITOR_CONNECTION);
}

void tcp_drain(struct transport_reactor *reactor)
{
	struct list *pos, *next;

	list_foreach_safe (pos, next, &reactor->receivers) {
		struct receiver *base = container_of(pos, struct receiver, node);

		if (base->ops == &tcp_receiver_ops && of(base)->newcomer)
			receiver_end(of(base));
	}
}

/* --- for another process ------------------------------------------------ */

bool tcp_receiver_is_newcomer(const struct receiver *base)
{
	return container_of(base, struct tcp_receiver, base)->newcomer != NULL;
}

bool tcp_receiver_is_tls(const struct receiver *base)
{
	return stream_is_tls(stream_of(base));
}

struct receiver *tcp_receiver_snapshot(
    struct receiver *base, struct snapshot *s, struct endpoint *e, enum wire_use use)
{
	struct tcp_arrival nobody = { .fd = -1 };
	struct tcp_receiver *r = base ? of(base) : receiver_new(transport_reactor_current(), e, &nobody);

	if (!r) {
		snapshot_fail(s, -ENOMEM);
		return NULL;
	}
	stream_snapshot(&r->stream, s, loop_of(r), &stream_events);
	if (base)
		return base;
	if (snapshot_check(s, stream_is_open(&r->stream) && use == WIRE_SPEAKS))
		return &r->base;
	receiver_end(r);
	return NULL;
}
