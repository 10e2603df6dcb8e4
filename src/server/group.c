/*
 * server/group.c - one message to many sessions.
 *
 * A group has a part in each reactor: a dense array of the members that live there,
 * which only that reactor touches. A broadcast is one message object and one mail
 * per reactor; each wire form of it is encoded once, by whoever needs it first.
 *
 * All members see one order, because one reactor makes it: the group's owner. Whoever
 * sends elsewhere sends to it, by mail, and it sends to all others; mail keeps its order.
 */
#include <errno.h>

#include "base/mem.h"
#include "server/server_private.h"

struct membership {
	struct list node; /* session_extra.memberships */
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

struct sockjs_group {
	struct sockjs_server *server;
	atomic_uint refs; /* the owner's, each member's, each mail's */
	atomic_size_t size;
	struct group_part *parts;
	unsigned part_count;
	unsigned owner; /* the reactor in which its messages get their order */
};

static void group_unref(struct sockjs_group *g)
{
	if (atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (unsigned i = 0; i < g->part_count; i++)
		mem_free(g->parts[i].members);
	mem_free(g->parts);
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
	return g;
}

void sockjs_group_free(struct sockjs_group *g)
{
	if (g)
		group_unref(g);
}

size_t sockjs_group_size(const struct sockjs_group *g)
{
	return atomic_load_explicit(
	    &((struct sockjs_group *)(uintptr_t)g)->size, memory_order_relaxed);
}

/* --- members ------------------------------------------------------------ */

static struct membership *find_membership(
    const struct session_extra *extra, const struct sockjs_group *g)
{
	struct list *pos;

	list_foreach (pos, &extra->memberships) {
		struct membership *m = container_of(pos, struct membership, node);

		if (m->group == g)
			return m;
	}
	return NULL;
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
	if (find_membership(extra, g))
		return -EEXIST;
	m = mem_zalloc(sizeof(*m));
	if (!m || part_add(&g->parts[reactor_current()->index], m, s) < 0) {
		mem_free(m);
		return -ENOMEM;
	}
	m->group = g;
	list_append(&extra->memberships, &m->node);
	atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&g->size, 1, memory_order_relaxed);
	return 0;
}

static void leave(struct membership *m)
{
	struct group_part *part = m->part;
	struct member last = part->members[--part->count];

	part->members[m->index] = last;
	last.membership->index = m->index;
	list_remove(&m->node);
	atomic_fetch_sub_explicit(&m->group->size, 1, memory_order_relaxed);
	group_unref(m->group);
	mem_free(m);
}

int sockjs_group_leave(struct sockjs_group *g, struct sockjs_session *s)
{
	struct membership *m = s->extra ? find_membership(s->extra, g) : NULL;

	if (!m)
		return -ENOENT;
	leave(m);
	return 0;
}

void group_leave_all(struct session_extra *extra)
{
	while (!list_empty(&extra->memberships))
		leave(container_of(list_first(&extra->memberships), struct membership, node));
}

/* --- sending ------------------------------------------------------------ */

/* A message on its way to all parts. */
struct broadcast {
	struct sockjs_group *group;
	struct message *message;
	atomic_uint under_way; /* legs of it */
	struct leg {
		struct mail mail;
		struct broadcast *of;
	} legs[]; /* one for each reactor */
};

static struct broadcast *broadcast_new(struct sockjs_group *g, struct message *m)
{
	struct broadcast *b = mem_alloc(sizeof(*b) + g->part_count * sizeof(*b->legs));

	if (!b)
		return NULL;
	atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
	b->group = g;
	b->message = message_ref(m);
	atomic_init(&b->under_way, g->part_count);
	for (unsigned i = 0; i < g->part_count; i++)
		b->legs[i].of = b;
	return b;
}

/* So many legs of it have come to their ends. */
static void broadcast_end(struct broadcast *b, unsigned legs)
{
	if (atomic_fetch_sub_explicit(&b->under_way, legs, memory_order_acq_rel) > legs)
		return;
	message_unref(b->message);
	group_unref(b->group);
	mem_free(b);
}

/* Sending changes no membership: a session that turns out to be closed leaves in a later stage. */
static void send_to_part(struct group_part *part, struct message *m)
{
	for (size_t i = 0; i < part->count; i++)
		send_accepted(part->members[i].session, m);
}

static void post_leg(struct broadcast *b, unsigned i, mail_fn fn)
{
	loop_post(b->group->server->reactors[i]->loop, &b->legs[i].mail, fn);
}

static void on_broadcast(struct mail *mail, struct loop *loop)
{
	struct broadcast *b = container_of(mail, struct leg, mail)->of;
	struct reactor *here = reactor_current();

	(void)loop;
	if (here)
		send_to_part(&b->group->parts[here->index], b->message);
	broadcast_end(b, 1);
}

/* In the owner's reactor: this is the message's place in the order. */
static void spread(struct broadcast *b)
{
	struct sockjs_group *g = b->group;

	for (unsigned i = 0; i < g->part_count; i++)
		if (i != g->owner)
			post_leg(b, i, on_broadcast);
	send_to_part(&g->parts[g->owner], b->message);
	broadcast_end(b, 1);
}

static void on_order(struct mail *mail, struct loop *loop)
{
	struct broadcast *b = container_of(mail, struct leg, mail)->of;

	(void)loop;
	if (reactor_current())
		spread(b);
	else /* the server has ended while it was on its way */
		broadcast_end(b, b->group->part_count);
}

static int send_in_order(struct sockjs_group *g, struct message *m)
{
	struct reactor *here = reactor_current();
	bool is_owner = here && here->server == g->server && here->index == g->owner;
	struct broadcast *b;

	if (is_owner && g->part_count == 1) {
		send_to_part(&g->parts[0], m);
		return 0;
	}
	b = broadcast_new(g, m);
	if (!b)
		return -ENOMEM;
	if (is_owner)
		spread(b);
	else
		post_leg(b, g->owner, on_order);
	return 0;
}

int sockjs_group_send(struct sockjs_group *g, const void *text, size_t len)
{
	struct message *m;
	int err;

	if (!g->server->started)
		return 0; /* nobody can be in it */
	if ((err = message_from_app(&m, text, len, true)) < 0)
		return err;
	err = send_in_order(g, m);
	message_unref(m);
	return err;
}
