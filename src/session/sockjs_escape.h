/*
 * session/sockjs_escape.h - escaping, for what sends SockJS frames.
 *
 * There are four alphabets: message text into a JSON string, and a whole frame
 * into an event, a script string or a jsonp string. In the last three what has to be escaped
 * is ASCII, and an escape_fn says how; escape_transcode() and escape_measure() run any of them,
 * inlined for each. Message text has more to it, and functions of its own.
 *
 * Every octet is read once: runs of plain octets are copied while they are searched.
 */
#ifndef SESSION_SOCKJS_ESCAPE_H
#define SESSION_SOCKJS_ESCAPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

/* What stands for an octet that cannot stand for itself. Eight octets are written, whatever `n`
 * says, where there is room. */
struct escape {
	char text[7];
	uint8_t n;
};

/* The escape for the octet c. No escape is shorter than what it stands for. */
typedef struct escape (*escape_fn)(uint8_t c);

static inline __attribute__((always_inline)) char *escape_put(
    char *out, struct escape e, bool has_room)
{
	if (has_room)
		memcpy(out, &e, sizeof(e));
	else
		memcpy(out, e.text, e.n);
	return out + e.n;
}

/* Copies octets up to the first that is marked, or all of them, and moves both pointers behind.
 * What is written is no shorter than what was read: so as long as SIMD_OCTETS octets are left to
 * read there is room for as many, and what a block writes too much is overwritten by what follows.
 */
SIMD_INLINE char *escape_copy_plain(
    char *out, const char **from, const char *end, struct text_stops stops)
{
	const char *p = *from;
	simd_mark marks;
	size_t n;

	for (; end - p >= 4 * SIMD_OCTETS; p += 4 * SIMD_OCTETS, out += 4 * SIMD_OCTETS) {
		simd_vec a = simd_load(p), b = simd_load(p + SIMD_OCTETS),
		         c = simd_load(p + 2 * SIMD_OCTETS), d = simd_load(p + 3 * SIMD_OCTETS);

		if (!text_is_plain4(a, b, c, d, stops))
			break;
		simd_store(out, a);
		simd_store(out + SIMD_OCTETS, b);
		simd_store(out + 2 * SIMD_OCTETS, c);
		simd_store(out + 3 * SIMD_OCTETS, d);
	}
	for (; end - p >= SIMD_OCTETS; p += SIMD_OCTETS, out += SIMD_OCTETS) {
		simd_vec v = simd_load(p);

		marks = text_marks(v, stops);
		simd_store(out, v);
		if (marks) {
			n = simd_first(marks);
			*from = p + n;
			return out + n;
		}
	}
	n = text_plain_few(p, (size_t)(end - p), stops);
	simd_copy_few(out, p, n);
	*from = p + n;
	return out + n;
}

SIMD_INLINE char *escape_transcode(
    char *out, const char *p, size_t n, struct text_stops stops, escape_fn escape)
{
	const char *end = p + n;

	while (p < end) {
		out = escape_copy_plain(out, &p, end, stops);
		for (; p < end && !text_is_plain(*p, stops); p++)
			out = escape_put(
			    out, escape((uint8_t)*p), end - p >= (ptrdiff_t)sizeof(struct escape));
	}
	return out;
}

SIMD_INLINE size_t escape_measure(
    const char *p, size_t n, struct text_stops stops, escape_fn escape)
{
	const char *end = p + n;
	size_t len = n;

	while (p < end) {
		p += text_plain(p, (size_t)(end - p), stops);
		for (; p < end && !text_is_plain(*p, stops); p++)
			len += escape((uint8_t)*p).n - 1u;
	}
	return len;
}

/* --- what JSON itself wants escaped --------------------------------------- */

#define ESCAPE_HEX(high, low)                                                                      \
	{                                                                                          \
		"\\u00" high low, 6                                                                \
	}

/* What '"', '\\' and control characters turn into; other ASCII stands for itself. */
extern const struct escape sockjs_escapes[128];

static inline struct escape escape_ascii(uint8_t c)
{
	return sockjs_escapes[c & 0x7f];
}

/* --- message text into a JSON string, without its quotes ------------------- */

char *sockjs_escape_text(char *out, const char *p, size_t n);
size_t sockjs_escape_text_len(const char *p, size_t n);

#endif
