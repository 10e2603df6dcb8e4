/*
 * base/little.h - numbers in files: little-endian, wherever they stand.
 */
#ifndef BASE_LITTLE_H
#define BASE_LITTLE_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline void put32(char *out, uint32_t v)
{
	v = htole32(v);
	memcpy(out, &v, sizeof(v));
}

static inline void put64(char *out, uint64_t v)
{
	v = htole64(v);
	memcpy(out, &v, sizeof(v));
}

static inline uint32_t get32(const char *in)
{
	uint32_t v;

	memcpy(&v, in, sizeof(v));
	return le32toh(v);
}

static inline uint64_t get64(const char *in)
{
	uint64_t v;

	memcpy(&v, in, sizeof(v));
	return le64toh(v);
}

#endif
