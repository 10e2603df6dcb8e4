/*
 * base/utf8_simd.h - UTF-8 validation a register at a time, where the processor
 * can look up 16 or 32 octets of a table at once: AVX2, which is asked for at
 * run time, and NEON. For utf8.c, which does without where there is neither.
 */
#ifndef BASE_UTF8_SIMD_H
#define BASE_UTF8_SIMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if (defined(__x86_64__) || (defined(__aarch64__) && !defined(__AARCH64EB__))) &&                  \
    !defined(SIMD_PORTABLE)
#define UTF8_SIMD 1
#else
#define UTF8_SIMD 0
#endif

#if UTF8_SIMD
static inline bool utf8_simd_works(void)
{
#ifdef __x86_64__
	return __builtin_cpu_supports("avx2");
#else
	return true;
#endif
}

/* How many octets come before the first that is not ASCII, rounded down: at most a register. */
size_t utf8_simd_ascii(const uint8_t *p, size_t n);

/* Whether n octets are whole sequences. They must not end within one: what would have to follow
 * the last octets is not looked for. */
bool utf8_simd_is_valid(const uint8_t *p, size_t n);
#endif

#endif
