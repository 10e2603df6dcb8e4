/*
 * checkup/channel_http.c - streams and polls: one response after the other, and requests that send;
 * see channel.h.
 *
 * A response that has ended is followed by the next one, as clients do it. What is sent while a
 * send is under way goes together with the next, so that there is never more than one.
 */
#include <stdio.h>

#include "base/clock.h"
#include "checkup/channel.h"

#define QUEUE_MOST     ((size_t)1 << 20)
#define RESPONSES_MOST 2000 /* one after the other; who answers so often says nothing */

struct http_way {
	const char *method, *receive, *send, *type;
	enum wrapping wrapping;
};

static const struct http_way *way_of(const struct channel *c)
{
	static const struct http_way ways[WAYS] = {
		[WAY_XHR_STREAMING] = { "POST", "/xhr_streaming", "/xhr_send", "text/plain",
		    WRAPPED_LINES },
		[WAY_EVENTSOURCE] = { "GET", "/eventsource", "/xhr_send", "text/plain",
		    WRAPPED_EVENTS },
		[WAY_HTMLFILE] = { "GET", "/htmlfile?c=c", "/xhr_send", "text/plain",
		    WRAPPED_SCRIPTS },
		[WAY_XHR] = { "POST", "/xhr", "/xhr_send", "text/plain", WRAPPED_LINES },
		[WAY_JSONP] = { "GET", "/jsonp?c=c", "/jsonp_send",
		    "application/x-www-form-urlencoded", WRAPPED_CALLS },
	};

	return &ways[c->way];
}

static void receive(struct channel *c);
static void send_queued(struct channel *c);

/* --- receiving ----------------------------------------------------------------------------- */

static void on_head(struct exchange *x)
{
	struct channel *c = x->owner;
	struct way_facts *f = c->facts;

	if (f->head_ms != FACT_UNKNOWN)
		return;
	f->connect_ms = x->line.connect_ms;
	f->head_ms = x->head_ms;
	f->answer = x->answer.facts;
}

/* Who refuses a page of another origin may say so. */
static bool says_origin(struct bytes data)
{
	return memmem(data.p, data.n, "origin", 6) || memmem(data.p, data.n, "Origin", 6);
}

static void take_frames(struct channel *c)
{
	struct bytes frame;

	while (!c->is_over && frames_next(&c->frames, &frame))
		channel_frame(c, buf_data(&c->frames.frame), frame.n);
}

static void on_data(struct exchange *x, struct bytes data)
{
	struct channel *c = x->owner;

	if (x->answer.facts.status == 403)
		c->refuses_origin |= says_origin(data);
	if (x->answer.facts.status != 200)
		return;
	if (frames_feed(&c->frames, data) < 0) {
		channel_end(c, FATE_GARBAGE, 0, "a line of it is too long");
		return;
	}
	channel_heard(c, data.n);
	take_frames(c);
}

static const char *words_of(unsigned status)
{
	return status == 404 ? "there is no such session, or no such transport" : "HTTP says no";
}

/* A response ends after its last octets, and may say so by an end of its own. */
static void on_received(struct exchange *x, const struct failure *failure)
{
	struct channel *c = x->owner;
	unsigned status = x->answer.facts.status;

	c->receiving = NULL;
	if (c->facts->responses++ == 0)
		c->first_end_at = channel_ms(c);
	if (failure->fate != FATE_NONE)
		channel_end(c, failure->fate, failure->status, failure->why);
	else if (status != 200)
		channel_end(c, FATE_STATUS, status, words_of(status));
	else if (c->facts->responses > RESPONSES_MOST)
		channel_end(c, FATE_GARBAGE, 0, "it answers, and says nothing");
	else if (!c->is_open)
		channel_end(c, FATE_GARBAGE, 0, "the response has no opening frame");
	else
		receive(c);
}

static const struct exchange_events receiving = {
	.head = on_head,
	.data = on_data,
	.done = on_received,
};

static void receive(struct channel *c)
{
	const struct http_way *w = way_of(c);
	char path[96];
	struct exchange_request r = { .method = w->method, .path = path };

	snprintf(path, sizeof(path), "%s%s", c->path, w->receive);
	frames_reset(&c->frames);
	c->receiving = exchange_start(c->net, &r, &receiving, c);
	if (!c->receiving)
		channel_end(c, FATE_OURS, 0, "out of memory");
}

/* --- sending ------------------------------------------------------------------------------- */

static void on_send_data(struct exchange *x, struct bytes data)
{
	struct channel *c = x->owner;

	if (x->answer.facts.status == 403)
		c->refuses_origin |= says_origin(data);
}

static void on_sent(struct exchange *x, const struct failure *failure)
{
	struct channel *c = x->owner;
	unsigned status = x->answer.facts.status;

	c->sending = NULL;
	if (failure->fate != FATE_NONE)
		failure_set(&c->facts->send_failure, failure->fate, failure->status, failure->why);
	else if (status != 204 && status != 200)
		failure_set(&c->facts->send_failure, FATE_STATUS, status, words_of(status));
	else
		c->facts->delivered++;
	if (c->on->confirmed)
		c->on->confirmed(c);
	if (!c->is_over)
		send_queued(c);
}

static const struct exchange_events sending = { .data = on_send_data, .done = on_sent };

/* The field of a form. */
static int encode_form(struct buf *out, struct bytes text)
{
	int err = buf_add_str(out, "d=");

	for (size_t i = 0; i < text.n && err == 0; i++)
		err = buf_printf(out, "%%%02X", (unsigned char)text.p[i]);
	return err;
}

static int compose(struct channel *c, struct buf *body)
{
	struct buf array = BUF_INIT;
	int err = buf_add(&array, "[", 1);

	err = err ? err : buf_add(&array, buf_data(&c->queue), buf_len(&c->queue) - 1);
	err = err ? err : buf_add(&array, "]", 1);
	if (err == 0 && c->way == WAY_JSONP)
		err = encode_form(body, (struct bytes){ buf_data(&array), buf_len(&array) });
	else if (err == 0)
		err = buf_add(body, buf_data(&array), buf_len(&array));
	buf_fini(&array);
	return err;
}

static void send_queued(struct channel *c)
{
	const struct http_way *w = way_of(c);
	struct buf body = BUF_INIT;
	char path[96];
	struct exchange_request r = { "POST", path, .type = w->type };

	if (c->sending || buf_len(&c->queue) == 0)
		return;
	snprintf(path, sizeof(path), "%s%s", c->path, w->send);
	r.patience_ms = 2 * c->net->timeout_ms;
	if (compose(c, &body) == 0) {
		r.body = (struct bytes){ buf_data(&body), buf_len(&body) };
		c->sending = exchange_start(c->net, &r, &sending, c);
	}
	buf_fini(&body);
	buf_clear(&c->queue);
	if (!c->sending)
		channel_end(c, FATE_OURS, 0, "out of memory");
}

/* A string of JSON and a comma; what would have to be escaped beside these two is not sent. */
static int enqueue(struct channel *c, struct bytes text)
{
	size_t before = buf_len(&c->queue);
	int err = buf_add(&c->queue, "\"", 1);

	for (size_t i = 0; i < text.n && err == 0; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			err = buf_add(&c->queue, "\\", 1);
		err = err ? err : buf_add(&c->queue, text.p + i, 1);
	}
	err = err ? err : buf_add(&c->queue, "\",", 2);
	if (err < 0)
		buf_cut(&c->queue, before);
	return err;
}

static void http_send(struct channel *c, struct bytes text)
{
	if (buf_len(&c->queue) + text.n > QUEUE_MOST || enqueue(c, text) < 0)
		return;
	send_queued(c);
}

/* --- life ---------------------------------------------------------------------------------- */

static void http_start(struct channel *c)
{
	c->frames.wrapping = way_of(c)->wrapping;
	receive(c);
}

static void http_stop(struct channel *c)
{
	exchange_stop(c->receiving);
	exchange_stop(c->sending);
	c->receiving = c->sending = NULL;
}

const struct channel_kind channel_http = { http_start, http_send, http_stop };
