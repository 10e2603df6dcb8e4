/*
 * checkup/info.c - /info; see info.h.
 */
#include "checkup/info.h"

#include <jansson.h>

#define TIMES     3 /* the first answer of a server may be slow for reasons of its own */
#define TEXT_MOST 16384

/* --- what it says -------------------------------------------------------------------------- */

/* Ours lists the transports; others only say whether there are WebSockets. */
static void read_offers(struct info_facts *f, const json_t *o)
{
	const json_t *list = json_object_get(o, "transports"), *item;
	size_t n;

	f->websocket = !json_is_false(json_object_get(o, "websocket"));
	for (int i = 0; i < WAYS && json_array_size(list) > 0; i++) {
		const char *name = way_name((enum way)i);

		f->offers[i] = false;
		json_array_foreach (list, n, item)
			if (json_is_string(item) && strcmp(json_string_value(item), name) == 0)
				f->offers[i] = true;
	}
	f->offers[WAY_RAW] &= f->websocket;
	f->offers[WAY_WEBSOCKET] &= f->websocket;
}

static void read_text(struct info_facts *f, const struct buf *text)
{
	json_t *o = buf_len(text) ? json_loadb(buf_data(text), buf_len(text), 0, NULL) : NULL;

	if (json_is_object(o))
		read_offers(f, o);
	else
		failure_set(&f->failure, FATE_GARBAGE, 0, "what /info says is no JSON");
	f->cookie_needed = json_is_true(json_object_get(o, "cookie_needed"));
	json_decref(o);
}

static void read_answer(struct info_test *t, const struct exchange *x)
{
	struct info_facts *f = &t->facts->info;

	f->answer = x->answer.facts;
	f->is_granted = x->answer.is_granted;
	if (f->answer.status == 200)
		read_text(f, &t->text);
	else
		failure_set(
		    &f->failure, FATE_STATUS, f->answer.status, "/info is not answered by 200");
}

/* --- asking -------------------------------------------------------------------------------- */

static void time_it(struct facts *f, const struct exchange *x)
{
	int ms = x->head_ms - (int)(x->asked - x->line.began);

	if (x->head_ms == FACT_UNKNOWN)
		return;
	if (f->info.ms == FACT_UNKNOWN)
		f->info.ms = ms;
	if (f->rtt_ms == FACT_UNKNOWN || ms < f->rtt_ms)
		f->rtt_ms = ms;
}

static void on_data(struct exchange *x, struct bytes data)
{
	struct info_test *t = x->owner;

	if (t->asked == 1 && buf_len(&t->text) + data.n <= TEXT_MOST)
		buf_add(&t->text, data.p, data.n); /* what is missing is no JSON */
}

static void ask(struct info_test *t);

static void on_done(struct exchange *x, const struct failure *failure)
{
	struct info_test *t = x->owner;
	struct failure *f = &t->facts->info.failure;

	t->exchange = NULL;
	time_it(t->facts, x);
	if (failure->fate != FATE_NONE)
		failure_set(f, failure->fate, failure->status, failure->why);
	else if (t->asked == 1)
		read_answer(t, x);
	if (f->fate != FATE_NONE || t->asked == TIMES)
		t->done(t);
	else
		ask(t);
}

static void ask(struct info_test *t)
{
	static const struct exchange_events events = { .data = on_data, .done = on_done };
	struct exchange_request r = { "GET", "/info", .patience_ms = t->net->timeout_ms };

	t->asked++;
	t->exchange = exchange_start(t->net, &r, &events, t);
	if (t->exchange)
		return;
	failure_set(&t->facts->info.failure, FATE_OURS, 0, "out of memory");
	t->done(t);
}

void info_start(struct info_test *t, const struct net *net, struct facts *facts,
    void (*done)(struct info_test *t))
{
	*t = (struct info_test){ .net = net, .facts = facts, .done = done };
	ask(t);
}

void info_fini(struct info_test *t)
{
	exchange_stop(t->exchange);
	t->exchange = NULL;
	buf_fini(&t->text);
}
