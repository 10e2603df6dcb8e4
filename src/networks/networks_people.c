/*
 * networks/networks_people.c - what is known of networks, for people: to be shown, counted, or
 * forgotten; see networks.h.
 */
#include "networks/networks_private.h"

void networks_each_of(struct networks *all, const struct network_settings *settings, unsigned share,
    uint64_t now_ms, bool (*fn)(const struct network_view *view, void *arg), void *arg)
{
	struct network_shard *shard = &all->shards[share & (NETWORKS_SHARDS - 1)];
	struct list *first = &shard->by_use[NETWORK_OF_BLOCK];
	bool goes_on = true;

	pthread_mutex_lock(&shard->lock);
	for (struct list *at = first->next; goes_on && at != first; at = at->next) {
		struct network_entry *row = container_of(at, struct network_entry, by_use);
		struct network_view view = { { row->key, row->key_len }, &row->scores,
			&row->stories };

		network_age(&row->scores, settings, now_ms);
		goes_on = fn(&view, arg);
	}
	pthread_mutex_unlock(&shard->lock);
}

static bool row_is_meant(
    const struct network_entry *row, bool (*is_meant)(struct bytes key, void *arg), void *arg)
{
	struct bytes key = { row->key, row->key_len };
	char network[QUOTA_KEY_MAX];

	if (row->kind == NETWORK_OF_CLIENT)
		key = (struct bytes){ network, visitor_key_widen(key, network_block, network) };
	return is_meant(key, arg);
}

static size_t forget_kind(struct networks *all, struct network_shard *shard, enum network_kind kind,
    bool (*is_meant)(struct bytes key, void *arg), void *arg)
{
	struct list *pos, *next;
	size_t count = 0;

	list_foreach_safe (pos, next, &shard->by_use[kind]) {
		struct network_entry *row = container_of(pos, struct network_entry, by_use);

		if (!row_is_meant(row, is_meant, arg))
			continue;
		network_entry_forget(all, shard, row);
		count++;
	}
	return count;
}

size_t networks_forget_of(
    struct networks *all, unsigned share, bool (*is_meant)(struct bytes key, void *arg), void *arg)
{
	struct network_shard *shard = &all->shards[share & (NETWORKS_SHARDS - 1)];
	size_t count;

	pthread_mutex_lock(&shard->lock);
	forget_kind(all, shard, NETWORK_OF_CLIENT, is_meant, arg);
	count = forget_kind(all, shard, NETWORK_OF_BLOCK, is_meant, arg);
	pthread_mutex_unlock(&shard->lock);
	return count;
}

uint64_t networks_learned(const struct networks *all, enum network_evidence what)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < NETWORK_BROWSER_ROWS; i++)
		sum += network_counted(&all->tally.of[i].evidence[what]);
	return sum;
}

const struct network_tally *networks_tally(const struct networks *all)
{
	return &all->tally;
}
