/*
 * tests/unit/snapshot_damage.h - what may be wrong with a snapshot that comes from a file or a socket: it ends too soon, or
 * octets of it are others.
 */
#ifndef TESTS_SNAPSHOT_DAMAGE_H
#define TESTS_SNAPSHOT_DAMAGE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* Calls fn with each beginning of `whole`. What it is given lies in memory of its own, so that AddressSanitizer sees who
 * reads beyond it. */
static inline void damage_cut(struct bytes whole, void (*fn)(struct bytes b, bool is_cut))
{
	for (size_t n = 0; n < whole.n; n++) {
		char *copy = malloc(n + 1);

		memcpy(copy, whole.p, n);
		fn((struct bytes){ copy, n }, true);
		free(copy);
	}
}

/* Calls it with each octet changed in a few ways: single bits, and numbers that are as large or small as can be. */
static inline void damage_flip(struct bytes whole, void (*fn)(struct bytes b, bool is_cut))
{
	static const uint8_t changes[] = { 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff };
	char *copy = malloc(whole.n);

	memcpy(copy, whole.p, whole.n);
	for (size_t i = 0; i < whole.n; i++)
		for (size_t j = 0; j < sizeof(changes); j++) {
			copy[i] = (char)(whole.p[i] ^ changes[j]);
			fn((struct bytes){ copy, whole.n }, false);
			copy[i] = whole.p[i];
		}
	free(copy);
}

#endif
