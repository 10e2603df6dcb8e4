/*
 * base/shared.c - immutable bytes with a reference count; see shared.h.
 */
#include "base/shared.h"

#include "base/mem.h"

struct shared *shared_new(size_t len)
{
	struct shared *s;

	if (len > (size_t)-1 / 2)
		return NULL;
	s = mem_alloc(sizeof(*s) + len);
	if (s) {
		atomic_init(&s->refs, 1);
		s->len = len;
	}
	return s;
}

void shared_unref(struct shared *s)
{
	if (s && shared_count_drop(&s->refs))
		mem_free(s);
}
