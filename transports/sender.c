/*
 * transports/sender.c - a connection that has brought messages; see sender.h.
 *
 * Owns: the connection, until it is given back or ended.
 */
#include "transports/sender.h"

#include <errno.h>

#include "base/mem.h"
#include "transports/incoming.h"
#include "transports/transport_snapshot.h"

/* --- life --------------------------------------------------------------- */

static void sender_free(struct deferred *d)
{
	struct sender *s = container_of(d, struct sender, again.deferred);

	endpoint_unref(s->endpoint);
	http_access_free(s->again.access);
	mem_free(s);
}

static void drop(struct sender *s)
{
	stream_close(&s->again.stream);
	loop_defer_anew(s->reactor->sessions.loop, &s->again.deferred, sender_free);
}

static void retire(struct sender *s)
{
	list_remove(&s->waiter.node);
	s->reactor->sessions.counters.receivers--;
}

/* --- answers ------------------------------------------------------------ */

/* The answer has been given to the stream. */
static void part(struct sender *s, bool is_well)
{
	struct http_server *http = s->reactor->http;
	struct stream *stream = &s->again.stream;

	retire(s);
	is_well = is_well && s->again.keep_alive && stream_queued(stream) == 0;
	if (!is_well)
		http_server_end(http, stream);
	else if (!s->answer->repeats)
		http_server_give_back(http, stream, &s->again.peer, NULL);
	else if (http_again_wait(&s->again, http))
		return;
	drop(s);
}

/* The usual one may go out with those to others: so a client is not woken for it and once more for
 * what the session says to the same request. */
static int write_answer(struct sender *s, const struct stream_piece *pieces, unsigned n)
{
	if (n == 1 && s->again.keep_alive && s->answer->repeats)
		return stream_write_soon(&s->again.stream, pieces);
	return stream_write(&s->again.stream, pieces, n);
}

static void told(struct sender *s, unsigned status, size_t octets)
{
	struct http_access *a = s->again.access;

	if (!a)
		return;
	a->status = status;
	a->octets = octets;
	http_access_tell(a, s->reactor->http);
}

static void say(struct sender *s, unsigned status, struct bytes lines, struct bytes body)
{
	char head[HTTP_HEAD_MAX + HTTP_HEAD_EXTRA];
	struct stream_piece pieces[2] = { { head, 0, NULL }, { body.p, body.n, NULL } };
	struct http_framing framing = { .keep_alive = s->again.keep_alive,
		.length = status == 204 ? -1 : (long long)body.n };

	pieces[0].n = http_head_render(head, status, lines, framing);
	told(s, status, body.n);
	part(s, write_answer(s, pieces, body.n ? 2 : 1) == 0);
}

/* Those of every answer to it, so that a page of another origin sees a refusal, too. */
static struct bytes lines_of(const struct sender *s)
{
	return (struct bytes){ s->text, s->lines_len };
}

static void count_refusal(struct sender *s, enum http_refusal why, unsigned status)
{
	http_refused(s->reactor->http, why, &s->client,
	    HTTP_REFUSED_FIELDS(
	        LOG_STR("endpoint", s->endpoint->prefix), LOG_INT("status", status)));
}

static void on_taken(struct session_waiter *w, bool taken)
{
	struct sender *s = container_of(w, struct sender, waiter);

	if (taken) {
		say(s, s->answer->status, lines_of(s), s->answer->body);
		return;
	}
	s->again.keep_alive = false;
	count_refusal(s, HTTP_REFUSED_NO_SESSION, 404);
	say(s, 404, lines_of(s), BYTES("There is no such session any more.\n"));
}

/* With more lines, or none. */
static void refuse(struct sender *s, enum http_refusal why, unsigned status, bool is_for_later,
    struct bytes sentence)
{
	struct http_head head;

	http_head_init(&head, status);
	http_head_add_lines(&head, lines_of(s));
	if (is_for_later)
		http_head_add(&head, "Retry-After", "1");
	s->again.keep_alive = false;
	s->reactor->sessions.counters.receivers++;
	count_refusal(s, why, status);
	say(s, status, (struct bytes){ head.text, head.len }, sentence);
}

void sender_refuse(struct sender *s)
{
	refuse(s, HTTP_REFUSED_BUSY, 503, true, BYTES("The application is busy; come again.\n"));
}

void sender_fail(struct sender *s)
{
	refuse(s, HTTP_REFUSED_FAILED_SEND, 500, false, BYTES(SENDER_FAILED "\n"));
}

void sender_wait(struct sender *s, struct session *session)
{
	s->reactor->sessions.counters.receivers++;
	if (session && session_is_behind(session)) {
		stream_want(&s->again.stream, STREAM_READ);
		session_wait(session, &s->waiter);
	} else {
		on_taken(&s->waiter, session != NULL);
	}
}

/* --- the stream's events ------------------------------------------------ */

static void on_readable(struct stream *stream)
{
	struct sender *s = container_of(stream, struct sender, again.stream);

	if (http_again_is_waiting(&s->again))
		http_again_readable(&s->again);
	else
		stream_want(stream, STREAM_HANGUP); /* what is behind waits in the stream */
}

static void on_writable(struct stream *stream)
{
	(void)stream; /* what is written is small */
}

static void on_hangup(struct stream *stream, int err)
{
	struct sender *s = container_of(stream, struct sender, again.stream);

	(void)err;
	if (http_again_is_waiting(&s->again)) {
		http_again_hangup(&s->again);
		return;
	}
	if (s->again.access) {
		s->again.access->is_aborted = true;
		s->again.access->status = 499;
	}
	http_access_tell(s->again.access, s->reactor->http);
	retire(s);
	drop(s);
}

static const struct stream_events sender_events = {
	.readable = on_readable,
	.writable = on_writable,
	.hangup = on_hangup,
};

/* --- the same request again --------------------------------------------- */

static bool on_again(struct http_again *a, struct bytes query, char *body, size_t n)
{
	struct sender *s = container_of(a, struct sender, again);

	(void)query;
	return s->serve_again(s, body, n);
}

static void on_gone(struct http_again *a)
{
	drop(container_of(a, struct sender, again));
}

static const struct http_again_ops again_ops = { .serve = on_again, .gone = on_gone };

/* --- making one --------------------------------------------------------- */

void sender_make_head(
    const struct transport_request *t, const struct incoming_answer *answer, struct http_head *head)
{
	transport_head(t, head, answer->status);
	/* Else Firefox takes a 204 for XML */
	http_head_add(head, "Content-Type", "text/plain; charset=UTF-8");
	http_head_never_cache(head);
}

struct sender *sender_new(const struct transport_request *t, const struct incoming_answer *answer,
    sender_again_fn serve_again, struct loop *loop)
{
	struct http_head head;
	struct sender *s;

	sender_make_head(t, answer, &head);
	s = mem_zalloc(sizeof(*s) + head.len + t->session_id.n);
	if (!s || http_again_detach(
	              &s->again, t->http, loop, &sender_events, &again_ops, answer->repeats) < 0) {
		mem_free(s);
		transport_refuse(t, HTTP_REFUSED_NO_MEMORY, 503, "Out of memory or descriptors.");
		return NULL;
	}
	list_init(&s->waiter.node);
	s->waiter.done = on_taken;
	s->reactor = t->reactor;
	s->endpoint = endpoint_ref(t->endpoint);
	s->answer = answer;
	s->serve_again = serve_again;
	s->client = t->client.address;
	s->lines_len = (uint16_t)head.len;
	s->id_len = (uint16_t)t->session_id.n;
	memcpy(s->text, head.text, head.len);
	memcpy(s->text + head.len, t->session_id.p, t->session_id.n);
	return s;
}

/* --- for another process ------------------------------------------------- */

static struct sender *make_again(
    struct snapshot *snapshot, struct bytes lines, struct bytes id, struct endpoint *e)
{
	struct sender *s;

	if (!snapshot_check(snapshot, lines.n <= HTTP_HEAD_MAX && id.n <= UINT16_MAX))
		return NULL;
	s = mem_zalloc(sizeof(*s) + lines.n + id.n);
	if (!s) {
		snapshot_fail(snapshot, -ENOMEM);
		return NULL;
	}
	list_init(&s->waiter.node);
	s->waiter.done = on_taken;
	s->reactor = transport_reactor_current();
	s->endpoint = endpoint_ref(e);
	s->serve_again = incoming_serve_again;
	s->again.ops = &again_ops;
	s->lines_len = (uint16_t)lines.n;
	s->id_len = (uint16_t)id.n;
	bytes_put(bytes_put(s->text, lines), id);
	return s;
}

/* What it was asked by is forgotten: the next request is read as any other. Nor is this one told of in a log. */
static void state_snapshot(struct sender *s, struct snapshot *snapshot)
{
	bool is_jsonp = snapshot_bool(snapshot, s->answer == &jsonp_send_answer);

	s->answer = is_jsonp ? &jsonp_send_answer : &xhr_send_answer;
	s->client = addr_snapshot(snapshot, s->client);
	s->again.peer = addr_snapshot(snapshot, s->again.peer);
	SNAPSHOT(snapshot, u8, s->again.misses);
	SNAPSHOT(snapshot, bool, s->again.keep_alive);
	stream_snapshot(
	    &s->again.stream, snapshot, s->reactor->sessions.loop, &sender_events);
}

static void wait_again(struct sender *s, struct snapshot *snapshot, struct session *session)
{
	if (!snapshot_check(snapshot, stream_is_open(&s->again.stream) && session_is_behind(session))) {
		drop(s);
		return;
	}
	s->reactor->sessions.counters.receivers++;
	session_wait(session, &s->waiter);
}

void sender_snapshot(
    struct sender *s, struct snapshot *snapshot, struct session *session, struct endpoint *e)
{
	struct bytes lines = { NULL, 0 }, id = { NULL, 0 };

	if (s) {
		lines = lines_of(s);
		id = sender_session_id(s);
	}
	lines = snapshot_bytes(snapshot, lines);
	id = snapshot_bytes(snapshot, id);
	if (!s && !(s = make_again(snapshot, lines, id, e)))
		return;
	state_snapshot(s, snapshot);
	if (snapshot->is_reading)
		wait_again(s, snapshot, session);
}
