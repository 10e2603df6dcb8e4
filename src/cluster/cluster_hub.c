/*
 * cluster/cluster_hub.c - which gateways there are, by the engine, and what the others hear of us; see cluster.h.
 *
 * What a thread goes by is a set of gateways that never changes. The hub makes another one when something has, and
 * sends it to all threads.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cluster/cluster_private.h"
#include "cluster/rendezvous.h"

#define SETTLE_MS      2000 /* after a change the others may not know it yet */
#define REUNION_MS     4000 /* longer than a gateway is silent */
#define REFUSED_MS     4000 /* likewise */
#define LOOK_MS        2    /* between two steps */
#define LOOK_AGAIN_MS  3000 /* while there are strays */
#define STEPS_AT_ONCE  4

/* --- mail ----------------------------------------------------------------------------------------- */

struct hub_letter {
	struct mail mail;
	struct cluster *cluster;
	void (*fn)(struct cluster *c);
};

static void on_letter(struct mail *mail, struct loop *loop)
{
	struct hub_letter *m = container_of(mail, struct hub_letter, mail);

	(void)loop;
	if (m->cluster->hub.engine)
		m->fn(m->cluster);
	mem_free(m);
}

void cluster_hub_post(struct cluster *c, void (*fn)(struct cluster *c))
{
	struct hub_letter *m = mem_alloc(sizeof(*m));

	if (!m)
		return;
	m->cluster = c;
	m->fn = fn;
	loop_post(c->parts[0].loop, &m->mail, on_letter);
}

struct part_letter {
	struct mail mail;
	struct cluster_part *part;
	struct gateways *gateways;
};

static void on_gateways(struct mail *mail, struct loop *loop)
{
	struct part_letter *m = container_of(mail, struct part_letter, mail);

	(void)loop;
	cluster_part_take(m->part, m->gateways);
	mem_free(m);
}

static int send_gateways(struct cluster_part *p, struct gateways *g)
{
	struct part_letter *m = mem_alloc(sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->part = p;
	m->gateways = gateways_ref(g);
	loop_post(p->loop, &m->mail, on_gateways);
	return 0;
}

/* --- what the others hear of us --------------------------------------------------------------------- */

/* Without an address nobody can come. */
static bool find_own_address(struct cluster *c)
{
	struct gateway_card *own = &c->hub.own;
	struct addr here;

	if (own->at.family != 0)
		return true;
	if (!c->settings.kind->address(c->hub.engine, &here) || here.family == AF_UNIX)
		return false;
	here.port = own->at.port;
	own->at = here;
	return true;
}

static void announce(struct cluster *c)
{
	char text[ENGINE_CARD_MAX];

	if (!find_own_address(c))
		return;
	c->hub.own.view = c->parts[0].known->view;
	/* What does not go out now goes out with the next change; until then others ask */
	(void)c->settings.kind->announce(
	    c->hub.engine, (struct bytes){ text, gateway_card_print(&c->hub.own, text) });
}

/* --- which there are -------------------------------------------------------------------------------- */

static bool is_calm(const struct cluster *c, uint64_t view, uint64_t now)
{
	const struct cluster_hub *hub = &c->hub;

	if (now - hub->view_since < SETTLE_MS)
		return false;
	for (size_t i = 0; i < hub->other_count; i++)
		if (hub->others[i].card.view != view || hub->others[i].card.strays > 0)
			return false;
	return true;
}

static size_t list_all(const struct cluster *c, struct gateway list[GATEWAYS_MOST])
{
	const struct cluster_hub *hub = &c->hub;
	size_t count = 1;

	list[0] = (struct gateway){ .id = c->settings.engine.gateway, .is_self = true, .card = hub->own };
	for (size_t i = 0; i < hub->other_count; i++)
		list[count++] = hub->others[i];
	return count;
}

static bool are_same(const struct gateways *a, const struct gateways *b)
{
	if (a->view != b->view || a->is_calm != b->is_calm || a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->all[i].id != b->all[i].id || a->all[i].card.drains != b->all[i].card.drains)
			return false;
	return true;
}

/* Who is not told now is told with the next attempt. */
static void tell_parts(struct cluster *c, struct gateways *g)
{
	struct cluster_hub *hub = &c->hub;

	hub->is_untold = false;
	for (unsigned i = 1; i < c->settings.parts; i++)
		if (send_gateways(&c->parts[i], g) < 0)
			hub->is_untold = true;
	if (hub->is_untold)
		timer_start(loop_timers(c->parts[0].loop), &hub->settling, SETTLE_MS);
	cluster_part_take(&c->parts[0], gateways_ref(g));
}

static void view_has_changed(struct cluster *c, uint64_t now)
{
	struct cluster_hub *hub = &c->hub;

	hub->view_since = now;
	timer_start(loop_timers(c->parts[0].loop), &hub->settling, SETTLE_MS);
	cluster_hub_look(c);
}

/* Something may have changed. */
static void consider(struct cluster *c)
{
	struct gateway list[GATEWAYS_MOST];
	const struct gateways *before = c->parts[0].known;
	uint64_t now = loop_now(c->parts[0].loop), view_before = before->view;
	struct gateways *g = gateways_new(list, list_all(c, list), false);

	if (!g) {
		timer_start(loop_timers(c->parts[0].loop), &c->hub.settling, SETTLE_MS);
		return;
	}
	g->is_calm = g->view == view_before && is_calm(c, g->view, now);
	if (c->hub.is_untold || !are_same(g, before))
		tell_parts(c, g);
	if (g->view != view_before)
		view_has_changed(c, now);
	gateways_unref(g);
	announce(c);
}

static void on_settled(struct timer *t)
{
	consider(container_of(t, struct cluster, hub.settling));
}

/* --- the engine's events ------------------------------------------------------------------------------ */

static size_t find(const struct cluster_hub *hub, uint64_t id)
{
	size_t i = 0;

	while (i < hub->other_count && hub->others[i].id != id)
		i++;
	return i;
}

static void say(const char *what, const struct gateway *g)
{
	char at[ADDR_TEXT_MAX];

	log_info(what, LOG_STR("address", addr_print(&g->card.at, true, at)));
}

/* Who says nothing of itself has no sessions to share, or cannot be reached. */
static void on_said(void *arg, uint64_t id, struct bytes text)
{
	struct cluster *c = arg;
	struct cluster_hub *hub = &c->hub;
	size_t i = find(hub, id);
	bool is_new = i == hub->other_count;
	struct gateway_card card;

	if (id == 0 || !gateway_card_read(text, &card) || i == GATEWAYS_MOST - 1)
		return;
	hub->others[i] = (struct gateway){ .id = id, .card = card };
	hub->are_unheard[i] = false;
	if (is_new)
		hub->refused_until[i] = 0;
	hub->other_count += is_new;
	if (is_new)
		say("sessions are shared with another gateway", &hub->others[i]);
	consider(c);
}

static void forget(struct cluster_hub *hub, size_t i)
{
	size_t last = --hub->other_count;

	say("a gateway that had sessions is gone", &hub->others[i]);
	hub->others[i] = hub->others[last];
	hub->are_unheard[i] = hub->are_unheard[last];
	hub->refused_until[i] = hub->refused_until[last];
}

/* While the engine is away nobody is heard of: whoever was there is taken to be there still, for requests come to him
 * without it. */
static void on_gateway(void *arg, uint64_t id, bool is_there)
{
	struct cluster *c = arg;
	size_t i = find(&c->hub, id);

	if (is_there || i == c->hub.other_count)
		return;
	if (atomic_load(&c->is_up)) {
		forget(&c->hub, i);
		consider(c);
	} else {
		c->hub.are_unheard[i] = true;
	}
}

static void on_reunion(struct timer *t)
{
	struct cluster *c = container_of(t, struct cluster, hub.reunion);

	for (size_t i = c->hub.other_count; i-- > 0;)
		if (c->hub.are_unheard[i])
			forget(&c->hub, i);
	consider(c);
}

static void on_up(void *arg)
{
	struct cluster *c = arg;

	atomic_store(&c->is_up, true);
	timer_start(loop_timers(c->parts[0].loop), &c->hub.reunion, REUNION_MS);
	consider(c);
}

static void on_down(void *arg, const char *why)
{
	struct cluster *c = arg;

	(void)why;
	timer_stop(loop_timers(c->parts[0].loop), &c->hub.reunion);
	atomic_store(&c->is_up, false);
}

static void on_trouble(void *arg, const char *server, const char *why)
{
	(void)arg;
	log_warn_limited("the engine that joins gateways", LOG_STR("server", server), LOG_STR("why", why));
}

static void on_asked(void *arg, struct bytes what, struct bytes body, struct bytes to)
{
	const struct cluster *c = arg;

	if (to.n == 0)
		return;
	if (bytes_equal(what, BYTES("session")))
		cluster_asked(arg, body, to);
	else
		c->settings.ops.asked(c->settings.ops.arg, what, body, to);
}

static void on_settled_topic(void *arg, struct engine_topic *t, const char *why)
{
	(void)arg, (void)t, (void)why;
}

static void on_message(void *arg, const struct engine_message *m)
{
	cluster_groups_message(arg, m);
}

static void on_kept(void *arg, uint64_t epoch)
{
	(void)arg, (void)epoch;
}

static const struct engine_events engine_events = {
	.up = on_up,
	.down = on_down,
	.trouble = on_trouble,
	.settled = on_settled_topic,
	.message = on_message,
	.kept = on_kept,
	.gateway = on_gateway,
	.said = on_said,
	.asked = on_asked,
};

/* --- who has refused a request --------------------------------------------------------------------------- */

struct refusal {
	struct mail mail;
	struct cluster *cluster;
	uint64_t gateway;
};

static void on_refusal(struct mail *mail, struct loop *loop)
{
	struct refusal *m = container_of(mail, struct refusal, mail);
	struct cluster_hub *hub = &m->cluster->hub;
	size_t i = find(hub, m->gateway);

	if (i < hub->other_count)
		hub->refused_until[i] = loop_now(loop) + REFUSED_MS;
	mem_free(m);
}

/* Without memory its answers are waited for, in vain. */
void cluster_hub_refused(struct cluster *c, uint64_t gateway)
{
	struct refusal *m = mem_alloc(sizeof(*m));

	if (!m)
		return;
	m->cluster = c;
	m->gateway = gateway;
	loop_post(c->parts[0].loop, &m->mail, on_refusal);
}

bool cluster_hub_awaits(const struct cluster *c, uint64_t gateway, uint64_t asked_at)
{
	size_t i = find(&c->hub, gateway);

	return i < c->hub.other_count && c->hub.refused_until[i] <= asked_at;
}

size_t cluster_hub_count_awaited(const struct cluster *c, uint64_t asked_at)
{
	size_t count = 0;

	for (size_t i = 0; i < c->hub.other_count; i++)
		count += c->hub.refused_until[i] <= asked_at;
	return count;
}

/* --- sessions that others look for elsewhere ------------------------------------------------------------ */

static bool is_ours(void *arg, struct bytes prefix, struct bytes id)
{
	const struct cluster *c = arg;

	return gateways_owner(c->parts[0].known, rendezvous_key(prefix, id), NULL, NULL)->is_self;
}

/* Who goes by what was before may still open one. */
static bool do_all_know(const struct cluster *c)
{
	for (unsigned i = 1; i < c->settings.parts; i++)
		if (atomic_load_explicit(&c->parts[i].view, memory_order_acquire) != c->parts[0].known->view)
			return false;
	return true;
}

static void looked_at_all(struct cluster *c)
{
	struct cluster_hub *hub = &c->hub;

	hub->own.strays = hub->found;
	announce(c);
	if (hub->found > 0)
		timer_start(loop_timers(c->parts[0].loop), &hub->looking, LOOK_AGAIN_MS);
	hub->step = 0;
	hub->found = 0;
}

static void on_looking(struct timer *t)
{
	struct cluster *c = container_of(t, struct cluster, hub.looking);
	struct cluster_hub *hub = &c->hub;
	const struct cluster_ops *ops = &c->settings.ops;

	for (unsigned i = 0; i < STEPS_AT_ONCE && do_all_know(c); i++)
		if (!ops->count_strays(ops->arg, hub->step++, is_ours, c, &hub->found)) {
			looked_at_all(c);
			return;
		}
	timer_start(loop_timers(c->parts[0].loop), t, LOOK_MS);
}

/* Until it is known how many there are, one is said to be there. */
void cluster_hub_look(struct cluster *c)
{
	struct cluster_hub *hub = &c->hub;

	if (hub->own.strays == 0) {
		hub->own.strays = 1;
		announce(c);
	}
	hub->step = 0;
	hub->found = 0;
	timer_start(loop_timers(c->parts[0].loop), &hub->looking, LOOK_MS);
}

/* --- questions of those above ------------------------------------------------------------------------------- */

int cluster_question(
    struct cluster *c, struct bytes what, struct bytes body, unsigned timeout_ms, struct engine_question *q)
{
	return c->hub.engine ? c->settings.kind->ask(c->hub.engine, what, body, timeout_ms, q) : -ENOTCONN;
}

void cluster_question_cancel(struct cluster *c, struct engine_question *q)
{
	c->settings.kind->ask_cancel(q);
}

int cluster_reply(struct cluster *c, struct bytes to, struct bytes body)
{
	return c->hub.engine ? c->settings.kind->reply(c->hub.engine, to, body) : -ENOTCONN;
}

uint64_t cluster_self(const struct cluster *c)
{
	return c->settings.engine.gateway;
}

const struct gateways *cluster_gateways(const struct cluster_part *p)
{
	return p->known;
}

/* --- life ------------------------------------------------------------------------------------------------- */

static void say_why(const char *why)
{
	log_error("sessions are not shared with other gateways", LOG_STR("why", why));
}

void cluster_hub_begin(struct cluster *c)
{
	struct cluster_hub *hub = &c->hub;
	struct engine_settings settings = c->settings.engine;
	char why[256] = "out of memory";

	timer_init(&hub->settling, on_settled);
	timer_init(&hub->reunion, on_reunion);
	timer_init(&hub->looking, on_looking);
	settings.loop = c->parts[0].loop;
	if (resolver_new(&hub->resolver, settings.loop, NULL) < 0) {
		say_why(why);
		return;
	}
	settings.resolver = hub->resolver;
	if (c->settings.kind->start(&hub->engine, &settings, &engine_events, c, why, sizeof(why)) < 0)
		say_why(why);
}

static void drain(struct cluster *c)
{
	c->hub.own.drains = true;
	consider(c);
}

void cluster_drain(struct cluster *c)
{
	if (c->hub.engine && !c->hub.own.drains)
		drain(c);
}

void cluster_hub_end(struct cluster *c)
{
	struct cluster_hub *hub = &c->hub;

	cluster_ask_end(c);
	cluster_groups_end(c);
	timer_stop(loop_timers(c->parts[0].loop), &hub->settling);
	timer_stop(loop_timers(c->parts[0].loop), &hub->looking);
	timer_stop(loop_timers(c->parts[0].loop), &hub->reunion);
	if (hub->engine)
		c->settings.kind->stop(hub->engine);
	hub->engine = NULL;
	resolver_free(hub->resolver);
	hub->resolver = NULL;
}
