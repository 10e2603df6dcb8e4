/*
 * base/freelist.c - blocks kept in a list for each size; see freelist.h.
 *
 * To AddressSanitizer a block that is kept is poisoned, so that a use after free is still
 * found.
 */
#include "base/freelist.h"

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

struct freelist_block {
	struct freelist_block *next;
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

	return (struct size){ FREELIST_FINE + (power - 10) * 4 + quarters - 1,
		((size_t)4 + quarters) << (power - 2) };
}

static struct size size_for(size_t size)
{
	return size <= 64 * FREELIST_FINE ? fine(size) : coarse(size);
}

static struct freelist_block *take(struct freelist *freelist, struct size size)
{
	struct freelist_block *block = freelist->blocks[size.index];

	if (block) {
		ASAN_UNPOISON_MEMORY_REGION(block, size.octets);
		freelist->blocks[size.index] = block->next;
		freelist->kept -= size.octets;
	}
	return block;
}

void *freelist_alloc(struct freelist *freelist, size_t size)
{
	struct size rounded;
	void *p;

	if (!freelist || size > FREELIST_LARGEST)
		return mem_alloc(size);
	rounded = size_for(size);
	p = take(freelist, rounded);
	return p ? p : mem_alloc(rounded.octets);
}

void freelist_free(struct freelist *freelist, void *p, size_t size)
{
	struct freelist_block *block = p;
	struct size rounded;

	if (!freelist || size > FREELIST_LARGEST) {
		mem_free(p);
		return;
	}
	rounded = size_for(size);
	if (!p || freelist->kept + rounded.octets > FREELIST_KEEPS) {
		mem_free(p);
		return;
	}
	block->next = freelist->blocks[rounded.index];
	freelist->blocks[rounded.index] = block;
	freelist->kept += rounded.octets;
	ASAN_POISON_MEMORY_REGION(block, rounded.octets);
}

void freelist_fini(struct freelist *freelist)
{
	struct freelist_block *block;

	for (size_t size = 1; size <= FREELIST_LARGEST; size = size_for(size).octets + 1)
		while ((block = take(freelist, size_for(size))))
			mem_free(block);
}
