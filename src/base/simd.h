/*
 * base/simd.h - as many octets at a time as a register has: 16 with SSE2 (every
 * x86-64) or NEON (every aarch64), 8 with anything else.
 *
 * What reads every octet is written once, over these. A question about octets
 * is answered by a mark, the top bit of each octet; simd_marks() collects the
 * marks in a word, simd_first() finds the first. Marks may be combined by
 * simd_or() and simd_and().
 *
 * SIMD_PORTABLE asks for the last of the three, for the tests.
 */
#ifndef BASE_SIMD_H
#define BASE_SIMD_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The compiler alone would not inline everything everywhere, and then what ought to be constant
 * is none. */
#define SIMD_INLINE static inline __attribute__((always_inline))

#define SIMD_EACH 0x0101010101010101u /* times an octet: it, in each octet of a word */

#if defined(__SSE2__) && !defined(SIMD_PORTABLE)
#include <emmintrin.h>

#define SIMD_OCTETS 16
typedef __m128i simd_vec;
typedef unsigned simd_mark;
#define SIMD_MARK_BITS 1 /* for each octet */

SIMD_INLINE simd_vec simd_load(const void *p)
{
	return _mm_loadu_si128(p);
}

SIMD_INLINE void simd_store(void *p, simd_vec v)
{
	_mm_storeu_si128(p, v);
}

SIMD_INLINE simd_vec simd_splat4(uint32_t four)
{
	return _mm_set1_epi32((int)four);
}

SIMD_INLINE simd_vec simd_is(simd_vec v, uint8_t c)
{
	return _mm_cmpeq_epi8(v, _mm_set1_epi8((char)c));
}

SIMD_INLINE simd_vec simd_under(simd_vec v, uint8_t c)
{
	return simd_is(_mm_subs_epu8(v, _mm_set1_epi8((char)(c - 1))), 0);
}

SIMD_INLINE simd_vec simd_from(simd_vec v, uint8_t c)
{
	simd_vec least = _mm_set1_epi8((char)c);

	return _mm_cmpeq_epi8(_mm_min_epu8(v, least), least);
}

SIMD_INLINE simd_vec simd_under_or_high(simd_vec v, uint8_t c)
{
	return _mm_cmpgt_epi8(_mm_set1_epi8((char)c), v); /* signed */
}

SIMD_INLINE simd_mark simd_marks(simd_vec v)
{
	return (unsigned)_mm_movemask_epi8(v);
}

SIMD_INLINE size_t simd_first(simd_mark m)
{
	return (size_t)__builtin_ctz(m);
}

#elif defined(__aarch64__) && !defined(__AARCH64EB__) && !defined(SIMD_PORTABLE)
#include <arm_neon.h>

#define SIMD_OCTETS    16
typedef uint8x16_t simd_vec;
typedef uint64_t simd_mark;
#define SIMD_MARK_BITS 4

SIMD_INLINE simd_vec simd_load(const void *p)
{
	return vld1q_u8(p);
}

SIMD_INLINE void simd_store(void *p, simd_vec v)
{
	vst1q_u8(p, v);
}

SIMD_INLINE simd_vec simd_splat4(uint32_t four)
{
	return vreinterpretq_u8_u32(vdupq_n_u32(four));
}

SIMD_INLINE simd_vec simd_is(simd_vec v, uint8_t c)
{
	return vceqq_u8(v, vdupq_n_u8(c));
}

SIMD_INLINE simd_vec simd_under(simd_vec v, uint8_t c)
{
	return vcltq_u8(v, vdupq_n_u8(c));
}

SIMD_INLINE simd_vec simd_from(simd_vec v, uint8_t c)
{
	return vcgeq_u8(v, vdupq_n_u8(c));
}

SIMD_INLINE simd_vec simd_under_or_high(simd_vec v, uint8_t c)
{
	return vcltq_s8(vreinterpretq_s8_u8(v), vdupq_n_s8((int8_t)c));
}

SIMD_INLINE simd_mark simd_marks(simd_vec v)
{
	uint8x16_t whole = vcltzq_s8(vreinterpretq_s8_u8(v));

	return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(whole), 4)), 0);
}

SIMD_INLINE size_t simd_first(simd_mark m)
{
	return (size_t)__builtin_ctzll(m) / SIMD_MARK_BITS;
}

#else

#define SIMD_OCTETS    8
typedef uint64_t simd_vec; /* the first octet is the lowest */
typedef uint64_t simd_mark;
#define SIMD_MARK_BITS 8

#define WIDE_HIGHS (0x80 * SIMD_EACH)

SIMD_INLINE simd_vec simd_load(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

SIMD_INLINE void simd_store(void *p, simd_vec v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

SIMD_INLINE simd_vec simd_splat4(uint32_t four)
{
	return (uint64_t)le32toh(four) << 32 | le32toh(four);
}

/* Its low seven bits are at least c <= 0x80. No carry leaves an octet, so every mark is right. */
SIMD_INLINE simd_vec simd_low_from(simd_vec v, uint8_t c)
{
	return (v & ~WIDE_HIGHS) + (0x80u - c) * SIMD_EACH;
}

SIMD_INLINE simd_vec simd_from(simd_vec v, uint8_t c)
{
	if (c > 0x80)
		return simd_low_from(v, c & 0x7f) & v & WIDE_HIGHS;
	return (simd_low_from(v, c) | v) & WIDE_HIGHS;
}

SIMD_INLINE simd_vec simd_under(simd_vec v, uint8_t c)
{
	return ~simd_from(v, c) & WIDE_HIGHS;
}

SIMD_INLINE simd_vec simd_is(simd_vec v, uint8_t c)
{
	return simd_under(v ^ (c * SIMD_EACH), 1);
}

SIMD_INLINE simd_vec simd_under_or_high(simd_vec v, uint8_t c)
{
	return simd_under(v, c) | (v & WIDE_HIGHS);
}

SIMD_INLINE simd_mark simd_marks(simd_vec v)
{
	return v & WIDE_HIGHS;
}

SIMD_INLINE size_t simd_first(simd_mark m)
{
	return (size_t)__builtin_ctzll(m) / SIMD_MARK_BITS;
}

#endif

/* To the compiler each of the three is a value with operators. */
SIMD_INLINE simd_vec simd_or(simd_vec a, simd_vec b)
{
	return a | b;
}

SIMD_INLINE simd_vec simd_and(simd_vec a, simd_vec b)
{
	return a & b;
}

SIMD_INLINE simd_vec simd_xor(simd_vec a, simd_vec b)
{
	return a ^ b;
}

/* Without the marks of the first octets, fewer than SIMD_OCTETS; the others count from there. */
SIMD_INLINE simd_mark simd_drop(simd_mark m, size_t octets)
{
	return m >> octets * SIMD_MARK_BITS;
}

/* Without its first mark; there is one. */
SIMD_INLINE simd_mark simd_rest(simd_mark m)
{
	return SIMD_MARK_BITS == 1 ? m & (m - 1)
	                           : m & ~((((simd_mark)1 << SIMD_MARK_BITS) - 1)
	                                     << simd_first(m) * SIMD_MARK_BITS);
}

/* The marks of the first octets alone, fewer than SIMD_OCTETS. */
SIMD_INLINE simd_mark simd_head(simd_mark m, size_t octets)
{
	return m & (((simd_mark)1 << octets * SIMD_MARK_BITS) - 1);
}

/* Copies n <= 16 octets; the blocks may overlap. */
SIMD_INLINE void simd_copy_few(void *to, const void *from, size_t n)
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
