/*
 * cluster/cluster.c - the life of a cluster; see cluster.h.
 */
#include "base/mem.h"
#include "cluster/cluster_private.h"

struct cluster *cluster_new(const struct cluster_settings *settings)
{
	struct cluster *c = mem_zalloc(sizeof(*c) + settings->parts * sizeof(c->parts[0]));
	const struct gateway self = { .id = settings->engine.gateway, .is_self = true, .card = settings->card };

	if (!c)
		return NULL;
	c->settings = *settings;
	c->settings.engine.separator = CLUSTER_SEPARATOR;
	c->hub.own = settings->card;
	whereabouts_init(&c->whereabouts);
	list_init(&c->hub.asking);
	list_init(&c->hub.groups);
	for (unsigned i = 0; i < settings->parts; i++)
		cluster_part_init(&c->parts[i], c, i);
	for (unsigned i = 0; i < settings->parts; i++) {
		c->parts[i].known = gateways_new(&self, 1, false);
		if (!c->parts[i].known) {
			cluster_free(c);
			return NULL;
		}
	}
	return c;
}

void cluster_free(struct cluster *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->settings.parts; i++)
		cluster_part_fini(&c->parts[i]);
	whereabouts_fini(&c->whereabouts);
	mem_free(c);
}

struct cluster_part *cluster_attach(struct cluster *c, unsigned part, struct loop *loop, struct http_server *http)
{
	struct cluster_part *p = &c->parts[part];

	p->loop = loop;
	p->desk.loop = loop;
	p->desk.http = http;
	return p;
}

void cluster_begin(struct cluster_part *p)
{
	atomic_store_explicit(&p->view, p->known->view, memory_order_release);
	if (p->index == 0)
		cluster_hub_begin(p->cluster);
}

struct cluster_counters cluster_counters(const struct cluster_part *p)
{
	struct cluster_counters n = {
		.hops = p->desk.counters,
		.received = p->received,
		.asked = p->asked,
		.lost = p->lost,
	};

	if (p->index == 0) {
		n.gateways = p->known->count;
		n.strays = p->cluster->hub.own.strays;
		n.is_calm = p->known->is_calm;
		n.is_up = atomic_load_explicit(&p->cluster->is_up, memory_order_relaxed);
	}
	return n;
}
