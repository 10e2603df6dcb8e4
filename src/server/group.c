/*
 * server/group.c - one message to many sessions.
 *
 * A group has a part in each reactor: a dense array of the members that live there,
 * which only that reactor touches. A broadcast is one message object and one mail
 * per reactor; each wire form of it is encoded once, by whoever needs it first.
 *
 * All members see one order, because one reactor makes it: the group's owner (spread.c).
 */
#include <errno.h>

#include "base/mem.h"
#include "server/group_private.h"

struct membership {
	struct membership *next; /* session_extra.memberships */
	struct sockjs_group *group;
	size_t index; /* in its part */
	struct group_part *part;
};

struct member {
	struct sockjs_session *session; /* what a broadcast needs, without going to another place */
	struct membership *membership;
};

struct group_part {
	struct member *members;
	size_t count, cap;
	char apart[64]; /* reactors must not share a cache line here */
};

void group_ref(struct sockjs_group *g)
{
	atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
}

void group_unref(struct sockjs_group *g)
{
	if (atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (unsigned i = 0; i < g->part_count; i++)
		mem_free(g->parts[i].members);
	mem_free(g->parts);
	mem_free(atomic_load(&g->name));
	mem_free(g);
}

/* Where it was made, for its members are likely there; or one after the other. */
static unsigned choose_owner(struct sockjs_server *server)
{
	const struct reactor *here = reactor_current();

	if (here && here->server == server)
		return here->index;
	return atomic_fetch_add_explicit(&server->groups, 1, memory_order_relaxed) %
	       server->reactor_count;
}

struct sockjs_group *sockjs_group_new(struct sockjs_server *server)
{
	struct sockjs_group *g = mem_zalloc(sizeof(*g));

	if (!g)
		return NULL;
	g->parts = mem_zalloc(server->reactor_count * sizeof(*g->parts));
	if (!g->parts) {
		mem_free(g);
		return NULL;
	}
	g->server = server;
	g->part_count = server->reactor_count;
	g->owner = choose_owner(server);
	atomic_init(&g->refs, 1);
	list_init(&g->shared);
	return g;
}

void sockjs_group_free(struct sockjs_group *g)
{
	if (!g)
		return;
	group_unshare(g);
	group_unref(g);
}

size_t sockjs_group_size(const struct sockjs_group *g)
{
	return atomic_load_explicit(
	    &((struct sockjs_group *)(uintptr_t)g)->size, memory_order_relaxed);
}

/* --- members ------------------------------------------------------------ */

/* Where the pointer to it is kept; where it would be if there is none. */
static struct membership **find_membership(
    struct session_extra *extra, const struct sockjs_group *g)
{
	struct membership **at = &extra->memberships;

	while (*at && (*at)->group != g)
		at = &(*at)->next;
	return at;
}

static int part_add(struct group_part *part, struct membership *m, struct sockjs_session *s)
{
	if (part->count == part->cap) {
		size_t cap = part->cap ? part->cap * 2 : 8;
		struct member *members = mem_realloc(part->members, cap * sizeof(*members));

		if (!members)
			return -ENOMEM;
		part->members = members;
		part->cap = cap;
	}
	m->index = part->count;
	m->part = part;
	part->members[part->count++] = (struct member){ s, m };
	return 0;
}

int sockjs_group_join(struct sockjs_group *g, struct sockjs_session *s)
{
	struct session_extra *extra = session_extra(s);
	struct membership *m;

	if (!extra)
		return -ENOMEM;
	if (g->server != s->endpoint->server)
		return -EINVAL;
	if (!session_is_open(&s->base))
		return -EPIPE;
	if (*find_membership(extra, g))
		return -EEXIST;
	m = mem_zalloc(sizeof(*m));
	if (!m || part_add(&g->parts[reactor_current()->index], m, s) < 0) {
		mem_free(m);
		return -ENOMEM;
	}
	m->group = g;
	m->next = extra->memberships;
	extra->memberships = m;
	atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&g->size, 1, memory_order_relaxed);
	return 0;
}

static void leave(struct membership **at)
{
	struct membership *m = *at;
	struct group_part *part = m->part;
	struct member last = part->members[--part->count];

	part->members[m->index] = last;
	last.membership->index = m->index;
	*at = m->next;
	atomic_fetch_sub_explicit(&m->group->size, 1, memory_order_relaxed);
	group_unref(m->group);
	mem_free(m);
}

int sockjs_group_leave(struct sockjs_group *g, struct sockjs_session *s)
{
	struct membership **at = s->extra ? find_membership(s->extra, g) : NULL;

	if (!at || !*at)
		return -ENOENT;
	leave(at);
	return 0;
}

void group_leave_all(struct session_extra *extra)
{
	while (extra->memberships)
		leave(&extra->memberships);
}

/* --- sending ------------------------------------------------------------ */

/* A message on its way to all parts. */
struct broadcast {
	struct sockjs_group *group;
	struct message *message;
};

/* Sending changes no membership: a session that turns out to be closed leaves in a later stage. */
static void send_to_part(struct group_part *part, struct message *m)
{
	for (size_t i = 0; i < part->count; i++)
		send_accepted(part->members[i].session, m);
}

static void on_broadcast(void *arg)
{
	const struct broadcast *b = arg;

	send_to_part(&b->group->parts[reactor_current()->index], b->message);
}

static void broadcast_done(void *arg)
{
	const struct broadcast *b = arg;

	message_unref(b->message);
	group_unref(b->group);
}

/* What comes to other gateways comes there in the order that it has here. */
static void on_order(void *arg)
{
	const struct broadcast *b = arg;

	group_send_to_others(b->group, b->message);
}

static int spread(struct sockjs_group *g, void (*order)(void *arg), const void *text, size_t len)
{
	struct broadcast b = { g, NULL };
	int err;

	if (!g->server->started)
		return 0; /* nobody can be in it */
	if ((err = message_from_app(&b.message, text, len, true)) < 0)
		return err;
	group_ref(g);
	err = sockjs_reactor_spread(g->server, g->owner, order, on_broadcast, broadcast_done, &b, sizeof(b));
	if (err < 0)
		broadcast_done(&b);
	return err;
}

int sockjs_group_send(struct sockjs_group *g, const void *text, size_t len)
{
	return spread(g, atomic_load_explicit(&g->name, memory_order_acquire) ? on_order : NULL, text, len);
}

int group_deliver(struct sockjs_group *g, struct bytes text)
{
	return spread(g, NULL, text.p, text.n);
}
