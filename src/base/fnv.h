/*
 * base/fnv.h - FNV-1a with 64 bits (Fowler, Noll, Vo): a hash that is the same in every process,
 * for what several gateways have to choose alike, and for telling few things apart. Anybody can
 * make collisions: no hash for tables.
 */
#ifndef BASE_FNV_H
#define BASE_FNV_H

#include <stdint.h>

#include "base/bytes.h"

static inline uint64_t fnv1a_bytes(struct bytes b)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < b.n; i++)
		hash = (hash ^ (unsigned char)b.p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static inline uint64_t fnv1a(const char *text)
{
	return fnv1a_bytes(bytes_of(text));
}

#endif
