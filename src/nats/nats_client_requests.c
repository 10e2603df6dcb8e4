/*
 * nats/nats_client_requests.c - requests, which are answered to one subscription for all of them;
 * and flushes, which are answered by PONG.
 *
 * A request's reply goes to <prefix>.<chance>.<number>, and its number finds who has asked. One
 * with many replies has a subscription of its own, for what JetStream sends there keeps the subject
 * that it was stored under, and the subscription alone tells whose it is.
 */
#include <errno.h>
#include <stdio.h>

#include "base/fnv.h"
#include "base/random.h"
#include "nats/nats_client_private.h"

enum { NO_RESPONDERS = 503 };

/* --- the end of one ----------------------------------------------------------------- */

void nats_request_cancel(struct nats_request *r)
{
	if (!r->client)
		return;
	timer_stop(loop_timers(r->client->loop), &r->timer);
	nats_slots_remove(&r->client->requests, r->number);
	nats_unsubscribe(r->inbox);
	r->inbox = NULL;
	r->client = NULL;
}

static void finish(struct nats_request *r, int err, const struct nats_event *reply)
{
	nats_request_cancel(r);
	r->done(r, err, reply);
}

static void on_timeout(struct timer *t)
{
	struct nats_request *r = container_of(t, struct nats_request, timer);

	r->client->counters.timeouts++;
	finish(r, -ETIMEDOUT, NULL);
}

void nats_client_cancel_requests(struct nats_client *c)
{
	for (uint32_t i = 0; i < c->requests.size; i++)
		if (nats_slots_at(&c->requests, i))
			nats_request_cancel(nats_slots_at(&c->requests, i));
	while (!list_empty(&c->flushes))
		nats_flush_cancel(container_of(c->flushes.next, struct nats_flush, node));
}

void nats_client_request_refused(struct nats_client *c, struct bytes subject)
{
	uint64_t hash = fnv1a_bytes(subject);

	for (uint32_t i = 0; i < c->requests.size; i++) {
		struct nats_request *r = nats_slots_at(&c->requests, i);

		if (r && r->was_sent && r->subject_hash == hash)
			finish(r, -EACCES, NULL);
	}
}

/* --- replies ------------------------------------------------------------------------ */

/* What somebody has published wants to be answered, or is no reply of ours: its headers say nothing
 * of the server. */
static bool is_no_responders(const struct nats_event *reply)
{
	return reply->reply.n == 0 && reply->payload.n == 0 && reply->headers.n > 0 &&
	       nats_headers_status(reply->headers, NULL) == NO_RESPONDERS;
}

static struct nats_request *find(const struct nats_client *c, struct bytes subject)
{
	size_t prefix = strlen(c->inbox_prefix);
	uint64_t number;

	if (subject.n <= prefix ||
	    !nats_parse_number((struct bytes){ subject.p + prefix, subject.n - prefix }, &number))
		return NULL;
	return nats_slots_find(&c->requests, number);
}

static void take_reply(struct nats_request *r, const struct nats_event *m)
{
	if (is_no_responders(m)) {
		r->client->counters.no_responders++;
		finish(r, -EHOSTUNREACH, NULL);
	} else if (r->inbox) {
		r->done(r, 0, m);
	} else {
		finish(r, 0, m);
	}
}

static void on_reply(struct nats_subscription *s, const struct nats_event *m, void *arg)
{
	struct nats_client *c = arg;
	struct nats_request *r = m ? find(c, m->subject) : NULL;

	(void)s;
	if (!m)
		nats_client_trouble(c, nats_client_server(c), "no replies are let through to us");
	else if (r)
		take_reply(r, m);
}

static void on_one_of_many(struct nats_subscription *s, const struct nats_event *m, void *arg)
{
	(void)s;
	if (m)
		take_reply(arg, m);
	else
		finish(arg, -EACCES, NULL);
}

int nats_client_open_inbox(struct nats_client *c)
{
	char subject[NATS_INBOX_MAX + 1];
	int n = snprintf(c->inbox_prefix, sizeof(c->inbox_prefix), "%s.%016llx%08x.",
	    c->options.inbox_prefix, (unsigned long long)random_u64(), random_u32());

	if (n < 0 || (size_t)n >= sizeof(c->inbox_prefix))
		return -EINVAL;
	snprintf(subject, sizeof(subject), "%s*", c->inbox_prefix);
	return nats_subscribe(c, &c->inbox, subject, NULL, on_reply, c);
}

void nats_client_requests_are_sent(struct nats_client *c)
{
	for (uint32_t i = 0; i < c->requests.size; i++) {
		struct nats_request *r = nats_slots_at(&c->requests, i);

		if (r)
			r->was_sent = true;
	}
}

/* --- asking ------------------------------------------------------------------------- */

static int ask(
    struct nats_client *c, struct nats_request *r, const struct nats_message *m, bool has_many)
{
	char reply[NATS_INBOX_MAX + 32];
	struct nats_message asked = *m;
	int err = 0;

	snprintf(reply, sizeof(reply), "%s%s%llu", c->inbox_prefix, has_many ? "many." : "",
	    (unsigned long long)r->number);
	asked.reply = bytes_of(reply);
	r->inbox = NULL;
	if (has_many)
		err = nats_subscribe(c, &r->inbox, reply, NULL, on_one_of_many, r);
	if (err == 0 && (err = nats_publish(c, &asked)) < 0) {
		nats_unsubscribe(r->inbox);
		r->inbox = NULL;
	}
	return err;
}

static int start(struct nats_client *c, struct nats_request *r, const struct nats_message *m,
    bool has_many, unsigned timeout_ms, nats_replied_fn done)
{
	int err;

	r->number = nats_slots_add(&c->requests, r);
	if (r->number == 0)
		return -ENOMEM;
	err = ask(c, r, m, has_many);
	if (err < 0) {
		nats_slots_remove(&c->requests, r->number);
		return err;
	}
	r->client = c;
	r->was_sent = c->state == NATS_UP;
	r->subject_hash = fnv1a_bytes(m->subject);
	r->done = done;
	timer_init(&r->timer, on_timeout);
	timer_start(loop_timers(c->loop), &r->timer, timeout_ms);
	c->counters.requests++;
	return 0;
}

int nats_request(struct nats_client *c, struct nats_request *r, const struct nats_message *m,
    unsigned timeout_ms, nats_replied_fn done)
{
	return start(c, r, m, false, timeout_ms, done);
}

int nats_request_many(struct nats_client *c, struct nats_request *r, const struct nats_message *m,
    unsigned timeout_ms, nats_replied_fn done)
{
	return start(c, r, m, true, timeout_ms, done);
}

/* --- flushes ------------------------------------------------------------------------ */

int nats_flush(struct nats_client *c, struct nats_flush *f, nats_flushed_fn done)
{
	int err = nats_client_is_up(c) ? nats_client_ping(c) : -ENOTCONN;

	if (err < 0)
		return err;
	f->ping = c->pings;
	f->done = done;
	list_append(&c->flushes, &f->node);
	return 0;
}

void nats_flush_cancel(struct nats_flush *f)
{
	if (!f->done)
		return;
	list_remove(&f->node);
	f->done = NULL;
}

static void flushed(struct nats_flush *f, int err)
{
	nats_flushed_fn done = f->done;

	nats_flush_cancel(f);
	done(f, err);
}

/* A server that answers what it was not asked is none. */
void nats_client_pong(struct nats_client *c)
{
	uint32_t connection = c->connection;
	struct list *first;

	if (c->pongs < c->pings)
		c->pongs++;
	while (nats_client_lives(c, connection) && (first = list_first(&c->flushes))) {
		struct nats_flush *f = container_of(first, struct nats_flush, node);

		if (f->ping > c->pongs)
			break;
		flushed(f, 0);
	}
}

void nats_client_fail_requests(struct nats_client *c, int err)
{
	struct list *first;

	for (uint32_t i = 0; i < c->requests.size; i++) {
		struct nats_request *r = nats_slots_at(&c->requests, i);

		if (r && r->was_sent)
			finish(r, err, NULL);
	}
	while ((first = list_first(&c->flushes)))
		flushed(container_of(first, struct nats_flush, node), err);
}
