/*
 * base/fnv.h - FNV-1a with 64 bits (Fowler, Noll, Vo): a hash that is the same in every process, for
 * what several gateways have to choose alike. Anybody can make collisions: no hash for tables.
 */
#ifndef BASE_FNV_H
#define BASE_FNV_H

#include <stdint.h>

static inline uint64_t fnv1a(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash;
}

#endif
