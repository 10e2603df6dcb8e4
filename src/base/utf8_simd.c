/*
 * base/utf8_simd.c - the lookup algorithm of John Keiser and Daniel Lemire
 * ("Validating UTF-8 In Less Than One Instruction Per Byte", 2020); see
 * utf8_simd.h.
 *
 * Nearly every mistake shows in two neighbouring octets, in their first 12 bits
 * even. Three tables of 16 say which mistakes each of the three half octets may
 * be part of; what all three agree on has happened. Left are third and fourth
 * octets: whether one has to stand here follows from the leads two and three
 * before, whether one does from the bit TWO_TAILS, and the two must agree.
 *
 * Nothing is carried from block to block: neighbours are loaded again from one,
 * two and three octets before. So blocks may overlap, and the last one does.
 */
#include "base/utf8_simd.h"

#include <string.h>

#if UTF8_SIMD

/* --- mistakes, by the half octets that can be part of them ----------------------- */

enum {
	TOO_SHORT = 1 << 0,   /* a lead, then no tail */
	TOO_LONG = 1 << 1,    /* ASCII, then a tail */
	OVERLONG_3 = 1 << 2,  /* E0 80..9F */
	TOO_LARGE = 1 << 3,   /* F4 90..BF, F5..FF 90..BF */
	SURROGATE = 1 << 4,   /* ED A0..BF */
	OVERLONG_2 = 1 << 5,  /* C0..C1 and a tail */
	OVERLONG_4 = 1 << 6,  /* F0 80..8F; and with the same bit: */
	TOO_LARGE_8 = 1 << 6, /* F5..FF 80..8F */
	TWO_TAILS = 1 << 7,   /* right only where a third or fourth octet has to be */
	ANY_LOW = TOO_SHORT | TOO_LONG | TWO_TAILS,
};

static const uint8_t first_high[16] = {
	TOO_LONG,
	TOO_LONG,
	TOO_LONG,
	TOO_LONG,
	TOO_LONG,
	TOO_LONG,
	TOO_LONG,
	TOO_LONG,
	TWO_TAILS,
	TWO_TAILS,
	TWO_TAILS,
	TWO_TAILS, /* 80..BF */
	TOO_SHORT | OVERLONG_2,
	TOO_SHORT,                          /* C0, D0 */
	TOO_SHORT | OVERLONG_3 | SURROGATE, /* E0 */
	TOO_SHORT | TOO_LARGE | TOO_LARGE_8 | OVERLONG_4,
};

static const uint8_t first_low[16] = {
	ANY_LOW | OVERLONG_3 | OVERLONG_2 | OVERLONG_4, /* C0, E0, F0 */
	ANY_LOW | OVERLONG_2,                           /* C1 */
	ANY_LOW,
	ANY_LOW,
	ANY_LOW | TOO_LARGE, /* F4 */
	ANY_LOW | TOO_LARGE | TOO_LARGE_8,
	ANY_LOW | TOO_LARGE | TOO_LARGE_8,
	ANY_LOW | TOO_LARGE | TOO_LARGE_8,
	ANY_LOW | TOO_LARGE | TOO_LARGE_8,
	ANY_LOW | TOO_LARGE | TOO_LARGE_8,
	ANY_LOW | TOO_LARGE | TOO_LARGE_8,
	ANY_LOW | TOO_LARGE | TOO_LARGE_8,
	ANY_LOW | TOO_LARGE | TOO_LARGE_8,
	ANY_LOW | TOO_LARGE | TOO_LARGE_8 | SURROGATE, /* ED */
	ANY_LOW | TOO_LARGE | TOO_LARGE_8,
	ANY_LOW | TOO_LARGE | TOO_LARGE_8,
};

#define ANY_TAIL (TOO_LONG | OVERLONG_2 | TWO_TAILS)

static const uint8_t second_high[16] = {
	TOO_SHORT,
	TOO_SHORT,
	TOO_SHORT,
	TOO_SHORT,
	TOO_SHORT,
	TOO_SHORT,
	TOO_SHORT,
	TOO_SHORT,
	ANY_TAIL | OVERLONG_3 | TOO_LARGE_8 | OVERLONG_4, /* 80 */
	ANY_TAIL | OVERLONG_3 | TOO_LARGE,                /* 90 */
	ANY_TAIL | SURROGATE | TOO_LARGE,                 /* A0 */
	ANY_TAIL | SURROGATE | TOO_LARGE,                 /* B0 */
	TOO_SHORT,
	TOO_SHORT,
	TOO_SHORT,
	TOO_SHORT,
};

/* --- what a register can do -------------------------------------------------------- */

#ifdef __x86_64__
#include <immintrin.h>

#define TARGET __attribute__((target("avx2")))
#define INLINE static inline __attribute__((always_inline, target("avx2")))

typedef __m256i octets;

INLINE octets load(const uint8_t *p)
{
	return _mm256_loadu_si256((const octets *)(const void *)p);
}

INLINE octets splat(uint8_t c)
{
	return _mm256_set1_epi8((char)c);
}

INLINE octets table_of(const uint8_t *table)
{
	return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)table));
}

INLINE octets look_up(octets table, octets index)
{
	return _mm256_shuffle_epi8(table, index);
}

INLINE octets high_half(octets v)
{
	return _mm256_srli_epi16(v, 4) & splat(0x0f);
}

/* v - c, but not under 0. */
INLINE octets minus(octets v, uint8_t c)
{
	return _mm256_subs_epu8(v, splat(c));
}

INLINE bool any(octets v)
{
	return !_mm256_testz_si256(v, v);
}

INLINE bool any_high(octets v)
{
	return _mm256_movemask_epi8(v) != 0;
}

#else
#include <arm_neon.h>

#define TARGET
#define INLINE static inline __attribute__((always_inline))

typedef uint8x16_t octets;

INLINE octets load(const uint8_t *p)
{
	return vld1q_u8(p);
}

INLINE octets splat(uint8_t c)
{
	return vdupq_n_u8(c);
}

INLINE octets table_of(const uint8_t *table)
{
	return vld1q_u8(table);
}

INLINE octets look_up(octets table, octets index)
{
	return vqtbl1q_u8(table, index);
}

INLINE octets high_half(octets v)
{
	return vshrq_n_u8(v, 4);
}

INLINE octets minus(octets v, uint8_t c)
{
	return vqsubq_u8(v, vdupq_n_u8(c));
}

INLINE bool any(octets v)
{
	return vmaxvq_u32(vreinterpretq_u32_u8(v)) != 0;
}

INLINE bool any_high(octets v)
{
	return vmaxvq_u8(v) >= 0x80;
}

#endif

/* --- the algorithm ------------------------------------------------------------------ */

enum { BLOCK = sizeof(octets), BEFORE = 3 };

struct tables {
	octets first_high, first_low, second_high;
};

/* Something in what is returned is not 0 if a mistake shows at one of the octets at p. The three
 * before them are read, too. */
INLINE octets mistakes(const struct tables *t, const uint8_t *p)
{
	octets here = load(p), first = load(p - 1), pair, tail_due;

	pair = look_up(t->first_high, high_half(first)) &
	       look_up(t->first_low, first & splat(0x0f)) &
	       look_up(t->second_high, high_half(here));
	/* The top bit says so: E0 and above two before, F0 and above three before */
	tail_due = minus(load(p - 2), 0xe0 - 0x80) | minus(load(p - 3), 0xf0 - 0x80);
	return (tail_due & splat(0x80)) ^ pair;
}

/* Up to two blocks, from a copy that has zeros around them. */
TARGET static bool is_valid_short(const struct tables *t, const uint8_t *p, size_t n)
{
	uint8_t copy[BEFORE + 2 * BLOCK] = { 0 };
	octets wrong;

	memcpy(copy + BEFORE, p, n);
	wrong = mistakes(t, copy + BEFORE);
	if (n > BLOCK)
		wrong |= mistakes(t, copy + BEFORE + BLOCK);
	return !any(wrong);
}

TARGET bool utf8_simd_is_valid(const uint8_t *p, size_t n)
{
	struct tables t = { table_of(first_high), table_of(first_low), table_of(second_high) };
	uint8_t copy[BEFORE + BLOCK] = { 0 };
	octets wrong;

	if (n < BEFORE + BLOCK)
		return is_valid_short(&t, p, n);
	memcpy(copy + BEFORE, p, BLOCK);
	wrong = mistakes(&t, copy + BEFORE);
	for (size_t at = BLOCK; at + BLOCK < n; at += BLOCK)
		wrong |= mistakes(&t, p + at);
	wrong |= mistakes(&t, p + n - BLOCK);
	return !any(wrong);
}

TARGET size_t utf8_simd_ascii(const uint8_t *p, size_t n)
{
	size_t at = 0;

	for (; at + 4 * BLOCK <= n; at += 4 * BLOCK)
		if (any_high(load(p + at) | load(p + at + BLOCK) | load(p + at + 2 * BLOCK) |
		             load(p + at + 3 * BLOCK)))
			break;
	return at;
}

#else
typedef int utf8_simd_is_empty; /* ISO C wants a translation unit to declare something */
#endif
