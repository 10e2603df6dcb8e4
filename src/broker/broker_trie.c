/*
 * broker/broker_trie.c - patterns by segment; see broker_trie.h.
 *
 * The hash of a child is made of its parent's and of its segment's, the latter keyed: so a publish
 * hashes each of its segments once, however many nodes it visits, and nobody can make
 * children collide who does not know the key.
 */
#include "broker/broker_trie.h"

#include <errno.h>
#include <stddef.h>

#include "base/mem.h"
#include "broker/broker_name.h"

#define HASH_ANY  1 /* in place of the segment's */
#define HASH_REST 2

static struct bytes node_key(const struct map_node *n)
{
	const struct broker_node *node = container_of(n, struct broker_node, by_segment);

	return (
	    struct bytes){ (const char *)&node->parent, sizeof(node->parent) + node->segment_len };
}

/* Two sums that are equal are needed to make two of these equal, and each of the addends is
 * random. */
static uint64_t child_hash(const struct broker_node *parent, uint64_t segment_hash)
{
	uint64_t sum = parent->by_segment.hash + segment_hash;

	sum = (sum ^ sum >> 32) * 0x9e3779b97f4a7c15;
	return sum ^ sum >> 29;
}

/* --- a key to look for --------------------------------------------------- */

/* One segment of a pattern or of a destination, with room before it for whose child is meant. */
struct level {
	uint64_t hash;
	char *key;
	size_t key_len;
};

static void level_set(
    struct level *l, const struct broker_trie *t, struct bytes segment, char *room)
{
	l->hash = map_hash(&t->children.seed, segment);
	l->key = room;
	l->key_len = sizeof(struct broker_node *) + segment.n;
	bytes_put(room + sizeof(struct broker_node *), segment);
}

static struct broker_node *find_child(
    const struct broker_trie *t, const struct broker_node *parent, const struct level *l)
{
	struct map_node *found;

	if (!parent->children)
		return NULL;
	memcpy(l->key, &parent, sizeof(parent));
	found = map_find_hashed(
	    &t->children, (struct bytes){ l->key, l->key_len }, child_hash(parent, l->hash));
	return found ? container_of(found, struct broker_node, by_segment) : NULL;
}

/* --- life ---------------------------------------------------------------- */

static struct broker_node *node_new(struct broker_node *parent, struct bytes segment)
{
	struct broker_node *node = mem_zalloc(sizeof(*node) + segment.n);

	if (!node)
		return NULL;
	node->parent = parent;
	node->segment_len = (uint16_t)segment.n;
	bytes_put(node->segment, segment);
	return node;
}

int broker_trie_init(struct broker_trie *t, char separator)
{
	*t = (struct broker_trie){ .separator = separator };
	map_init(&t->children, node_key, NULL);
	t->root = node_new(NULL, BYTES(""));
	return t->root ? 0 : -ENOMEM;
}

void broker_trie_fini(struct broker_trie *t)
{
	map_fini(&t->children);
	mem_free(t->root);
	t->root = NULL;
}

/* --- nodes come and go --------------------------------------------------- */

static struct broker_node *add_apart(
    struct broker_trie *t, struct broker_node *parent, struct bytes segment, uint64_t hash)
{
	struct broker_node **child = hash == HASH_ANY ? &parent->any : &parent->rest;

	if (*child)
		return *child;
	*child = node_new(parent, segment);
	if (!*child)
		return NULL;
	(*child)->by_segment.hash = child_hash(parent, hash);
	t->nodes++;
	return *child;
}

static struct broker_node *add_plain(
    struct broker_trie *t, struct broker_node *parent, struct bytes segment)
{
	char room[sizeof(parent) + BROKER_DESTINATION_MAX];
	struct broker_node *child;
	struct level l;

	level_set(&l, t, segment, room);
	child = find_child(t, parent, &l);
	if (child)
		return child;
	child = node_new(parent, segment);
	if (!child)
		return NULL;
	if (map_insert_hashed(&t->children, &child->by_segment, child_hash(parent, l.hash)) < 0) {
		mem_free(child);
		return NULL;
	}
	parent->children++;
	t->nodes++;
	return child;
}

static struct broker_node *add_child(
    struct broker_trie *t, struct broker_node *parent, struct bytes segment)
{
	if (broker_segment_is_any(segment))
		return add_apart(t, parent, segment, HASH_ANY);
	if (broker_segment_is_rest(segment))
		return add_apart(t, parent, segment, HASH_REST);
	return add_plain(t, parent, segment);
}

struct broker_node *broker_trie_add(struct broker_trie *t, struct bytes pattern)
{
	struct broker_segments s = broker_segments_of(pattern, t->separator);
	struct broker_node *node = t->root, *child;
	struct bytes segment;

	while (broker_segments_next(&s, &segment)) {
		child = add_child(t, node, segment);
		if (!child) {
			broker_trie_prune(t, node);
			return NULL;
		}
		node = child;
	}
	return node;
}

static bool is_useless(const struct broker_node *node)
{
	return node->parent && !node->audience && !node->any && !node->rest && !node->children;
}

static void remove_child(struct broker_trie *t, struct broker_node *child)
{
	struct broker_node *parent = child->parent;

	if (parent->any == child) {
		parent->any = NULL;
	} else if (parent->rest == child) {
		parent->rest = NULL;
	} else {
		map_remove(&t->children, &child->by_segment);
		parent->children--;
	}
	mem_free(child);
	t->nodes--;
}

void broker_trie_prune(struct broker_trie *t, struct broker_node *node)
{
	struct broker_node *parent;

	for (; is_useless(node); node = parent) {
		parent = node->parent;
		remove_child(t, node);
	}
}

/* --- matching ------------------------------------------------------------ */

struct walk {
	struct broker_trie *trie;
	broker_match_fn fn;
	void *arg;
	struct broker_segments ahead; /* what no node has asked for yet */
	int depth;                    /* levels that are set */
	struct level levels[BROKER_SEGMENTS_MAX];
	size_t used;
	char room[BROKER_DESTINATION_MAX + BROKER_SEGMENTS_MAX * sizeof(struct broker_node *)];
};

/* The segment behind `depth` others, or NULL: there are no more. It is looked at when the first
 * node needs it, so that what few have subscribed costs little whatever its length. */
static const struct level *level_at(struct walk *w, int depth)
{
	struct level *l = &w->levels[depth];
	struct bytes segment;

	if (depth < w->depth)
		return l;
	if (!broker_segments_next(&w->ahead, &segment))
		return NULL;
	level_set(l, w->trie, segment, w->room + w->used);
	w->used += l->key_len;
	w->depth++;
	return l;
}

static void report(struct walk *w, struct broker_node *node)
{
	if (node->audience)
		w->fn(node, w->arg);
}

/* The node matches so many segments. No deeper than there are any. */
static void visit(struct walk *w, struct broker_node *node, int depth)
{
	const struct level *l = level_at(w, depth);
	struct broker_node *child;

	w->trie->visited++;
	if (node->rest)
		report(w, node->rest);
	if (!l) {
		report(w, node);
		return;
	}
	if (node->any)
		visit(w, node->any, depth + 1);
	child = find_child(w->trie, node, l);
	if (child)
		visit(w, child, depth + 1);
}

void broker_trie_match(
    struct broker_trie *t, struct bytes destination, broker_match_fn fn, void *arg)
{
	struct walk w;

	/* Not initialised as a whole: that would cost more than the walk */
	w.trie = t;
	w.fn = fn;
	w.arg = arg;
	w.ahead = broker_segments_of(destination, t->separator);
	w.depth = 0;
	w.used = 0;
	visit(&w, t->root, 0);
}
