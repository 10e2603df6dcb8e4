/*
 * nats/nats_work.c - working on what a stream has; see nats_work.h.
 *
 * The server is asked for as many messages as there is credit (CONSUMER.MSG.NEXT), and sends them
 * as they come, up to the time that the question holds; what it has not sent then is credit again.
 * Two questions may be under way, so that credit that is given meanwhile need not wait.
 *
 * Whatever fails is tried again after a wait that doubles, from the consumer on: it may be gone.
 */
#include "nats/nats_work.h"

#include <errno.h>
#include <stdio.h>

#include "nats/nats_pull.h"
#include "nats/nats_subject.h"

enum {
	NS_PER_MS = 1000000,
	RETRY_MS = 100,
	RETRY_MAX_MS = 5000,
	OPEN_MS = 5000, /* for the consumer */
	LATE_MS = 2000, /* beyond the time that a question holds */
};

static void pull_more(struct nats_work *w);

static unsigned or_else(unsigned value, unsigned otherwise)
{
	return value ? value : otherwise;
}

/* --- failures ----------------------------------------------------------------------- */

/* What was asked for and has not come is credit again. */
static void stop_pulls(struct nats_work *w)
{
	for (size_t i = 0; i < NATS_PULLS; i++) {
		nats_request_cancel(&w->pulls[i].request);
		w->credit += w->pulls[i].left;
		w->pulls[i].left = 0;
	}
}

static void wait(struct nats_work *w, unsigned ms)
{
	w->state = NATS_WORK_WAITING;
	timer_start(loop_timers(nats_client_loop(w->client)), &w->timer, ms);
}

static void try_later(struct nats_work *w)
{
	nats_js_cancel(&w->js);
	stop_pulls(w);
	wait(w, w->retry_ms);
	w->retry_ms = 2 * w->retry_ms < RETRY_MAX_MS ? 2 * w->retry_ms : RETRY_MAX_MS;
}

static void fail(struct nats_work *w, const char *why)
{
	char copy[NATS_WHY_BYTES];

	snprintf(copy, sizeof(copy), "%s", why);
	try_later(w);
	w->on->trouble(w, copy);
}

/* --- messages ----------------------------------------------------------------------- */

static void end_pull(struct nats_pull *pull)
{
	nats_request_cancel(&pull->request);
	pull->work->credit += pull->left;
	pull->left = 0;
}

static void take_late(struct nats_pull *pull)
{
	pull->work->retry_ms = RETRY_MS;
	end_pull(pull);
	pull_more(pull->work);
}

static void take_message(
    struct nats_pull *pull, const struct nats_event *m, const struct nats_delivery *d)
{
	struct nats_work *w = pull->work;

	w->retry_ms = RETRY_MS;
	if (--pull->left == 0)
		end_pull(pull);
	w->on->message(w, m, d);
	if (w->state == NATS_WORK_PULLING)
		pull_more(w);
}

static void on_message(struct nats_request *r, int err, const struct nats_event *m)
{
	struct nats_pull *pull = container_of(r, struct nats_pull, request);
	struct nats_delivery d;
	char why[NATS_WHY_BYTES];

	if (err < 0) {
		fail(pull->work, err == -EHOSTUNREACH ? "the consumer is gone" : nats_js_why(err));
		return;
	}
	switch (nats_pull_status(m, &d, why)) {
	case NATS_PULL_MESSAGE:
		take_message(pull, m, &d);
		break;
	case NATS_PULL_BEAT:
		break;
	case NATS_PULL_LATE:
		take_late(pull);
		break;
	case NATS_PULL_NONE: /* we would have waited for one */
	case NATS_PULL_LARGE:
	case NATS_PULL_REFUSED:
	case NATS_PULL_NONSENSE:
		fail(pull->work, why);
		break;
	}
}

/* --- asking ------------------------------------------------------------------------- */

static int ask(struct nats_work *w, struct nats_pull *pull)
{
	unsigned pull_ms = or_else(w->options->pull_ms, 5000);
	char subject[NATS_SUBJECT_MAX + 1], body[96];
	struct nats_message m = { .headers = NULL };
	int err = nats_js_subject(w->client, subject, sizeof(subject), "CONSUMER.MSG.NEXT",
	    w->options->stream, w->options->consumer);

	if (err < 0)
		return err;
	snprintf(body, sizeof(body), "{\"batch\":%u,\"expires\":%llu}", w->credit,
	    (unsigned long long)pull_ms * NS_PER_MS);
	m.subject = bytes_of(subject);
	m.payload = bytes_of(body);
	err = nats_request_many(w->client, &pull->request, &m, pull_ms + LATE_MS, on_message);
	if (err < 0)
		return err;
	pull->left = w->credit;
	w->credit = 0;
	return 0;
}

static struct nats_pull *free_pull(struct nats_work *w)
{
	for (size_t i = 0; i < NATS_PULLS; i++)
		if (!w->pulls[i].request.client)
			return &w->pulls[i];
	return NULL;
}

static unsigned asked_for(const struct nats_work *w)
{
	unsigned n = 0;

	for (size_t i = 0; i < NATS_PULLS; i++)
		n += w->pulls[i].left;
	return n;
}

/* While a good part of what was asked for has still to come, credit is gathered: it would be a
 * question for each message. */
static void pull_more(struct nats_work *w)
{
	struct nats_pull *pull = free_pull(w);

	if (w->state != NATS_WORK_PULLING || w->credit == 0 || !pull || w->credit < asked_for(w))
		return;
	if (ask(w, pull) < 0)
		try_later(w);
}

/* --- the consumer ------------------------------------------------------------------- */

static void on_consumer(struct nats_js *j, int err, const char *why, json_t *answer)
{
	struct nats_work *w = container_of(j, struct nats_work, js);

	(void)answer;
	if (err < 0) {
		fail(w, why);
		return;
	}
	w->state = NATS_WORK_PULLING;
	pull_more(w);
}

static json_t *consumer_of(const struct nats_work_options *o)
{
	json_t *config = json_pack("{s:s, s:s, s:s, s:I, s:i, s:i}", "durable_name", o->consumer,
	    "ack_policy", "explicit", "deliver_policy", "all", "ack_wait",
	    (json_int_t)or_else(o->ack_wait_ms, 30000) * NS_PER_MS, "max_deliver",
	    o->max_deliver ? (int)o->max_deliver : -1, "max_ack_pending",
	    (int)or_else(o->max_pending, 1000));

	if (config && o->subject &&
	    json_object_set_new(config, "filter_subject", json_string(o->subject)) < 0) {
		json_decref(config);
		return NULL;
	}
	return config ? json_pack("{s:s, s:o}", "stream_name", o->stream, "config", config) : NULL;
}

/* Creating one that exists and is the same is no failure. */
static int open_consumer(struct nats_work *w)
{
	const struct nats_work_options *o = w->options;
	json_t *body = consumer_of(o);
	int err = body ? nats_js_call(w->client, &w->js, "CONSUMER.DURABLE.CREATE", o->stream,
	                     o->consumer, body, OPEN_MS, on_consumer)
	               : -ENOMEM;

	if (err == 0)
		w->state = NATS_WORK_OPENING;
	return err;
}

/* That there is no connection its client's owner knows, and it is no failure of ours. */
static void on_timer(struct timer *t)
{
	struct nats_work *w = container_of(t, struct nats_work, timer);
	int err;

	if (!nats_client_is_up(w->client))
		wait(w, RETRY_MS);
	else if ((err = open_consumer(w)) < 0)
		fail(w, strerror(-err));
}

/* --- from outside ------------------------------------------------------------------- */

static void on_gone(struct nats_user *u)
{
	nats_work_stop(container_of(u, struct nats_work, user));
}

int nats_work_start(struct nats_client *c, struct nats_work *w,
    const struct nats_work_options *options, const struct nats_work_events *on)
{
	if (!nats_js_is_name(options->stream) || !nats_js_is_name(options->consumer) ||
	    (options->subject && !nats_js_is_pattern(options->subject)))
		return -EINVAL;
	*w = (struct nats_work){ .client = c, .options = options, .on = on, .retry_ms = RETRY_MS };
	for (size_t i = 0; i < NATS_PULLS; i++)
		w->pulls[i].work = w;
	timer_init(&w->timer, on_timer);
	nats_client_enter(c, &w->user, on_gone);
	wait(w, 0);
	return 0;
}

void nats_work_take(struct nats_work *w, unsigned n)
{
	w->credit += n;
	if (w->state == NATS_WORK_PULLING)
		pull_more(w);
}

void nats_work_stop(struct nats_work *w)
{
	if (w->state == NATS_WORK_STOPPED)
		return;
	w->state = NATS_WORK_STOPPED;
	nats_client_leave(&w->user);
	nats_js_cancel(&w->js);
	stop_pulls(w);
	timer_stop(loop_timers(nats_client_loop(w->client)), &w->timer);
}
