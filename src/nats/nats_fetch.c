/*
 * nats/nats_fetch.c - what a stream has of a subject; see nats_fetch.h.
 *
 * The answer to CONSUMER.CREATE says how many messages there are, so the end is known before they
 * come; a status in their stead ends it, too, well or not.
 */
#include "nats/nats_fetch.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "nats/nats_pull.h"
#include "nats/nats_subject.h"

enum { NS_PER_MS = 1000000 };

/* --- the end ------------------------------------------------------------------------ */

/* The server forgets an ephemeral consumer by itself, later, if it is not told. */
void nats_fetch_cancel(struct nats_fetch *f)
{
	if (!f->stream)
		return;
	nats_client_leave(&f->user);
	nats_js_cancel(&f->js);
	nats_request_cancel(&f->pull);
	if (f->consumer[0])
		nats_js_send(f->client, "CONSUMER.DELETE", f->stream, f->consumer);
	mem_free(f->stream);
	f->stream = NULL;
	f->consumer[0] = '\0';
}

static void on_gone(struct nats_user *u)
{
	nats_fetch_cancel(container_of(u, struct nats_fetch, user));
}

static void finish(struct nats_fetch *f, int err, const char *why)
{
	nats_fetch_cancel(f);
	f->on->done(f, err, why, f->left);
}

/* --- messages ----------------------------------------------------------------------- */

/* Some that were counted are gone. */
static void take_none(struct nats_fetch *f)
{
	f->left = 0;
	finish(f, 0, "");
}

/* Those that have come have filled the bounds; if none has, none ever will. */
static void take_large(struct nats_fetch *f)
{
	if (f->has_some)
		finish(f, 0, "");
	else
		finish(f, -EMSGSIZE, "the next message is larger than may be fetched");
}

/* A consumer counts what it delivers. What is lost on the way, as where a connection between
 * servers breaks, is lost once and for all. */
static void take_message(
    struct nats_fetch *f, const struct nats_event *m, const struct nats_delivery *d)
{
	bool is_last = --f->wanted == 0;

	if (d->consumer_sequence != ++f->taken) {
		finish(f, -EAGAIN, "some of what was fetched was lost on the way");
		return;
	}
	f->has_some = true;
	f->left = d->pending;
	f->on->message(f, m, d);
	if (f->stream && is_last) /* it was not cancelled */
		finish(f, 0, "");
}

/* A server may be slow: what has come is a page all the same. */
static void take_late(struct nats_fetch *f, const char *why)
{
	f->was_late = true;
	if (f->has_some)
		finish(f, 0, "");
	else
		finish(f, -ETIMEDOUT, why);
}

static void on_message(struct nats_request *r, int err, const struct nats_event *m)
{
	struct nats_fetch *f = container_of(r, struct nats_fetch, pull);
	struct nats_delivery d;
	char why[NATS_WHY_BYTES];

	if (err < 0) {
		err == -ETIMEDOUT ? take_late(f, nats_js_why(err))
		                  : finish(f, err, nats_js_why(err));
		return;
	}
	switch (nats_pull_status(m, &d, why)) {
	case NATS_PULL_MESSAGE:
		take_message(f, m, &d);
		break;
	case NATS_PULL_BEAT:
		break;
	case NATS_PULL_NONE:
		take_none(f);
		break;
	case NATS_PULL_LARGE:
		take_large(f);
		break;
	case NATS_PULL_LATE:
		take_late(f, why);
		break;
	case NATS_PULL_REFUSED:
		finish(f, -EREMOTEIO, why);
		break;
	case NATS_PULL_NONSENSE:
		finish(f, -EBADMSG, why);
		break;
	}
}

static int pull(struct nats_fetch *f)
{
	char subject[NATS_SUBJECT_MAX + 1], body[160];
	struct nats_message m = { .subject = { subject, 0 } };
	int err = nats_js_subject(
	    f->client, subject, sizeof(subject), "CONSUMER.MSG.NEXT", f->stream, f->consumer);

	if (err < 0)
		return err;
	snprintf(body, sizeof(body), "{\"batch\":%llu,\"max_bytes\":%zu,\"expires\":%llu}",
	    (unsigned long long)f->wanted, f->max_bytes,
	    (unsigned long long)f->timeout_ms * NS_PER_MS);
	m.subject = bytes_of(subject);
	m.payload = bytes_of(body);
	return nats_request_many(f->client, &f->pull, &m, f->timeout_ms, on_message);
}

/* --- the consumer ------------------------------------------------------------------- */

static int take_consumer(struct nats_fetch *f, const json_t *answer)
{
	const char *name = json_string_value(json_object_get(answer, "name"));
	json_int_t pending = json_integer_value(json_object_get(answer, "num_pending"));

	if (!name || strlen(name) >= sizeof(f->consumer))
		return -EBADMSG;
	snprintf(f->consumer, sizeof(f->consumer), "%s", name);
	f->left = pending > 0 ? (uint64_t)pending : 0;
	f->wanted = f->left < f->max_messages ? f->left : f->max_messages;
	return 0;
}

static void on_consumer(struct nats_js *j, int err, const char *why, json_t *answer)
{
	struct nats_fetch *f = container_of(j, struct nats_fetch, js);

	if (err == 0 && (err = take_consumer(f, answer)) < 0)
		why = "JetStream's answer names no consumer";
	if (err < 0)
		finish(f, err, why);
	else if (f->wanted == 0)
		finish(f, 0, "");
	else if ((err = pull(f)) < 0)
		finish(f, err, strerror(-err));
}

/* It is in memory, of one server, and forgotten when nobody asks it for as long as we would wait.
 */
static json_t *consumer_of(const struct nats_fetch_options *o)
{
	uint64_t from = o->from ? o->from : 1;

	return json_pack("{s:s, s:{s:s, s:I, s:s, s:s*, s:s, s:b, s:i, s:I}}", "stream_name",
	    o->stream, "config", "deliver_policy", "by_start_sequence", "opt_start_seq",
	    (json_int_t)from, "ack_policy", "none", "filter_subject", o->subject, "replay_policy",
	    "instant", "mem_storage", 1, "num_replicas", 1, "inactive_threshold",
	    (json_int_t)o->timeout_ms * 2 * NS_PER_MS);
}

int nats_fetch_start(struct nats_client *c, struct nats_fetch *f,
    const struct nats_fetch_options *o, const struct nats_fetch_events *on)
{
	json_t *body;
	int err;

	if (!nats_js_is_name(o->stream) || (o->subject && !nats_js_is_pattern(o->subject)))
		return -EINVAL;
	body = consumer_of(o);
	f->client = c;
	f->on = on;
	f->max_messages = o->max_messages;
	f->max_bytes = o->max_bytes;
	f->timeout_ms = o->timeout_ms;
	f->wanted = f->left = f->taken = 0;
	f->has_some = f->was_late = false;
	f->consumer[0] = '\0';
	f->stream = body ? mem_strdup(o->stream) : NULL;
	if (!f->stream) {
		json_decref(body);
		return -ENOMEM;
	}
	err = nats_js_call(
	    c, &f->js, "CONSUMER.CREATE", f->stream, NULL, body, o->timeout_ms, on_consumer);
	if (err < 0) {
		mem_free(f->stream);
		f->stream = NULL;
		return err;
	}
	nats_client_enter(c, &f->user, on_gone);
	return 0;
}
