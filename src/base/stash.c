/*
 * base/stash.c - blocks kept in a list for each size; see stash.h.
 *
 * To AddressSanitizer a block that is kept is poisoned, so that a use after free is still
 * found.
 */
#include "base/stash.h"

#include "base/mem.h"

#ifndef __has_feature /* clang's way to ask */
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

struct stash_block {
	struct stash_block *next;
};

/* A size, rounded up to one of those that there are. */
struct size {
	unsigned index;
	size_t octets;
};

static struct size fine(size_t size)
{
	unsigned steps = size ? (unsigned)(size + 63) / 64 : 1;

	return (struct size){ steps - 1, steps * 64u };
}

/* With 1024 = 2^10 below: which power of two, and how many quarters of it more. */
static struct size coarse(size_t size)
{
	unsigned power = 63u - (unsigned)__builtin_clzll(size - 1),
	         quarters = (unsigned)((size - 1) >> (power - 2)) - 3;

	return (struct size){ STASH_FINE + (power - 10) * 4 + quarters - 1, ((size_t)4 + quarters)
		                                                                << (power - 2) };
}

static struct size size_for(size_t size)
{
	return size <= 64 * STASH_FINE ? fine(size) : coarse(size);
}

static struct stash_block *take(struct stash *stash, struct size size)
{
	struct stash_block *block = stash->blocks[size.index];

	if (block) {
		ASAN_UNPOISON_MEMORY_REGION(block, size.octets);
		stash->blocks[size.index] = block->next;
		stash->kept -= size.octets;
	}
	return block;
}

void *stash_alloc(struct stash *stash, size_t size)
{
	struct size rounded;
	void *p;

	if (!stash || size > STASH_LARGEST)
		return mem_alloc(size);
	rounded = size_for(size);
	p = take(stash, rounded);
	return p ? p : mem_alloc(rounded.octets);
}

void stash_free(struct stash *stash, void *p, size_t size)
{
	struct stash_block *block = p;
	struct size rounded;

	if (!stash || size > STASH_LARGEST) {
		mem_free(p);
		return;
	}
	rounded = size_for(size);
	if (!p || stash->kept + rounded.octets > STASH_KEEPS) {
		mem_free(p);
		return;
	}
	block->next = stash->blocks[rounded.index];
	stash->blocks[rounded.index] = block;
	stash->kept += rounded.octets;
	ASAN_POISON_MEMORY_REGION(block, rounded.octets);
}

void stash_fini(struct stash *stash)
{
	struct stash_block *block;

	for (size_t size = 1; size <= STASH_LARGEST; size = size_for(size).octets + 1)
		while ((block = take(stash, size_for(size))))
			mem_free(block);
}
