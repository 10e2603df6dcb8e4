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

struct message *message_new_in(struct freelist *freelist, const void *data, size_t n, bool binary)
{
	struct message *m;

	if (n > UINT32_MAX || n > SIZE_MAX - sizeof(*m))
		return NULL;
	m = freelist_alloc(freelist, sizeof(*m) + n);
	if (!m)
		return NULL;
	atomic_init(&m->refs, 1);
	m->len = (uint32_t)n;
	m->binary = binary;
	m->has_surrogates = false;
	m->cache = NULL;
	m->freelist = freelist;
	if (n)
		memcpy(m->data, data, n);
	return m;
}

struct message *message_new(const void *data, size_t n, bool binary, bool for_many)
{
	struct message *m = message_new_in(NULL, data, n, binary);

	if (!m || !for_many)
		return m;
	m->cache = mem_zalloc(sizeof(*m->cache));
	if (!m->cache) {
		message_unref(m);
		return NULL;
	}
	return m;
}

void message_unref(struct message *m)
{
	if (!m || !shared_count_drop(&m->refs))
		return;
	cache_free(m->cache);
	freelist_free(m->freelist, m, sizeof(*m) + m->len);
}

struct shared *message_form_find(const struct message *m, enum message_form form)
{
	return atomic_load_explicit(&m->cache->forms[form], memory_order_acquire);
}

struct shared *message_form_keep(struct message *m, enum message_form form, struct shared *mine)
{
	struct shared *have = NULL;

	if (atomic_compare_exchange_strong_explicit(
	        &m->cache->forms[form], &have, mine, memory_order_acq_rel, memory_order_acquire))
		return mine;
	shared_unref(mine); /* another thread was first */
	return have;
}

struct shared *message_form(struct message *m, enum message_form form, message_encode_fn encode)
{
	struct shared *have = message_form_find(m, form), *mine;

	if (have)
		return have;
	mine = encode(m);
	return mine ? message_form_keep(m, form, mine) : NULL;
}
