/*
 * base/message.c - messages and their encoded forms; see message.h.
 */
#include "base/message.h"

#include <string.h>

#include "base/mem.h"

struct message_cache {
	_Atomic(struct shared *) forms[MESSAGE_FORMS];
	uint32_t part_count; /* 0: it was not joined */
	struct message *parts[];
};

static void cache_free(struct message_cache *cache)
{
	if (!cache)
		return;
	for (int i = 0; i < MESSAGE_FORMS; i++)
		shared_unref(atomic_load_explicit(&cache->forms[i], memory_order_acquire));
	for (uint32_t i = 0; i < cache->part_count; i++)
		message_unref(cache->parts[i]);
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
	m->has_surrogates = m->is_joined = false;
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

/* --- joined --------------------------------------------------------------------------- */

/* Whether they may be, and how many octets they are. */
static bool may_join(struct message *const *parts, size_t count, size_t *total)
{
	*total = 0;
	for (size_t i = 0; i < count; i++) {
		if (parts[i]->binary || parts[i]->is_joined)
			return false;
		*total += parts[i]->len;
	}
	return count > 0 && count <= UINT32_MAX && *total <= UINT32_MAX;
}

static struct message_cache *keep_parts(struct message *const *parts, size_t count)
{
	struct message_cache *cache = mem_zalloc(sizeof(*cache) + count * sizeof(*parts));

	if (!cache)
		return NULL;
	cache->part_count = (uint32_t)count;
	for (size_t i = 0; i < count; i++)
		cache->parts[i] = message_ref(parts[i]);
	return cache;
}

struct message *message_join(struct message *const *parts, size_t count)
{
	struct message *m;
	size_t total;
	char *to;

	m = may_join(parts, count, &total) ? mem_alloc(sizeof(*m) + total) : NULL;
	if (!m)
		return NULL;
	*m = (struct message){ .len = (uint32_t)total, .is_joined = true };
	atomic_init(&m->refs, 1);
	m->cache = keep_parts(parts, count);
	if (!m->cache) {
		message_unref(m);
		return NULL;
	}
	to = m->data;
	for (size_t i = 0; i < count; i++) {
		to = mempcpy(to, parts[i]->data, parts[i]->len);
		m->has_surrogates |= parts[i]->has_surrogates;
	}
	return m;
}

struct message *const *message_parts(struct message *const *m, size_t *count)
{
	*count = 1;
	if (!(*m)->is_joined)
		return m;
	*count = (*m)->cache->part_count;
	return (*m)->cache->parts;
}

/* --- forms ---------------------------------------------------------------------------- */

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
