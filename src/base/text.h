/*
 * base/text.h - what everything that reads or writes JSON strings needs: a
 * wide search for the next octet that is not plain, and one character of
 * message text.
 *
 * Most of a string is octets that mean themselves. text_plain() steps over
 * them 16 at a time (SSE2, which every x86-64 has) or 8 at a time (anything
 * else), and finds the same place either way. Nothing beyond the n octets given
 * is read. Inline, since the arguments of text_plain() that choose what stops
 * it must be constants to cost nothing.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* The compiler alone would not inline these everywhere, and then the stops are no constants. */
#define TEXT_INLINE static inline __attribute__((always_inline))

/* What is not plain: control characters (< 0x20), the octets a, b and c, and, if `high`, everything
 * from 0x80 on. */
struct text_stops {
	char a, b, c;
	bool high;
};

/* Inside a JSON string: its end, an escape, and what has to be looked at as UTF-8. */
#define TEXT_STRING_STOPS ((struct text_stops){ '"', '\\', '\\', true })

TEXT_INLINE bool text_is_plain(char ch, struct text_stops s)
{
	unsigned char c = (unsigned char)ch;

	return c >= 0x20 && ch != s.a && ch != s.b && ch != s.c && !(s.high && c >= 0x80);
}

#define TEXT_ONES  0x0101010101010101u
#define TEXT_HIGHS 0x8080808080808080u

/* Marks (by 0x80) the octets of x that are under `limit` <= 0x80. A borrow can mark wrongly only an
 * octet behind one that is rightly marked, so the first mark holds. */
static inline uint64_t text_word_under(uint64_t x, uint64_t limit)
{
	return (x - limit * TEXT_ONES) & ~x & TEXT_HIGHS;
}

static inline uint64_t text_word_is(uint64_t x, char c)
{
	return text_word_under(x ^ ((unsigned char)c * TEXT_ONES), 1);
}

TEXT_INLINE uint64_t text_word_stops(const char *p, struct text_stops s)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	x = le64toh(x); /* "first" has to mean "least significant" */
	return text_word_under(x, 0x20) | text_word_is(x, s.a) | text_word_is(x, s.b) |
	       text_word_is(x, s.c) | (s.high ? x & TEXT_HIGHS : 0);
}

/* How many of the n octets come before the first that is not plain. */
TEXT_INLINE size_t text_plain_portable(const char *p, size_t n, struct text_stops s)
{
	const char *start = p, *end = p + n;
	uint64_t stops;

	for (; end - p >= 8; p += 8) {
		stops = text_word_stops(p, s);
		if (stops)
			return (size_t)(p - start) + (size_t)__builtin_ctzll(stops) / 8;
	}
	while (p < end && text_is_plain(*p, s))
		p++;
	return (size_t)(p - start);
}

#ifdef __SSE2__
/* One bit for each octet that is not plain. */
TEXT_INLINE unsigned text_block_stops(const char *p, struct text_stops s)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(s.a)),
	                               _mm_cmpeq_epi8(v, _mm_set1_epi8(s.b))),
	    _mm_cmpeq_epi8(v, _mm_set1_epi8(s.c)));

	if (s.high) /* signed: 0x80 and above are under 0x20 too */
		hit = _mm_or_si128(hit, _mm_cmpgt_epi8(_mm_set1_epi8(0x20), v));
	else
		hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v));
	return (unsigned)_mm_movemask_epi8(hit);
}

TEXT_INLINE size_t text_plain_sse2(const char *p, size_t n, struct text_stops s)
{
	const char *start = p, *blocks_end = p + (n & ~(size_t)15);
	unsigned stops;

	for (; p < blocks_end; p += 16) {
		stops = text_block_stops(p, s);
		if (stops)
			return (size_t)(p - start) + (size_t)__builtin_ctz(stops);
	}
	return (size_t)(p - start) + text_plain_portable(p, n & 15, s);
}
#define text_plain text_plain_sse2
#else
#define text_plain text_plain_portable
#endif

static inline bool text_is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* The character that begins at p, where an octet >= 0x80 stands: its length (2 to 4), or 0 if that
 * is not UTF-8. Surrogates in three octets count as characters here (message text has them, see
 * message.h); who does not want them looks at *cp. */
static inline unsigned text_char(const char *p, size_t n, uint32_t *cp)
{
	unsigned char lead = (unsigned char)p[0];

	if (lead < 0xc2 || n < 2 || !text_is_continuation(p[1]))
		return 0;
	*cp = (uint32_t)(p[1] & 0x3f);
	if (lead < 0xe0) {
		*cp |= (uint32_t)(lead & 0x1f) << 6;
		return 2;
	}
	if (n < 3 || !text_is_continuation(p[2]))
		return 0;
	*cp = *cp << 6 | (uint32_t)(p[2] & 0x3f);
	if (lead < 0xf0) {
		*cp |= (uint32_t)(lead & 0x0f) << 12;
		return *cp >= 0x800 ? 3 : 0;
	}
	if (lead > 0xf4 || n < 4 || !text_is_continuation(p[3]))
		return 0;
	*cp = *cp << 6 | (uint32_t)(p[3] & 0x3f) | (uint32_t)(lead & 0x07) << 18;
	return *cp >= 0x10000 && *cp <= 0x10ffff ? 4 : 0;
}

static inline bool text_is_surrogate(uint32_t cp)
{
	return (cp & 0xfffff800) == 0xd800;
}

/* Lone surrogates, which a WebSocket cannot carry, become U+FFFD: three octets each as well. */
static inline void text_replace_surrogates(char *p, size_t n)
{
	char *end = p + n;

	while (end - p >= 3 && (p = memchr(p, '\xed', (size_t)(end - p) - 2)) != NULL) {
		if ((unsigned char)p[1] >= 0xa0)
			memcpy(p, "\xef\xbf\xbd", 3);
		p++;
	}
}

#endif
