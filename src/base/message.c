/*
 * base/message.c - messages and their encoded forms; see message.h.
 */
#include "base/message.h"

#include <string.h>

#include "base/mem.h"

struct message_cache {
	_Atomic(struct shared *) forms[MESSAGE_FORMS];
};

static void cache_free(struct message_cache *cache)
{
	if (!cache)
		return;
	for (int i = 0; i < MESSAGE_FORMS; i++)
		shared_unref(atomic_load_explicit(&cache->forms[i], memory_order_acquire));
	mem_free(cache);
}

struct message *message_new(const void *data, size_t n, bool binary, bool for_many)
{
	struct message *m;

	if (n > UINT32_MAX || n > SIZE_MAX - sizeof(*m))
		return NULL;
	m = mem_alloc(sizeof(*m) + n);
	if (!m)
		return NULL;
	atomic_init(&m->refs, 1);
	m->len = (uint32_t)n;
	m->binary = binary;
	m->has_surrogates = false;
	m->cache = NULL;
	if (n)
		memcpy(m->data, data, n);
	if (for_many) {
		m->cache = mem_zalloc(sizeof(*m->cache));
		if (!m->cache) {
			mem_free(m);
			return NULL;
		}
	}
	return m;
}

void message_unref(struct message *m)
{
	if (!m || !shared_count_drop(&m->refs))
		return;
	cache_free(m->cache);
	mem_free(m);
}

struct shared *message_form(struct message *m, enum message_form form, message_encode_fn encode)
{
	_Atomic(struct shared *) *slot = &m->cache->forms[form];
	struct shared *have = atomic_load_explicit(slot, memory_order_acquire), *mine;

	if (have)
		return have;
	mine = encode(m);
	if (!mine)
		return NULL;
	if (atomic_compare_exchange_strong_explicit(
	        slot, &have, mine, memory_order_acq_rel, memory_order_acquire))
		return mine;
	shared_unref(mine); /* another thread was first */
	return have;
}
