/*
 * base/stash.h - small blocks of memory of one thread, kept for who asks next.
 *
 * What every message needs for a moment comes from here, so that a steady stream of
 * messages never asks the heap. What a stash keeps is bounded; larger blocks are the
 * heap's. A block goes back to the stash it is from, with the size it was asked for, on the
 * stash's thread. No stash (NULL) is the heap.
 */
#ifndef BASE_STASH_H
#define BASE_STASH_H

#include <stddef.h>

#define STASH_LARGEST 65536     /* a block that is kept */
#define STASH_KEEPS   (1 << 20) /* octets in all */

enum {
	STASH_FINE = 16,      /* sizes up to 1024, in steps of 64 */
	STASH_COARSE = 6 * 4, /* beyond, four between a power of two and the next */
	STASH_SIZES = STASH_FINE + STASH_COARSE,
};

struct stash_block;

struct stash {
	struct stash_block *blocks[STASH_SIZES];
	size_t kept; /* octets */
};

#define STASH_INIT ((struct stash){ 0 })

/* Gives back what is kept. All blocks must have come back before. */
void stash_fini(struct stash *stash);

/* NULL when memory is out. */
void *stash_alloc(struct stash *stash, size_t size);
void stash_free(struct stash *stash, void *p, size_t size); /* p may be NULL */

#endif
