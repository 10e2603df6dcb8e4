/*
 * checkup/exchange.c - a request and its answer; see exchange.h.
 */
#include "checkup/exchange.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define KEPT_MOST 65536 /* octets that are not understood yet */

static void free_exchange(struct deferred *d)
{
	struct exchange *x = container_of(d, struct exchange, deferred);

	answer_fini(&x->answer);
	gunzip_free(x->gunzip);
	buf_fini(&x->request);
	buf_fini(&x->in);
	mem_free(x);
}

void exchange_stop(struct exchange *x)
{
	if (!x)
		return;
	x->is_over = true;
	timer_stop(loop_timers(x->line.net->loop), &x->timer);
	line_close(&x->line);
	loop_defer(x->line.net->loop, &x->deferred, free_exchange);
}

static void finish(struct exchange *x)
{
	if (x->is_over)
		return;
	exchange_stop(x);
	x->on->done(x, &x->failure);
}

static void fail(struct exchange *x, enum fate fate, unsigned status, const char *why)
{
	failure_set(&x->failure, fate, status, why);
	finish(x);
}

static void on_late(struct timer *t)
{
	struct exchange *x = container_of(t, struct exchange, timer);

	fail(x, FATE_TIMEOUT, 0, x->answer.has_head ? "the answer does not end" : "no answer");
}

void exchange_wait(struct exchange *x, unsigned patience_ms)
{
	timer_stop(loop_timers(x->line.net->loop), &x->timer);
	if (patience_ms > 0)
		timer_start(loop_timers(x->line.net->loop), &x->timer, patience_ms);
}

/* --- the answer ---------------------------------------------------------------------------- */

static void note_head(struct exchange *x)
{
	x->head_ms = (int)(clock_now() - x->line.began);
	if (x->on->head)
		x->on->head(x);
}

static void decompress(struct exchange *x, struct bytes in)
{
	struct bytes out;
	int more = 1;

	if (!x->gunzip && !(x->gunzip = gunzip_new()))
		x->answer.wrong = "Memory is out.";
	while (!x->answer.wrong && more > 0 && !x->is_over) {
		more = gunzip_next(x->gunzip, &in, &out);
		if (out.n > 0)
			x->on->data(x, out);
	}
	if (more < 0)
		x->answer.wrong = "It is said to be gzip, and is not.";
}

/* What is not understood yet stays. */
static void read_answer(struct exchange *x)
{
	struct bytes in = { buf_data(&x->in), buf_len(&x->in) }, data;
	size_t before = in.n;
	bool had_head, more = true;

	while (more && !x->is_over) {
		had_head = x->answer.has_head;
		more = answer_next(&x->answer, &in, &data);
		if (!had_head && x->answer.has_head)
			note_head(x);
		if (x->is_over)
			break;
		if (data.n > 0 && x->answer.is_gzip)
			decompress(x, data);
		else if (data.n > 0)
			x->on->data(x, data);
	}
	if (!x->is_over)
		buf_consume(&x->in, before - in.n);
}

static void on_data(struct line *l, char *p, size_t n)
{
	struct exchange *x = container_of(l, struct exchange, line);

	if (buf_len(&x->in) > KEPT_MOST || buf_add(&x->in, p, n) < 0) {
		fail(x, FATE_GARBAGE, 0, "it cannot be understood");
		return;
	}
	read_answer(x);
	if (x->is_over)
		return;
	if (x->answer.wrong)
		fail(x, FATE_GARBAGE, 0, x->answer.wrong);
	else if (answer_is_whole(&x->answer))
		finish(x);
}

/* An answer without a length ends with its connection. */
static void on_ended(struct line *l, enum fate fate, unsigned status, const char *why)
{
	struct exchange *x = container_of(l, struct exchange, line);

	if (fate == FATE_CLOSED && x->answer.has_head && x->answer.body == BODY_TO_CLOSE)
		finish(x);
	else
		fail(x, fate, status, why);
}

static void on_open(struct line *l)
{
	struct exchange *x = container_of(l, struct exchange, line);

	x->asked = clock_now();
	line_write(l, buf_data(&x->request), buf_len(&x->request)); /* if it fails an end follows */
}

static const struct line_events line_events = {
	.open = on_open,
	.data = on_data,
	.ended = on_ended,
};

/* --- the request --------------------------------------------------------------------------- */

/* A proxy that is asked for plain HTTP is told the whole URL. */
static int write_line(struct buf *out, const struct net *net, const struct exchange_request *r)
{
	const struct place *p = net->place;

	if (net->proxy && !p->is_tls)
		return buf_printf(out, "%s http://%s%s%s HTTP/1.1\r\n", r->method, p->authority,
		    p->prefix, r->path);
	return buf_printf(out, "%s %s%s HTTP/1.1\r\n", r->method, p->prefix, r->path);
}

static int write_request(struct buf *out, const struct net *net, const struct exchange_request *r)
{
	const struct place *p = net->place;
	const char *scheme = p->is_tls ? "https" : "http";
	int err = write_line(out, net, r);

	err = err ? err
	          : buf_printf(out,
	                "Host: %s\r\nUser-Agent: sockjsd-doctor\r\nAccept: */*\r\n"
	                "Accept-Encoding: gzip\r\n",
	                p->authority);
	if (!r->is_anonymous && err == 0)
		err = buf_printf(out, "Origin: %s://%s\r\nReferer: %s://%s/\r\n", scheme,
		    p->authority, scheme, p->authority);
	if (r->type && err == 0)
		err = buf_printf(out, "Content-Type: %s\r\n", r->type);
	if (strcmp(r->method, "POST") == 0 && err == 0)
		err = buf_printf(out, "Content-Length: %zu\r\n", r->body.n);
	err = err ? err : buf_add(out, "\r\n", 2);
	return err || r->body.n == 0 ? err : buf_add(out, r->body.p, r->body.n);
}

struct exchange *exchange_start(const struct net *net, const struct exchange_request *request,
    const struct exchange_events *on, void *owner)
{
	struct exchange *x = mem_zalloc(sizeof(*x));

	if (!x)
		return NULL;
	x->on = on;
	x->owner = owner;
	x->head_ms = FACT_UNKNOWN;
	answer_init(&x->answer);
	timer_init(&x->timer, on_late);
	if (write_request(&x->request, net, request) < 0) {
		free_exchange(&x->deferred);
		return NULL;
	}
	line_start(&x->line, net, &line_events, false);
	exchange_wait(x, request->patience_ms);
	return x;
}
