/*
 * checkup/report_json.c - all facts as one object; see report.h.
 *
 * Times are milliseconds, null where nothing is known.
 */
#include <string.h>

#include "base/utf8.h"
#include "checkup/report.h"

static void set(json_t *o, const char *name, json_t *value)
{
	json_object_set_new(o, name, value);
}

static json_t *known(int n)
{
	return n == FACT_UNKNOWN ? json_null() : json_integer(n);
}

/* What strangers say need not be UTF-8. */
static json_t *text_of(const char *text)
{
	char copy[FACT_TEXT_MAX];
	size_t n = 0;

	if (utf8_is_valid(text, strlen(text)))
		return json_string(text);
	for (; text[n] && n < sizeof(copy) - 1; n++)
		copy[n] = (unsigned char)text[n] < 0x80 ? text[n] : '?';
	copy[n] = '\0';
	return json_string(copy);
}

static json_t *failure_json(const struct failure *f)
{
	json_t *o;

	if (f->fate == FATE_NONE)
		return json_null();
	o = json_object();
	set(o, "kind", json_string(fate_name(f->fate)));
	set(o, "status", f->status ? json_integer(f->status) : json_null());
	set(o, "why", text_of(f->why));
	return o;
}

static json_t *headers_json(const struct fact_header *h, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();

		set(o, "name", text_of(h[i].name));
		set(o, "value", text_of(h[i].value));
		json_array_append_new(array, o);
	}
	return array;
}

static json_t *answer_json(const struct fact_answer *a)
{
	json_t *o;

	if (a->status == 0)
		return json_null();
	o = json_object();
	set(o, "status", json_integer(a->status));
	set(o, "http", json_string(a->minor ? "1.1" : "1.0"));
	set(o, "headers", headers_json(a->headers, a->count));
	return o;
}

static void add_traffic(json_t *o, enum way way, const struct way_facts *w)
{
	if (way_is_websocket(way)) {
		set(o, "pings", json_integer(w->asked));
		set(o, "pongs", json_integer(w->answered));
		set(o, "alive", json_boolean(w->is_alive));
		set(o, "heard_alone", json_boolean(w->heard_alone));
		set(o, "cut_after_octets",
		    w->cut_octets ? json_integer(w->cut_octets) : json_null());
	} else {
		set(o, "flow", json_string(flow_name(w->flow)));
		set(o, "held_octets", json_integer((json_int_t)w->held_octets));
		set(o, "responses", json_integer(w->responses));
		set(o, "sends_taken", json_integer(w->delivered));
		set(o, "lag_ms", known(w->lag_ms));
		set(o, "send_failure", failure_json(&w->send_failure));
	}
	set(o, "sent", json_integer(w->sent));
	set(o, "echoed", json_integer(w->came));
	set(o, "echo_ms", known(w->echo_ms));
	set(o, "echo_worst_ms", known(w->worst_ms));
	set(o, "pushes_asked", json_integer(w->pushed));
	set(o, "pushes", json_integer(w->pushes));
	set(o, "push_late_ms", known(w->push_late_ms));
}

static json_t *way_json(const struct facts *f, enum way way)
{
	const struct way_facts *w = &f->way[way];
	json_t *o = json_object();

	set(o, "name", json_string(way_name(way)));
	set(o, "offered", json_boolean(f->info.offers[way]));
	set(o, "tried", json_boolean(w->is_tried));
	set(o, "open", json_boolean(w->is_open));
	set(o, "works", json_boolean(way_works(f, way)));
	set(o, "failure", failure_json(&w->failure));
	set(o, "answer", answer_json(&w->answer));
	set(o, "connect_ms", known(w->connect_ms));
	set(o, "head_ms", known(w->head_ms));
	set(o, "open_ms", known(w->open_ms));
	add_traffic(o, way, w);
	return o;
}

static json_t *saw_json(const struct saw_facts *s)
{
	json_t *o;

	if (!s->is_known)
		return json_null();
	o = json_object();
	set(o, "address", text_of(s->address));
	set(o, "http", text_of(s->protocol));
	set(o, "host", text_of(s->host));
	set(o, "origin", text_of(s->origin));
	set(o, "headers", headers_json(s->headers, s->count));
	return o;
}

static json_t *idle_json(const struct facts *f)
{
	json_t *array = json_array();

	for (size_t i = 0; i < IDLE_KINDS; i++) {
		const struct idle_facts *idle = &f->idle[i];
		json_t *o;

		if (!idle->is_tried)
			continue;
		o = json_object();
		set(o, "transport", json_string(way_name(idle->way)));
		set(o, "survived_s", known(idle->survived_s));
		set(o, "cut_s", known(idle->cut_s));
		set(o, "silent", json_boolean(idle->is_silent));
		set(o, "cut_in_use_s", known(idle->age_s));
		json_array_append_new(array, o);
	}
	return array;
}

static json_t *info_json(const struct info_facts *i)
{
	json_t *o = json_object();

	set(o, "ms", known(i->ms));
	set(o, "failure", failure_json(&i->failure));
	set(o, "answer", answer_json(&i->answer));
	set(o, "websocket", json_boolean(i->websocket));
	set(o, "cookie_needed", json_boolean(i->cookie_needed));
	set(o, "granted", json_boolean(i->is_granted));
	return o;
}

static json_t *line_json(const struct facts *f)
{
	json_t *o = json_object();

	set(o, "failure", failure_json(&f->reach));
	set(o, "proxy", json_boolean(f->by_proxy));
	set(o, "tls", json_boolean(f->is_tls));
	set(o, "connect_ms", known(f->connect_ms));
	set(o, "tls_ms", known(f->tls_ms));
	set(o, "round_trip_ms", known(f->rtt_ms));
	return o;
}

static json_t *told_json(const struct told_facts *t)
{
	json_t *o;

	if (!t->is_tried)
		return json_null();
	o = json_object();
	set(o, "kept", json_boolean(t->is_kept));
	set(o, "network", text_of(t->network));
	set(o, "why", text_of(t->why));
	return o;
}

static json_t *causes_json(const struct diagnosis *d)
{
	json_t *array = json_array();

	for (size_t i = 0; i < d->count; i++)
		json_array_append_new(array, json_string(cause_word(d->causes[i])));
	return array;
}

/* What there was no memory for is missing; the caller sees that the whole is. */
json_t *report_json(const char *url, const struct facts *f, const struct diagnosis *d)
{
	json_t *o = json_object(), *ways = json_array();

	for (int i = 0; i < WAYS; i++)
		json_array_append_new(ways, way_json(f, (enum way)i));
	set(o, "url", json_string(url));
	set(o, "cause", json_string(cause_word(d->causes[0])));
	set(o, "causes", causes_json(d));
	set(o, "best", d->best < 0 ? json_null() : json_string(way_name((enum way)d->best)));
	set(o, "advice_user", json_string(d->for_user));
	set(o, "advice_administrator", json_string(d->for_administrator));
	set(o, "line", line_json(f));
	set(o, "info", info_json(&f->info));
	set(o, "echo", json_boolean(f->is_echo));
	set(o, "doctor", json_boolean(f->is_doctor));
	set(o, "saw", saw_json(&f->saw));
	set(o, "transports", ways);
	set(o, "idle_s", json_integer(f->idle_s));
	set(o, "idle", idle_json(f));
	set(o, "report", told_json(&f->told));
	return o;
}
