/*
 * cluster/cluster_part.c - what one thread knows of the other gateways, and what it passes on to them; see cluster.h.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cluster/cluster_private.h"
#include "cluster/rendezvous.h"

#define DOWN_MS 1000 /* so long nothing is passed on to who was not there */

/* --- connections to each gateway ---------------------------------------------------------------- */

struct part_pool {
	struct hop_pool base;
	uint64_t down_until;
	struct deferred gone;
};

static struct part_pool *of(const struct hop_pool *base)
{
	return container_of((struct hop_pool *)(uintptr_t)base, struct part_pool, base);
}

static struct part_pool *find_pool(const struct cluster_part *p, uint64_t gateway)
{
	const struct list *pos;

	list_foreach (pos, &p->pools) {
		struct part_pool *pool = container_of((struct list *)(uintptr_t)pos, struct part_pool, base.node);

		if (pool->base.gateway.id == gateway)
			return pool;
	}
	return NULL;
}

static struct part_pool *get_pool(struct cluster_part *p, const struct gateway *g)
{
	const struct cluster_settings *s = &p->cluster->settings;
	struct part_pool *pool = find_pool(p, g->id);

	if (pool || !(pool = mem_zalloc(sizeof(*pool))))
		return pool;
	hop_pool_init(&pool->base, p->loop, g);
	pool->base.timeout_ms = s->timeout_ms;
	pool->base.tls = g->card.is_tls ? s->tls : NULL;
	pool->base.tls_host = s->tls_host;
	list_append(&p->pools, &pool->base.node);
	return pool;
}

static void free_pool(struct deferred *d)
{
	mem_free(container_of(d, struct part_pool, gone));
}

static void end_pool(struct cluster_part *p, struct part_pool *pool)
{
	hop_end_all(&p->desk, &pool->base);
	hop_pool_fini(&pool->base);
	list_remove(&pool->base.node);
	loop_defer(p->loop, &pool->gone, free_pool);
}

/* It is what its pool was made for. */
static bool is_same(const struct gateway *a, const struct gateway *b)
{
	return addr_same_ip(&a->card.at, &b->card.at) && a->card.at.port == b->card.at.port &&
	       a->card.is_tls == b->card.is_tls && strcmp(a->card.secret, b->card.secret) == 0;
}

static void on_failed(struct hop_desk *desk, const struct hop_pool *pool, enum hop_failure why, const char *reason)
{
	char at[ADDR_TEXT_MAX];

	if (why == HOP_REFUSED) {
		of(pool)->down_until = loop_now(desk->loop) + DOWN_MS;
		cluster_hub_refused(container_of(desk, struct cluster_part, desk)->cluster, pool->gateway.id);
	}
	log_warn_limited("a request could not be passed on to another gateway",
	    LOG_STR("gateway", addr_print(&pool->gateway.card.at, true, at)), LOG_STR("why", reason));
}

/* --- which there are ---------------------------------------------------------------------------- */

void cluster_part_take(struct cluster_part *p, struct gateways *g)
{
	struct list *pos, *next;

	if (p->has_ended) {
		gateways_unref(g);
		return;
	}
	gateways_unref(p->known);
	p->known = g;
	for (pos = p->pools.next; pos != &p->pools; pos = next) {
		struct part_pool *pool = container_of(pos, struct part_pool, base.node);
		const struct gateway *now = gateways_find(g, pool->base.gateway.id);

		next = pos->next;
		if (!now || !is_same(now, &pool->base.gateway))
			end_pool(p, pool);
	}
	atomic_store_explicit(&p->view, g->view, memory_order_release);
}

bool cluster_has_others(const struct cluster_part *p)
{
	return p->known->count > 1 || !whereabouts_are_none(&p->cluster->whereabouts);
}

bool cluster_is_gateway(const struct cluster_part *p, const struct addr *a)
{
	return gateways_has_address(p->known, a);
}

/* --- where a session is ------------------------------------------------------------------------- */

struct bytes cluster_session_name(struct bytes prefix, struct bytes id, char text[SESSION_NAME_MAX])
{
	char *end;

	if (prefix.n + 1 + id.n > SESSION_NAME_MAX)
		return (struct bytes){ 0 };
	end = bytes_put(bytes_put(bytes_put(text, prefix), (struct bytes){ "", 1 }), id);
	return (struct bytes){ text, (size_t)(end - text) };
}

static bool is_reachable(const struct gateway *g, void *arg)
{
	const struct cluster_part *p = arg;
	const struct part_pool *pool = g->is_self ? NULL : find_pool(p, g->id);

	return !pool || pool->down_until <= loop_now(p->loop);
}

static enum cluster_where found(struct cluster_session *s, const struct gateway *g)
{
	s->gateway = g;
	return g->is_self ? CLUSTER_HERE : CLUSTER_THERE;
}

/* Whether we go by what we know: false, and it is as if we knew nothing. */
static bool find_known(struct cluster_part *p, struct bytes name, struct cluster_session *s, enum cluster_where *where)
{
	const struct gateway *g;
	struct whereabout w;

	if (!whereabouts_find(&p->cluster->whereabouts, name, &w) || (w.until > 0 && w.until <= loop_now(p->loop)))
		return false;
	g = gateways_find(p->known, w.gateway);
	if (g && is_reachable(g, p)) {
		*where = found(s, g);
		return true;
	}
	*where = CLUSTER_LOST;
	p->lost += w.until == 0;
	return w.until == 0;
}

const struct gateway *cluster_part_owner(struct cluster_part *p, struct bytes prefix, struct bytes id)
{
	return gateways_owner(p->known, rendezvous_key(prefix, id), is_reachable, p);
}

enum cluster_where cluster_find(struct cluster_part *p, struct cluster_session *s)
{
	char text[SESSION_NAME_MAX];
	struct bytes name = cluster_session_name(s->prefix, s->id, text);
	enum cluster_where where;

	if (name.n == 0)
		return CLUSTER_HERE;
	if (find_known(p, name, s, &where))
		return where;
	if (!p->known->is_calm && atomic_load_explicit(&p->cluster->is_up, memory_order_relaxed))
		return CLUSTER_ASK;
	return found(s, cluster_part_owner(p, s->prefix, s->id));
}

/* Until it has answered it may be that nobody listens there any more, and the session begins elsewhere. */
static int guess(struct cluster_part *p, struct bytes name, uint64_t gateway)
{
	struct whereabouts *all = &p->cluster->whereabouts;
	struct whereabout known;

	if (whereabouts_find(all, name, &known) && known.gateway == gateway && known.until == 0)
		return 0;
	return whereabouts_note(all, name, (struct whereabout){ gateway, UINT64_MAX });
}

static void on_answered(struct hop_desk *desk, const struct hop_pool *pool, struct bytes name)
{
	struct cluster_part *p = container_of(desk, struct cluster_part, desk);

	/* Without memory it stays a guess */
	(void)whereabouts_note(&p->cluster->whereabouts, name, (struct whereabout){ .gateway = pool->gateway.id });
}

/* Who receives has a session there. Who sends may ask for anything, and makes nobody remember it. */
int cluster_pass_on(struct cluster_part *p, const struct cluster_session *s, struct http_request *r,
    const struct hop_client *client, enum cluster_errand errand)
{
	struct part_pool *pool = get_pool(p, s->gateway);
	char text[SESSION_NAME_MAX];
	struct bytes name = { 0 };

	if (errand == CLUSTER_RECEIVES)
		name = cluster_session_name(s->prefix, s->id, text);
	if (!pool || (name.n > 0 && guess(p, name, s->gateway->id) < 0))
		return -ENOMEM;
	return hop_start(&p->desk, &pool->base, r, client, name);
}

/* --- what others pass on to us ------------------------------------------------------------------ */

void cluster_count_received(struct cluster_part *p)
{
	p->received++;
}

bool cluster_read_client(const struct cluster_part *p, struct bytes header, struct hop_client *client)
{
	return hop_client_read(header, p->cluster->settings.card.secret, client);
}

void cluster_note_opening(struct cluster_part *p, const struct cluster_session *s)
{
	if (!gateways_owner(p->known, rendezvous_key(s->prefix, s->id), NULL, NULL)->is_self)
		cluster_hub_post(p->cluster, cluster_hub_look);
}

/* --- life --------------------------------------------------------------------------------------- */

void cluster_part_init(struct cluster_part *p, struct cluster *c, unsigned index)
{
	p->cluster = c;
	p->index = index;
	p->desk.timeout_ms = c->settings.timeout_ms;
	p->desk.failed = on_failed;
	p->desk.answered = on_answered;
	list_init(&p->desk.hops);
	list_init(&p->pools);
}

void cluster_end(struct cluster_part *p)
{
	if (p->index == 0)
		cluster_hub_end(p->cluster);
	p->has_ended = true;
	while (!list_empty(&p->pools))
		end_pool(p, container_of(list_first(&p->pools), struct part_pool, base.node));
}

void cluster_part_fini(struct cluster_part *p)
{
	gateways_unref(p->known);
}
