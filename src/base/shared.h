/*
 * base/shared.h - immutable bytes with a reference count.
 *
 * What is written once and sent to many: a wire form of a broadcast message
 * lives until the last receiver's kernel has taken the last byte of it. Fill
 * `data` between shared_new() and the first shared_ref(); never after.
 * References may be taken and dropped on any thread.
 */
#ifndef BASE_SHARED_H
#define BASE_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct shared {
	atomic_uint refs;
	size_t len;
	char data[];
};

/* One reference, owned by the caller; NULL when memory is out. `len` may be lowered before the
 * object is shared. */
struct shared *shared_new(size_t len);

static inline struct shared *shared_ref(struct shared *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void shared_unref(struct shared *s); /* NULL is fine */

/* Gives up one of the references counted in `refs`; whether it was the last. Nobody can add one to
 * the only reference but its holder, who is here, so then the locked instruction is spared. */
static inline bool shared_count_drop(atomic_uint *refs)
{
	return atomic_load_explicit(refs, memory_order_acquire) == 1 ||
	       atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

#endif
