/*
 * base/freelist.h - free lists: small blocks of memory of one thread, kept for who asks
 * next.
 *
 * What every message needs for a moment comes from here, so that a steady stream of
 * messages never asks the heap. What a free list keeps is bounded; larger blocks are the
 * heap's. A block goes back to the free list it is from, with the size it was asked for, on the
 * list's thread. No free list (NULL) is the heap.
 */
#ifndef BASE_FREELIST_H
#define BASE_FREELIST_H

#include <stddef.h>

#define FREELIST_LARGEST 65536     /* a block that is kept */
#define FREELIST_KEEPS   (1 << 20) /* octets in all */

enum {
	FREELIST_FINE = 16,      /* sizes up to 1024, in steps of 64 */
	FREELIST_COARSE = 6 * 4, /* beyond, four between a power of two and the next */
	FREELIST_SIZES = FREELIST_FINE + FREELIST_COARSE,
};

struct freelist_block;

struct freelist {
	struct freelist_block *blocks[FREELIST_SIZES];
	size_t kept; /* octets */
};

#define FREELIST_INIT ((struct freelist){ 0 })

/* Gives back what is kept. All blocks must have come back before. */
void freelist_fini(struct freelist *freelist);

/* NULL when memory is out. */
void *freelist_alloc(struct freelist *freelist, size_t size);
void freelist_free(struct freelist *freelist, void *p, size_t size); /* p may be NULL */

#endif
