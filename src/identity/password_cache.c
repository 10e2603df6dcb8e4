/*
 * identity/password_cache.c - see password_cache.h.
 */
#include "identity/password_cache.h"

#include "base/mem.h"

struct entry {
	struct map_node node;
	struct list order;
	struct identity *who; /* NULL: the passcode is wrong */
	uint64_t until;
	unsigned char digest[PASSWORD_DIGEST];
};

static struct bytes entry_key(const struct map_node *node)
{
	const struct entry *e = container_of(node, struct entry, node);

	return (struct bytes){ (const char *)e->digest, PASSWORD_DIGEST };
}

void password_cache_init(struct password_cache *c)
{
	map_init(&c->map, entry_key, NULL);
	list_init(&c->verified.order);
	list_init(&c->refused.order);
	c->verified.count = c->refused.count = 0;
}

static struct password_known *kind_of(struct password_cache *c, const struct entry *e)
{
	return e->who ? &c->verified : &c->refused;
}

static void forget(struct password_cache *c, struct entry *e)
{
	kind_of(c, e)->count--;
	list_remove(&e->order);
	map_remove(&c->map, &e->node);
	identity_unref(e->who);
	mem_free(e);
}

/* The next to end, or NULL. */
static struct entry *first(const struct password_known *known)
{
	struct list *node = list_first(&known->order);

	return node ? container_of(node, struct entry, order) : NULL;
}

static void forget_all(struct password_cache *c, struct password_known *known)
{
	while (first(known))
		forget(c, first(known));
}

void password_cache_fini(struct password_cache *c)
{
	forget_all(c, &c->verified);
	forget_all(c, &c->refused);
	map_fini(&c->map);
}

static void forget_ended(struct password_cache *c, struct password_known *known, uint64_t now)
{
	while (first(known) && first(known)->until <= now)
		forget(c, first(known));
}

static struct entry *find(struct password_cache *c, const unsigned char *digest)
{
	struct map_node *node =
	    map_find(&c->map, (struct bytes){ (const char *)digest, PASSWORD_DIGEST });

	return node ? container_of(node, struct entry, node) : NULL;
}

bool password_cache_find(struct password_cache *c, const unsigned char digest[PASSWORD_DIGEST],
    uint64_t now, struct identity **who)
{
	struct entry *e;

	forget_ended(c, &c->verified, now);
	forget_ended(c, &c->refused, now);
	e = find(c, digest);
	if (!e)
		return false;
	if (e->who) { /* known from now on as long as from the beginning */
		e->until = now + PASSWORD_VERIFIED_MS;
		list_remove(&e->order);
		list_append(&c->verified.order, &e->order);
	}
	*who = e->who;
	return true;
}

static void settle(struct password_cache *c, struct entry *e, size_t most, uint64_t now)
{
	struct password_known *known = kind_of(c, e);

	e->until = now + (e->who ? PASSWORD_VERIFIED_MS : PASSWORD_REFUSED_MS);
	list_append(&known->order, &e->order);
	known->count++;
	if (known->count > most)
		forget(c, first(known));
}

void password_cache_add(struct password_cache *c, const unsigned char digest[PASSWORD_DIGEST],
    uint64_t now, struct identity *who)
{
	struct entry *e = mem_zalloc(sizeof(*e));

	if (!e)
		return;
	memcpy(e->digest, digest, PASSWORD_DIGEST);
	list_init(&e->order);
	if (map_insert(&c->map, &e->node) < 0) { /* it is there, or memory is out */
		mem_free(e);
		return;
	}
	e->who = who ? identity_ref(who) : NULL;
	settle(c, e, who ? PASSWORD_VERIFIED_MAX : PASSWORD_REFUSED_MAX, now);
}
