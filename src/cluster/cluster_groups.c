/*
 * cluster/cluster_groups.c - groups that go over several gateways: what is sent to one comes to those of its name
 * everywhere; see cluster.h.
 *
 * A group is a topic of the engine, which all gateways that have it have joined.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cluster/cluster_private.h"

#define GROUP "/g/"

struct group_topic {
	struct list node;
	struct engine_topic topic;
	char name[]; /* GROUP and what it is called */
};

/* What a thread wants of the hub. */
struct group_letter {
	struct mail mail;
	struct cluster *cluster;
	void (*fn)(struct cluster *c, struct bytes name, struct bytes text);
	size_t name_len, text_len;
	char name[]; /* likewise, then the text */
};

/* --- in the hub ----------------------------------------------------------------------------------- */

static struct group_topic *find(struct cluster *c, struct bytes name)
{
	struct list *pos;

	list_foreach (pos, &c->hub.groups) {
		struct group_topic *g = container_of(pos, struct group_topic, node);

		if (bytes_equal(g->topic.name, name))
			return g;
	}
	return NULL;
}

static void drop(struct cluster *c, struct group_topic *g)
{
	c->settings.kind->leave(&g->topic);
	list_remove(&g->node);
	mem_free(g);
}

static void join(struct cluster *c, struct bytes name, struct bytes text)
{
	struct group_topic *g = find(c, name) ? NULL : mem_zalloc(sizeof(*g) + name.n);
	int err;

	(void)text;
	if (!g)
		return;
	bytes_put(g->name, name);
	g->topic.name = (struct bytes){ g->name, name.n };
	list_append(&c->hub.groups, &g->node);
	err = c->settings.kind->join(c->hub.engine, &g->topic);
	if (err == 0)
		return;
	log_error("a group is not shared with other gateways", LOG_BYTES("group", name), LOG_ERR(err));
	list_remove(&g->node);
	mem_free(g);
}

static void leave(struct cluster *c, struct bytes name, struct bytes text)
{
	struct group_topic *g = find(c, name);

	(void)text;
	if (g)
		drop(c, g);
}

static void publish(struct cluster *c, struct bytes name, struct bytes text)
{
	int err = c->settings.kind->publish(c->hub.engine, &(struct engine_message){ .destination = name, .body = text });

	if (err < 0)
		log_warn_limited("a message of a group does not come to other gateways", LOG_ERR(err));
}

void cluster_groups_message(struct cluster *c, const struct engine_message *m)
{
	const struct cluster_ops *ops = &c->settings.ops;
	const size_t skip = sizeof(GROUP) - 1;

	if (m->user.n == 0 && m->destination.n > skip && find(c, m->destination))
		ops->message(ops->arg, (struct bytes){ m->destination.p + skip, m->destination.n - skip }, m->body);
}

void cluster_groups_end(struct cluster *c)
{
	while (!list_empty(&c->hub.groups))
		drop(c, container_of(list_first(&c->hub.groups), struct group_topic, node));
}

/* --- from any thread ------------------------------------------------------------------------------- */

static void on_letter(struct mail *mail, struct loop *loop)
{
	struct group_letter *m = container_of(mail, struct group_letter, mail);

	(void)loop;
	if (m->cluster->hub.engine)
		m->fn(m->cluster, (struct bytes){ m->name, m->name_len }, (struct bytes){ m->name + m->name_len, m->text_len });
	mem_free(m);
}

static int post(struct cluster *c, void (*fn)(struct cluster *, struct bytes, struct bytes), struct bytes name,
    struct bytes text)
{
	const size_t skip = sizeof(GROUP) - 1;
	struct group_letter *m = mem_alloc(sizeof(*m) + skip + name.n + text.n);

	if (!m)
		return -ENOMEM;
	m->cluster = c;
	m->fn = fn;
	m->name_len = skip + name.n;
	m->text_len = text.n;
	bytes_put(bytes_put(bytes_put(m->name, BYTES(GROUP)), name), text);
	loop_post(c->parts[0].loop, &m->mail, on_letter);
	return 0;
}

int cluster_group_join(struct cluster *c, struct bytes name)
{
	return post(c, join, name, (struct bytes){ 0 });
}

void cluster_group_leave(struct cluster *c, struct bytes name)
{
	if (post(c, leave, name, (struct bytes){ 0 }) < 0)
		log_warn_limited("a group goes on at the engine: out of memory");
}

int cluster_group_send(struct cluster *c, struct bytes name, struct bytes text)
{
	return post(c, publish, name, text);
}
