/*
 * pubsub/relayed_hubs.c - a hub in its reactor, and what goes there from the parts of all reactors, and back; see
 * relayed.h.
 */
#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "pubsub/relayed.h"

#define GAP "gap" /* a header: messages before this one may be missing */
/* What has waited for the links goes out when all of them have their topics again, so that whoever has subscribed
 * here gets it; or after this time. */
#define HOLD_MS 2000

static struct relayed_hub *of_hub(struct relay_hub *h)
{
	return container_of(h, struct relayed_hub, hub);
}

static struct sockjs_server *server_of(const struct relayed_hub *h)
{
	return h->relayed->broker->server;
}

static struct relayed_part *share_of(const struct relayed_hub *h, unsigned part)
{
	return h->relayed->broker->parts[part].relayed;
}

static unsigned index_of(const struct relayed_part *share)
{
	return (unsigned)(share->part - share->part->broker->parts);
}

/* Whether what is of this part can be called from here. */
static bool is_here(const struct relayed_hub *h, unsigned part)
{
	return sockjs_reactor(server_of(h)) == (int)part;
}

struct relayed_hub *relayed_hub_of(const struct relayed *r, struct bytes key)
{
	return &r->hubs[broker_owner_of(r->broker->topics, key) % r->hub_count];
}

struct relayed_hub *relayed_hub_near(const struct relayed *r, const struct pubsub_part *part)
{
	return &r->hubs[(unsigned)(part - r->broker->parts) % r->hub_count];
}

bool relayed_hub_is_full(const struct relayed_hub *h)
{
	size_t queued = atomic_load_explicit(&h->queued, memory_order_relaxed) +
	                atomic_load_explicit(&h->mailed, memory_order_relaxed);

	return queued >= h->relayed->options.stomp.relay_queue_bytes ||
	       atomic_load_explicit(&h->is_choked, memory_order_relaxed);
}

/* --- errands ---------------------------------------------------------------------------------- */

/* What is on its way to a hub, or from one; with a key, or a frame, behind it. */
struct errand {
	struct relayed_hub *hub;
	void (*fn)(const struct errand *m);
	unsigned part; /* that it is from, or for */
	uint32_t serial;
	uint64_t number;
	const char *why; /* constant */
	size_t n;
	char octets[];
};

static struct bytes octets_of(const struct errand *m)
{
	return (struct bytes){ m->octets, m->n };
}

static void run(void *arg)
{
	const struct errand *m = *(struct errand **)arg;

	m->fn(m);
}

static void done(void *arg)
{
	mem_free(*(struct errand **)arg);
}

/* `like`, and these octets behind it. 0, -ENOMEM, -EPIPE. */
static int post(const struct relayed_hub *h, unsigned reactor, struct errand like, struct bytes octets)
{
	struct errand *m = mem_alloc(sizeof(*m) + octets.n);
	int err;

	if (!m)
		return -ENOMEM;
	memcpy(m, &like, sizeof(*m));
	m->n = octets.n;
	bytes_put(m->octets, octets);
	err = sockjs_reactor_call(server_of(h), reactor, run, done, &m, sizeof(struct errand *));
	if (err < 0)
		mem_free(m);
	return err;
}

/* --- from parts --------------------------------------------------------------------------------- */

/* In h->scratch: the broker's name, and what it was made of in h->pattern. */
static int name_there(struct relayed_hub *h, struct bytes key, const char **why)
{
	int err;

	buf_clear(&h->scratch);
	buf_clear(&h->pattern);
	err = relayed_pattern(key, &h->pattern);
	if (err == 0)
		err = relay_name_there(&h->relayed->names,
		    (struct bytes){ buf_data(&h->pattern), buf_len(&h->pattern) }, true, &h->scratch, why);
	return err;
}

static struct bytes there_in(const struct relayed_hub *h)
{
	return (struct bytes){ buf_data(&h->scratch), buf_len(&h->scratch) };
}

/* The stream that keeps what was just named; empty: none does. All gateways call it so. In h->pattern. */
static int name_stream(struct relayed_hub *h, struct bytes *stream)
{
	static const size_t kind = sizeof("/topic/") - 1, most = 255;
	const struct sockjs_broker *b = h->relayed->broker;
	struct bytes pattern = { buf_data(&h->pattern), buf_len(&h->pattern) }, there = there_in(h);
	int err;

	*stream = (struct bytes){ "", 0 };
	if (!relayed_is_kept(b, pattern) || there.n < kind)
		return 0;
	buf_clear(&h->pattern);
	err = buf_add_str(&h->pattern, "sockjsd.");
	if (err == 0)
		err = buf_add(&h->pattern, there.p + kind, there.n - kind);
	if (err == 0 && buf_len(&h->pattern) <= most)
		*stream = (struct bytes){ buf_data(&h->pattern), buf_len(&h->pattern) };
	return err;
}

static void tell_settled(struct relayed_hub *h, unsigned part, struct bytes key, uint32_t serial, const char *why);
static void note_queued(struct relayed_hub *h);

/* In the hub's reactor. */
static void join(struct relayed_hub *h, unsigned part, uint32_t serial, struct bytes key)
{
	const char *why = NULL;
	struct bytes stream;
	int err = name_there(h, key, &why);

	if (err == 0)
		err = name_stream(h, &stream);
	if (err == 0)
		err = relay_hub_join(&h->hub, part, serial, key, there_in(h), stream);
	note_queued(h);
	if (err == 0)
		return;
	if (!why)
		why = err == -ENOSPC ? "Too many topics of the broker are subscribed." : "Out of memory.";
	tell_settled(h, part, key, serial, why);
}

static void run_join(const struct errand *m)
{
	if (m->hub->has_begun)
		join(m->hub, m->part, m->serial, octets_of(m));
}

int relayed_hub_join(
    struct relayed_hub *h, struct relayed_part *share, struct bytes key, uint32_t serial)
{
	unsigned part = index_of(share);

	if (!is_here(h, h->part) || !h->has_begun)
		return post(h, h->part, (struct errand){ .hub = h, .fn = run_join, .part = part, .serial = serial }, key);
	join(h, part, serial, key);
	return 0;
}

static void run_leave(const struct errand *m)
{
	if (m->hub->has_begun)
		relay_hub_leave(&m->hub->hub, m->part, octets_of(m));
}

/* Without memory for it the topic stays subscribed, and what comes for it finds nobody. */
void relayed_hub_leave(struct relayed_hub *h, struct relayed_part *share, struct bytes key)
{
	unsigned part = index_of(share);

	if (!is_here(h, h->part))
		(void)post(h, h->part, (struct errand){ .hub = h, .fn = run_leave, .part = part }, key);
	else if (h->has_begun)
		relay_hub_leave(&h->hub, part, key);
}

/* How much waits there is for all to see. */
static void note_queued(struct relayed_hub *h)
{
	atomic_store_explicit(&h->queued, relay_hub_queued(&h->hub), memory_order_relaxed);
	atomic_store_explicit(&h->is_choked, relay_hub_has_too_many(&h->hub), memory_order_relaxed);
}

static int say(struct relayed_hub *h, unsigned part, uint64_t number, struct bytes rest)
{
	int err = relay_hub_send(&h->hub, part, number, rest);

	note_queued(h);
	return err;
}

static void tell_sent(struct relayed_hub *h, unsigned part, uint64_t number, const char *why);

static void run_say(const struct errand *m)
{
	struct relayed_hub *h = m->hub;

	atomic_fetch_sub_explicit(&h->mailed, m->n, memory_order_relaxed);
	if ((!h->has_begun || say(h, m->part, m->number, octets_of(m)) < 0) && m->number)
		tell_sent(h, m->part, m->number, "Out of memory.");
}

int relayed_hub_say(
    struct relayed_hub *h, struct relayed_part *share, uint64_t number, struct bytes rest)
{
	unsigned part = index_of(share);
	int err;

	if (is_here(h, h->part))
		return h->has_begun ? say(h, part, number, rest) : -ENOMEM;
	atomic_fetch_add_explicit(&h->mailed, rest.n, memory_order_relaxed);
	err = post(h, h->part, (struct errand){ .hub = h, .fn = run_say, .part = part, .number = number }, rest);
	if (err < 0)
		atomic_fetch_sub_explicit(&h->mailed, rest.n, memory_order_relaxed);
	return err;
}

/* --- to parts ---------------------------------------------------------------------------------- */

static void run_settled(const struct errand *m)
{
	relayed_settled(share_of(m->hub, m->part), octets_of(m), m->serial, m->why);
}

static void tell_settled(
    struct relayed_hub *h, unsigned part, struct bytes key, uint32_t serial, const char *why)
{
	if (is_here(h, part))
		relayed_settled(share_of(h, part), key, serial, why);
	else if (post(h, part, (struct errand){ .hub = h, .fn = run_settled, .part = part, .serial = serial, .why = why }, key) < 0)
		log_warn_limited("a subscriber is not told: out of memory");
}

static void run_sent(const struct errand *m)
{
	relayed_sent(share_of(m->hub, m->part), m->number, m->why);
}

static void tell_sent(struct relayed_hub *h, unsigned part, uint64_t number, const char *why)
{
	if (is_here(h, part))
		relayed_sent(share_of(h, part), number, why);
	else if (post(h, part, (struct errand){ .hub = h, .fn = run_sent, .part = part, .number = number, .why = why },
	             (struct bytes){ 0 }) < 0)
		log_warn_limited("a sender is not told: out of memory");
}

static void post_word(struct relayed_hub *h, unsigned part, void (*fn)(const struct errand *m))
{
	if (post(h, part, (struct errand){ .hub = h, .fn = fn, .part = part }, (struct bytes){ 0 }) < 0)
		log_warn_limited("a reactor is not told of a broker: out of memory");
}

static void run_away(const struct errand *m)
{
	relayed_away(share_of(m->hub, m->part), m->hub->index);
}

/* Before it can hear that a topic is back. */
static void tell_away(struct relayed_hub *h)
{
	for (unsigned i = 0; i < h->relayed->broker->part_count; i++)
		if (is_here(h, i))
			relayed_away(share_of(h, i), h->index);
		else
			post_word(h, i, run_away);
}

static void run_room(const struct errand *m)
{
	relayed_go_on(share_of(m->hub, m->part));
}

/* Who goes on sends more, so not from within. */
static void tell_room(struct relayed_hub *h)
{
	for (unsigned i = 0; i < h->relayed->broker->part_count; i++)
		post_word(h, i, run_room);
}

/* --- what a hub says ---------------------------------------------------------------------------- */

static void on_settled(
    struct relay_hub *hub, struct relay_topic *t, unsigned member, uint32_t serial, const char *why)
{
	tell_settled(of_hub(hub), member, t->here, serial, why);
}

static void on_drained(struct relay_hub *hub);

static void on_sent(struct relay_hub *hub, unsigned member, uint64_t number, const char *why)
{
	struct relayed_hub *h = of_hub(hub);

	tell_sent(h, member, number, why);
	on_drained(hub);
}

/* As it came, but for what we say ourselves. */
static size_t copy_headers(
    struct stomp_header to[STOMP_HEADERS_MAX + 1], const struct stomp_frame *f, bool has_gap)
{
	size_t n = 0;

	for (size_t i = 0; i < f->header_count; i++)
		if (!bytes_equal(f->headers[i].name, BYTES(GAP)) &&
		    !bytes_equal(f->headers[i].name, BYTES("x-stream-offset")))
			to[n++] = f->headers[i];
	if (has_gap && n < STOMP_HEADERS_MAX)
		to[n++] = (struct stomp_header){ BYTES(GAP), BYTES("true") };
	return n;
}

static void on_message(struct relay_hub *hub, struct relay_topic *t, const struct stomp_frame *f)
{
	struct relayed_hub *h = of_hub(hub);
	struct sockjs_broker *b = h->relayed->broker;
	struct stomp_header headers[STOMP_HEADERS_MAX + 1];
	struct buf shown = BUF_INIT;
	struct published *p = NULL;
	int err = relay_name_here(&h->relayed->names, stomp_header_get(f, "destination"), &shown);

	h->nameless += err == -EINVAL;
	if (err == 0)
		p = published_relayed(&h->scratch, t->here,
		    (struct bytes){ buf_data(&shown), buf_len(&shown) }, headers,
		    copy_headers(headers, f, t->has_gap), f->body);
	buf_fini(&shown);
	if (p && broker_publish(b->topics, &p->base) < 0)
		b->parts[h->part].counters.dropped[DROP_NO_MEMORY]++;
	if (p)
		broker_message_unref(&p->base);
}

static bool all_are_restored(const struct relayed *r)
{
	for (unsigned i = 0; i < r->hub_count; i++)
		if (!atomic_load(&r->hubs[i].is_restored))
			return false;
	return true;
}

static void run_release(const struct errand *e)
{
	if (e->hub->has_begun)
		relay_hub_release(&e->hub->hub);
}

static void on_held_long(void *arg)
{
	struct relayed_hub *h = *(struct relayed_hub **)arg;

	if (h->has_begun)
		relay_hub_release(&h->hub);
}

static void on_up(struct relay_hub *hub)
{
	struct relayed_hub *h = of_hub(hub);

	atomic_store_explicit(&h->is_up, true, memory_order_relaxed);
	if (sockjs_reactor_later(server_of(h), HOLD_MS, on_held_long, NULL, &h, sizeof(h)) < 0)
		relay_hub_release(hub);
}

static void on_restored(struct relay_hub *hub)
{
	struct relayed_hub *h = of_hub(hub);
	struct relayed *r = h->relayed;

	atomic_store(&h->is_restored, true);
	for (unsigned i = 0; all_are_restored(r) && i < r->hub_count; i++)
		(void)post(h, r->hubs[i].part,
		    (struct errand){ .hub = &r->hubs[i], .fn = run_release, .part = i }, (struct bytes){ 0 });
}

static void on_away(struct relay_hub *hub, const char *why)
{
	struct relayed_hub *h = of_hub(hub);

	(void)why;
	atomic_store_explicit(&h->is_up, false, memory_order_relaxed);
	atomic_store(&h->is_restored, false);
	note_queued(h);
	tell_away(h);
}

static void on_drained(struct relay_hub *hub)
{
	struct relayed_hub *h = of_hub(hub);

	note_queued(h);
	if (!relayed_hub_is_full(h) && atomic_exchange(&h->is_awaited, false))
		tell_room(h);
}

static const struct relay_hub_ops hub_ops = {
	.settled = on_settled,
	.message = on_message,
	.sent = on_sent,
	.up = on_up,
	.restored = on_restored,
	.away = on_away,
	.drained = on_drained,
};

/* --- life ---------------------------------------------------------------------------------------- */

int relayed_hub_begin(struct relayed_hub *h, struct relayed_part *share)
{
	const struct relayed *r = h->relayed;
	int err;

	if (h->has_begun)
		return 0;
	err = relay_hub_init(&h->hub, loop_current(), share->resolver, &r->hub, r->servers, r->server_count,
	    &hub_ops, &share->frame);
	if (err < 0) {
		log_error("a broker cannot be looked for", LOG_STR("broker", r->hub.link.name),
		    LOG_STR("reason", strerror(-err)));
		relay_hub_fini(&h->hub);
		return err;
	}
	h->has_begun = true;
	relay_hub_start(&h->hub);
	return 0;
}

void relayed_hub_end(struct relayed_hub *h)
{
	if (!h->has_begun)
		return;
	h->has_begun = false;
	atomic_store_explicit(&h->is_up, false, memory_order_relaxed);
	relay_hub_fini(&h->hub);
	buf_fini(&h->scratch);
	buf_fini(&h->pattern);
}
