/*
 * base/crc32c.c - CRC-32C; see crc32c.h.
 *
 * x86-64 has an instruction for it since SSE 4.2, which is asked for at run time, and aarch64 has
 * one where the compiler is told so. Everything else takes one octet at a time from a table.
 */
#include "base/crc32c.h"

#include <endian.h>
#include <pthread.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

#define POLYNOMIAL 0x82f63b78u /* its bits in reverse order */

static uint32_t table[256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void fill_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		table[i] = crc;
	}
}

uint32_t crc32c_by_table(uint32_t crc, const void *p, size_t n)
{
	const unsigned char *at = p;

	pthread_once(&table_once, fill_table);
	crc = ~crc;
	for (size_t i = 0; i < n; i++)
		crc = crc >> 8 ^ table[(crc ^ at[i]) & 0xff];
	return ~crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t by_instruction(
    uint32_t crc, const char *p, size_t n)
{
	uint64_t wide = ~crc, word;

	for (; n >= 8; p += 8, n -= 8) {
		memcpy(&word, p, 8);
		wide = _mm_crc32_u64(wide, word);
	}
	crc = (uint32_t)wide;
	for (; n > 0; p++, n--)
		crc = _mm_crc32_u8(crc, (unsigned char)*p);
	return ~crc;
}

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
	return __builtin_cpu_supports("sse4.2") ? by_instruction(crc, p, n)
	                                        : crc32c_by_table(crc, p, n);
}

#elif defined(__ARM_FEATURE_CRC32)

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
	const char *at = p;
	uint64_t word;

	crc = ~crc;
	for (; n >= 8; at += 8, n -= 8) {
		memcpy(&word, at, 8);
		crc = __crc32cd(crc, le64toh(word));
	}
	for (; n > 0; at++, n--)
		crc = __crc32cb(crc, (unsigned char)*at);
	return ~crc;
}

#else

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
	return crc32c_by_table(crc, p, n);
}

#endif
