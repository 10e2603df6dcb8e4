/*
 * webhook/webhook.c - a question from its event to its verdict; see webhook.h.
 */
#include "webhook/webhook.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/first_line.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "server/json_text.h"

#define PARTS_MAX      1024 /* as many reactors as there can be */
#define SECRET_MAX     512
#define RETRY_MS       100 /* before the first repetition, then twice as long each time */
#define REASON_MAX     200 /* octets of a no that are passed on */
#define SIGNATURE_SIZE (sizeof("Sockjsd-Signature: t=,v1=") + 20 + 64)
#define TEXT_KEEP      4096

/* X(name, text): why there is no answer */
#define FAILURES(X)                                                                                \
	X(TIMEOUT, "timeout")                                                                      \
	X(CONNECTION, "connection") /* no name, no connection, or it broke */                      \
	X(STATUS, "status")         /* neither 200 to 299 nor 400 to 499 */                        \
	X(ANSWER, "answer")         /* no JSON object, or too long a one */                        \
	X(BUSY, "busy")             /* too many wait */                                            \
	X(NO_MEMORY, "no_memory")

enum failure {
#define X(name, text) FAILURE_##name,
	FAILURES(X)
#undef X
	    FAILURE_ROWS
};

struct webhook {
	struct http_target target;
	char *ca_file;
	char secret[SECRET_MAX + 2]; /* with room for one that is too long; empty: no signature */
	unsigned events;             /* 1 << event; 0: nothing was said */
	unsigned timeout_ms, retries;
	bool is_over;         /* the server has stopped */
	pthread_mutex_t lock; /* for adding a part */
	atomic_uint part_count;
	struct webhook_part *parts[PARTS_MAX];
};

/* One reactor's share. */
struct webhook_part {
	struct webhook *webhook;
	struct loop *loop;
	struct http_client *client;
	struct list calls; /* under way, those that wait for their repetition among them */
	uint64_t asked[WEBHOOK_EVENT_ROWS], refused[WEBHOOK_EVENT_ROWS], failed[FAILURE_ROWS];
	uint64_t repeated, milliseconds;
};

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

/* A set with this one in it; 0: there is none of that name. */
static unsigned event_bit(const char *name)
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
		if (!(event_bit(o->events.items[i]) & known))
			return o->events.items[i];
	return NULL;
}

/* --- a reactor's share -------------------------------------------------------------------- */

static struct webhook_part *find_part(struct webhook *w)
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

/* --- the request ---------------------------------------------------------------------------- */

static bool add_line(struct curl_slist **lines, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*lines, line);

	if (longer)
		*lines = longer;
	return longer != NULL;
}

/* HMAC-SHA256 of the time, a dot and the body: an old request cannot be sent again. */
static bool sign(const struct webhook *w, struct bytes body, char line[SIGNATURE_SIZE])
{
	unsigned char digest[32];
	size_t n = sizeof(digest);
	char at[24];
	int len = snprintf(at, sizeof(at), "%" PRIu64, (uint64_t)time(NULL));
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	const OSSL_PARAM how[] = { OSSL_PARAM_construct_utf8_string(
		                       "digest", (char[]){ "SHA256" }, 0),
		OSSL_PARAM_construct_end() };
	bool ok = ctx &&
	          EVP_MAC_init(ctx, (const unsigned char *)w->secret, strlen(w->secret), how) &&
	          EVP_MAC_update(ctx, (const unsigned char *)at, (size_t)len) &&
	          EVP_MAC_update(ctx, (const unsigned char *)".", 1) &&
	          EVP_MAC_update(ctx, (const unsigned char *)body.p, body.n) &&
	          EVP_MAC_final(ctx, digest, &n, sizeof(digest));

	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	len = snprintf(line, SIGNATURE_SIZE, "Sockjsd-Signature: t=%s,v1=", at);
	for (size_t i = 0; i < sizeof(digest); i++)
		len += snprintf(line + len, SIGNATURE_SIZE - (size_t)len, "%02x", digest[i]);
	return ok;
}

/* The number by which a backend knows a request that is repeated. */
static void make_id(char id[33])
{
	snprintf(id, 33, "%016" PRIx64 "%016" PRIx64, random_u64(), random_u64());
}

static bool make_headers(struct webhook_call *call, const char *id)
{
	struct curl_slist **lines = &call->http.headers;
	char line[SIGNATURE_SIZE];
	const char *event = webhook_event_name(call->event);

	if (!add_line(lines, "Content-Type: application/json") || !add_line(lines, "Expect:") ||
	    !add_line(lines, "User-Agent: sockjsd/" SOCKJS_VERSION))
		return false;
	snprintf(line, sizeof(line), "Sockjsd-Event: %s", event);
	if (!add_line(lines, line))
		return false;
	snprintf(line, sizeof(line), "Idempotency-Key: %s", id);
	if (!add_line(lines, line))
		return false;
	return !*call->part->webhook->secret ||
	       (sign(call->part->webhook, call->http.body, line) && add_line(lines, line));
}

static bool make_body(struct webhook_call *call, json_t *members, const char *id)
{
	struct buf text = BUF_INIT;

	if (!members ||
	    json_object_set_new(members, "event", json_string(webhook_event_name(call->event))) <
	        0 ||
	    json_object_set_new(members, "id", json_string(id)) < 0 ||
	    json_text_dump(members, JSON_COMPACT, &text) < 0) {
		buf_fini(&text);
		return false;
	}
	call->text = text.data;
	call->http.body = (struct bytes){ buf_data(&text), buf_len(&text) };
	return true;
}

/* --- the verdict ---------------------------------------------------------------------------- */

static void forget_request(struct webhook_call *call)
{
	curl_slist_free_all(call->http.headers);
	call->http.headers = NULL;
	mem_free(call->text);
	call->text = NULL;
}

/* It is its owner's again. */
static void leave(struct webhook_call *call)
{
	struct webhook_part *part = call->part;

	timer_stop(loop_timers(part->loop), &call->timer);
	forget_request(call);
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
	struct webhook_part *part = find_part(w);

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

int webhook_ask(struct webhook *w, struct webhook_call *call, enum webhook_event event,
    json_t *members, webhook_answered_fn answered)
{
	struct webhook_part *part;
	char id[33];
	bool ok;

	if (w->is_over) {
		json_decref(members);
		return -ESHUTDOWN;
	}
	part = find_part(w);
	if (!part)
		part = add_part(w);
	*call = (struct webhook_call){ .part = part, .answered = answered, .event = event };
	make_id(id);
	ok = part && make_body(call, members, id) && make_headers(call, id);
	json_decref(members);
	if (!ok) {
		forget_request(call);
		call->part = NULL;
		return w->is_over ? -ESHUTDOWN : -ENOMEM;
	}
	call->http.done = on_done;
	call->http.is_once = !events[event].is_question;
	call->begun = loop_now(part->loop);
	call->deadline = call->begun + w->timeout_ms;
	timer_init(&call->timer, on_repeat);
	list_append(&part->calls, &call->node);
	part->asked[event]++;
	http_call_start(part->client, &call->http, w->timeout_ms);
	return 0;
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
	struct webhook_part *part = find_part(w);

	if (!part)
		return;
	http_client_free(part->client);
	part->client = NULL;
}

bool webhook_is_busy(struct webhook *w)
{
	const struct webhook_part *part = find_part(w);

	return part && !list_empty(&part->calls);
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
	const struct webhook_part *p = find_part(w);

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

/* --- life ---------------------------------------------------------------------------------------
 */

static int read_secret_file(struct webhook *w, const char *path, char *why, size_t size)
{
	int err = first_line(path, w->secret, sizeof(w->secret));

	if (err < 0 && err != -EINVAL) {
		snprintf(why, size, "hooks.secret_file: cannot read \"%.200s\": %s", path,
		    strerror(-err));
		return err == -ENOMEM ? err : -EAGAIN;
	}
	if (err == 0 && options_find("hooks.secret")->valid(w->secret))
		return 0;
	snprintf(why, size,
	    "hooks.secret_file: the first line of \"%.200s\" is no secret; allowed: %s", path,
	    options_find("hooks.secret")->allowed);
	return -EINVAL;
}

static int read_secret(struct webhook *w, const struct hooks_options *o, char *why, size_t size)
{
	if (o->secret)
		snprintf(w->secret, sizeof(w->secret), "%s", o->secret);
	return o->secret_file ? read_secret_file(w, o->secret_file, why, size) : 0;
}

static int read_target(struct webhook *w, const struct hooks_options *o, char *why, size_t size)
{
	struct http_target *t = &w->target;
	int err = o->url ? http_target_init(t, o->url) : -EINVAL;

	if (err == -EINVAL)
		snprintf(why, size, "hooks.url: %s%s%s; allowed: %s", o->url ? "\"" : "missing",
		    o->url ? o->url : "", o->url ? "\" is no URL of a backend" : "",
		    options_find("hooks.url")->allowed);
	if (err < 0)
		return err;
	t->max_connections = (unsigned)o->max_connections;
	t->max_waiting = (unsigned)o->max_waiting;
	t->max_answer_bytes = (size_t)o->max_answer_bytes;
	t->verifies = o->tls_verify;
	w->ca_file = o->tls_ca ? mem_strdup(o->tls_ca) : NULL;
	t->ca_file = w->ca_file;
	return o->tls_ca && !w->ca_file ? -ENOMEM : 0;
}

int webhook_new(struct webhook **out, const struct hooks_options *o, char *why, size_t why_size)
{
	struct webhook *w = mem_zalloc(sizeof(*w));
	int err;

	snprintf(why, why_size, "out of memory");
	if (!w)
		return -ENOMEM;
	pthread_mutex_init(&w->lock, NULL);
	w->timeout_ms = (unsigned)o->timeout_ms;
	w->retries = (unsigned)o->retries;
	for (size_t i = 0; i < o->events.count; i++)
		w->events |= event_bit(o->events.items[i]);
	err = read_target(w, o, why, why_size);
	if (err == 0)
		err = read_secret(w, o, why, why_size);
	if (err < 0) {
		webhook_free(w);
		return err;
	}
	*out = w;
	return 0;
}

static void fail_all(struct webhook_part *part)
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

void webhook_free(struct webhook *w)
{
	unsigned n = w ? atomic_load(&w->part_count) : 0;

	if (!w)
		return;
	w->is_over = true;
	for (unsigned i = 0; i < n; i++) {
		fail_all(w->parts[i]);
		if (w->parts[i]->client)
			http_client_free(w->parts[i]->client);
		mem_free(w->parts[i]);
	}
	http_target_fini(&w->target);
	mem_free(w->ca_file);
	OPENSSL_cleanse(w->secret, sizeof(w->secret));
	pthread_mutex_destroy(&w->lock);
	mem_free(w);
}
