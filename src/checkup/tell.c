/*
 * checkup/tell.c - one report; see tell.h.
 */
#include "checkup/tell.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "checkup/diagnosis.h"
#include "checkup/talk.h"

#define CAUSES_BESIDES 4 /* as many as a report may have */
#define VIA_MOST       128

/* --- the report ---------------------------------------------------------------------------- */

static void set(json_t *o, const char *name, json_t *value)
{
	json_object_set_new(o, name, value);
}

static void set_ms(json_t *o, const char *name, int ms)
{
	if (ms != FACT_UNKNOWN)
		set(o, name, json_integer(ms));
}

/* As sockjs-client calls them. */
static const char *client_name(enum way way)
{
	static const char *const names[WAYS] = { "raw-websocket", "websocket", "xhr-streaming",
		"eventsource", "htmlfile", "xhr-polling", "jsonp-polling" };

	return names[way];
}

static const char *state_of(const struct facts *f, enum way way)
{
	if (!f->way[way].is_tried)
		return "untried";
	if (way_works(f, way))
		return "works";
	return f->way[way].is_open ? "slow" : "failed";
}

static void add_flow(json_t *o, const struct way_facts *w)
{
	if (w->flow == FLOW_UNKNOWN)
		return;
	set(o, "held",
	    json_string(w->flow == FLOW_AT_ONCE        ? "no"
	                : w->flow == FLOW_AFTER_OCTETS ? "octets"
	                                               : "end"));
	set(o, "held_bytes",
	    json_integer(w->flow == FLOW_AFTER_OCTETS ? (json_int_t)w->held_octets : 0));
}

static json_t *way_of(const struct facts *f, enum way way)
{
	const struct way_facts *w = &f->way[way];
	json_t *o = json_object();

	set(o, "name", json_string(client_name(way)));
	set(o, "state", json_string(state_of(f, way)));
	set_ms(o, "open_ms", w->open_ms);
	set_ms(o, "echo_ms", w->echo_ms);
	set_ms(o, "late_ms", w->lag_ms);
	add_flow(o, w);
	if (w->is_open && !way_is_websocket(way))
		set(o, "sends", json_boolean(w->delivered > 0));
	return o;
}

static json_t *idle_of(const struct facts *f)
{
	const struct idle_facts *idle = f->idle[0].is_tried ? &f->idle[0] : &f->idle[1];
	json_t *o = json_object();

	set(o, "survived_ms", json_integer(idle->survived_s > 0 ? idle->survived_s * 1000 : 0));
	set(o, "cut_ms", json_integer(idle->cut_s > 0 ? idle->cut_s * 1000 : 0));
	set(o, "noticed", json_boolean(idle->cut_s > 0 && !idle->is_silent));
	return o;
}

static void add_via(json_t *o, const struct saw_facts *saw)
{
	for (size_t i = 0; i < saw->count; i++)
		if (strcasecmp(saw->headers[i].name, "Via") == 0 &&
		    strlen(saw->headers[i].value) <= VIA_MOST)
			set(o, "via", json_string(saw->headers[i].value));
}

static json_t *compose(const struct facts *f, const struct diagnosis *d)
{
	json_t *o = json_object(), *causes = json_array(), *ways = json_array();

	for (size_t i = 1; i < d->count && i <= CAUSES_BESIDES; i++)
		json_array_append_new(causes, json_string(cause_word(d->causes[i])));
	for (int i = 0; i < WAYS; i++)
		json_array_append_new(ways, way_of(f, (enum way)i));
	set(o, "cause", json_string(cause_word(d->causes[0])));
	set(o, "causes", causes);
	set(o, "client", json_string("terminal"));
	set_ms(o, "round_trip_ms", f->rtt_ms);
	set(o, "transports", ways);
	if (f->idle[0].is_tried || f->idle[1].is_tried)
		set(o, "idle", idle_of(f));
	add_via(o, &f->saw);
	return json_pack("{s:s,s:i,s:o}", "do", "report", "id", TALK_REPORT, "report", o);
}

/* --- sending it ---------------------------------------------------------------------------- */

static void finish(struct tell *t, const char *why)
{
	struct told_facts *told = &t->facts->told;

	if (t->is_over)
		return;
	t->is_over = true;
	timer_stop(loop_timers(t->net->loop), &t->timer);
	channel_stop(&t->channel);
	if (why)
		snprintf(told->why, sizeof(told->why), "%s", why);
	t->done(t);
}

static void on_open(struct channel *c)
{
	struct tell *t = container_of(c, struct tell, channel);
	struct diagnosis d = diagnose(t->facts);
	json_t *report = compose(t->facts, &d);
	char *text = json_dumps(report, JSON_COMPACT | JSON_ENSURE_ASCII);

	json_decref(report);
	if (text)
		channel_send(c, bytes_of(text));
	free(text);
	if (!text)
		finish(t, "out of memory");
}

static void take_answer(struct tell *t, const json_t *o)
{
	struct told_facts *told = &t->facts->told;
	const char *network = json_string_value(json_object_get(o, "network"));
	const char *message = json_string_value(json_object_get(o, "message"));

	told->is_kept = json_is_true(json_object_get(o, "kept"));
	snprintf(told->network, sizeof(told->network), "%s", network ? network : "");
	finish(t, told->is_kept ? NULL : message ? message : "it keeps none, or no more of them");
}

static void on_message(struct channel *c, struct bytes text)
{
	struct tell *t = container_of(c, struct tell, channel);
	json_t *o = json_loadb(text.p ? text.p : "", text.n, 0, NULL);

	if (json_integer_value(json_object_get(o, "id")) == TALK_REPORT)
		take_answer(t, o);
	json_decref(o);
}

static void on_ended(struct channel *c)
{
	struct tell *t = container_of(c, struct tell, channel);

	finish(t, t->way.failure.why);
}

static const struct channel_events events = {
	.open = on_open,
	.message = on_message,
	.ended = on_ended,
};

static void on_late(struct timer *timer)
{
	finish(container_of(timer, struct tell, timer), "it does not answer");
}

void tell_start(
    struct tell *t, const struct net *net, struct facts *facts, void (*done)(struct tell *t))
{
	int best = diagnose(facts).best;

	*t = (struct tell){ .net = net, .facts = facts, .done = done };
	facts->told.is_tried = true;
	timer_init(&t->timer, on_late);
	if (!facts->is_doctor || best < 0) {
		finish(t, best < 0 ? "nothing reaches it" : "it does not want to know");
		return;
	}
	timer_start(loop_timers(net->loop), &t->timer, 2 * net->timeout_ms);
	channel_start(&t->channel, net, (enum way)best, &t->way, &events);
}

void tell_fini(struct tell *t)
{
	if (!t->net)
		return;
	t->is_over = true;
	timer_stop(loop_timers(t->net->loop), &t->timer);
	channel_fini(&t->channel);
}
