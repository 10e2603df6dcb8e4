/*
 * base/text.h - what everything that reads or writes JSON strings needs: a
 * search by SIMD for the next octet that is not plain, and one character of
 * message text.
 *
 * Most of a string is octets that mean themselves. They are stepped over, or
 * copied, SIMD_OCTETS at a time (see simd.h). Nothing beyond the n octets given is
 * read. Inline, since the arguments that choose what stops the search must be
 * constants to cost nothing.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/simd.h"

/* What is not plain: control characters (< 0x20), the octets a, b and c, and, if `high`, everything
 * from 0x80 on. */
struct text_stops {
	char a, b, c;
	bool high;
};

/* Inside a JSON string: its end, an escape, and what has to be looked at as UTF-8. */
#define TEXT_STRING_STOPS ((struct text_stops){ '"', '\\', '\\', true })

/* The same where the text is known to be UTF-8. */
#define TEXT_UTF8_STOPS ((struct text_stops){ '"', '\\', '\\', false })

SIMD_INLINE bool text_is_plain(char ch, struct text_stops s)
{
	unsigned char c = (unsigned char)ch;

	return c >= 0x20 && ch != s.a && ch != s.b && ch != s.c && !(s.high && c >= 0x80);
}

/* Marks what is not plain. */
SIMD_INLINE simd_vec text_hits(simd_vec v, struct text_stops s)
{
	simd_vec hits = simd_is(v, (uint8_t)s.a);

	if (s.b != s.a)
		hits = simd_or(hits, simd_is(v, (uint8_t)s.b));
	if (s.c != s.b && s.c != s.a)
		hits = simd_or(hits, simd_is(v, (uint8_t)s.c));
	return simd_or(hits, s.high ? simd_under_or_high(v, 0x20) : simd_under(v, 0x20));
}

SIMD_INLINE simd_mark text_marks(simd_vec v, struct text_stops s)
{
	return simd_marks(text_hits(v, s));
}

/* Whether four blocks in a row are plain. */
SIMD_INLINE bool text_is_plain4(simd_vec a, simd_vec b, simd_vec c, simd_vec d, struct text_stops s)
{
	return simd_marks(simd_or(simd_or(text_hits(a, s), text_hits(b, s)),
	           simd_or(text_hits(c, s), text_hits(d, s)))) == 0;
}

/* The n <= SIMD_OCTETS octets at p and, behind them, zeros: control characters, where every search
 * stops.
 */
SIMD_INLINE simd_vec text_load_few(const char *p, size_t n)
{
	char few[16] = { 0 };

	simd_copy_few(few, p, n);
	return simd_load(few);
}

/* How many of n < SIMD_OCTETS octets come before the first that is not plain. */
SIMD_INLINE size_t text_plain_few(const char *p, size_t n, struct text_stops s)
{
	return n ? simd_first(text_marks(text_load_few(p, n), s)) : 0;
}

/* The same of any number of octets. */
SIMD_INLINE size_t text_plain(const char *p, size_t n, struct text_stops s)
{
	size_t at = 0, left;
	simd_mark marks;

	for (; at + 4 * SIMD_OCTETS <= n; at += 4 * SIMD_OCTETS)
		if (!text_is_plain4(simd_load(p + at), simd_load(p + at + SIMD_OCTETS),
		        simd_load(p + at + 2 * SIMD_OCTETS), simd_load(p + at + 3 * SIMD_OCTETS),
		        s))
			break;
	for (; at + SIMD_OCTETS <= n; at += SIMD_OCTETS) {
		marks = text_marks(simd_load(p + at), s);
		if (marks)
			return at + simd_first(marks);
	}
	left = n - at;
	if (n < SIMD_OCTETS)
		return text_plain_few(p + at, left, s);
	if (left == 0)
		return n;
	/* The last block overlaps the one before */
	marks = simd_drop(text_marks(simd_load(p + n - SIMD_OCTETS), s), SIMD_OCTETS - left);
	return marks ? at + simd_first(marks) : n;
}

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
