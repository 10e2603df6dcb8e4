/*
 * base/stash.c - blocks kept in a list for each size; see stash.h.
 *
 * To AddressSanitizer a block that is kept is poisoned, so that a use after free is still
 * found.
 */
#include "base/stash.h"

#include "base/mem.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

struct stash_block {
	struct stash_block *next;
};

static size_t rounded_up(size_t size)
{
	return size ? (size + STASH_STEP - 1) & ~(size_t)(STASH_STEP - 1) : STASH_STEP;
}

static struct stash_block **list_for(struct stash *stash, size_t rounded)
{
	return &stash->blocks[rounded / STASH_STEP - 1];
}

static struct stash_block *take(struct stash *stash, size_t rounded)
{
	struct stash_block **list = list_for(stash, rounded), *block = *list;

	if (block) {
		ASAN_UNPOISON_MEMORY_REGION(block, rounded);
		*list = block->next;
		stash->kept -= rounded;
	}
	return block;
}

void *stash_alloc(struct stash *stash, size_t size)
{
	size_t rounded;
	void *p;

	if (!stash || size > STASH_LARGEST)
		return mem_alloc(size);
	rounded = rounded_up(size);
	p = take(stash, rounded);
	return p ? p : mem_alloc(rounded);
}

void stash_free(struct stash *stash, void *p, size_t size)
{
	size_t rounded;
	struct stash_block *block = p, **list;

	if (!p)
		return;
	rounded = rounded_up(size);
	if (!stash || size > STASH_LARGEST || stash->kept + rounded > STASH_KEEPS) {
		mem_free(p);
		return;
	}
	list = list_for(stash, rounded);
	block->next = *list;
	*list = block;
	stash->kept += rounded;
	ASAN_POISON_MEMORY_REGION(block, rounded);
}

void stash_fini(struct stash *stash)
{
	for (size_t rounded = STASH_STEP; rounded <= STASH_LARGEST; rounded += STASH_STEP) {
		struct stash_block *block;

		while ((block = take(stash, rounded)))
			mem_free(block);
	}
}
