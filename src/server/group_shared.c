/*
 * server/group_shared.c - groups that are one with those of their name at other gateways.
 */
#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/group_private.h"
#include "server/peers.h"

#define NAME_MOST 200

/* What may be a topic's name at the engine, as it is. */
static bool is_name(struct bytes name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] >= 0x7f || name.p[i] == '*')
			return false;
	return name.n > 0 && name.n <= NAME_MOST;
}

static struct cluster *cluster_of(const struct sockjs_server *server)
{
	return server->joined ? server->joined->cluster : NULL;
}

/* --- which there are ----------------------------------------------------------------------------------- */

/* With the lock: the one behind so many others of this name; after a reload there may be two. */
static struct sockjs_group *find(struct sockjs_server *server, struct bytes name, unsigned skip)
{
	struct list *pos;

	list_foreach (pos, &server->shared_groups) {
		struct sockjs_group *g = container_of(pos, struct sockjs_group, shared);

		if (bytes_equal(bytes_of(atomic_load(&g->name)), name) && skip-- == 0)
			return g;
	}
	return NULL;
}

/* With the lock. */
static int add(struct sockjs_group *g, const char *name)
{
	struct cluster *c = cluster_of(g->server);
	char *own = mem_strdup(name);
	int err = own && c ? cluster_group_join(c, bytes_of(name)) : 0;

	if (!own || err < 0) {
		mem_free(own);
		return -ENOMEM;
	}
	list_append(&g->server->shared_groups, &g->shared);
	atomic_store_explicit(&g->name, own, memory_order_release);
	return 0;
}

int sockjs_group_share(struct sockjs_group *g, const char *name)
{
	struct sockjs_server *server = g->server;
	const char *has;
	int err;

	if (!is_name(bytes_of(name)))
		return -EINVAL;
	has = atomic_load_explicit(&g->name, memory_order_acquire);
	if (has)
		return strcmp(has, name) == 0 ? 0 : -EBUSY;
	pthread_mutex_lock(&server->groups_lock);
	has = atomic_load(&g->name); /* another thread may have been faster */
	err = !has ? add(g, name) : strcmp(has, name) == 0 ? 0 : -EBUSY;
	pthread_mutex_unlock(&server->groups_lock);
	return err;
}

void group_unshare(struct sockjs_group *g)
{
	struct sockjs_server *server = g->server;
	struct bytes name = bytes_of(atomic_load(&g->name) ? atomic_load(&g->name) : "");

	pthread_mutex_lock(&server->groups_lock);
	list_remove(&g->shared);
	if (name.n > 0 && cluster_of(server) && !atomic_load(&server->ended) && !find(server, name, 0))
		cluster_group_leave(cluster_of(server), name);
	pthread_mutex_unlock(&server->groups_lock);
}

void groups_attach(struct sockjs_server *server)
{
	struct list *pos;

	pthread_mutex_lock(&server->groups_lock);
	list_foreach (pos, &server->shared_groups)
		(void)cluster_group_join(
		    cluster_of(server), bytes_of(atomic_load(&container_of(pos, struct sockjs_group, shared)->name)));
	pthread_mutex_unlock(&server->groups_lock);
}

/* --- messages ------------------------------------------------------------------------------------------ */

/* In the reactor that gives its messages their order. */
void group_send_to_others(const struct sockjs_group *g, const struct message *m)
{
	const char *name = atomic_load_explicit(&g->name, memory_order_acquire);
	struct cluster *c = name ? cluster_of(g->server) : NULL;

	if (c && cluster_group_send(c, bytes_of(name), (struct bytes){ m->data, m->len }) < 0)
		log_warn_limited("a message of a group does not come to other gateways: out of memory");
}

static struct sockjs_group *take_ref(struct sockjs_server *server, struct bytes name, unsigned skip)
{
	struct sockjs_group *g;

	pthread_mutex_lock(&server->groups_lock);
	g = find(server, name, skip);
	if (g)
		group_ref(g);
	pthread_mutex_unlock(&server->groups_lock);
	return g;
}

void groups_take(struct sockjs_server *server, struct bytes name, struct bytes text)
{
	struct sockjs_group *g;

	for (unsigned i = 0; (g = take_ref(server, name, i)) != NULL; i++) {
		if (group_deliver(g, text) < 0)
			log_warn_limited("a message of another gateway does not come to a group");
		group_unref(g);
	}
}
