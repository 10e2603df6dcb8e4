/*
 * upstream/probe.c - asks one backend once how it does; see probe.h.
 */
#include "upstream/probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/random.h"
#include "ws/ws_frame.h"

#define WENT_AWAY "\x03\xe9" /* 1001, of a Close frame */

static void next_address(struct probe *p);
static void dial_first(struct probe *p);

/* --- the end ---------------------------------------------------------------------- */

static void drop_connection(struct probe *p)
{
	ws_client_free(p->handshake);
	p->handshake = NULL;
	ws_answer_fini(&p->answer);
	p->answer = WS_ANSWER_INIT;
	p->interim = 0;
	stream_close(&p->stream);
	stream_init_empty(&p->stream);
}

static void stop_attempt(struct probe *p)
{
	if (p->dialling)
		dial_cancel(&p->dial);
	if (p->resolving)
		resolution_cancel(&p->resolution);
	p->dialling = p->resolving = false;
	drop_connection(p);
}

void probe_stop(struct probe *p)
{
	timer_stop(loop_timers(p->loop), &p->timer);
	stop_attempt(p);
	p->is_leaving = false;
}

/* `why` may be in what ends here. */
static void finish(struct probe *p, enum probe_verdict verdict, const char *why)
{
	char copy[TARGET_WHY_MAX + 1];

	snprintf(copy, sizeof(copy), "%s", why);
	probe_stop(p);
	p->done(p, verdict, copy);
}

static void fail(struct probe *p, const char *why)
{
	finish(p, PROBE_FAILED, why);
}

/* Of one address; the next, if its name has more. */
static void address_failed(struct probe *p, const char *why)
{
	if (p->addresses == 0 || loop_now(p->loop) >= p->deadline) {
		p->known.until = 0; /* perhaps it has moved */
		fail(p, why);
		return;
	}
	stop_attempt(p);
	next_address(p);
}

static void on_deadline(struct timer *t)
{
	struct probe *p = container_of(t, struct probe, timer);

	if (p->is_leaving) {
		finish(p, PROBE_PASSED, "it has answered");
	} else if (p->resolving && addresses_keep_stale(&p->known, -ETIMEDOUT, loop_now(p->loop))) {
		stop_attempt(p);
		dial_first(p);
	} else {
		address_failed(p, p->resolving ? "its name was not resolved in time"
		                               : "it did not answer in time");
	}
}

static unsigned time_left(const struct probe *p)
{
	uint64_t now = loop_now(p->loop);

	return p->deadline > now ? (unsigned)(p->deadline - now) : 1;
}

/* Of several addresses one may be silent, and so may a name server: then there must be time for
 * what else can be tried. */
static void start_patience(struct probe *p)
{
	unsigned left = time_left(p);
	bool has_more = p->addresses > 0 || (p->resolving && p->known.count > 0);

	timer_start(loop_timers(p->loop), &p->timer, has_more ? (left + 1) / 2 : left);
}

/* --- the answer ------------------------------------------------------------------- */

static bool is_expected(const struct probe *p, unsigned status)
{
	const struct string_list *wanted = p->settings->statuses;

	for (size_t i = 0; i < wanted->count; i++) {
		char *end;
		unsigned long first = strtoul(wanted->items[i], &end, 10),
		              last = *end == '-' ? strtoul(end + 1, NULL, 10) : first;

		if (status >= first && status <= last)
			return true;
	}
	return false;
}

static void judge_status(struct probe *p, unsigned status)
{
	char why[32];

	snprintf(why, sizeof(why), "it answers %u", status);
	finish(p, is_expected(p, status) ? PROBE_PASSED : PROBE_FAILED, why);
}

/* What follows the head is not read. */
static void take_http(struct probe *p, const char *text, size_t n)
{
	size_t taken;
	const char *wrong;

	do {
		wrong = ws_answer_feed(&p->answer, text, n, &taken);
		text += taken;
		n -= taken;
		if (wrong || !p->answer.is_complete)
			break;
		if (p->answer.status >= 200) {
			judge_status(p, p->answer.status);
			return;
		}
		if (++p->interim > WS_INTERIM_MAX)
			wrong = "There are too many interim answers.";
		else
			ws_answer_again(&p->answer);
	} while (!wrong && n > 0);
	if (wrong)
		fail(p, wrong);
}

/* A server of WebSockets is told that we leave, and closes (RFC 6455 section 7.1.1). */
static void leave(struct probe *p)
{
	char frame[WS_HEADER_MAX + 2];
	struct stream_piece piece = { frame, 0, NULL };
	uint8_t mask[4];
	char code[2];

	random_bytes(mask, sizeof(mask));
	memcpy(code, WENT_AWAY, sizeof(code));
	ws_mask(code, sizeof(code), mask, 0);
	piece.n = ws_frame_header(frame, true, 0, WS_CLOSE, sizeof(code), mask);
	memcpy(frame + piece.n, code, sizeof(code));
	piece.n += sizeof(code);
	p->is_leaving = true;
	timer_start(loop_timers(p->loop), &p->timer, time_left(p));
	stream_write(&p->stream, &piece, 1); /* if it fails a hang-up follows */
}

static void take_websocket(struct probe *p, const char *text, size_t n)
{
	const struct ws_client_outcome *outcome = ws_client_outcome(p->handshake);
	char why[32];

	ws_client_feed(p->handshake, text, n);
	if (outcome->state == WS_CLIENT_OPEN) {
		leave(p);
	} else if (outcome->state == WS_CLIENT_REFUSED) {
		snprintf(why, sizeof(why), "it answers %u", outcome->status);
		fail(p, why);
	} else if (outcome->state == WS_CLIENT_FAILED) {
		fail(p, outcome->sentence);
	}
}

static void hung_up(struct probe *p, int err)
{
	if (p->is_leaving)
		finish(p, PROBE_PASSED, "it has answered");
	else
		fail(p, err < 0 ? strerror(-err) : "it hung up before it had answered");
}

/* Whatever it has to say before it closes; not for ever. */
static void hear_out(struct probe *p)
{
	if (++p->interim > WS_INTERIM_MAX)
		finish(p, PROBE_PASSED, "it has answered");
}

static void on_readable(struct stream *s)
{
	struct probe *p = container_of(s, struct probe, stream);
	char *scratch = loop_scratch(p->loop);
	ssize_t n = stream_read(s, scratch, LOOP_SCRATCH_BYTES);

	if (n == -EAGAIN)
		return;
	if (n <= 0)
		hung_up(p, (int)n);
	else if (p->is_leaving)
		hear_out(p);
	else if (p->handshake)
		take_websocket(p, scratch, (size_t)n);
	else
		take_http(p, scratch, (size_t)n);
}

static void on_hangup(struct stream *s, int err)
{
	hung_up(container_of(s, struct probe, stream), err);
}

static const struct stream_events stream_events = {
	.readable = on_readable,
	.hangup = on_hangup,
};

/* --- the question ----------------------------------------------------------------- */

static const char *host_of(const struct probe *p)
{
	return p->settings->host ? p->settings->host : p->target->authority;
}

static const char *path_of(const struct probe *p)
{
	return p->settings->path ? p->settings->path : p->target->resource;
}

static int ask_http(const struct probe *p, struct buf *request)
{
	return buf_printf(request,
	    "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: sockjsd\r\nAccept: */*\r\n"
	    "Connection: close\r\n\r\n",
	    path_of(p), host_of(p));
}

static int add_origin(const struct probe *p, struct buf *origin)
{
	if (p->settings->origin)
		return buf_add_str(origin, p->settings->origin);
	return buf_printf(origin, "%s://%s", p->target->is_tls ? "https" : "http", host_of(p));
}

static int ask_websocket(struct probe *p, struct buf *request)
{
	const struct string_list *offered = p->settings->subprotocols;
	struct bytes subprotocols[WS_SUBPROTOCOLS_MAX];
	struct ws_client_request req = {
		.host = bytes_of(host_of(p)),
		.target = bytes_of(path_of(p)),
		.subprotocols = subprotocols,
	};
	struct buf origin = BUF_INIT;
	int err = add_origin(p, &origin);

	for (; req.subprotocol_count < offered->count; req.subprotocol_count++)
		subprotocols[req.subprotocol_count] =
		    bytes_of(offered->items[req.subprotocol_count]);
	req.origin = (struct bytes){ buf_data(&origin), buf_len(&origin) };
	if (err == 0)
		err = ws_client_begin(&p->handshake, &req, request);
	buf_fini(&origin);
	return err;
}

static void ask(struct probe *p)
{
	struct buf request = BUF_INIT;
	struct stream_piece piece;
	int err;

	if (p->settings->kind == PROBE_TCP) {
		finish(p, PROBE_PASSED, "it can be connected to");
		return;
	}
	err = p->settings->kind == PROBE_HTTP ? ask_http(p, &request) : ask_websocket(p, &request);
	p->stream.on = &stream_events;
	if (err == 0) {
		piece = (struct stream_piece){ buf_data(&request), buf_len(&request), NULL };
		stream_write(&p->stream, &piece, 1); /* if it fails a hang-up follows */
		stream_want(&p->stream, STREAM_READ);
	}
	buf_fini(&request);
	if (err < 0)
		finish(p, PROBE_SAYS_NOTHING, strerror(-err));
}

/* --- connecting ------------------------------------------------------------------- */

static void on_tls(struct stream *s, int err)
{
	struct probe *p = container_of(s, struct probe, stream);
	char why[TARGET_WHY_MAX + 1];

	if (err == 0) {
		ask(p);
		return;
	}
	snprintf(
	    why, sizeof(why), "TLS: %s", stream_tls_why(s)[0] ? stream_tls_why(s) : strerror(-err));
	address_failed(p, why);
}

static void on_dialled(struct dial *d, struct stream *s, int err)
{
	struct probe *p = container_of(d, struct probe, dial);

	p->dialling = false;
	if (err < 0) {
		if (dial_is_our_own(err))
			finish(p, PROBE_SAYS_NOTHING, strerror(-err));
		else
			address_failed(p, strerror(-err));
		return;
	}
	stream_move(&p->stream, s, p->loop, &stream_events);
	if (!p->target->is_tls)
		ask(p);
	else if (stream_tls_connect(&p->stream, p->target->tls, p->target->host, on_tls) < 0)
		finish(p, PROBE_SAYS_NOTHING, "out of memory");
}

static void next_address(struct probe *p)
{
	p->addresses--;
	p->dialling = true;
	start_patience(p);
	dial_start(&p->dial, p->loop, addresses_next(&p->known), time_left(p), on_dialled);
}

static void dial_first(struct probe *p)
{
	p->addresses = p->known.count;
	next_address(p);
}

static void on_resolved(
    struct resolution *r, int err, const struct addr *addrs, size_t n, unsigned ttl_seconds)
{
	struct probe *p = container_of(r, struct probe, resolution);
	uint64_t now = loop_now(p->loop);

	p->resolving = false;
	if (err == 0)
		addresses_take(&p->known, addrs, n, ttl_seconds, now);
	if (err == 0 || addresses_keep_stale(&p->known, err, now))
		dial_first(p);
	else
		finish(
		    p, dial_is_our_own(err) ? PROBE_SAYS_NOTHING : PROBE_FAILED, resolution_why(r));
}

void probe_start(struct probe *p)
{
	p->deadline = loop_now(p->loop) + p->settings->timeout_ms;
	p->addresses = 0;
	p->resolving = !p->target->file && p->known.until <= loop_now(p->loop);
	start_patience(p);
	if (p->target->file) {
		p->dialling = true;
		dial_start_unix(&p->dial, p->loop, p->target->file, time_left(p), on_dialled);
	} else if (p->resolving) {
		resolver_start(
		    p->resolver, &p->resolution, p->target->host, p->target->port, on_resolved);
	} else {
		dial_first(p);
	}
}

void probe_init(struct probe *p, const struct probe_settings *settings, const struct target *target,
    struct loop *loop, struct resolver *resolver, probed_fn done)
{
	*p = (struct probe){
		.settings = settings,
		.target = target,
		.loop = loop,
		.resolver = resolver,
		.done = done,
	};
	stream_init_empty(&p->stream);
	timer_init(&p->timer, on_deadline);
}
