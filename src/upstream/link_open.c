/*
 * upstream/link_open.c - a link in the making: which backend, its address, the connection,
 * TLS, the handshake; see link.h.
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
#include "base/mem.h"
#include "upstream/link_private.h"

enum {
	KEEP_ADDRESSES_MIN_S = 1,
	KEEP_STALE_S = 5,
	KEEP_ADDRESSES_MAX_S = 300,
};

/* --- the next one, and failures --------------------------------------------------------- */

static void next_target(struct link *l);
static void next_address(struct link *l);

static struct known_addresses *known_of(const struct link *l)
{
	return &l->part->known[l->target - l->part->settings->pool.targets];
}

static unsigned time_left(const struct link *l)
{
	uint64_t now = link_now(l);

	return l->opening->deadline > now ? (unsigned)(l->opening->deadline - now) : 1;
}

/* This connection has come to nothing; it has not been a session of the backend's. */
static void drop_connection(struct link *l)
{
	struct link_opening *o = l->opening;

	ws_client_free(o->handshake);
	o->handshake = NULL;
	stream_close(&l->stream);
	stream_init_empty(&l->stream);
}

/* This backend has come to nothing: the next one. */
static void drop_target(struct link *l, const char *why, const struct refusal *verdict)
{
	struct link_opening *o = l->opening;

	log_warn_limited("an upstream cannot be reached", LOG_STR("upstream", l->target->url),
	    LOG_STR("reason", why));
	o->tried |= pool_bit(&l->part->settings->pool, l->target);
	o->verdict = verdict;
	if (verdict != link_refusal_for(503))
		link_opening_forget_answer(o);
	link_release_target(l);
	l->target = NULL;
	next_target(l);
}

/* It is to blame, and rests. */
static void target_failed(struct link *l, const char *why, const struct refusal *verdict)
{
	pool_failed(&l->part->settings->pool, l->target, l->opening->begun, link_now(l));
	drop_target(l, why, verdict);
}

/* An address failed: the next of the same name, then the next backend. */
static void address_failed(struct link *l, const char *why, const struct refusal *verdict)
{
	if (l->opening->addresses > 0) {
		next_address(l);
		return;
	}
	known_of(l)->until = 0; /* perhaps it has moved */
	target_failed(l, why, verdict);
}

/* There is a server, and what it did to this request says little about what it does to others: a
 * client that knows how to upset a backend must not take it away from everybody. */
static void handshake_failed(struct link *l, const char *why, const struct refusal *verdict)
{
	drop_connection(l);
	drop_target(l, why, verdict);
}

/* It is there, and this one request may be what keeps it busy. */
static void target_late(struct link *l)
{
	pool_late(&l->part->settings->pool, l->target, l->opening->begun, link_now(l));
	drop_target(l, "it did not answer in time", &link_too_late);
}

static void on_deadline(struct timer *t)
{
	struct link *l = container_of(t, struct link, timer);
	struct link_opening *o = l->opening;
	bool was_asked = o->handshake != NULL;

	link_opening_stop_attempt(o);
	drop_connection(l);
	if (link_now(l) >= o->deadline)
		o->addresses = 0;
	if (was_asked && o->addresses == 0)
		target_late(l);
	else
		address_failed(l, "it did not answer in time", &link_too_late);
}

/* For one address of one target. */
static void start_patience(struct link *l)
{
	struct link_opening *o = l->opening;
	const struct pool *pool = &l->part->settings->pool;
	uint64_t tried = o->tried | pool_bit(pool, l->target);
	unsigned left = time_left(l);

	if (o->addresses > 0 || pool_has_more(pool, tried, link_now(l)))
		left = (left + 1) / 2;
	timer_start(loop_timers(l->part->loop), &l->timer, left);
}

/* --- the handshake ---------------------------------------------------------------------- */

/* The subprotocol is the client's affair only if it has asked for one. */
static int accept_session(struct link *l, const char *subprotocol)
{
	int err;

	if (!l->opening->request->offers)
		subprotocol = NULL;
	err = sockjs_accept(l->session, subprotocol);
	return err == -EALREADY ? 0 : err; /* it was opened early */
}

/* sockjs-client gives each transport so little time for its o that a backend has to be quick. */
static void on_early(struct timer *t)
{
	struct link *l = container_of(t, struct link_opening, early)->link;

	sockjs_accept(l->session, NULL);
}

static void handshake_done(struct link *l, struct bytes early)
{
	struct link_opening *o = l->opening;
	struct ws_client *handshake = o->handshake;
	int err;

	pool_worked(l->target, link_now(l));
	link_pass_cookies_on(l, ws_client_outcome(handshake)->cookies);
	err = accept_session(l, ws_client_outcome(handshake)->subprotocol);
	if (err < 0) {
		/* It has chosen one that is too long for a response of ours, or memory is out */
		link_refuse(l, err == -EMSGSIZE ? link_refusal_for(0) : &link_no_memory);
		return;
	}
	o->handshake = NULL;
	timer_stop(loop_timers(l->part->loop), &l->timer);
	link_opening_stop(l);
	link_opening_free(l);
	link_opened(l, ws_client_outcome(handshake), early);
	ws_client_free(handshake);
}

static void handshake_refused(struct link *l, const struct ws_client_outcome *outcome)
{
	struct link_opening *o = l->opening;

	log_info_limited("an upstream refuses a session", LOG_STR("upstream", l->target->url),
	    LOG_INT("status", outcome->status));
	link_opening_forget_answer(o);
	o->answer = o->handshake;
	o->handshake = NULL;
	if (outcome->status == 503) {
		pool_unavailable(&l->part->settings->pool, l->target, o->begun, link_now(l));
		handshake_failed(l, "it answers 503", link_refusal_for(503));
		return;
	}
	pool_worked(l->target, link_now(l));
	link_refuse(l, link_refusal_for(outcome->status));
}

static void take_answer(struct link *l, char *p, size_t n)
{
	struct ws_client *handshake = l->opening->handshake;
	const struct ws_client_outcome *outcome = ws_client_outcome(handshake);
	size_t taken = ws_client_feed(handshake, p, n);

	if (outcome->state == WS_CLIENT_OPEN) {
		handshake_done(l, (struct bytes){ p + taken, n - taken });
	} else if (outcome->state == WS_CLIENT_REFUSED) {
		handshake_refused(l, outcome);
	} else if (outcome->state == WS_CLIENT_FAILED) {
		handshake_failed(l, outcome->sentence, link_refusal_for(0));
	}
}

static void on_readable(struct stream *s)
{
	struct link *l = container_of(s, struct link, stream);
	char *scratch = loop_scratch(l->part->loop);
	ssize_t n = stream_read(s, scratch, LOOP_SCRATCH_BYTES);

	if (n > 0)
		take_answer(l, scratch, (size_t)n);
	else if (n != -EAGAIN)
		handshake_failed(l, "it hung up during the handshake", &link_unreachable);
}

static void on_hangup(struct stream *s, int err)
{
	struct link *l = container_of(s, struct link, stream);

	handshake_failed(
	    l, err ? strerror(-err) : "it hung up during the handshake", &link_unreachable);
}

static const struct stream_events handshake_events = {
	.readable = on_readable,
	.hangup = on_hangup,
};

static void ask(struct link *l)
{
	struct buf request = BUF_INIT;
	struct stream_piece piece;
	struct link_opening *o = l->opening;
	int err = link_request_begin(
	    o->request, l->target, &l->part->settings->deflate, &o->handshake, &request);

	l->stream.on = &handshake_events;
	if (err == 0) {
		piece = (struct stream_piece){ buf_data(&request), buf_len(&request), NULL };
		stream_write(&l->stream, &piece, 1); /* if it fails a hang-up follows */
		stream_want(&l->stream, STREAM_READ);
	}
	buf_fini(&request);
	if (err < 0)
		link_refuse(l, err == -EINVAL ? &link_not_passed_on : &link_no_memory);
}

/* --- connecting ------------------------------------------------------------------------- */

static void on_tls(struct stream *s, int err)
{
	struct link *l = container_of(s, struct link, stream);
	char why[128];

	if (err == 0) {
		ask(l);
		return;
	}
	snprintf(why, sizeof(why), "%s", stream_tls_why(s)[0] ? stream_tls_why(s) : strerror(-err));
	drop_connection(l);
	address_failed(l, why, &link_unreachable);
}

/* Descriptors, ports or memory are out here: no backend can help it. */
static bool is_our_own(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM ||
	       err == -EADDRNOTAVAIL;
}

static void on_dialled(struct dial *d, struct stream *s, int err)
{
	struct link *l = container_of(d, struct link_opening, dial)->link;

	l->opening->dialling = false;
	if (err < 0) {
		if (is_our_own(err))
			drop_target(l, strerror(-err), &link_all_rest);
		else
			address_failed(l, strerror(-err), &link_unreachable);
		return;
	}
	stream_move(&l->stream, s, l->part->loop, &handshake_events);
	if (!l->target->is_tls)
		ask(l);
	else if (stream_tls_connect(&l->stream, l->target->tls, l->target->host, on_tls) < 0)
		link_refuse(l, &link_no_memory);
}

/* Each address of a name begins a session in its turn. */
static void next_address(struct link *l)
{
	struct link_opening *o = l->opening;
	struct known_addresses *known = known_of(l);

	o->addresses--;
	o->dialling = true;
	start_patience(l);
	dial_start(&o->dial, l->part->loop, &known->addrs[known->next++ % known->count],
	    time_left(l), on_dialled);
}

static void dial_first(struct link *l)
{
	l->opening->addresses = known_of(l)->count;
	next_address(l);
}

/* What says that it holds for no time holds for as long as it takes to use it; literals and the
 * hosts file say so as well, and cost nothing to ask. */
static uint64_t keep_seconds(unsigned ttl)
{
	if (ttl < KEEP_ADDRESSES_MIN_S)
		return KEEP_ADDRESSES_MIN_S;
	return ttl < KEEP_ADDRESSES_MAX_S ? ttl : KEEP_ADDRESSES_MAX_S;
}

/* Nobody can tell, which does not mean that it has moved: the addresses that it had. */
static bool keep_stale(struct known_addresses *known, int err, uint64_t now)
{
	if (err == -ENOENT || err == -EINVAL || known->count == 0)
		return false;
	known->until = now + KEEP_STALE_S * 1000;
	return true;
}

static void on_resolved(
    struct resolution *r, int err, const struct addr *addrs, size_t n, unsigned ttl_seconds)
{
	struct link *l = container_of(r, struct link_opening, resolution)->link;
	struct known_addresses *known = known_of(l);

	l->opening->resolving = false;
	if (err == 0) {
		memcpy(known->addrs, addrs, n * sizeof(*addrs));
		known->count = n;
		known->until = link_now(l) + keep_seconds(ttl_seconds) * 1000;
	} else if (!keep_stale(known, err, link_now(l))) {
		if (is_our_own(err))
			drop_target(l, resolution_why(r), &link_all_rest);
		else
			target_failed(l, resolution_why(r), &link_unreachable);
		return;
	}
	dial_first(l);
}

static void next_target(struct link *l)
{
	struct link_opening *o = l->opening;
	struct upstream_part *part = l->part;

	if (link_now(l) < o->deadline)
		l->target = pool_pick(
		    &part->settings->pool, o->tried, o->request->hash, link_now(l), &o->trial);
	if (!l->target) {
		link_refuse(l, o->verdict ? o->verdict : &link_all_rest);
		return;
	}
	o->begun = link_now(l);
	o->addresses = 0;
	start_patience(l);
	if (l->target->file) {
		o->dialling = true;
		dial_start_unix(&o->dial, part->loop, l->target->file, time_left(l), on_dialled);
	} else if (known_of(l)->until > link_now(l)) {
		dial_first(l);
	} else {
		o->resolving = true;
		resolver_start(
		    part->resolver, &o->resolution, l->target->host, l->target->port, on_resolved);
	}
}

/* --- the beginning ---------------------------------------------------------------------- */

/* Not from within the callback that makes the session: the first target may be out of the question
 * already. */
static void on_start(struct timer *t)
{
	struct link *l = container_of(t, struct link, timer);
	const struct upstream_settings *settings = l->part->settings;
	struct link_opening *o = l->opening;

	timer_init(&l->timer, on_deadline);
	o->deadline = link_now(l) + settings->connect_timeout_ms;
	if (settings->open_after_ms && o->request->may_open_early)
		timer_start(loop_timers(l->part->loop), &o->early, settings->open_after_ms);
	next_target(l);
}

static struct link *link_alloc(struct link_request *request)
{
	struct link *l = mem_zalloc(sizeof(*l));
	struct link_opening *o = mem_zalloc(sizeof(*o));

	if (l && o) {
		o->link = l;
		o->request = request;
		timer_init(&o->early, on_early);
		l->opening = o;
		return l;
	}
	mem_free(l);
	mem_free(o);
	link_request_free(request);
	return NULL;
}

struct link *link_new(
    struct upstream_part *part, struct sockjs_session *session, struct link_request *request)
{
	struct link *l;

	if (!part->resolver && resolver_new(&part->resolver, part->loop, NULL) < 0) {
		link_request_free(request);
		return NULL;
	}
	l = link_alloc(request);
	if (!l)
		return NULL;
	l->part = part;
	l->session = session;
	stream_init_empty(&l->stream);
	list_append(&part->links, &l->node);
	timer_init(&l->timer, on_start);
	timer_start(loop_timers(part->loop), &l->timer, 0);
	return l;
}
