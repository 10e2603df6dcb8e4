/*
 * networks/networks_private.h - the table of networks, and of clients, for the files that use it:
 *
 *	networks_open.c    a session opens: evidence of what was before, and its policy
 *	networks_learn.c   what is seen of it later
 *	networks_people.c  all of them, to be shown or forgotten
 *	networks.c         the table
 */
#ifndef NETWORKS_NETWORKS_PRIVATE_H
#define NETWORKS_NETWORKS_PRIVATE_H

#include <pthread.h>

#include "base/list.h"
#include "base/map.h"
#include "net/visitors.h"
#include "networks/networks.h"

#define NETWORK_KEY_MAX 24 /* an address, a program, a server number */

/* Of these an address has one each; a shard has room for so many of both. */
enum network_kind { NETWORK_OF_BLOCK, NETWORK_OF_CLIENT, NETWORK_KINDS };

struct network_entry {
	struct map_node node;
	struct list by_use; /* the last used is the last */
	uint8_t key_len;
	uint8_t kind;
	uint8_t refusals; /* of a client's WebSockets, since he has come by something else */
	char key[NETWORK_KEY_MAX];
	struct network scores;
	struct network_stories stories;
};

struct network_shard {
	pthread_mutex_t lock;
	struct map map;
	struct list by_use[NETWORK_KINDS];
	size_t count[NETWORK_KINDS];
};

struct networks {
	struct map_seed seed;
	struct network_attempts *attempts;
	struct network_shard shards[NETWORKS_SHARDS];
	struct network_tally tally;
};

/* Who somebody is here. */
struct network_key {
	size_t n; /* 0: nobody */
	enum network_kind kind;
	char text[NETWORK_KEY_MAX];
};
struct network_key network_key_of_block(const struct network_client *c);
struct network_key network_key_of_client(const struct network_client *c);
/* For network_attempts. */
struct network_key network_key_of_attempt(const struct network_client *c);
static inline struct bytes network_key_text(const struct network_key *k)
{
	return (struct bytes){ k->text, k->n };
}

/* A key of a block in a table of visitors, of whom that of a client is one. */
extern const struct visitor_prefixes network_block;

/* One that is looked at, of its shard, which is locked, as it is now; `row` NULL: it is not known,
 * or (`make`) there is no memory for it. */
struct network_look {
	struct network_shard *shard;
	struct network_entry *row;
};
struct network_look network_look_begin(struct networks *all,
    const struct network_settings *settings, const struct network_key *key, bool make,
    uint64_t now_ms);
void network_look_end(struct network_look look);

/* Its shard is locked. */
void network_entry_forget(
    struct networks *all, struct network_shard *shard, struct network_entry *row);

#endif
