/*
 * engine/nats_history.c - a stream for what is kept: that it is there, when topics are active, and in which
 * order messages pass; see nats_history.h.
 */
#include "engine/nats_history.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fnv.h"
#include "base/mem.h"
#include "broker/broker_name.h"

#define RETRY_MS 1000

/* --- the stream ------------------------------------------------------------------------------- */

static struct timer_wheel *timers(const struct nats_history *h)
{
	return loop_timers(nats_client_loop(h->client));
}

void nats_history_retry(struct nats_history *h)
{
	timer_start(timers(h), &h->retry, RETRY_MS);
}

static void ask(struct nats_history *h);

uint64_t nats_history_last_of(const json_t *answer)
{
	json_int_t n = json_integer_value(json_object_get(json_object_get(answer, "state"), "last_seq"));

	return n > 0 ? (uint64_t)n : 0;
}

int nats_history_get(
    struct nats_history *h, struct nats_js *j, json_t *which, unsigned timeout_ms, nats_js_fn done)
{
	int err = which ? nats_js_call(h->client, j, "STREAM.MSG.GET", h->name, NULL, which, timeout_ms, done) : -ENOMEM;

	if (err == 0)
		j->answer_max += nats_client_max_payload(h->client) / 3 * 4; /* it is in it, as base64 */
	return err;
}

int nats_history_ask_last(struct nats_history *h, struct nats_js *j, const char *subject, nats_js_fn done)
{
	return nats_history_get(h, j, json_pack("{s:s}", "last_by_subj", subject), NATS_HISTORY_MS, done);
}

uint64_t nats_history_found(const json_t *answer)
{
	json_int_t n = json_integer_value(json_object_get(json_object_get(answer, "message"), "seq"));

	return n > 0 ? (uint64_t)n : 0;
}

static void become_ready(struct nats_history *h, uint64_t epoch, const json_t *info)
{
	uint64_t last = nats_history_last_of(info);
	bool is_new = epoch != h->epoch;

	if (is_new) { /* it is another: numbers begin anew */
		nats_places_clear(&h->places);
		h->last = last;
	}
	h->epoch = epoch;
	h->is_ready = true;
	nats_watch_begin(h, info, is_new);
	h->on->ready(h, epoch);
	if (h->was_lost)
		h->on->suspect(h, h->sound);
	h->was_lost = false;
}

/* One stream is not another of its name: it says when it was made. */
uint64_t nats_history_epoch_of(const json_t *answer)
{
	const char *created = json_string_value(json_object_get(answer, "created"));
	uint64_t epoch = fnv1a(created ? created : "");

	return epoch ? epoch : 1;
}

static bool was_active(const struct nats_history *h, const struct engine_topic *t)
{
	return h->epoch != 0 && t->epoch == h->epoch;
}

static bool is_reliable(const struct nats_place *p, const struct engine_topic *t);
static void lack(struct nats_history *h, struct nats_place *p, uint64_t sequence);

struct nats_place *nats_history_only_place(struct nats_history *h, const struct engine_topic *t)
{
	buf_clear(&h->scratch);
	if (!broker_name_is_destination(t->name, h->settings->separator) ||
	    nats_name_destination(&h->scratch, h->settings->prefix, NATS_LIVE, t->name, h->settings->separator) < 0)
		return NULL;
	return nats_places_get(&h->places,
	    nats_history_suffix(h, (struct bytes){ buf_data(&h->scratch), buf_len(&h->scratch) }), false);
}

/* Of one subject, whose place is known: it is active while that is filled. */
static bool fill_its_place(struct nats_history *h, const struct engine_topic *t)
{
	struct nats_place *p = nats_history_only_place(h, t);

	if (!p || !p->is_message || !is_reliable(p, t))
		return false;
	lack(h, p, p->skipped);
	return true;
}

/* What the stream has behind what it had when the topic was active last is looked for. */
static void settle(struct nats_history *h, struct engine_topic *t, uint64_t last)
{
	list_remove(&t->node);
	if (was_active(h, t) && last > t->baseline && !fill_its_place(h, t) && nats_fill_topic(h, t) == 0)
		return;
	t->baseline = last;
	t->epoch = h->epoch;
	h->on->active(h, t);
}

static void settle_all(struct nats_history *h, uint64_t last)
{
	struct list asked;

	list_init(&asked);
	list_splice(&asked, &h->asked);
	while (!list_empty(&asked))
		settle(h, container_of(list_first(&asked), struct engine_topic, node), last);
}

static void fail(struct nats_history *h, const char *why)
{
	list_splice(&h->joining, &h->asked);
	h->on->trouble(h, why);
	nats_history_retry(h);
}

void nats_history_lose(struct nats_history *h, const char *why)
{
	h->is_ready = false;
	h->was_lost = true;
	h->on->unready(h, why);
	nats_history_retry(h);
}

static void on_info(struct nats_js *j, int err, const char *why, json_t *answer)
{
	struct nats_history *h = container_of(j, struct nats_history, info);
	uint64_t last;

	h->is_asking = false;
	if (err < 0) {
		fail(h, why);
		return;
	}
	last = nats_history_last_of(answer);
	if (!h->is_ready || nats_history_epoch_of(answer) != h->epoch)
		become_ready(h, nats_history_epoch_of(answer), answer);
	settle_all(h, last);
	nats_history_go_on(h);
	ask(h);
}

/* One answer is for all topics that were joined before the question. */
static void ask(struct nats_history *h)
{
	if (h->is_asking || !h->is_up || (h->is_ready && list_empty(&h->joining)))
		return;
	if (nats_js_call(h->client, &h->info, "STREAM.INFO", h->name, NULL, NULL, NATS_HISTORY_MS, on_info) < 0) {
		nats_history_retry(h);
		return;
	}
	h->is_asking = true;
	list_splice(&h->asked, &h->joining);
}

static void on_ensured(struct nats_stream_call *call, int err, const char *why)
{
	struct nats_history *h = container_of(call, struct nats_history, ensure);

	h->is_asking = false;
	if (err == 0)
		ask(h);
	else
		fail(h, why);
}

static void ensure(struct nats_history *h)
{
	h->is_asking = true;
	if (nats_stream_ensure(h->client, &h->ensure, &h->config, NATS_HISTORY_MS, on_ensured) == 0)
		return;
	h->is_asking = false;
	nats_history_retry(h);
}

static void on_retry(struct timer *t)
{
	struct nats_history *h = container_of(t, struct nats_history, retry);

	if (!h->is_up || h->is_asking)
		return;
	if (!h->is_ready) {
		ensure(h);
		return;
	}
	ask(h);
	nats_history_go_on(h);
}

void nats_history_up(struct nats_history *h)
{
	h->is_up = true;
	ensure(h);
}

void nats_history_down(struct nats_history *h, struct list *joining)
{
	h->is_up = h->is_ready = h->is_asking = false;
	nats_stream_cancel(&h->ensure);
	h->was_lost = false; /* all topics join again anyway */
	nats_js_cancel(&h->info);
	nats_watch_end(h);
	timer_stop(timers(h), &h->retry);
	nats_fill_end_all(h);
	nats_load_end_all(h, -ECONNRESET, "the connection broke");
	list_splice(joining, &h->joining);
	list_splice(joining, &h->asked);
	list_splice(joining, &h->filling);
}

void nats_history_join(struct nats_history *h, struct engine_topic *t)
{
	if (!was_active(h, t))
		t->joined_at = ++h->now;
	t->skipped = 0;
	list_append(&h->joining, &t->node);
	if (h->is_ready)
		ask(h);
}

void nats_history_leave(struct nats_history *h, struct engine_topic *t)
{
	nats_fill_leave(h, t);
	nats_load_leave(h, t);
}

/* --- what comes ---------------------------------------------------------------------------------- */

struct bytes nats_history_suffix(const struct nats_history *h, struct bytes subject)
{
	size_t skip = strlen(h->settings->prefix) + 3; /* ".t." */

	return subject.n > skip ? (struct bytes){ subject.p + skip, subject.n - skip } : (struct bytes){ 0 };
}

/* Whether nothing can have passed it by since it was set. */
static bool is_reliable(const struct nats_place *p, const struct engine_topic *t)
{
	return p->last > 0 && p->at > t->joined_at;
}

struct nats_place *nats_history_place(
    struct nats_history *h, const struct engine_topic *t, struct bytes suffix)
{
	struct nats_place *p = nats_places_get(&h->places, suffix, true);

	if (!p || is_reliable(p, t))
		return p;
	if (t->baseline > p->last)
		p->last = t->baseline;
	p->is_message = false;
	p->at = ++h->now;
	return p;
}

static uint64_t header_of(const struct nats_event *m, const char *name)
{
	uint64_t n;

	return nats_parse_number(nats_headers_get(m->headers, name), &n) ? n : 0;
}

/* Without memory for its place it passes; once too often is better than never. */
static void pass(struct nats_history *h, struct nats_place *p, const struct nats_event *m, uint64_t sequence,
    uint64_t before)
{
	bool is_after_gap = p && p->is_after_gap;

	if (p) {
		p->last = sequence;
		p->at = ++h->now;
		p->is_message = true;
		p->is_after_gap = false;
	}
	if (sequence > h->last)
		h->last = sequence;
	h->on->message(h, m, sequence, before, is_after_gap);
}

/* Of what was before one that is fetched nothing is said; of the first nothing is known. */
void nats_history_pass(struct nats_history *h, const struct nats_event *m, uint64_t sequence)
{
	struct nats_place *p = nats_places_get(&h->places, nats_history_suffix(h, m->subject), true);

	if (p && sequence <= p->last)
		return;
	h->counters->filled++;
	pass(h, p, m, sequence, p && p->last > 0 ? p->last : sequence - 1);
}

static void lack(struct nats_history *h, struct nats_place *p, uint64_t sequence)
{
	bool is_new = list_empty(&p->lacking);

	p->skipped = sequence;
	if (!is_new)
		return;
	list_append(&h->lacking, &p->lacking);
	nats_history_go_on(h);
}

/* Of a topic, while it is looked for what it has missed: where that can be proved, place by place. */
void nats_history_find(
    struct nats_history *h, const struct engine_topic *t, const struct nats_event *m, uint64_t sequence)
{
	struct nats_place *p = nats_places_get(&h->places, nats_history_suffix(h, m->subject), true);

	if (p && p->is_message && is_reliable(p, t) && sequence > p->last)
		lack(h, p, sequence > p->skipped ? sequence : p->skipped);
	else
		nats_history_pass(h, m, sequence);
}

/* Of what an active topic has had before its first message here the baseline tells. */
static struct nats_place *place_for(struct nats_history *h, const struct engine_topic *t, struct bytes suffix)
{
	return was_active(h, t) && t->is_active ? nats_history_place(h, t, suffix)
	                                        : nats_places_get(&h->places, suffix, true);
}

bool nats_history_take(struct nats_history *h, struct engine_topic *t, const struct nats_event *m)
{
	uint64_t sequence = header_of(m, NATS_SEQUENCE), before = header_of(m, NATS_LAST_SEQUENCE);
	struct nats_place *p;

	if (sequence == 0)
		return false;
	if (h->epoch == 0) /* nobody was promised anything yet */
		return true;
	p = place_for(h, t, nats_history_suffix(h, m->subject));
	if (p && sequence <= p->last)
		h->counters->repeated++;
	else if (p && (!list_empty(&p->lacking) || (is_reliable(p, t) && before > p->last)))
		lack(h, p, sequence);
	else if (was_active(h, t) && !t->is_active && !(p && is_reliable(p, t)))
		t->skipped = sequence;
	else
		pass(h, p, m, sequence, before);
	return true;
}

/* A few at a time: what is lacking, and then what is asked for. */
void nats_history_go_on(struct nats_history *h)
{
	while (h->is_ready && h->fetches < NATS_HISTORY_FETCHES && (nats_fill_begin(h) || nats_load_begin(h)))
		;
}

/* --- life ------------------------------------------------------------------------------------------ */

static char *subject_of(const char *prefix, enum nats_space space, const char *rest)
{
	size_t size = strlen(prefix) + strlen(rest) + 4;
	char *subject = mem_alloc(size);

	if (subject)
		snprintf(subject, size, "%s.%c.%s", prefix, (char)space, rest);
	return subject;
}

static void configure(struct nats_history *h)
{
	const struct engine_settings *s = h->settings;

	h->config = (struct nats_stream_config){
		.name = h->name,
		.subjects = (const char *const *)&h->kept,
		.subject_count = 1,
		.republish_from = h->kept,
		.republish_to = h->live,
		.in_memory = s->keep_in_memory,
		.replicas = s->replicas,
		.max_age_ms = s->keep_ms,
		.max_bytes = s->keep_bytes > 0 ? (int64_t)s->keep_bytes : -1,
		.max_messages = -1,
		.max_messages_per_subject = s->keep_messages > 0 ? (int64_t)s->keep_messages : -1,
	};
}

int nats_history_init(struct nats_history *h, struct nats_client *c, const struct engine_settings *settings,
    struct engine_counters *counters, const struct nats_history_events *on)
{
	h->client = c;
	h->settings = settings;
	h->counters = counters;
	h->on = on;
	nats_places_init(&h->places, &h->loads);
	list_init(&h->joining);
	list_init(&h->asked);
	list_init(&h->filling);
	list_init(&h->lacking);
	list_init(&h->fetched);
	list_init(&h->fills);
	list_init(&h->loads);
	list_init(&h->running_fills);
	list_init(&h->running_loads);
	timer_init(&h->retry, on_retry);
	nats_watch_init(h);
	h->name = settings->prefix;
	h->kept = subject_of(settings->prefix, NATS_KEPT, ">");
	h->live = subject_of(settings->prefix, NATS_LIVE, ">");
	if (!h->kept || !h->live)
		return -ENOMEM;
	configure(h);
	return 0;
}

void nats_history_fini(struct nats_history *h)
{
	if (!h->client)
		return;
	nats_places_fini(&h->places);
	buf_fini(&h->scratch);
	mem_free(h->kept);
	mem_free(h->live);
}
