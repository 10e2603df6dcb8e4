/*
 * upstream/upstream_connect.c - a connection in the making: which backend, its address,
 * connect(), TLS, the handshake; see upstream_conn.h.
 *
 * Whatever cannot be reached is followed by the next address and the next backend, until the
 * time is over; as long as there is another one, each has half of what is left of it. The session
 * is accepted when a backend has accepted, and is refused as the table says when all is in vain. A
 * SockJS client that has waited for a while is accepted before: then it is paused, and closed with
 * the same words if all is in vain.
 */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "upstream/upstream_private.h"

/* --- the next one, and failures --------------------------------------------------------- */

static void next_target(struct upstream_conn *uc);
static void next_address(struct upstream_conn *uc);

static struct known_addresses *known_of(const struct upstream_conn *uc)
{
	return &upstream_share_of(uc)->known;
}

static unsigned time_left(const struct upstream_conn *uc)
{
	uint64_t now = upstream_conn_now(uc);

	return uc->opening->deadline > now ? (unsigned)(uc->opening->deadline - now) : 1;
}

/* This connection has come to nothing; it has not been a session of the backend's. */
static void drop_connection(struct upstream_conn *uc)
{
	struct upstream_opening *o = uc->opening;

	ws_client_free(o->handshake);
	o->handshake = NULL;
	stream_close(&uc->stream);
	stream_init_empty(&uc->stream);
}

/* This backend has come to nothing: the next one. */
static void drop_target(struct upstream_conn *uc, enum tally_failure failure, const char *why,
    const struct refusal *verdict)
{
	struct upstream_opening *o = uc->opening;

	tally_failure(&uc->target->tally, failure);
	log_warn_limited("an upstream cannot be reached", LOG_STR("upstream", uc->target->url),
	    LOG_STR("reason", why));
	o->tried |= balancer_bit(&uc->reactor->settings->balancer, uc->target);
	o->verdict = verdict;
	sockjs_note(uc->session, SESSION_EVENT_BACKEND_FAILED, 0);
	if (verdict != upstream_refusal_for(503))
		upstream_opening_forget_answer(o);
	upstream_release_target(uc);
	uc->target = NULL;
	next_target(uc);
}

/* It is to blame, and rests. */
static void target_failed(struct upstream_conn *uc, enum tally_failure failure, const char *why,
    const struct refusal *verdict)
{
	balancer_failed(&uc->reactor->settings->balancer, uc->target, uc->opening->begun,
	    upstream_conn_now(uc));
	drop_target(uc, failure, why, verdict);
}

/* An address failed: the next of the same name, then the next backend. */
static void address_failed(struct upstream_conn *uc, enum tally_failure failure, const char *why,
    const struct refusal *verdict)
{
	if (uc->opening->addresses > 0) {
		next_address(uc);
		return;
	}
	known_of(uc)->until = 0; /* perhaps it has moved */
	target_failed(uc, failure, why, verdict);
}

/* There is a server, and what it did to this request says little about what it does to others: a
 * client that knows how to upset a backend must not take it away from everybody. */
static void handshake_failed(struct upstream_conn *uc, enum tally_failure failure, const char *why,
    const struct refusal *verdict)
{
	drop_connection(uc);
	drop_target(uc, failure, why, verdict);
}

/* It is there, and this one request may be what keeps it busy. */
static void target_late(struct upstream_conn *uc)
{
	balancer_late(&uc->reactor->settings->balancer, uc->target, uc->opening->begun,
	    upstream_conn_now(uc));
	drop_target(uc, TALLY_TIMEOUT, "it did not answer in time", &upstream_too_late);
}

static void on_deadline(struct timer *t)
{
	struct upstream_conn *uc = container_of(t, struct upstream_conn, timer);
	struct upstream_opening *o = uc->opening;
	bool was_asked = o->handshake != NULL;

	upstream_opening_stop_attempt(o);
	drop_connection(uc);
	if (upstream_conn_now(uc) >= o->deadline)
		o->addresses = 0;
	if (was_asked && o->addresses == 0)
		target_late(uc);
	else
		address_failed(uc, TALLY_TIMEOUT, "it did not answer in time", &upstream_too_late);
}

/* For one address of one target. */
static void start_patience(struct upstream_conn *uc)
{
	struct upstream_opening *o = uc->opening;
	const struct balancer *balancer = &uc->reactor->settings->balancer;
	uint64_t tried = o->tried | balancer_bit(balancer, uc->target);
	unsigned left = time_left(uc);

	if (o->addresses > 0 || balancer_has_more(balancer, tried, upstream_conn_now(uc)))
		left = (left + 1) / 2;
	timer_start(loop_timers(uc->reactor->loop), &uc->timer, left);
}

/* --- the handshake ---------------------------------------------------------------------- */

/* The subprotocol is the client's affair only if it has asked for one. */
static int accept_session(struct upstream_conn *uc, const char *subprotocol)
{
	int err;

	if (!uc->opening->request->offers)
		subprotocol = NULL;
	err = sockjs_accept(uc->session, subprotocol);
	return err == -EALREADY ? 0 : err; /* it was opened early */
}

/* sockjs-client gives each transport so little time for its o that a backend has to be quick. */
static void on_early(struct timer *t)
{
	struct upstream_conn *uc = container_of(t, struct upstream_opening, early)->conn;

	sockjs_accept(uc->session, NULL);
}

static void handshake_done(struct upstream_conn *uc, struct bytes early)
{
	struct upstream_opening *o = uc->opening;
	struct ws_client *handshake = o->handshake;
	int err;

	tally_opened(&uc->target->tally, upstream_conn_now(uc) - o->begun);
	balancer_worked(uc->target, upstream_conn_now(uc));
	sockjs_note(uc->session, SESSION_EVENT_BACKEND_OPENED, 0);
	upstream_pass_cookies_on(uc, ws_client_outcome(handshake)->cookies);
	err = accept_session(uc, ws_client_outcome(handshake)->subprotocol);
	if (err < 0) {
		/* It has chosen one that is too long for a response of ours, or memory is out */
		upstream_refuse(
		    uc, err == -EMSGSIZE ? upstream_refusal_for(0) : &upstream_no_memory);
		return;
	}
	o->handshake = NULL;
	timer_stop(loop_timers(uc->reactor->loop), &uc->timer);
	upstream_opening_stop(uc);
	upstream_opening_free(uc);
	upstream_conn_opened(uc, ws_client_outcome(handshake), early);
	ws_client_free(handshake);
}

static void handshake_refused(struct upstream_conn *uc, const struct ws_client_outcome *outcome)
{
	struct upstream_opening *o = uc->opening;

	log_info_limited("an upstream refuses a session", LOG_STR("upstream", uc->target->url),
	    LOG_INT("status", outcome->status));
	upstream_opening_forget_answer(o);
	o->answer = o->handshake;
	o->handshake = NULL;
	if (outcome->status == 503) {
		balancer_unavailable(
		    &uc->reactor->settings->balancer, uc->target, o->begun, upstream_conn_now(uc));
		handshake_failed(
		    uc, TALLY_UNAVAILABLE, "it answers 503", upstream_refusal_for(503));
		return;
	}
	tally_failure(&uc->target->tally, TALLY_REFUSED);
	balancer_worked(uc->target, upstream_conn_now(uc));
	upstream_refuse(uc, upstream_refusal_for(outcome->status));
}

static void take_answer(struct upstream_conn *uc, char *p, size_t n)
{
	struct ws_client *handshake = uc->opening->handshake;
	const struct ws_client_outcome *outcome = ws_client_outcome(handshake);
	size_t taken = ws_client_feed(handshake, p, n);

	if (outcome->state == WS_CLIENT_OPEN) {
		handshake_done(uc, (struct bytes){ p + taken, n - taken });
	} else if (outcome->state == WS_CLIENT_REFUSED) {
		handshake_refused(uc, outcome);
	} else if (outcome->state == WS_CLIENT_FAILED) {
		handshake_failed(uc, TALLY_HANDSHAKE, outcome->sentence, upstream_refusal_for(0));
	}
}

static void on_readable(struct stream *s)
{
	struct upstream_conn *uc = container_of(s, struct upstream_conn, stream);
	char *scratch = loop_scratch(uc->reactor->loop);
	ssize_t n = stream_read(s, scratch, LOOP_SCRATCH_BYTES);

	if (n > 0)
		take_answer(uc, scratch, (size_t)n);
	else if (n != -EAGAIN)
		handshake_failed(
		    uc, TALLY_HANDSHAKE, "it hung up during the handshake", &upstream_unreachable);
}

static void on_hangup(struct stream *s, int err)
{
	struct upstream_conn *uc = container_of(s, struct upstream_conn, stream);

	handshake_failed(uc, TALLY_HANDSHAKE,
	    err ? strerror(-err) : "it hung up during the handshake", &upstream_unreachable);
}

static const struct stream_events handshake_events = {
	.readable = on_readable,
	.hangup = on_hangup,
};

static void ask(struct upstream_conn *uc)
{
	struct buf request = BUF_INIT;
	struct stream_piece piece;
	struct upstream_opening *o = uc->opening;
	int err = upstream_request_begin(
	    o->request, uc->target, &uc->reactor->settings->deflate, &o->handshake, &request);

	uc->stream.on = &handshake_events;
	if (err == 0) {
		piece = (struct stream_piece){ buf_data(&request), buf_len(&request), NULL };
		stream_write(&uc->stream, &piece, 1); /* if it fails a hang-up follows */
		stream_want(&uc->stream, STREAM_READ);
	}
	buf_fini(&request);
	if (err < 0)
		upstream_refuse(uc, err == -EINVAL ? &upstream_not_passed_on : &upstream_no_memory);
}

/* --- connecting ------------------------------------------------------------------------- */

static void on_tls(struct stream *s, int err)
{
	struct upstream_conn *uc = container_of(s, struct upstream_conn, stream);
	char why[128];

	if (err == 0) {
		ask(uc);
		return;
	}
	snprintf(why, sizeof(why), "%s", stream_tls_why(s)[0] ? stream_tls_why(s) : strerror(-err));
	drop_connection(uc);
	address_failed(uc, TALLY_TLS, why, &upstream_unreachable);
}

static void on_dialled(struct dial *d, struct stream *s, int err)
{
	struct upstream_conn *uc = container_of(d, struct upstream_opening, dial)->conn;

	uc->opening->dialling = false;
	if (err < 0) {
		if (dial_is_our_own(err))
			drop_target(uc, TALLY_CONNECT, strerror(-err), &upstream_all_rest);
		else
			address_failed(uc, TALLY_CONNECT, strerror(-err), &upstream_unreachable);
		return;
	}
	stream_move(&uc->stream, s, uc->reactor->loop, &handshake_events);
	if (!uc->target->is_tls)
		ask(uc);
	else if (stream_tls_connect(&uc->stream, uc->target->tls, uc->target->host, on_tls) < 0)
		upstream_refuse(uc, &upstream_no_memory);
}

/* Each address of a name begins a session in its turn. */
static void next_address(struct upstream_conn *uc)
{
	struct upstream_opening *o = uc->opening;

	o->addresses--;
	o->dialling = true;
	start_patience(uc);
	dial_start(
	    &o->dial, uc->reactor->loop, addresses_next(known_of(uc)), time_left(uc), on_dialled);
}

static void dial_first(struct upstream_conn *uc)
{
	uc->opening->addresses = known_of(uc)->count;
	next_address(uc);
}

static void on_resolved(
    struct resolution *r, int err, const struct addr *addrs, size_t n, unsigned ttl_seconds)
{
	struct upstream_conn *uc = container_of(r, struct upstream_opening, resolution)->conn;
	struct known_addresses *known = known_of(uc);

	uc->opening->resolving = false;
	if (err == 0) {
		addresses_take(known, addrs, n, ttl_seconds, upstream_conn_now(uc));
	} else if (!addresses_keep_stale(known, err, upstream_conn_now(uc))) {
		if (dial_is_our_own(err))
			drop_target(uc, TALLY_RESOLVE, resolution_why(r), &upstream_all_rest);
		else
			target_failed(uc, TALLY_RESOLVE, resolution_why(r), &upstream_unreachable);
		return;
	}
	dial_first(uc);
}

static void next_target(struct upstream_conn *uc)
{
	struct upstream_opening *o = uc->opening;
	struct upstream_reactor *reactor = uc->reactor;

	if (upstream_conn_now(uc) < o->deadline)
		uc->target = balancer_pick(&reactor->settings->balancer, o->tried, o->request->hash,
		    upstream_conn_now(uc), &o->trial);
	if (!uc->target) {
		upstream_refuse(uc, o->verdict ? o->verdict : &upstream_all_rest);
		return;
	}
	o->begun = upstream_conn_now(uc);
	o->addresses = 0;
	sockjs_note(uc->session, SESSION_EVENT_BACKEND_DIALLED, 0);
	start_patience(uc);
	if (uc->target->file) {
		o->dialling = true;
		dial_start_unix(
		    &o->dial, reactor->loop, uc->target->file, time_left(uc), on_dialled);
	} else if (known_of(uc)->until > upstream_conn_now(uc)) {
		dial_first(uc);
	} else {
		o->resolving = true;
		resolver_start(reactor->resolver, &o->resolution, uc->target->host,
		    uc->target->port, on_resolved);
	}
}

/* --- the beginning ---------------------------------------------------------------------- */

static void set_deadlines(struct upstream_conn *uc)
{
	const struct upstream_settings *settings = uc->reactor->settings;
	struct upstream_opening *o = uc->opening;

	o->deadline = upstream_conn_now(uc) + settings->connect_timeout_ms;
	if (settings->open_after_ms && o->request->may_open_early)
		timer_start(loop_timers(uc->reactor->loop), &o->early, settings->open_after_ms);
}

/* Not from within the callback that makes the session: the first target may be out of the question
 * already. */
static void on_start(struct timer *t)
{
	struct upstream_conn *uc = container_of(t, struct upstream_conn, timer);

	timer_init(&uc->timer, on_deadline);
	if (uc->opening->deadline == 0)
		set_deadlines(uc);
	else if (uc->opening->deadline <= upstream_conn_now(uc))
		uc->opening->verdict = &upstream_too_late; /* another process has waited */
	next_target(uc);
}

static void start(struct upstream_conn *uc)
{
	timer_init(&uc->opening->early, on_early);
	timer_init(&uc->timer, on_start);
	timer_start(loop_timers(uc->reactor->loop), &uc->timer, 0);
}

struct upstream_conn *upstream_conn_new(struct upstream_reactor *reactor,
    struct sockjs_session *session, struct upstream_request *request)
{
	struct upstream_conn *uc = upstream_opening_new(reactor, session, request);

	if (uc)
		start(uc);
	return uc;
}

struct upstream_conn *upstream_conn_new_again(struct upstream_reactor *reactor,
    struct sockjs_session *session, struct upstream_request *request, uint64_t deadline,
    uint64_t early)
{
	struct upstream_conn *uc = upstream_opening_new(reactor, session, request);
	uint64_t now = loop_now(reactor->loop), last = now + reactor->settings->connect_timeout_ms;

	if (!uc)
		return NULL;
	start(uc);
	uc->opening->deadline = deadline < last ? deadline : last;
	if (early)
		timer_start(loop_timers(reactor->loop), &uc->opening->early, early > now ? early - now : 0);
	return uc;
}
