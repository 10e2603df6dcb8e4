/*
 * base/wide.h - as many octets at a time as a register has: 16 with SSE2 (every
 * x86-64) or NEON (every aarch64), 8 with anything else.
 *
 * What reads every octet is written once, over these. A question about octets
 * is answered by a mark, the top bit of each octet; wide_marks() collects the
 * marks in a word, wide_first() finds the first. Marks may be combined by
 * wide_or() and wide_and().
 *
 * WIDE_PORTABLE asks for the last of the three, for the tests.
 */
#ifndef BASE_WIDE_H
#define BASE_WIDE_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The compiler alone would not inline everything everywhere, and then what ought to be constant
 * is none. */
#define WIDE_INLINE static inline __attribute__((always_inline))

#define WIDE_EACH 0x0101010101010101u /* times an octet: it, in each octet of a word */

#if defined(__SSE2__) && !defined(WIDE_PORTABLE)
#include <emmintrin.h>

#define WIDE 16
typedef __m128i wide;
typedef unsigned wide_mark;
#define WIDE_MARK_BITS 1 /* for each octet */

WIDE_INLINE wide wide_load(const void *p)
{
	return _mm_loadu_si128(p);
}

WIDE_INLINE void wide_store(void *p, wide v)
{
	_mm_storeu_si128(p, v);
}

WIDE_INLINE wide wide_splat4(uint32_t four)
{
	return _mm_set1_epi32((int)four);
}

WIDE_INLINE wide wide_is(wide v, uint8_t c)
{
	return _mm_cmpeq_epi8(v, _mm_set1_epi8((char)c));
}

WIDE_INLINE wide wide_under(wide v, uint8_t c)
{
	return wide_is(_mm_subs_epu8(v, _mm_set1_epi8((char)(c - 1))), 0);
}

WIDE_INLINE wide wide_from(wide v, uint8_t c)
{
	wide least = _mm_set1_epi8((char)c);

	return _mm_cmpeq_epi8(_mm_min_epu8(v, least), least);
}

WIDE_INLINE wide wide_under_or_high(wide v, uint8_t c)
{
	return _mm_cmpgt_epi8(_mm_set1_epi8((char)c), v); /* signed */
}

WIDE_INLINE wide_mark wide_marks(wide v)
{
	return (unsigned)_mm_movemask_epi8(v);
}

WIDE_INLINE size_t wide_first(wide_mark m)
{
	return (size_t)__builtin_ctz(m);
}

#elif defined(__aarch64__) && !defined(__AARCH64EB__) && !defined(WIDE_PORTABLE)
#include <arm_neon.h>

#define WIDE           16
typedef uint8x16_t wide;
typedef uint64_t wide_mark;
#define WIDE_MARK_BITS 4

WIDE_INLINE wide wide_load(const void *p)
{
	return vld1q_u8(p);
}

WIDE_INLINE void wide_store(void *p, wide v)
{
	vst1q_u8(p, v);
}

WIDE_INLINE wide wide_splat4(uint32_t four)
{
	return vreinterpretq_u8_u32(vdupq_n_u32(four));
}

WIDE_INLINE wide wide_is(wide v, uint8_t c)
{
	return vceqq_u8(v, vdupq_n_u8(c));
}

WIDE_INLINE wide wide_under(wide v, uint8_t c)
{
	return vcltq_u8(v, vdupq_n_u8(c));
}

WIDE_INLINE wide wide_from(wide v, uint8_t c)
{
	return vcgeq_u8(v, vdupq_n_u8(c));
}

WIDE_INLINE wide wide_under_or_high(wide v, uint8_t c)
{
	return vcltq_s8(vreinterpretq_s8_u8(v), vdupq_n_s8((int8_t)c));
}

WIDE_INLINE wide_mark wide_marks(wide v)
{
	uint8x16_t whole = vcltzq_s8(vreinterpretq_s8_u8(v));

	return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(whole), 4)), 0);
}

WIDE_INLINE size_t wide_first(wide_mark m)
{
	return (size_t)__builtin_ctzll(m) / WIDE_MARK_BITS;
}

#else

#define WIDE           8
typedef uint64_t wide; /* the first octet is the lowest */
typedef uint64_t wide_mark;
#define WIDE_MARK_BITS 8

#define WIDE_HIGHS (0x80 * WIDE_EACH)

WIDE_INLINE wide wide_load(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

WIDE_INLINE void wide_store(void *p, wide v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

WIDE_INLINE wide wide_splat4(uint32_t four)
{
	return (uint64_t)le32toh(four) << 32 | le32toh(four);
}

/* Its low seven bits are at least c <= 0x80. No carry leaves an octet, so every mark is right. */
WIDE_INLINE wide wide_low_from(wide v, uint8_t c)
{
	return (v & ~WIDE_HIGHS) + (0x80u - c) * WIDE_EACH;
}

WIDE_INLINE wide wide_from(wide v, uint8_t c)
{
	if (c > 0x80)
		return wide_low_from(v, c & 0x7f) & v & WIDE_HIGHS;
	return (wide_low_from(v, c) | v) & WIDE_HIGHS;
}

WIDE_INLINE wide wide_under(wide v, uint8_t c)
{
	return ~wide_from(v, c) & WIDE_HIGHS;
}

WIDE_INLINE wide wide_is(wide v, uint8_t c)
{
	return wide_under(v ^ (c * WIDE_EACH), 1);
}

WIDE_INLINE wide wide_under_or_high(wide v, uint8_t c)
{
	return wide_under(v, c) | (v & WIDE_HIGHS);
}

WIDE_INLINE wide_mark wide_marks(wide v)
{
	return v & WIDE_HIGHS;
}

WIDE_INLINE size_t wide_first(wide_mark m)
{
	return (size_t)__builtin_ctzll(m) / WIDE_MARK_BITS;
}

#endif

/* To the compiler each of the three is a value with operators. */
WIDE_INLINE wide wide_or(wide a, wide b)
{
	return a | b;
}

WIDE_INLINE wide wide_and(wide a, wide b)
{
	return a & b;
}

WIDE_INLINE wide wide_xor(wide a, wide b)
{
	return a ^ b;
}

/* Without the marks of the first octets, fewer than WIDE; the others count from there. */
WIDE_INLINE wide_mark wide_drop(wide_mark m, size_t octets)
{
	return m >> octets * WIDE_MARK_BITS;
}

/* Without its first mark; there is one. */
WIDE_INLINE wide_mark wide_rest(wide_mark m)
{
	return WIDE_MARK_BITS == 1 ? m & (m - 1)
	                           : m & ~((((wide_mark)1 << WIDE_MARK_BITS) - 1)
	                                     << wide_first(m) * WIDE_MARK_BITS);
}

/* The marks of the first octets alone, fewer than WIDE. */
WIDE_INLINE wide_mark wide_head(wide_mark m, size_t octets)
{
	return m & (((wide_mark)1 << octets * WIDE_MARK_BITS) - 1);
}

/* Copies n <= 16 octets; the blocks may overlap. */
WIDE_INLINE void wide_copy_few(void *to, const void *from, size_t n)
{
	const char *p = from;
	char *out = to;
	uint64_t a, b;
	uint32_t c, d;

	if (n > 16)
		__builtin_unreachable(); /* said to the compiler, which warns of it else */
	if (n >= 8) {
		memcpy(&a, p, 8);
		memcpy(&b, p + n - 8, 8);
		memcpy(out, &a, 8);
		memcpy(out + n - 8, &b, 8);
	} else if (n >= 4) {
		memcpy(&c, p, 4);
		memcpy(&d, p + n - 4, 4);
		memcpy(out, &c, 4);
		memcpy(out + n - 4, &d, 4);
	} else if (n > 0) {
		char first = p[0], middle = p[n / 2], last = p[n - 1];

		out[0] = first;
		out[n / 2] = middle;
		out[n - 1] = last;
	}
}

#endif
