/*
 * webhook/webhook.c - a question from its event to its verdict; see webhook.h.
 */
#include "webhook/webhook_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define RETRY_MS   100 /* before the first repetition, then twice as long each time */
#define REASON_MAX 200 /* octets of a no that are passed on */

/* --- events --------------------------------------------------------------------------- */

static const struct {
	const char *name;
	bool is_question;
} events[] = {
#define X(name, text, safe) { text, safe },
	WEBHOOK_EVENTS(X)
#undef X
};

const char *webhook_event_name(enum webhook_event event)
{
	return events[event].name;
}

unsigned webhook_event_bit(const char *name)
{
	for (unsigned i = 0; i < WEBHOOK_EVENT_ROWS; i++)
		if (strcmp(events[i].name, name) == 0)
			return 1u << i;
	return 0;
}

bool webhook_wants(const struct webhook *w, enum webhook_event event, unsigned otherwise)
{
	return (w->events ? w->events : otherwise) >> event & 1;
}

const char *webhook_strange_event(const struct hooks_options *o, unsigned known)
{
	for (size_t i = 0; i < o->events.count; i++)
		if (!(webhook_event_bit(o->events.items[i]) & known))
			return o->events.items[i];
	return NULL;
}

/* --- a reactor's share -------------------------------------------------------------------- */

struct webhook_part *webhook_find_part(struct webhook *w)
{
	struct loop *loop = loop_current();
	unsigned n = atomic_load_explicit(&w->part_count, memory_order_acquire);

	for (unsigned i = 0; i < n; i++)
		if (w->parts[i]->loop == loop)
			return w->parts[i];
	return NULL;
}

static struct webhook_part *add_part(struct webhook *w)
{
	struct webhook_part *part = mem_zalloc(sizeof(*part));
	unsigned n;

	if (!part)
		return NULL;
	part->webhook = w;
	list_init(&part->calls);
	part->loop = loop_current();
	if (http_client_new(&part->client, part->loop, &w->target) < 0) {
		mem_free(part);
		return NULL;
	}
	pthread_mutex_lock(&w->lock);
	n = atomic_load_explicit(&w->part_count, memory_order_relaxed);
	w->parts[n] = part;
	atomic_store_explicit(&w->part_count, n + 1, memory_order_release);
	pthread_mutex_unlock(&w->lock);
	return part;
}

struct webhook_part *webhook_part(struct webhook *w)
{
	struct webhook_part *part = webhook_find_part(w);

	return part ? part : add_part(w);
}

/* --- the verdict ---------------------------------------------------------------------------- */

/* It is its owner's again. */
static void leave(struct webhook_call *call)
{
	struct webhook_part *part = call->part;

	timer_stop(loop_timers(part->loop), &call->timer);
	webhook_forget_request(call);
	list_remove(&call->node);
	call->part = NULL;
}

static void answer(struct webhook_call *call, const struct webhook_answer *a)
{
	struct webhook_part *part = call->part;

	part->milliseconds += loop_now(part->loop) - call->begun;
	if (a->verdict == WEBHOOK_NO)
		part->refused[call->event]++;
	leave(call);
	call->answered(call, a);
}

/* Whether asking again can do no harm: it has come to nobody, or was a question. */
static bool may_repeat(const struct webhook_call *call, const struct http_outcome *o)
{
	return !o->may_have_come || events[call->event].is_question;
}

/* These speak of the moment. */
static bool is_passing(unsigned status)
{
	return status == 408 || status == 425 || status == 429 || (status >= 502 && status <= 504);
}

static void on_repeat(struct timer *t)
{
	struct webhook_call *call = container_of(t, struct webhook_call, timer);
	struct webhook_part *part = call->part;
	uint64_t now = loop_now(part->loop);

	part->repeated++;
	http_call_start(
	    part->client, &call->http, call->deadline > now ? (unsigned)(call->deadline - now) : 1);
}

static bool repeat(struct webhook_call *call)
{
	struct webhook_part *part = call->part;
	uint64_t pause = (uint64_t)RETRY_MS << call->tries;

	if (call->tries >= part->webhook->retries || loop_now(part->loop) + pause >= call->deadline)
		return false;
	call->tries++;
	timer_start(loop_timers(part->loop), &call->timer, pause);
	return true;
}

static void fail(struct webhook_call *call, enum failure why, const char *sentence)
{
	struct webhook_answer a = { .verdict = WEBHOOK_FAILED, .why = sentence };

	call->part->failed[why]++;
	log_warn_limited("a backend does not answer",
	    LOG_STR("url", call->part->webhook->target.url),
	    LOG_STR("event", webhook_event_name(call->event)), LOG_STR("why", sentence));
	answer(call, &a);
}

void webhook_senseless(struct webhook *w, const char *endpoint, const char *what)
{
	struct webhook_part *part = webhook_find_part(w);

	if (part)
		part->failed[FAILURE_ANSWER]++;
	log_warn_limited("a backend's answer makes no sense", LOG_STR("url", w->target.url),
	    LOG_STR("endpoint", endpoint), LOG_STR("what", what));
}

static enum failure failure_of(int err)
{
	switch (err) {
	case -ETIMEDOUT:
		return FAILURE_TIMEOUT;
	case -EMSGSIZE:
		return FAILURE_ANSWER;
	case -EBUSY:
		return FAILURE_BUSY;
	case -ENOMEM:
		return FAILURE_NO_MEMORY;
	default:
		return FAILURE_CONNECTION;
	}
}

/* The words for a client whom a backend refuses; NULL: it has none. */
static const char *reason_of(const json_t *json)
{
	const char *reason = json_string_value(json_object_get(json, "reason"));

	return reason && strlen(reason) <= REASON_MAX ? reason : NULL;
}

/* The object in a body; NULL if there is none, and then *is_empty tells whether there is anything.
 */
static json_t *read_object(struct bytes body, bool *is_empty)
{
	json_t *json;
	size_t i = 0;

	while (i < body.n && strchr(" \t\r\n", body.p[i]))
		i++;
	*is_empty = i == body.n;
	json = *is_empty ? NULL : json_loadb(body.p, body.n, JSON_ALLOW_NUL, NULL);
	if (json_is_object(json))
		return json;
	json_decref(json);
	return NULL;
}

static void on_status(struct webhook_call *call, const struct http_outcome *o)
{
	bool is_yes = o->status >= 200 && o->status <= 299, is_empty;
	char sentence[64];
	struct webhook_answer a = { .verdict = is_yes ? WEBHOOK_YES : WEBHOOK_NO,
		.status = o->status };

	if (is_passing(o->status) && may_repeat(call, o) && repeat(call))
		return;
	if (!is_yes && (is_passing(o->status) || o->status < 400 || o->status > 499)) {
		snprintf(sentence, sizeof(sentence), "status %u", o->status);
		fail(call, FAILURE_STATUS, sentence);
		return;
	}
	a.json = read_object(o->body, &is_empty);
	if (is_yes && !a.json && !is_empty) {
		fail(call, FAILURE_ANSWER, "the answer is no JSON object");
		return;
	}
	a.why = is_yes ? NULL : reason_of(a.json);
	answer(call, &a);
	json_decref(a.json);
}

static void on_done(struct http_call *http, const struct http_outcome *o)
{
	struct webhook_call *call = container_of(http, struct webhook_call, http);
	enum failure why;

	if (o->err == 0) {
		on_status(call, o);
		return;
	}
	why = failure_of(o->err);
	if (why == FAILURE_CONNECTION && may_repeat(call, o) && repeat(call))
		return;
	fail(call, why, o->why);
}

/* --- asking --------------------------------------------------------------------------------- */

/* Its request has been made, or not. */
static int begin(struct webhook_call *call, bool is_made)
{
	struct webhook_part *part = call->part;

	if (!is_made) {
		webhook_forget_request(call);
		call->part = NULL;
		return -ENOMEM;
	}
	call->http.done = on_done;
	call->http.is_once = !events[call->event].is_question;
	call->begun = loop_now(part->loop);
	call->deadline = call->begun + part->webhook->timeout_ms;
	timer_init(&call->timer, on_repeat);
	list_append(&part->calls, &call->node);
	part->asked[call->event]++;
	return 0;
}

int webhook_ask(struct webhook *w, struct webhook_call *call, enum webhook_event event,
    json_t *members, webhook_answered_fn answered)
{
	int err;

	if (w->is_over) {
		json_decref(members);
		return -ESHUTDOWN;
	}
	*call = (struct webhook_call){
		.part = webhook_part(w), .answered = answered, .event = event };
	if (!call->part) {
		json_decref(members);
		return -ENOMEM;
	}
	err = begin(call, webhook_make_request(call, members));
	if (err == 0)
		http_call_start(call->part->client, &call->http, w->timeout_ms);
	return err;
}

int webhook_ask_again(struct webhook *w, struct webhook_call *call, enum webhook_event event,
    struct bytes body, const char *id, webhook_answered_fn answered)
{
	int err;

	*call = (struct webhook_call){
		.part = webhook_part(w), .answered = answered, .event = event };
	if (!call->part)
		return -ENOMEM;
	err = begin(call, webhook_make_request_again(call, body, id));
	if (err == 0)
		timer_start(loop_timers(call->part->loop), &call->timer, 0);
	return err;
}

void webhook_cancel(struct webhook_call *call)
{
	if (!call->part)
		return;
	http_call_cancel(&call->http);
	leave(call);
}

void webhook_leave(struct webhook *w)
{
	struct webhook_part *part = webhook_find_part(w);

	if (!part)
		return;
	http_client_free(part->client);
	part->client = NULL;
}

bool webhook_is_busy(struct webhook *w)
{
	const struct webhook_part *part = webhook_find_part(w);

	return part && !list_empty(&part->calls);
}

void webhook_fail_all(struct webhook_part *part)
{
	static const struct webhook_answer stopped = { .verdict = WEBHOOK_FAILED,
		.why = "the server stops" };
	struct list *first;

	while ((first = list_first(&part->calls)) != NULL) {
		struct webhook_call *call = container_of(first, struct webhook_call, node);

		webhook_cancel(call);
		call->answered(call, &stopped);
	}
}

/* --- figures ---------------------------------------------------------------------------------- */

static void say_events(struct sockjs_metrics *m, const struct webhook_part *p)
{
	for (unsigned i = 0; i < WEBHOOK_EVENT_ROWS; i++)
		sockjs_metric(m, SOCKJS_COUNTER, "sockjs_hook_requests_total",
		    "Questions to backends.", "event", events[i].name, p->asked[i]);
	for (unsigned i = 0; i < WEBHOOK_EVENT_ROWS; i++)
		sockjs_metric(m, SOCKJS_COUNTER, "sockjs_hook_refusals_total",
		    "Questions that were answered with no.", "event", events[i].name,
		    p->refused[i]);
}

static void say_failures(struct sockjs_metrics *m, const struct webhook_part *p)
{
	static const char *const names[] = {
#define X(name, text) text,
		FAILURES(X)
#undef X
	};

	for (unsigned i = 0; i < FAILURE_ROWS; i++)
		sockjs_metric(m, SOCKJS_COUNTER, "sockjs_hook_failures_total",
		    "Questions that were not answered, or not in a way that says anything.",
		    "reason", names[i], p->failed[i]);
}

void webhook_metrics(struct webhook *w, struct sockjs_metrics *m)
{
	static const struct webhook_part none;
	const struct webhook_part *p = webhook_find_part(w);

	p = p ? p : &none;
	say_events(m, p);
	say_failures(m, p);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_hook_repetitions_total",
	    "Questions that were asked again.", NULL, NULL, p->repeated);
	sockjs_metric(m, SOCKJS_TIME, "sockjs_hook_seconds_total",
	    "Time that answers took, all together.", NULL, NULL, p->milliseconds);
	sockjs_metric(m, SOCKJS_GAUGE, "sockjs_hook_waiting",
	    "Questions that wait for a connection now.", NULL, NULL,
	    p->client ? http_client_waiting(p->client) : 0);
	sockjs_metric(m, SOCKJS_GAUGE, "sockjs_hook_active", "Questions under way now.", NULL, NULL,
	    p->client ? http_client_active(p->client) : 0);
}
