/*
 * broker/broker_subscribe.c - what members have subscribed; see broker.h.
 *
 * Patterns for all stand in the part's trie; at a node, the subscribers of one kind are a dense
 * array (an audience), so that a delivery reads one entry. "/user/rest" is kept with its member
 * alone and looked for only when a message is for that member: no pattern of another finds it.
 */
#include <assert.h>
#include <errno.h>

#include "base/mem.h"
#include "broker/broker_name.h"
#include "broker/broker_presence.h"
#include "broker/broker_private.h"
#include "broker/broker_queue.h"

/* --- audiences ----------------------------------------------------------- */

static struct broker_audience *add_audience(
    struct broker_node *node, struct broker_kind *kind, struct bytes pattern)
{
	struct broker_audience *a = mem_alloc(sizeof(*a) + pattern.n);

	if (!a)
		return NULL;
	*a = (struct broker_audience){ .next = node->audience, .kind = kind, .node = node };
	a->pattern_len = (uint16_t)pattern.n;
	bytes_put(a->pattern, pattern);
	node->audience = a;
	return a;
}

static struct broker_audience *audience_of(
    struct broker_node *node, struct broker_kind *kind, struct bytes pattern)
{
	for (struct broker_audience *a = node->audience; a; a = a->next)
		if (a->kind == kind)
			return a;
	return add_audience(node, kind, pattern);
}

/* Frees an audience in which nobody is left. */
static void prune_audience(struct broker_audience *a)
{
	struct broker_audience **link = &a->node->audience;

	if (a->count > 0)
		return;
	while (*link != a)
		link = &(*link)->next;
	*link = a->next;
	mem_free(a->entries);
	mem_free(a);
}

static int resize(struct broker_audience *a, uint32_t cap)
{
	struct broker_entry *entries = mem_realloc_array(a->entries, cap, sizeof(*entries));

	if (!entries)
		return -ENOMEM;
	a->entries = entries;
	a->cap = cap;
	return 0;
}

/* By a half, so that little is unused. */
static int grow(struct broker_audience *a)
{
	if (a->cap > UINT32_MAX / 2)
		return -ENOMEM;
	return resize(a, a->cap + a->cap / 2 + 1);
}

static int audience_add(struct broker_audience *a, struct broker_entry entry)
{
	if (a->count == a->cap && grow(a) < 0)
		return -ENOMEM;
	entry.subscription->audience = a;
	entry.subscription->index = a->count;
	a->entries[a->count++] = entry;
	return 0;
}

/* The last one takes the place. */
static void audience_remove(struct broker_audience *a, uint32_t index)
{
	struct broker_entry last = a->entries[--a->count];

	a->entries[index] = last;
	last.subscription->index = index;
	if (a->cap > 4 && a->count <= a->cap / 4)
		(void)resize(a, a->cap / 2); /* if not, it stays as it is */
}

/* --- peers ----------------------------------------------------------------- */

static int tell_peers(struct broker_part *part, struct bytes pattern, bool begins)
{
	const struct broker_peers *peers = &part->broker->peers;

	int err = peers->interest ? peers->interest(peers->arg, part->index, pattern, begins) : 0;

	if (err == 0 && (err = broker_attend_watch(part, pattern, begins)) < 0 && begins && peers->interest)
		(void)peers->interest(peers->arg, part->index, pattern, false);
	return err;
}

static int tell_peers_of_user(const struct broker_member *m, bool begins)
{
	const struct broker_part *part = m->kind->part;
	const struct broker_peers *peers = &part->broker->peers;

	return peers->user_interest
	           ? peers->user_interest(peers->arg, part->index, broker_member_user(m), begins)
	           : 0;
}

/* --- subscribing --------------------------------------------------------- */

static int enter(struct broker_part *part, struct bytes pattern, struct broker_entry entry)
{
	struct broker_node *node = broker_trie_add(&part->trie, pattern);
	struct broker_audience *a;
	bool is_first = node && !node->audience;
	int err;

	if (!node)
		return -ENOMEM;
	a = audience_of(node, entry.subscription->member->kind, pattern);
	err = a && is_first ? tell_peers(part, pattern, true) : a ? 0 : -ENOMEM;
	if (err == 0 && (err = audience_add(a, entry)) < 0 && is_first)
		(void)tell_peers(part, pattern, false);
	if (err < 0) {
		if (a)
			prune_audience(a);
		broker_trie_prune(&part->trie, node);
	}
	part->counters.nodes = part->trie.nodes;
	return err;
}

static int subscribe(struct broker_member *m, struct bytes pattern, struct broker_entry entry,
    struct broker_subscription **out)
{
	struct broker_subscription *s = mem_alloc(sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	*s = (struct broker_subscription){ .member = m };
	entry.subscription = s;
	err = enter(m->kind->part, pattern, entry);
	if (err < 0) {
		mem_free(s);
		return err;
	}
	list_append(&m->subscriptions, &s->of_member);
	*out = s;
	return 0;
}

static int subscribe_own(struct broker_member *m, struct bytes pattern, struct broker_entry entry,
    struct broker_subscription **out)
{
	struct broker_own *own = mem_alloc(sizeof(*own) + pattern.n);

	if (own && m->user && m->user->own_count == 0 && tell_peers_of_user(m, true) < 0) {
		mem_free(own);
		own = NULL;
	}
	if (!own)
		return -ENOMEM;
	if (m->user)
		m->user->own_count++;
	*own = (struct broker_own){ .base = { .member = m }, .entry = entry };
	own->is_plain = !memchr(pattern.p, '*', pattern.n);
	own->pattern_len = (uint16_t)pattern.n;
	bytes_put(own->pattern, pattern);
	list_prepend(&m->subscriptions, &own->base.of_member);
	*out = &own->base;
	return 0;
}

int broker_subscribe(struct broker_member *m, struct bytes pattern, void *receiver, uintptr_t label,
    struct broker_subscription **out)
{
	struct broker_part *part = m->kind->part;
	const struct broker *b = part->broker;
	struct broker_entry entry = { .receiver = receiver, .label = label };
	int err;

	assert(!part->busy);
	if (!broker_pattern_is_valid(b, pattern))
		return -EINVAL;
	if (b->limits.max_subscriptions && m->count >= b->limits.max_subscriptions)
		return -ENOSPC;
	if (broker_name_is_private(pattern))
		err = subscribe_own(m, pattern, entry, out);
	else
		err = subscribe(m, pattern, entry, out);
	if (err < 0)
		return err;
	m->count++;
	part->counters.subscriptions++;
	return 0;
}

/* Out of its audience, and that out of the trie if it was the last. */
static void withdraw(struct broker_part *part, struct broker_subscription *s)
{
	struct broker_node *node = s->audience->node;
	const struct broker_audience *a = s->audience;

	audience_remove(s->audience, s->index);
	if (a->count == 0 && node->audience == a && !a->next)
		(void)tell_peers(part, (struct bytes){ a->pattern, a->pattern_len }, false);
	prune_audience(s->audience);
	broker_trie_prune(&part->trie, node);
	part->counters.nodes = part->trie.nodes;
}

void broker_unsubscribe(struct broker_subscription *s)
{
	struct broker_part *part = s->member->kind->part;

	assert(!part->busy);
	if (s->attends)
		broker_attend_end(s);
	list_remove(&s->of_member);
	s->member->count--;
	part->counters.subscriptions--;
	if (s->is_consumer) {
		broker_consumer_end(s);
	} else if (s->audience) {
		withdraw(part, s);
		mem_free(s);
	} else {
		if (s->member->user && --s->member->user->own_count == 0)
			(void)tell_peers_of_user(s->member, false);
		mem_free(container_of(s, struct broker_own, base));
	}
}

void broker_redirect(struct broker_subscription *s, void *receiver, uintptr_t label)
{
	struct broker_entry *entry = s->audience ? &s->audience->entries[s->index]
	                                         : &container_of(s, struct broker_own, base)->entry;

	assert(!s->is_consumer);
	entry->receiver = receiver;
	entry->label = label;
}

struct bytes broker_subscription_pattern(const struct broker_subscription *s)
{
	const struct broker_own *own;

	if (s->is_consumer)
		return broker_consumer_queue(s);
	if (s->audience)
		return (struct bytes){ s->audience->pattern, s->audience->pattern_len };
	own = container_of(s, struct broker_own, base);
	return (struct bytes){ own->pattern, own->pattern_len };
}
