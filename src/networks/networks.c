/*
 * networks/networks.c - the table of networks, and of clients whose WebSockets have failed; see
 * networks.h.
 */
#include "networks/networks_private.h"

#include "base/mem.h"

#define OF_SHARD                                                                                   \
	2048 /* rows of each kind, so that no client with many programs drives networks out */

const struct visitor_prefixes network_block = { .ipv4 = 24, .ipv6 = 48 };
static const struct visitor_prefixes whole = { .ipv4 = 32, .ipv6 = 128 };

/* --- who somebody is -------------------------------------------------------------------------- */

struct network_key network_key_of_block(const struct network_client *c)
{
	struct network_key k = { .kind = NETWORK_OF_BLOCK };

	k.n = visitor_key(&c->address, network_block, k.text);
	return k;
}

static void add(struct network_key *k, const void *what, size_t n)
{
	if (k->n == 0)
		return;
	memcpy(k->text + k->n, what, n);
	k->n += n;
}

/* The length of the prefix keeps it apart from all blocks. */
struct network_key network_key_of_client(const struct network_client *c)
{
	struct network_key k = { .kind = NETWORK_OF_CLIENT };

	k.n = visitor_key(&c->address, whole, k.text);
	add(&k, &c->agent, sizeof(c->agent));
	return k;
}

struct network_key network_key_of_attempt(const struct network_client *c)
{
	struct network_key k = network_key_of_client(c);

	add(&k, &c->number, sizeof(c->number));
	return k;
}

/* --- within a shard, with its lock
 * ------------------------------------------------------------------ */

static struct bytes name_of(const struct map_node *n)
{
	const struct network_entry *row = container_of(n, struct network_entry, node);

	return (struct bytes){ row->key, row->key_len };
}

void network_entry_forget(
    struct networks *all, struct network_shard *shard, struct network_entry *row)
{
	if (row->kind == NETWORK_OF_BLOCK)
		atomic_fetch_sub_explicit(&all->tally.known, 1, memory_order_relaxed);
	shard->count[row->kind]--;
	map_remove(&shard->map, &row->node);
	list_remove(&row->by_use);
	network_stories_fini(&row->stories);
	mem_free(row);
}

static void forget_first(struct networks *all, struct network_shard *shard, enum network_kind kind)
{
	struct list *first = list_first(&shard->by_use[kind]);

	network_entry_forget(all, shard, container_of(first, struct network_entry, by_use));
}

static struct network_entry *find(
    struct network_shard *shard, const struct network_key *key, uint64_t hash)
{
	struct map_node *found = map_find_hashed(&shard->map, network_key_text(key), hash);
	struct network_entry *row = found ? container_of(found, struct network_entry, node) : NULL;

	if (!row)
		return NULL;
	list_remove(&row->by_use);
	list_append(&shard->by_use[row->kind], &row->by_use);
	return row;
}

static struct network_entry *make_row(
    struct networks *all, struct network_shard *shard, const struct network_key *key, uint64_t hash)
{
	struct network_entry *row;

	if (shard->count[key->kind] >= OF_SHARD)
		forget_first(all, shard, key->kind);
	row = mem_zalloc(sizeof(*row));
	if (!row)
		return NULL;
	row->key_len = (uint8_t)key->n;
	row->kind = (uint8_t)key->kind;
	memcpy(row->key, key->text, key->n);
	if (map_insert_hashed(&shard->map, &row->node, hash) < 0) {
		mem_free(row);
		return NULL;
	}
	list_append(&shard->by_use[key->kind], &row->by_use);
	shard->count[key->kind]++;
	if (key->kind == NETWORK_OF_BLOCK)
		network_count(&all->tally.known);
	return row;
}

struct network_look network_look_begin(struct networks *all,
    const struct network_settings *settings, const struct network_key *key, bool make,
    uint64_t now_ms)
{
	uint64_t hash = map_hash(&all->seed, network_key_text(key));
	struct network_look look = { &all->shards[hash >> 60 & (NETWORKS_SHARDS - 1)], NULL };

	pthread_mutex_lock(&look.shard->lock);
	look.row = find(look.shard, key, hash);
	if (!look.row && make)
		look.row = make_row(all, look.shard, key, hash);
	if (look.row)
		network_age(&look.row->scores, settings, now_ms);
	return look;
}

void network_look_end(struct network_look look)
{
	pthread_mutex_unlock(&look.shard->lock);
}

/* --- life
 * ----------------------------------------------------------------------------------------------------
 */

static void shard_init(struct network_shard *shard, const struct map_seed *seed)
{
	pthread_mutex_init(&shard->lock, NULL);
	map_init(&shard->map, name_of, seed);
	for (unsigned kind = 0; kind < NETWORK_KINDS; kind++)
		list_init(&shard->by_use[kind]);
}

static void shard_fini(struct networks *all, struct network_shard *shard)
{
	for (unsigned kind = 0; kind < NETWORK_KINDS; kind++)
		while (!list_empty(&shard->by_use[kind]))
			forget_first(all, shard, (enum network_kind)kind);
	map_fini(&shard->map);
	pthread_mutex_destroy(&shard->lock);
}

struct networks *networks_new(void)
{
	struct networks *all = mem_zalloc(sizeof(*all));

	if (!all)
		return NULL;
	all->attempts = network_attempts_new();
	if (!all->attempts) {
		mem_free(all);
		return NULL;
	}
	map_seed_random(&all->seed);
	for (size_t i = 0; i < NETWORKS_SHARDS; i++)
		shard_init(&all->shards[i], &all->seed);
	return all;
}

void networks_free(struct networks *all)
{
	if (!all)
		return;
	for (size_t i = 0; i < NETWORKS_SHARDS; i++)
		shard_fini(all, &all->shards[i]);
	network_attempts_free(all->attempts);
	mem_free(all);
}
