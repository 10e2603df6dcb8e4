/*
 * nats/nats_client_subscriptions.c - what a client is subscribed to.
 */
#include <errno.h>

#include "base/mem.h"
#include "nats/nats_client_private.h"

static struct bytes subject_of(const struct nats_subscription *s)
{
	return (struct bytes){ s->text, s->subject_len };
}

static void release(struct deferred *d)
{
	mem_free(container_of(d, struct nats_subscription, release));
}

static void leave(struct nats_subscription *s)
{
	nats_slots_remove(&s->client->subscriptions, s->sid);
	loop_defer(s->client->loop, &s->release, release);
}

void nats_client_free_subscriptions(struct nats_client *c)
{
	for (uint32_t i = 0; i < c->subscriptions.size; i++) {
		struct nats_subscription *s = nats_slots_at(&c->subscriptions, i);

		if (s)
			leave(s);
	}
}

/* --- subscribing -------------------------------------------------------------------- */

static struct nats_subscription *new_subscription(
    struct nats_client *c, const char *subject, const char *queue)
{
	struct bytes name = bytes_of(subject), group = bytes_of(queue);
	struct nats_subscription *s = mem_zalloc(sizeof(*s) + name.n + group.n + 2);
	char *at;

	if (!s)
		return NULL;
	at = s->text;
	bytes_put_text(&at, name);
	s->queue = (struct bytes){ bytes_put_text(&at, group), group.n };
	s->subject_len = name.n;
	s->client = c;
	return s;
}

static int say(struct nats_client *c, const struct nats_subscription *s)
{
	int err = nats_write_subscribe(&c->out, subject_of(s), s->queue, s->sid);

	if (err == 0)
		nats_client_flush_later(c);
	return err;
}

/* Whether it can be said, before there is a connection. */
static int check(const struct nats_subscription *s)
{
	struct buf line = BUF_INIT;
	int err = nats_write_subscribe(&line, subject_of(s), s->queue, 1);

	buf_fini(&line);
	return err;
}

static int enter(struct nats_client *c, struct nats_subscription *s)
{
	int err = c->is_freed ? -ENOTCONN : check(s);

	if (err < 0)
		return err;
	s->sid = nats_slots_add(&c->subscriptions, s);
	if (s->sid == 0)
		return -ENOMEM;
	err = c->state == NATS_UP ? say(c, s) : 0;
	if (err < 0)
		nats_slots_remove(&c->subscriptions, s->sid);
	return err;
}

int nats_subscribe(struct nats_client *c, struct nats_subscription **out, const char *subject,
    const char *queue, nats_message_fn fn, void *arg)
{
	struct nats_subscription *s = new_subscription(c, subject, queue);
	int err;

	if (!s)
		return -ENOMEM;
	s->fn = fn;
	s->arg = arg;
	err = enter(c, s);
	if (err < 0) {
		mem_free(s);
		return err;
	}
	*out = s;
	return 0;
}

/* A server that is not told for want of memory goes on sending to nobody. */
void nats_unsubscribe(struct nats_subscription *s)
{
	struct nats_client *c = s ? s->client : NULL;

	if (!s)
		return;
	if (c->state == NATS_UP && nats_write_unsubscribe(&c->out, s->sid, 0) == 0)
		nats_client_flush_later(c);
	leave(s);
}

int nats_client_resubscribe(struct nats_client *c)
{
	int err = 0;

	for (uint32_t i = 0; i < c->subscriptions.size && err == 0; i++) {
		const struct nats_subscription *s = nats_slots_at(&c->subscriptions, i);

		if (s)
			err = say(c, s);
	}
	return err;
}

/* --- what comes --------------------------------------------------------------------- */

void nats_client_deliver(struct nats_client *c, const struct nats_event *m)
{
	struct nats_subscription *s = nats_slots_find(&c->subscriptions, m->sid);

	c->counters.messages_in++;
	c->counters.bytes_in += m->headers.n + m->payload.n;
	if (s)
		s->fn(s, m, s->arg);
}

void nats_client_subscription_refused(struct nats_client *c, struct bytes subject)
{
	uint32_t connection = c->connection;

	for (uint32_t i = 0; nats_client_lives(c, connection) && i < c->subscriptions.size; i++) {
		struct nats_subscription *s = nats_slots_at(&c->subscriptions, i);

		if (s && bytes_equal(subject_of(s), subject))
			s->fn(s, NULL, s->arg);
	}
}
