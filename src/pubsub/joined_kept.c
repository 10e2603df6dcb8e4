/*
 * pubsub/joined_kept.c - the histories that the engine keeps for all gateways: what is published into them, until
 * it is kept, and what parts want to know of them; see joined.h.
 *
 * What is published is told in its order, again if nobody knows whether it has come there, and answered in its order.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "pubsub/joined_hub.h"

#define AGAIN_MS    200
#define PATIENCE_MS 7000 /* with an engine that is there and does not answer, beside lost_after_ms */

/* --- publishing ------------------------------------------------------------------------------- */

struct store {
	struct list node;
	struct engine_store store;
	struct joined_hub *hub;
	struct published *message; /* a reference */
	bool is_sent, is_done;
	int err;
	uint64_t at;
	uint64_t number;
};

/* Whoever waits for its word hears it. */
static void say(struct published *p, int verdict)
{
	if (p->base.settled)
		p->base.settled(&p->base, verdict);
	else if (verdict < 0)
		log_warn_limited("what was published is not kept", LOG_STR("reason", strerror(-verdict)));
	pace_arrived(p);
	broker_message_unref(&p->base);
}

static void answer(struct store *s)
{
	struct joined_hub *h = s->hub;

	list_remove(&s->node);
	h->joined->setup.kind->store_cancel(&s->store);
	h->stored_octets -= published_cost(s->message);
	h->unsent -= !s->is_sent;
	say(s->message, s->err);
	mem_free(s);
}

static void answer_those_done(struct joined_hub *h)
{
	struct list *first;

	while ((first = list_first(&h->stores)) != NULL && container_of(first, struct store, node)->is_done)
		answer(container_of(first, struct store, node));
	joined_hub_note_pending(h);
}

static void try_again(struct joined_hub *h)
{
	timer_start(loop_timers(loop_current()), &h->again, AGAIN_MS);
}

static bool is_final(int err)
{
	return err == 0 || err == -EMSGSIZE || err == -EINVAL || err == -EREMOTEIO || err == -ENOTSUP;
}

static void on_stored(struct engine_store *store, int err, const char *why)
{
	struct store *s = container_of(store, struct store, store);
	struct joined_hub *h = s->hub;

	if (err < 0 && err != -ECONNRESET)
		log_warn_limited("the engine does not keep what was published", LOG_STR("reason", why));
	if (!is_final(err)) {
		s->is_sent = false;
		h->unsent++;
		try_again(h);
		return;
	}
	s->is_done = true;
	s->err = err;
	answer_those_done(h);
}

/* Its publisher's key for it, or one that no other message has. */
static struct bytes id_of(const struct store *s, char text[2 * 16 + 2])
{
	if (s->message->key)
		return bytes_of(s->message->key);
	snprintf(text, 2 * 16 + 2, "%016" PRIx64 "-%" PRIx64, s->hub->joined->setup.settings.gateway, s->number);
	return bytes_of(text);
}

static int tell(struct store *s)
{
	struct joined_hub *h = s->hub;
	struct engine_header headers[STOMP_HEADERS_MAX];
	struct engine_message m = { .destination = s->message->base.destination,
		.headers = headers,
		.header_count = joined_hub_headers(s->message, headers),
		.body = s->message->body };
	char text[2 * 16 + 2];
	int err = h->joined->setup.kind->store(h->engine, &m, id_of(s, text), &s->store);

	if (err == 0) {
		s->is_sent = true;
		h->unsent--;
	}
	return err;
}

/* Whether those behind it may be told. */
static bool tell_or_give_up(struct store *s)
{
	int err = tell(s);

	if (err < 0 && is_final(err)) {
		s->is_done = s->is_sent = true;
		s->hub->unsent--;
		s->err = err;
	}
	return err == 0 || is_final(err);
}

static void tell_all(struct joined_hub *h)
{
	struct list *pos;

	list_foreach (pos, &h->stores) {
		struct store *s = container_of(pos, struct store, node);

		if (h->unsent == 0 || (!s->is_sent && !tell_or_give_up(s)))
			break;
	}
	answer_those_done(h);
	if (h->unsent > 0)
		try_again(h);
}

static bool is_old(const struct joined_hub *h, uint64_t at)
{
	return clock_now() - at >= PATIENCE_MS + h->joined->setup.options.stomp.engine_lost_after_ms;
}

static void give_up_old(struct joined_hub *h)
{
	struct list *first;

	while ((first = list_first(&h->stores)) != NULL) {
		struct store *s = container_of(first, struct store, node);

		if (s->is_sent || !is_old(h, s->at))
			break;
		s->err = -EHOSTUNREACH;
		answer(s);
	}
}

static int check(const struct joined_hub *h, const struct published *p)
{
	if (!h->engine || atomic_load_explicit(&h->joined->is_lost, memory_order_relaxed))
		return -EHOSTUNREACH;
	/* Clients are held back (pace.c) */
	return !p->from && h->stored_octets + published_cost(p) > h->joined->setup.settings.queue_bytes ? -ENOBUFS : 0;
}

/* Takes the reference. */
static void publish(struct joined_hub *h, struct published *p)
{
	int err = check(h, p);
	struct store *s = err == 0 ? mem_zalloc(sizeof(*s)) : NULL;

	if (!s) {
		say(p, err < 0 ? err : -ENOMEM);
		return;
	}
	s->hub = h;
	s->message = p;
	s->store.done = on_stored;
	s->at = clock_now();
	s->number = ++h->number;
	list_append(&h->stores, &s->node);
	h->stored_octets += published_cost(p);
	if (++h->unsent == 1 && !tell_or_give_up(s))
		try_again(h);
	answer_those_done(h);
}

static void run_publish(const struct joined_letter *m)
{
	broker_message_ref(&m->message->base);
	publish(m->hub, m->message);
}

int joined_keep(void *broker, struct broker_message *m)
{
	struct sockjs_broker *b = broker;
	struct joined_letter letter = { .hub = b->joined->hub,
		.fn = run_publish,
		.message = container_of(m, struct published, base) };

	broker_message_ref(m);
	if (joined_hub_post(b->joined->hub, 0, letter, (struct bytes){ 0 }) == 0)
		return 0;
	broker_message_unref(m);
	return -ENOMEM;
}

/* --- loading --------------------------------------------------------------------------------------- */

struct load {
	struct list node; /* of those that wait, or that are asked for */
	struct engine_load load;
	struct joined_hub *hub;
	unsigned part;
	struct broker_loaded loaded;
	uint64_t at; /* when it was asked for */
	struct broker_message **messages;
	uint64_t *ages_ms;
	size_t first, end, cap; /* of the messages that are there */
	size_t octets;
	size_t n;
	char name[];
};

static void forget_messages(struct load *l)
{
	for (size_t i = l->first; i < l->end; i++)
		broker_message_unref(l->messages[i]);
	l->first = l->end = l->octets = 0;
}

static void load_free(struct load *l)
{
	forget_messages(l);
	mem_free(l->messages);
	mem_free(l->ages_ms);
	mem_free(l);
}

static void run_loaded(void *arg)
{
	struct load *l = *(struct load **)arg;

	l->loaded.messages = l->messages + l->first;
	l->loaded.ages_ms = l->ages_ms + l->first;
	l->loaded.count = l->end - l->first;
	broker_loaded(l->hub->joined->broker->parts[l->part].topics, (struct bytes){ l->name, l->n }, &l->loaded);
}

static void loaded_done(void *arg)
{
	load_free(*(struct load **)arg);
}

/* By the way of what was published before. */
static void give(struct load *l)
{
	struct joined_hub *h = l->hub;

	list_remove(&l->node);
	if (sockjs_reactor_call(
	        h->joined->broker->server, l->part, run_loaded, loaded_done, &l, sizeof(struct load *)) == 0)
		return;
	log_warn_limited("who asks for what is kept hears nothing: out of memory");
	load_free(l);
}

static void fail(struct load *l)
{
	forget_messages(l);
	l->loaded.is_failed = true;
	give(l);
}

static int make_room(struct load *l)
{
	size_t cap = l->cap ? l->cap * 2 : 16;
	struct broker_message **messages;
	uint64_t *ages_ms;

	if (l->end < l->cap)
		return 0;
	messages = mem_realloc(l->messages, cap * sizeof(struct broker_message *));
	if (messages)
		l->messages = messages;
	ages_ms = messages ? mem_realloc(l->ages_ms, cap * sizeof(*ages_ms)) : NULL;
	if (!ages_ms)
		return -ENOMEM;
	l->ages_ms = ages_ms;
	l->cap = cap;
	return 0;
}

/* No more than there is room for where it will be: the latest. */
static void trim(struct load *l)
{
	size_t most = l->hub->joined->setup.options.stomp.history_max_bytes;

	while (l->octets > most && l->first < l->end) {
		l->octets -= l->messages[l->first]->octets;
		broker_message_unref(l->messages[l->first++]);
		l->loaded.is_all = false;
	}
}

/* What cannot be had is missing at the beginning. */
static void on_message(struct engine_load *load, const struct engine_message *m)
{
	struct load *l = container_of(load, struct load, load);
	struct published *p = NULL;

	sockjs_spend(PUBSUB_COST_OF_SEND + m->body.n / 4);
	if (joined_hub_is_ours(l->hub, m) && make_room(l) == 0)
		p = joined_hub_published(l->hub, m);
	if (!p) {
		forget_messages(l);
		l->loaded.is_all = false;
		return;
	}
	l->messages[l->end] = &p->base;
	l->ages_ms[l->end++] = m->age_ms;
	l->octets += p->base.octets;
	trim(l);
}

/* Until the engine is lost. Where a server has just gone another answers soon. */
static bool may_try_again(const struct load *l, int err)
{
	return !is_final(err) && !is_old(l->hub, l->at) &&
	       !atomic_load_explicit(&l->hub->joined->is_lost, memory_order_relaxed);
}

static void on_loaded(struct engine_load *load, int err, const char *why, bool is_all, uint64_t until)
{
	struct load *l = container_of(load, struct load, load);
	struct joined_hub *h = l->hub;

	if (err < 0 && err != -ECONNRESET)
		log_warn_limited("what is kept cannot be had", LOG_STR("reason", why));
	if (may_try_again(l, err)) {
		forget_messages(l);
		list_remove(&l->node);
		list_append(&h->loads, &l->node);
		try_again(h);
		return;
	}
	if (err < 0) {
		fail(l);
		return;
	}
	l->loaded.is_all &= is_all;
	l->loaded.until = until;
	give(l);
}

/* If somebody subscribes it here, that has to be active before: then nothing is missed. */
static void ask(struct load *l)
{
	struct joined_hub *h = l->hub;
	struct joined_topic *t = joined_hub_topic(h, false, (struct bytes){ l->name, l->n });
	int err;

	list_remove(&l->node);
	if (t && !t->why && !t->topic.is_active) {
		list_append(&t->loads, &l->node);
		return;
	}
	l->loaded.is_all = true;
	l->loaded.until = l->loaded.since;
	list_append(&h->loading, &l->node);
	err = h->joined->setup.kind->load(h->engine, (struct bytes){ l->name, l->n }, l->loaded.since, t ? &t->topic : NULL,
	    &l->load);
	if (err == 1)
		give(l);
	else if (err == -ENOTCONN) {
		list_remove(&l->node);
		list_append(&h->loads, &l->node);
	} else if (err < 0)
		fail(l);
}

static void run_load(const struct joined_letter *m)
{
	struct joined_hub *h = m->hub;
	struct load *l = mem_zalloc(sizeof(*l) + m->n);

	if (!l) {
		log_warn_limited("who asks for what is kept hears nothing: out of memory");
		return;
	}
	l->hub = h;
	l->part = m->part;
	l->at = clock_now();
	l->load.message = on_message;
	l->load.done = on_loaded;
	l->loaded.since = m->since;
	l->n = m->n;
	bytes_put(l->name, (struct bytes){ m->name, m->n });
	list_init(&l->node);
	if (!h->engine || atomic_load_explicit(&h->joined->is_lost, memory_order_relaxed))
		fail(l);
	else
		ask(l);
}

int joined_load(void *broker, unsigned part, struct bytes destination, uint64_t since)
{
	struct sockjs_broker *b = broker;
	struct joined_letter letter = { .hub = b->joined->hub, .fn = run_load, .part = part, .since = since };

	return joined_hub_post(b->joined->hub, 0, letter, destination);
}

void joined_kept_go_on(struct joined_hub *h, struct list *loads)
{
	struct list those;

	list_init(&those);
	list_splice(&those, loads);
	while (!list_empty(&those)) {
		struct load *l = container_of(list_first(&those), struct load, node);

		list_remove(&l->node);
		if (h->engine)
			ask(l);
		else
			fail(l);
	}
}

/* What could not be told, or had. */
static void on_again(struct timer *t)
{
	struct joined_hub *h = container_of(t, struct joined_hub, again);

	give_up_old(h);
	tell_all(h);
	if (!list_empty(&h->loads))
		joined_kept_go_on(h, &h->loads);
}

/* --- the engine comes and goes ------------------------------------------------------------------ */

static void run_forget(const struct joined_letter *m)
{
	broker_forget_kept(m->hub->joined->broker->parts[m->part].topics);
}

void joined_kept_begin(struct joined_hub *h, uint64_t epoch)
{
	struct joined *j = h->joined;
	uint64_t before = atomic_exchange_explicit(&j->epoch, epoch, memory_order_relaxed);

	for (unsigned i = 0; before != 0 && before != epoch && i < j->broker->part_count; i++)
		(void)joined_hub_post(
		    h, i, (struct joined_letter){ .hub = h, .fn = run_forget, .part = i }, (struct bytes){ 0 });
	tell_all(h);
}

static void fail_all(struct list *loads)
{
	while (!list_empty(loads))
		fail(container_of(list_first(loads), struct load, node));
}

static bool fail_those_of(struct map_node *node, void *arg)
{
	(void)arg;
	fail_all(&container_of(node, struct joined_topic, node)->loads);
	return true;
}

static void end_loading(struct joined_hub *h)
{
	while (!list_empty(&h->loading)) {
		struct load *l = container_of(list_first(&h->loading), struct load, node);

		h->joined->setup.kind->load_cancel(&l->load);
		fail(l);
	}
}

void joined_kept_lost(struct joined_hub *h)
{
	while (!list_empty(&h->stores)) {
		struct store *s = container_of(list_first(&h->stores), struct store, node);

		if (!s->is_done)
			s->err = -EHOSTUNREACH;
		answer(s);
	}
	end_loading(h);
	fail_all(&h->loads);
	map_each(&h->topics, fail_those_of, NULL);
}

void joined_kept_init(struct joined_hub *h)
{
	list_init(&h->stores);
	list_init(&h->loads);
	list_init(&h->loading);
	timer_init(&h->again, on_again);
}

void joined_kept_end(struct joined_hub *h)
{
	timer_stop(loop_timers(loop_current()), &h->again);
	joined_kept_lost(h);
}
