/*
 * broker/broker_trie.h - the patterns that are subscribed in a part: a node for each segment.
 *
 * All children by plain segments are in one hash map, whose keys are (parent, segment), so that a
 * node with a million children costs as little to look into as one with two, and a node without any
 * costs nothing for them. The children "*" and "**" are kept apart. A publish walks the nodes that
 * its destination can match, each once, at most BROKER_SEGMENTS_MAX deep, and no others.
 *
 * What is subscribed at a node is the owner's affair (`audience`); a node without that and without
 * children is pruned.
 */
#ifndef BROKER_BROKER_TRIE_H
#define BROKER_BROKER_TRIE_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/map.h"

struct broker_audience;

struct broker_node {
	struct map_node by_segment;       /* the hash of a child by "*" or "**" is set as well */
	struct broker_audience *audience; /* who has subscribed this very pattern, or NULL */
	struct broker_node *any, *rest;   /* the children "*" and "**" */
	uint32_t children;                /* others, which are in the map */
	uint16_t segment_len;
	/* The key, in one piece */
	struct broker_node *parent;
	char segment[];
};

struct broker_trie {
	struct map children;
	struct broker_node *root;
	char separator;
	uint64_t nodes;   /* without the root */
	uint64_t visited; /* since ever, for tests */
};

/* 0 or -ENOMEM. */
int broker_trie_init(struct broker_trie *t, char separator);
/* It must have been pruned to its root; or never have been initialised, but zeroed. */
void broker_trie_fini(struct broker_trie *t);

/* The node of a valid pattern, made if need be; NULL when memory is out. */
struct broker_node *broker_trie_add(struct broker_trie *t, struct bytes pattern);
/* The node may have become useless. */
void broker_trie_prune(struct broker_trie *t, struct broker_node *node);

/* Calls `fn` for every node with an audience whose pattern matches a valid destination. `fn` may
 * not change the trie. */
typedef void (*broker_match_fn)(struct broker_node *node, void *arg);
void broker_trie_match(
    struct broker_trie *t, struct bytes destination, broker_match_fn fn, void *arg);

#endif
