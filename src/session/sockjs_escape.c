/*
 * session/sockjs_escape.c - escaping: the table of JSON, and message text into a JSON
 * string; see sockjs_escape.h, and sockjs_frame.h for what is escaped beyond ASCII.
 */
#include "session/sockjs_escape.h"

#include "base/utf8.h"

#define BRIEF(c)                                                                                   \
	{                                                                                          \
		"\\" c, 2                                                                          \
	}
#define SELF(c)                                                                                    \
	{                                                                                          \
		{ (c) }, 1                                                                         \
	}
#define SELF2(c)  SELF(c), SELF((c) + 1)
#define SELF4(c)  SELF2(c), SELF2((c) + 2)
#define SELF8(c)  SELF4(c), SELF4((c) + 4)
#define SELF16(c) SELF8(c), SELF8((c) + 8)

const struct escape sockjs_escapes[128] = {
	ESCAPE_HEX("0", "0"),
	ESCAPE_HEX("0", "1"),
	ESCAPE_HEX("0", "2"),
	ESCAPE_HEX("0", "3"),
	ESCAPE_HEX("0", "4"),
	ESCAPE_HEX("0", "5"),
	ESCAPE_HEX("0", "6"),
	ESCAPE_HEX("0", "7"),
	BRIEF("b"),
	BRIEF("t"),
	BRIEF("n"),
	ESCAPE_HEX("0", "b"),
	BRIEF("f"),
	BRIEF("r"),
	ESCAPE_HEX("0", "e"),
	ESCAPE_HEX("0", "f"),
	ESCAPE_HEX("1", "0"),
	ESCAPE_HEX("1", "1"),
	ESCAPE_HEX("1", "2"),
	ESCAPE_HEX("1", "3"),
	ESCAPE_HEX("1", "4"),
	ESCAPE_HEX("1", "5"),
	ESCAPE_HEX("1", "6"),
	ESCAPE_HEX("1", "7"),
	ESCAPE_HEX("1", "8"),
	ESCAPE_HEX("1", "9"),
	ESCAPE_HEX("1", "a"),
	ESCAPE_HEX("1", "b"),
	ESCAPE_HEX("1", "c"),
	ESCAPE_HEX("1", "d"),
	ESCAPE_HEX("1", "e"),
	ESCAPE_HEX("1", "f"),
	SELF2(' '),
	BRIEF("\""),
	SELF('#'),
	SELF4('$'),
	SELF8('('),
	SELF16('0'),
	SELF16('@'),
	SELF8('P'),
	SELF4('X'),
	BRIEF("\\"),
	SELF(']'),
	SELF2('^'),
	SELF16('`'),
	SELF16('p'),
};

static inline char *quote_ascii(char *out, const char **from, const char *end)
{
	const char *p = (*from)++;

	return escape_put(
	    out, escape_ascii((uint8_t)*p), end - p >= (ptrdiff_t)sizeof(struct escape));
}

enum { GROUP = 4, ESCAPE_SIZE = sizeof(struct escape) };

static inline bool group_is_ascii(const char *p)
{
	uint32_t four;

	memcpy(&four, p, sizeof(four));
	return (four & 0x80808080) == 0;
}

/* Escapes tend to come close together: from one on, octets are taken singly, without a question
 * for each, as long as there is an escape in every GROUP. */
static char *quote_dense(char *out, const char **from, const char *end)
{
	const char *p = *from, *before;

	do {
		if (end - p < GROUP + ESCAPE_SIZE || !group_is_ascii(p)) {
			while (p < end && !text_is_plain(*p, TEXT_UTF8_STOPS))
				out = quote_ascii(out, &p, end);
			break;
		}
		before = out;
		for (int i = 0; i < GROUP; i++)
			out = escape_put(out, sockjs_escapes[(uint8_t)*p++], true);
	} while (out - before > GROUP);
	*from = p;
	return out;
}

/* The digit for each of eight half octets. */
static inline uint64_t hex_digits(uint64_t halves)
{
	uint64_t letters = (halves + 6 * SIMD_EACH) >> 4 & SIMD_EACH;

	return halves + '0' * SIMD_EACH + letters * ('a' - '0' - 10);
}

/* \uXXXX\uYYYY, for a pair of surrogates. */
static inline char *put_hex4_twice(char *out, uint32_t first, uint32_t second)
{
	/* To one octet each, the first digit lowest */
	uint64_t v = (uint64_t)second << 32 | first;

	v = (v >> 8 & 0x000000ff000000ff) | (v & 0x000000ff000000ff) << 16;
	v = (v >> 4 & 0x000f000f000f000f) | (v & 0x000f000f000f000f) << 8;
	v = htole64(hex_digits(v));
	memcpy(out, "\\u", 2);
	memcpy(out + 2, &v, 4);
	memcpy(out + 6, "\\u", 2);
	memcpy(out + 8, (char *)&v + 4, 4);
	return out + 12;
}

static inline char *put_hex4(char *out, uint32_t unit)
{
	uint64_t v = unit >> 8 | (unit & 0xff) << 16;

	v = (v >> 4 & 0x000f000f) | (v & 0x000f000f) << 8;
	v = htole64(hex_digits(v));
	memcpy(out, "\\u", 2);
	memcpy(out + 2, &v, 4);
	return out + 6;
}

/* --- message text into a JSON string ------------------------------------ */

/* Characters of the BMP beyond ASCII that the protocol wants escaped. Of the blocks of 4096 all but
 * two are out of the question at once. */
static inline bool must_escape(uint32_t cp)
{
	switch (cp >> 12) {
	case 0x2:
		return (cp >= 0x200c && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202f) ||
		       (cp >= 0x2060 && cp <= 0x206f);
	case 0xd:
		return cp >= 0xd800;
	case 0xf:
		return cp >= 0xfff0;
	default:
		return false;
	}
}

/* A character beyond ASCII, or an octet that is part of none. */
static inline char *quote_char(char *out, const char **from, const char *end)
{
	const char *p = *from;
	uint32_t cp;
	unsigned len = text_char(p, (size_t)(end - p), &cp);

	*from = p + (len ? len : 1);
	if (len == 0)
		return put_hex4(out, 0xfffd);
	if (cp >= 0x10000)
		return put_hex4_twice(out, 0xd7c0 + (cp >> 10), 0xdc00 | (cp & 0x3ff));
	if (must_escape(cp))
		return put_hex4(out, cp);
	*out++ = *p++;
	*out++ = *p++;
	if (len == 3)
		*out++ = *p;
	return out;
}

/* As escape_transcode(), one character beyond ASCII after the other. */
static char *quote_any(char *out, const char *p, const char *end)
{
	while (p < end) {
		out = escape_copy_plain(out, &p, end, TEXT_STRING_STOPS);
		while (p < end && !text_is_plain(*p, TEXT_STRING_STOPS)) {
			if ((uint8_t)*p >= 0x80)
				out = quote_char(out, &p, end);
			else
				out = quote_ascii(out, &p, end);
		}
	}
	return out;
}

/* Marks in UTF-8 what may have to be escaped, at its first octet: E2 80 and E2 81 (of which most
 * have not), EF BF, F0 and above. `next` is one octet further. */
SIMD_INLINE simd_mark utf8_marks(simd_vec v, simd_vec next)
{
	simd_vec hit = simd_or(simd_or(simd_is(v, '"'), simd_is(v, '\\')),
	    simd_or(simd_under(v, 0x20), simd_from(v, 0xf0)));

	hit = simd_or(hit, simd_and(simd_is(v, 0xe2), simd_under(next, 0x82)));
	return simd_marks(simd_or(hit, simd_and(simd_is(v, 0xef), simd_is(next, 0xbf))));
}

/* A character beyond the BMP. */
static inline char *quote_pair(char *out, const char *p)
{
	uint32_t cp = (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 |
	              (uint32_t)(p[2] & 0x3f) << 6 | (uint32_t)(p[3] & 0x3f);

	return put_hex4_twice(out, 0xd7c0 + (cp >> 10), 0xdc00 | (cp & 0x3ff));
}

/* What was marked, and what follows if that is to be escaped, too. */
static inline char *utf8_stops(char *out, const char **from, const char *end)
{
	const char *p = *from;

	do {
		if ((uint8_t)*p >= 0xf0) {
			out = quote_pair(out, p);
			p += 4;
		} else if ((uint8_t)*p >= 0x80) {
			out = quote_char(out, &p, end);
		} else {
			out = quote_dense(out, &p, end);
		}
	} while (p < end && ((uint8_t)*p >= 0xf0 || !text_is_plain(*p, TEXT_UTF8_STOPS)));
	*from = p;
	return out;
}

/* What is known to be UTF-8. */
static char *quote_utf8(char *out, const char *p, const char *end)
{
	while (p < end) {
		size_t left = (size_t)(end - p), n = SIMD_OCTETS;
		simd_mark marks;

		if (left > SIMD_OCTETS) {
			simd_vec v = simd_load(p);

			marks = utf8_marks(v, simd_load(p + 1));
			simd_store(out, v);
			if (marks)
				n = simd_first(marks);
		} else {
			marks = utf8_marks(text_load_few(p, left), text_load_few(p + 1, left - 1));
			n = marks ? simd_first(marks) : left;
			simd_copy_few(out, p, n);
		}
		out += n;
		p += n;
		if (p < end && marks)
			out = utf8_stops(out, &p, end);
	}
	return out;
}

char *sockjs_escape_text(char *out, const char *p, size_t n)
{
	const char *end = p + n;

	while (p < end) {
		out = escape_copy_plain(out, &p, end, TEXT_STRING_STOPS);
		if (p == end)
			break;
		if ((uint8_t)*p >= 0x80)
			return utf8_is_valid(p, (size_t)(end - p)) ? quote_utf8(out, p, end)
			                                           : quote_any(out, p, end);
		out = quote_dense(out, &p, end);
	}
	return out;
}

size_t sockjs_escape_text_len(const char *p, size_t n)
{
	const char *end = p + n, *from;
	char scratch[16];
	size_t len = 0, run;

	while (p < end) {
		run = text_plain(p, (size_t)(end - p), TEXT_STRING_STOPS);
		len += run;
		p += run;
		for (; p < end && !text_is_plain(*p, TEXT_STRING_STOPS); p = from) {
			from = p;
			len += (size_t)(((uint8_t)*p >= 0x80 ? quote_char(scratch, &from, end)
			                                     : quote_ascii(scratch, &from, end)) -
			                scratch);
		}
	}
	return len;
}
