/*
 * broker/broker_members.c - who is there in a part: sessions, users, and whom a private message
 * finds; see broker.h.
 */
#include <assert.h>
#include <errno.h>

#include "base/mem.h"
#include "broker/broker_name.h"
#include "broker/broker_queue.h"

/* --- users and sessions -------------------------------------------------- */

static struct bytes session_key(const struct map_node *n)
{
	return broker_member_session(container_of(n, struct broker_member, by_session));
}

static struct bytes user_key(const struct map_node *n)
{
	const struct broker_user *user = container_of(n, struct broker_user, by_name);

	return (struct bytes){ user->name, user->name_len };
}

void broker_part_init_members(struct broker_part *part)
{
	map_init(&part->sessions, session_key, &part->broker->seed);
	map_init(&part->users, user_key, &part->broker->seed);
}

void broker_part_fini_members(struct broker_part *part)
{
	map_fini(&part->sessions);
	map_fini(&part->users);
}

static struct broker_user *find_user(
    const struct broker_part *part, struct bytes name, uint64_t hash)
{
	struct map_node *found = map_find_hashed(&part->users, name, hash);

	return found ? container_of(found, struct broker_user, by_name) : NULL;
}

static struct broker_user *add_user(struct broker_part *part, struct bytes name, uint64_t hash)
{
	struct broker_user *user = mem_alloc(offsetof(struct broker_user, name) + name.n);

	if (!user)
		return NULL;
	user->first = NULL;
	user->own_count = 0;
	user->name_len = (uint16_t)name.n;
	bytes_put(user->name, name);
	if (map_insert_hashed(&part->users, &user->by_name, hash) < 0) {
		mem_free(user);
		return NULL;
	}
	part->counters.users++;
	return user;
}

static struct broker_member *next_of_user(const struct broker_member *m)
{
	return container_of(m->of_user.next, struct broker_member, of_user);
}

static void enter_user(struct broker_user *user, struct broker_member *m)
{
	if (user->first)
		list_append(&user->first->of_user, &m->of_user);
	else
		user->first = m;
}

static void leave_user(struct broker_member *m)
{
	struct broker_part *part = m->kind->part;
	struct broker_member *next = next_of_user(m);

	if (!m->user)
		return;
	list_remove(&m->of_user);
	if (m->user->first == m)
		m->user->first = next;
	if (next != m)
		return;
	map_remove(&part->users, &m->user->by_name);
	mem_free(m->user);
	part->counters.users--;
}

static int join_user(struct broker_member *m, struct bytes name)
{
	struct broker_part *part = m->kind->part;
	uint64_t hash;

	if (name.n == 0)
		return 0;
	hash = map_hash(&part->users.seed, name);
	m->user = find_user(part, name, hash);
	if (!m->user)
		m->user = add_user(part, name, hash);
	if (!m->user)
		return -ENOMEM;
	enter_user(m->user, m);
	return 0;
}

/* --- members ------------------------------------------------------------- */

static struct broker_kind *add_kind(struct broker_part *part, const struct broker_ops *ops)
{
	struct broker_kind *kind = mem_zalloc(sizeof(*kind));

	if (!kind)
		return NULL;
	kind->ops = ops;
	kind->part = part;
	kind->next = part->kinds;
	part->kinds = kind;
	return kind;
}

static struct broker_kind *kind_of(struct broker_part *part, const struct broker_ops *ops)
{
	for (struct broker_kind *kind = part->kinds; kind; kind = kind->next)
		if (kind->ops == ops)
			return kind;
	return add_kind(part, ops);
}

static struct broker_member *member_new(struct broker_kind *kind, struct bytes session)
{
	struct broker_member *m = mem_zalloc(sizeof(*m) + session.n);

	if (!m)
		return NULL;
	m->kind = kind;
	m->session_len = (uint16_t)session.n;
	bytes_put(m->session, session);
	list_init(&m->of_user);
	list_init(&m->subscriptions);
	return m;
}

struct broker_member *broker_join(
    struct broker_part *part, const struct broker_ops *ops, struct bytes session, struct bytes user)
{
	struct broker_kind *kind;
	struct broker_member *m;

	assert(!part->busy);
	if (session.n == 0 || session.n > UINT16_MAX || user.n > UINT16_MAX)
		return NULL;
	kind = kind_of(part, ops);
	m = kind ? member_new(kind, session) : NULL;
	if (!m)
		return NULL;
	if (join_user(m, user) < 0 || map_insert(&part->sessions, &m->by_session) < 0) {
		leave_user(m);
		mem_free(m);
		return NULL;
	}
	part->counters.members++;
	return m;
}

void broker_leave(struct broker_member *m)
{
	struct broker_part *part = m->kind->part;
	struct list *first;

	assert(!part->busy);
	while ((first = list_first(&m->subscriptions)) != NULL)
		broker_unsubscribe(container_of(first, struct broker_subscription, of_member));
	leave_user(m);
	map_remove(&part->sessions, &m->by_session);
	part->counters.members--;
	mem_free(m);
}

struct bytes broker_member_session(const struct broker_member *m)
{
	return (struct bytes){ m->session, m->session_len };
}

struct bytes broker_member_user(const struct broker_member *m)
{
	return m->user ? user_key(&m->user->by_name) : BYTES("");
}

/* --- walking over members ------------------------------------------------ */

struct member_walk {
	void (*fn)(struct broker_member *m, void *arg);
	void *arg;
};

static bool on_member(struct map_node *node, void *arg)
{
	const struct member_walk *w = arg;

	w->fn(container_of(node, struct broker_member, by_session), w->arg);
	return true;
}

void broker_each_member(
    struct broker_part *part, void (*fn)(struct broker_member *m, void *arg), void *arg)
{
	struct member_walk w = { fn, arg };

	map_each(&part->sessions, on_member, &w);
}

static void each_of(
    struct broker_user *user, void (*fn)(struct broker_member *m, void *arg), void *arg)
{
	struct broker_member *m = user->first;

	do {
		fn(m, arg);
		m = next_of_user(m);
	} while (m != user->first);
}

void broker_each_of_user(struct broker_part *part, struct bytes name,
    void (*fn)(struct broker_member *m, void *arg), void *arg)
{
	struct broker_user *user = find_user(part, name, map_hash(&part->users.seed, name));

	if (user)
		each_of(user, fn, arg);
}

/* --- private messages ---------------------------------------------------- */

struct addressed {
	struct bytes shown;
	char separator;
	broker_own_fn fn;
	void *arg;
};

static bool own_matches(const struct broker_own *own, const struct addressed *to)
{
	struct bytes pattern = { own->pattern, own->pattern_len };

	if (own->is_plain)
		return bytes_equal(pattern, to->shown);
	return broker_name_matches(pattern, to->shown, to->separator);
}

/* To its private subscriptions, which are the first of all. */
static void visit_member(struct broker_member *m, void *arg)
{
	const struct addressed *to = arg;
	struct list *pos;

	list_foreach (pos, &m->subscriptions) {
		struct broker_subscription *s =
		    container_of(pos, struct broker_subscription, of_member);
		struct broker_own *own = container_of(s, struct broker_own, base);

		if (s->audience)
			return;
		if (own_matches(own, to))
			to->fn(own, to->arg);
	}
}

/* Who is called so as a session; not if its user is called so too, and was found by that. */
static struct broker_member *find_session(
    const struct broker_part *part, const struct broker_addressee *to)
{
	struct map_node *found = map_find_hashed(&part->sessions, to->name, to->hash);
	struct broker_member *m;

	if (!found)
		return NULL;
	m = container_of(found, struct broker_member, by_session);
	return bytes_equal(broker_member_user(m), to->name) ? NULL : m;
}

void broker_each_addressed(struct broker_part *part, const struct broker_addressee *to,
    struct bytes shown, broker_own_fn fn, void *arg)
{
	struct addressed addressed = { shown, part->broker->separator, fn, arg };
	struct broker_user *user = find_user(part, to->name, to->hash);
	struct broker_member *m = find_session(part, to);

	if (user)
		each_of(user, visit_member, &addressed);
	if (m)
		visit_member(m, &addressed);
}
