/*
 * pubsub/joined_hub.c - the one place that speaks to the engine, in the first reactor, and the way there from the
 * parts of the broker and back; see joined.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/resolver.h"
#include "pubsub/joined_hub.h"

#define LOOK_MS 10 /* whether there is room again */

static struct bytes key_of(const struct map_node *n)
{
	const struct joined_topic *t = container_of(n, struct joined_topic, node);

	return (struct bytes){ t->key, t->key_len };
}

static struct joined_part *share_of(const struct joined_hub *h, unsigned part)
{
	return h->joined->broker->parts[part].joined;
}

static bool is_here(const struct joined_hub *h, unsigned part)
{
	return sockjs_reactor(h->joined->broker->server) == (int)part;
}

/* --- mail --------------------------------------------------------------------------------------- */

static void run(void *arg)
{
	const struct joined_letter *m = *(struct joined_letter **)arg;

	m->fn(m);
}

static void done(void *arg)
{
	struct joined_letter *m = *(struct joined_letter **)arg;

	if (m->message)
		broker_message_unref(&m->message->base);
	mem_free(m);
}

int joined_hub_post(const struct joined_hub *h, unsigned reactor, struct joined_letter like, struct bytes name)
{
	struct joined_letter *m = mem_alloc(sizeof(*m) + name.n);
	int err;

	if (!m)
		return -ENOMEM;
	memcpy(m, &like, sizeof(*m));
	m->n = name.n;
	bytes_put(m->name, name);
	err = sockjs_reactor_call(h->joined->broker->server, reactor, run, done, &m, sizeof(struct joined_letter *));
	if (err < 0)
		mem_free(m);
	return err;
}

static struct bytes name_of(const struct joined_letter *m)
{
	return (struct bytes){ m->name, m->n };
}

/* --- to parts -------------------------------------------------------------------------------------- */

static void run_settled(const struct joined_letter *m)
{
	joined_part_settled(share_of(m->hub, m->part), m->is_user, name_of(m), m->why);
}

static void tell_settled(struct joined_hub *h, unsigned part, bool is_user, struct bytes name, const char *why)
{
	struct joined_letter m = { .hub = h, .fn = run_settled, .part = part, .is_user = is_user, .why = why };

	if (joined_hub_post(h, part, m, name) < 0)
		log_warn_limited("a subscriber is not told: out of memory");
}

/* Of very many topics nobody waits, when they are made again on another connection. */
static void tell_those_who_wait(struct joined_hub *h, struct joined_topic *t)
{
	for (unsigned i = 0; t->waits_any && i < h->joined->broker->part_count; i++)
		if (t->waits[i / 64] >> i % 64 & 1) {
			t->waits[i / 64] &= ~(UINT64_C(1) << i % 64);
			tell_settled(h, i, t->topic.is_user, t->topic.name, t->why);
		}
	t->waits_any = false;
}

static void run_let_go(const struct joined_letter *m)
{
	joined_part_let_go(share_of(m->hub, m->part));
}

static void let_all_go(struct joined_hub *h)
{
	for (unsigned i = 0; i < h->joined->broker->part_count; i++)
		(void)joined_hub_post(h, i, (struct joined_letter){ .hub = h, .fn = run_let_go, .part = i }, (struct bytes){ 0 });
}

/* --- topics ------------------------------------------------------------------------------------------ */

struct joined_topic *joined_hub_topic(const struct joined_hub *h, bool is_user, struct bytes name)
{
	char key[1 + BROKER_DESTINATION_MAX];
	struct map_node *found;

	key[0] = is_user ? 'u' : 't';
	bytes_put(key + 1, name);
	found = map_find(&h->topics, (struct bytes){ key, name.n + 1 });
	return found ? container_of(found, struct joined_topic, node) : NULL;
}

/* A pattern may fit something that is. */
static bool may_be_kept(const struct joined_hub *h, struct bytes name)
{
	const struct broker *b = h->joined->broker->topics;

	return h->joined->setup.settings.keeps &&
	       (!broker_destination_is_valid(b, name) || broker_is_kept_by_peers(b, name));
}

static struct joined_topic *topic_new(struct joined_hub *h, bool is_user, struct bytes name)
{
	size_t words = (h->joined->broker->part_count + 63) / 64;
	struct joined_topic *t = mem_zalloc(sizeof(*t) + words * sizeof(*t->waits) + 1 + name.n);

	if (!t)
		return NULL;
	t->waits = (uint64_t *)(void *)(t + 1);
	t->key = (char *)(t->waits + words);
	t->hub = h;
	t->key_len = name.n + 1;
	t->key[0] = is_user ? 'u' : 't';
	bytes_put(t->key + 1, name);
	t->topic.is_user = is_user;
	t->topic.is_kept = !is_user && may_be_kept(h, name);
	list_init(&t->loads);
	t->topic.name = (struct bytes){ t->key + 1, name.n };
	if (map_insert(&h->topics, &t->node) == 0)
		return t;
	mem_free(t);
	return NULL;
}

static void topic_free(struct joined_topic *t)
{
	struct joined_hub *h = t->hub;

	h->joined->setup.kind->leave(&t->topic);
	map_remove(&h->topics, &t->node);
	joined_kept_go_on(h, &t->loads);
	mem_free(t);
}

static const char *sentence_of(int err)
{
	return err == -EINVAL ? "The engine that joins the gateways can have no such name: it is too long."
	                      : "Out of memory.";
}

/* It is nobody else's yet. */
static struct joined_topic *add_topic(struct joined_hub *h, bool is_user, struct bytes name)
{
	struct joined_topic *t = topic_new(h, is_user, name);
	int err = t ? h->joined->setup.kind->join(h->engine, &t->topic) : 0;

	if (err < 0)
		t->why = sentence_of(err);
	return t;
}

static void join(struct joined_hub *h, unsigned part, bool is_user, struct bytes name)
{
	struct joined_topic *t = joined_hub_topic(h, is_user, name);

	if (!t)
		t = add_topic(h, is_user, name);
	if (t)
		t->parts++;
	if (!t)
		tell_settled(h, part, is_user, name, sentence_of(-ENOMEM));
	else if (t->why || t->topic.is_active)
		tell_settled(h, part, is_user, name, t->why);
	else {
		t->waits[part / 64] |= UINT64_C(1) << part % 64;
		t->waits_any = true;
	}
}

/* One that is not there had no memory. */
static void leave(struct joined_hub *h, bool is_user, struct bytes name)
{
	struct joined_topic *t = joined_hub_topic(h, is_user, name);

	if (t && --t->parts == 0)
		topic_free(t);
}

static void run_join(const struct joined_letter *m)
{
	if (m->hub->engine)
		join(m->hub, m->part, m->is_user, name_of(m));
}

static void run_leave(const struct joined_letter *m)
{
	if (m->hub->engine)
		leave(m->hub, m->is_user, name_of(m));
}

int joined_hub_join(struct joined_hub *h, unsigned part, bool is_user, struct bytes name)
{
	return joined_hub_post(h, 0, (struct joined_letter){ .hub = h, .fn = run_join, .part = part, .is_user = is_user }, name);
}

void joined_hub_leave(struct joined_hub *h, unsigned part, bool is_user, struct bytes name)
{
	/* Without memory for it the topic stays, and what comes for it finds nobody */
	(void)joined_hub_post(h, 0, (struct joined_letter){ .hub = h, .fn = run_leave, .part = part, .is_user = is_user }, name);
}

/* --- publishing --------------------------------------------------------------------------------------- */

/* Publishers are held back while much waits. */
void joined_hub_note_pending(struct joined_hub *h)
{
	struct sockjs_broker *b = h->joined->broker;
	/* When the engine is lost, what goes on here does not wait for it */
	bool is_lost = atomic_load_explicit(&h->joined->is_lost, memory_order_relaxed);
	size_t pending = is_lost ? 0 : h->joined->setup.kind->pending(h->engine) + h->stored_octets;
	size_t most = h->joined->setup.settings.queue_bytes;

	if (h->is_full != (pending > (h->is_full ? most / 4 : most / 2))) {
		h->is_full = !h->is_full;
		for (unsigned i = 0; i < b->part_count; i++)
			h->is_full ? pace_hold(&b->parts[i]) : pace_release(&b->parts[i]);
	}
	if (h->is_full)
		timer_start(loop_timers(loop_current()), &h->room, LOOK_MS);
}

static void on_room_timer(struct timer *t)
{
	joined_hub_note_pending(container_of(t, struct joined_hub, room));
}

size_t joined_hub_headers(const struct published *p, struct engine_header to[STOMP_HEADERS_MAX])
{
	size_t count = 0;

	for (size_t i = 1; i < p->header_count && count < STOMP_HEADERS_MAX; i++)
		to[count++] = (struct engine_header){ bytes_of(p->headers[i].name), bytes_of(p->headers[i].value) };
	return count;
}

static void publish(struct joined_hub *h, const struct published *p)
{
	struct engine_header headers[STOMP_HEADERS_MAX];
	struct engine_message m = { .user = broker_message_addressee(&p->base),
		.destination = p->base.shown,
		.headers = headers,
		.header_count = joined_hub_headers(p, headers),
		.body = p->body };

	if (!atomic_load_explicit(&h->joined->is_lost, memory_order_relaxed))
		(void)h->joined->setup.kind->publish(h->engine, &m);
	joined_hub_note_pending(h);
}

static void run_publish(const struct joined_letter *m)
{
	if (m->hub->engine)
		publish(m->hub, m->message);
}

void joined_hub_publish(struct joined_hub *h, unsigned part, struct published *p)
{
	struct joined_letter m = { .hub = h, .fn = run_publish, .part = part, .message = p };

	if (is_here(h, 0)) {
		if (h->engine)
			publish(h, p);
		return;
	}
	broker_message_ref(&p->base);
	if (joined_hub_post(h, 0, m, (struct bytes){ 0 }) < 0)
		broker_message_unref(&p->base);
}

static uint64_t lost_after(const struct joined_hub *h)
{
	return h->joined->setup.options.stomp.engine_lost_after_ms;
}

/* --- what the engine says --------------------------------------------------------------------------------- */

static void on_settled(void *arg, struct engine_topic *topic, const char *why)
{
	struct joined_topic *t = container_of(topic, struct joined_topic, topic);

	if (topic->is_talk) {
		joined_rolls_settled(topic, why);
		return;
	}
	t->why = why;
	tell_those_who_wait(arg, t);
	joined_kept_go_on(arg, &t->loads);
}

/* "/user/NAME/rest", where the name is escaped as in URLs. 0 or -ENOMEM. */
static int add_private(struct buf *out, struct bytes user, struct bytes shown)
{
	static const size_t skip = sizeof("/user") - 1;
	int err = buf_add(out, shown.p, skip + 1);

	for (size_t i = 0; i < user.n && err == 0; i++) {
		unsigned char c = (unsigned char)user.p[i];

		if (c <= ' ' || c == 0x7f || strchr("%/*", c))
			err = buf_printf(out, "%%%02X", c);
		else
			err = buf_add(out, &user.p[i], 1);
	}
	return err ? err : buf_add(out, shown.p + skip, shown.n - skip);
}

struct published *joined_hub_published(struct joined_hub *h, const struct engine_message *m)
{
	struct stomp_header headers[STOMP_HEADERS_MAX];
	struct bytes destination = m->destination;
	struct buf name = BUF_INIT;
	struct published *p = NULL;
	size_t count = 0;

	if (m->is_after_gap)
		headers[count++] = (struct stomp_header){ BYTES("gap"), BYTES("true") };
	for (size_t i = 0; i < m->header_count && count < STOMP_HEADERS_MAX; i++, count++)
		headers[count] = (struct stomp_header){ m->headers[i].name, m->headers[i].value };
	if (m->user.n > 0 && add_private(&name, m->user, m->destination) == 0)
		destination = (struct bytes){ buf_data(&name), buf_len(&name) };
	if (m->user.n == 0 || buf_len(&name) > 0)
		p = published_new(&h->scratch, destination, headers, count, m->body);
	buf_fini(&name);
	if (!p) {
		log_warn_limited("a message of another gateway is lost: out of memory");
		return NULL;
	}
	p->base.is_foreign = true;
	if (m->sequence > 0) {
		p->base.owner = BROKER_OF_PEERS;
		p->base.sequence = m->sequence;
		p->base.before = m->before;
	}
	return p;
}

/* Whoever speaks to the engine may have sent it: what is no destination here goes nowhere. */
bool joined_hub_is_ours(const struct joined_hub *h, const struct engine_message *m)
{
	const struct sockjs_broker *b = h->joined->broker;

	return broker_destination_is_valid(b->topics, m->user.n ? BYTES("/topic/any") : m->destination) &&
	       (m->user.n > 0 || (joined_has(b, m->destination) && !bytes_begin(m->destination, "/user/")));
}

static void on_message(void *arg, const struct engine_message *m)
{
	struct joined_hub *h = arg;
	struct published *p;

	sockjs_spend(PUBSUB_COST_OF_SEND + m->body.n / 4);
	p = joined_hub_is_ours(h, m) ? joined_hub_published(h, m) : NULL;
	if (!p)
		return;
	(void)broker_publish(h->joined->broker->topics, &p->base);
	broker_message_unref(&p->base);
}

static void be_up(struct joined_hub *h)
{
	log_info("gateways are joined", LOG_STR("engine", h->joined->setup.kind->server(h->engine)));
	timer_stop(loop_timers(loop_current()), &h->lost);
	atomic_store_explicit(&h->joined->is_up, true, memory_order_relaxed);
	atomic_store_explicit(&h->joined->is_lost, false, memory_order_relaxed);
}

/* If it is to keep something, it is not there before it can. */
static void on_up(void *arg)
{
	struct joined_hub *h = arg;

	atomic_store_explicit(&h->joined->is_connected, true, memory_order_relaxed);
	joined_rolls_up(h);
	if (!h->joined->setup.settings.keeps)
		be_up(h);
}

static void on_kept(void *arg, uint64_t epoch)
{
	struct joined_hub *h = arg;

	joined_kept_begin(h, epoch);
	be_up(h);
	joined_kept_go_on(h, &h->loads);
}

static void be_down(struct joined_hub *h)
{
	bool was_up = atomic_exchange_explicit(&h->joined->is_up, false, memory_order_relaxed);

	if (was_up)
		timer_start(loop_timers(loop_current()), &h->lost, lost_after(h));
}

static void on_unkept(void *arg, const char *why)
{
	struct joined_hub *h = arg;

	log_warn("the engine keeps nothing, and what has a history waits", LOG_STR("engine", h->joined->setup.kind->server(h->engine)),
	    LOG_STR("reason", why));
	be_down(h);
}

static void on_down(void *arg, const char *why)
{
	struct joined_hub *h = arg;

	log_warn("gateways are not joined: the engine is away", LOG_STR("engine", h->joined->setup.kind->server(h->engine)),
	    LOG_STR("reason", why));
	atomic_store_explicit(&h->joined->is_connected, false, memory_order_relaxed);
	be_down(h);
}

static void on_trouble(void *arg, const char *server, const char *why)
{
	(void)arg;
	log_warn_limited("an engine cannot be used", LOG_STR("engine", server), LOG_STR("reason", why));
}

static void on_lost(struct timer *t)
{
	struct joined_hub *h = container_of(t, struct joined_hub, lost);

	atomic_store_explicit(&h->joined->is_lost, true, memory_order_relaxed);
	joined_kept_lost(h);
	if (h->engine)
		joined_hub_note_pending(h);
	if (h->joined->goes_on)
		let_all_go(h);
}

static void on_gateway(void *arg, uint64_t gateway, bool is_there)
{
	struct joined_hub *h = arg;
	char id[17];

	snprintf(id, sizeof(id), "%016" PRIx64, gateway);
	log_info(is_there ? "another gateway is there" : "another gateway is gone", LOG_STR("gateway", id),
	    LOG_INT("others", (int64_t)h->joined->setup.kind->gateways(h->engine)));
	joined_rolls_gateway(h, gateway, is_there);
}

static void on_word(void *arg, struct bytes destination, struct bytes body)
{
	(void)destination; /* it is in the envelope, too */
	joined_rolls_take(arg, body);
}

static void on_asked(void *arg, struct bytes what, struct bytes body, struct bytes to)
{
	if (bytes_equal(what, BYTES("rolls")))
		joined_rolls_take(arg, body);
	else if (bytes_equal(what, BYTES("digest")))
		joined_rolls_asked(arg);
	else
		joined_ask_take(arg, what, body, to);
}

static const struct engine_events engine_events = {
	.up = on_up,
	.down = on_down,
	.trouble = on_trouble,
	.settled = on_settled,
	.message = on_message,
	.word = on_word,
	.kept = on_kept,
	.unkept = on_unkept,
	.gateway = on_gateway,
	.asked = on_asked,
};

/* --- life ------------------------------------------------------------------------------------------------- */

int joined_hub_new(struct joined *j)
{
	struct joined_hub *h = mem_zalloc(sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->joined = j;
	map_init(&h->topics, key_of, NULL);
	timer_init(&h->lost, on_lost);
	timer_init(&h->room, on_room_timer);
	joined_kept_init(h);
	joined_ask_init(h);
	joined_rolls_init(h);
	j->hub = h;
	return 0;
}

void joined_hub_begin(struct joined_hub *h)
{
	struct engine_settings *settings = &h->joined->setup.settings;
	char why[400] = "";
	int err;

	if (h->engine)
		return;
	settings->loop = loop_current();
	err = resolver_new(&h->resolver, loop_current(), NULL);
	settings->resolver = h->resolver;
	if (err == 0)
		err = h->joined->setup.kind->start(&h->engine, settings, &engine_events, h, why, sizeof(why));
	if (err < 0)
		log_error("gateways cannot be joined", LOG_STR("reason", *why ? why : strerror(-err)));
	timer_start(loop_timers(loop_current()), &h->lost, lost_after(h));
	joined_rolls_begin(h);
}

static bool forget(struct map_node *node, void *arg)
{
	struct joined_topic *t = container_of(node, struct joined_topic, node);

	(void)arg;
	t->hub->joined->setup.kind->leave(&t->topic);
	mem_free(t);
	return true;
}

void joined_hub_end(struct joined_hub *h)
{
	timer_stop(loop_timers(loop_current()), &h->lost);
	timer_stop(loop_timers(loop_current()), &h->room);
	joined_kept_end(h);
	joined_ask_end(h);
	joined_rolls_end(h);
	map_each(&h->topics, forget, NULL);
	map_fini(&h->topics);
	if (h->engine)
		h->joined->setup.kind->stop(h->engine);
	h->engine = NULL;
	resolver_free(h->resolver);
	h->resolver = NULL;
	atomic_store_explicit(&h->joined->is_up, false, memory_order_relaxed);
}

void joined_hub_free(struct joined_hub *h)
{
	if (!h)
		return;
	map_fini(&h->topics);
	buf_fini(&h->scratch);
	mem_free(h);
}

const struct engine_counters *joined_hub_counters(const struct joined_hub *h, size_t *pending)
{
	if (!h->engine)
		return NULL;
	*pending = h->joined->setup.kind->pending(h->engine);
	return h->joined->setup.kind->counters(h->engine);
}

size_t joined_hub_gateways(const struct joined_hub *h)
{
	return h->engine ? h->joined->setup.kind->gateways(h->engine) : 0;
}
