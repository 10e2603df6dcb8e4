/*
 * base/json_text.h - what everything that reads or writes JSON strings needs: a
 * wide search for the next octet that is not plain, and one character of
 * message text.
 *
 * Most of a string is octets that mean themselves. json_plain() steps over
 * them 16 at a time (SSE2, which every x86-64 has) or 8 at a time (anything
 * else), and finds the same place either way. Nothing beyond the n octets given
 * is read. Inline, since the arguments of json_plain() that choose what stops
 * it must be constants to cost nothing.
 */
#ifndef BASE_JSON_TEXT_H
#define BASE_JSON_TEXT_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* What is not plain: control characters (< 0x20), the octets a, b and c, and, if `high`, everything
 * from 0x80 on. */
struct json_stops {
	char a, b, c;
	bool high;
};

/* Inside a JSON string: its end, an escape, and what has to be looked at as UTF-8. */
#define JSON_STRING_STOPS ((struct json_stops){ '"', '\\', '\\', true })

static inline bool json_is_plain(char ch, struct json_stops s)
{
	unsigned char c = (unsigned char)ch;

	return c >= 0x20 && ch != s.a && ch != s.b && ch != s.c && !(s.high && c >= 0x80);
}

#define JSON_ONES  0x0101010101010101u
#define JSON_HIGHS 0x8080808080808080u

/* Marks (by 0x80) the octets of x that are under `limit` <= 0x80. A borrow can mark wrongly only an
 * octet behind one that is rightly marked, so the first mark holds. */
static inline uint64_t json_word_under(uint64_t x, uint64_t limit)
{
	return (x - limit * JSON_ONES) & ~x & JSON_HIGHS;
}

static inline uint64_t json_word_is(uint64_t x, char c)
{
	return json_word_under(x ^ ((unsigned char)c * JSON_ONES), 1);
}

static inline uint64_t json_word_stops(const char *p, struct json_stops s)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	x = le64toh(x); /* "first" has to mean "least significant" */
	return json_word_under(x, 0x20) | json_word_is(x, s.a) | json_word_is(x, s.b) |
	    json_word_is(x, s.c) | (s.high ? x & JSON_HIGHS : 0);
}

/* How many of the n octets come before the first that is not plain. */
static inline size_t json_plain_portable(const char *p, size_t n, struct json_stops s)
{
	size_t i = 0;
	uint64_t stops;

	for (; n - i >= 8; i += 8) {
		stops = json_word_stops(p + i, s);
		if (stops)
			return i + (size_t)__builtin_ctzll(stops) / 8;
	}
	while (i < n && json_is_plain(p[i], s))
		i++;
	return i;
}

#ifdef __SSE2__
/* One bit for each octet that is not plain. */
static inline unsigned json_block_stops(const char *p, struct json_stops s)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(s.a)),
				       _mm_cmpeq_epi8(v, _mm_set1_epi8(s.b))),
	    _mm_cmpeq_epi8(v, _mm_set1_epi8(s.c)));

	if (s.high) /* signed: 0x80 and above are under 0x20 too */
		hit = _mm_or_si128(hit, _mm_cmplt_epi8(v, _mm_set1_epi8(0x20)));
	else
		hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v));
	return (unsigned)_mm_movemask_epi8(hit);
}

static inline size_t json_plain_sse2(const char *p, size_t n, struct json_stops s)
{
	size_t i = 0;
	unsigned stops;

	for (; n - i >= 16; i += 16) {
		stops = json_block_stops(p + i, s);
		if (stops)
			return i + (size_t)__builtin_ctz(stops);
	}
	return i + json_plain_portable(p + i, n - i, s);
}
#define json_plain json_plain_sse2
#else
#define json_plain json_plain_portable
#endif

static inline bool json_is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* The character that begins at p, where an octet >= 0x80 stands: its length (2 to 4), or 0 if that is
 * not UTF-8. Surrogates in three octets count as characters here (message text has them, see
 * message.h); who does not want them looks at *cp. */
static inline unsigned json_char(const char *p, size_t n, uint32_t *cp)
{
	unsigned char lead = (unsigned char)p[0];

	if (lead < 0xc2 || n < 2 || !json_is_continuation(p[1]))
		return 0;
	*cp = (uint32_t)(p[1] & 0x3f);
	if (lead < 0xe0) {
		*cp |= (uint32_t)(lead & 0x1f) << 6;
		return 2;
	}
	if (n < 3 || !json_is_continuation(p[2]))
		return 0;
	*cp = *cp << 6 | (uint32_t)(p[2] & 0x3f);
	if (lead < 0xf0) {
		*cp |= (uint32_t)(lead & 0x0f) << 12;
		return *cp >= 0x800 ? 3 : 0;
	}
	if (lead > 0xf4 || n < 4 || !json_is_continuation(p[3]))
		return 0;
	*cp = *cp << 6 | (uint32_t)(p[3] & 0x3f) | (uint32_t)(lead & 0x07) << 18;
	return *cp >= 0x10000 && *cp <= 0x10ffff ? 4 : 0;
}

static inline bool json_is_surrogate(uint32_t cp)
{
	return (cp & 0xfffff800) == 0xd800;
}

#endif
