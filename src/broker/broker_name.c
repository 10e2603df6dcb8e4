/*
 * broker/broker_name.c - destinations and patterns as text; see broker_name.h.
 */
#include "broker/broker_name.h"

#include <errno.h>

#include "base/hex.h"
#include "base/text.h"
#include "base/utf8.h"

#define USER "/user"

/* --- segments ------------------------------------------------------------ */

struct broker_segments broker_segments_of(struct bytes name, char separator)
{
	return (struct broker_segments){ name, separator, '/' };
}

bool broker_segments_next(struct broker_segments *s, struct bytes *segment)
{
	const char *from, *end, *to;

	if (s->rest.n == 0)
		return false;
	from = s->rest.p + 1;
	end = s->rest.p + s->rest.n;
	to = memchr(from, s->until, (size_t)(end - from));
	if (!to)
		to = end;
	*segment = (struct bytes){ from, (size_t)(to - from) };
	s->rest = (struct bytes){ to, (size_t)(end - to) };
	/* What ends the first segment begins the second, and does not end it */
	s->until = s->separator;
	return true;
}

bool broker_name_is_private(struct bytes name)
{
	const size_t n = sizeof(USER) - 1;

	return name.n >= n && memcmp(name.p, USER, n) == 0 && (name.n == n || name.p[n] == '/');
}

/* --- what is valid ------------------------------------------------------- */

/* Without control characters, and UTF-8; nearly always ASCII. */
static bool is_text(struct bytes t)
{
	const struct text_stops ascii = { '\x7f', '\x7f', '\x7f', true };
	const struct text_stops delete = { '\x7f', '\x7f', '\x7f', false };

	return text_plain(t.p, t.n, ascii) == t.n ||
	       (text_plain(t.p, t.n, delete) == t.n && utf8_is_valid(t.p, t.n));
}

static bool is_name(struct bytes name)
{
	return name.n >= 2 && name.n <= BROKER_DESTINATION_MAX && name.p[0] == '/' && is_text(name);
}

static bool has_star(struct bytes text)
{
	return memchr(text.p, '*', text.n) != NULL;
}

/* A star is a whole segment, and two are the last one. */
static bool is_segment_of_pattern(struct bytes segment, bool is_last)
{
	return segment.n > 0 && (!has_star(segment) || broker_segment_is_any(segment) ||
	                            (is_last && broker_segment_is_rest(segment)));
}

static bool are_segments_of_pattern(struct bytes name, char separator)
{
	struct broker_segments s = broker_segments_of(name, separator);
	struct bytes segment;
	int count = 0;

	while (broker_segments_next(&s, &segment))
		if (++count > BROKER_SEGMENTS_MAX || !is_segment_of_pattern(segment, s.rest.n == 0))
			return false;
	return true;
}

bool broker_name_is_pattern(struct bytes name, char separator)
{
	return is_name(name) && are_segments_of_pattern(name, separator);
}

bool broker_name_is_destination(struct bytes name, char separator)
{
	struct broker_segments s = broker_segments_of(name, separator);
	struct bytes segment;
	int count = 0;

	if (!is_name(name) || has_star(name))
		return false;
	while (broker_segments_next(&s, &segment))
		if (++count > BROKER_SEGMENTS_MAX || segment.n == 0)
			return false;
	return true;
}

bool broker_name_matches(struct bytes pattern, struct bytes destination, char separator)
{
	struct broker_segments p = broker_segments_of(pattern, separator);
	struct broker_segments d = broker_segments_of(destination, separator);
	struct bytes wanted, segment;

	while (broker_segments_next(&p, &wanted)) {
		if (broker_segment_is_rest(wanted))
			return true;
		if (!broker_segments_next(&d, &segment))
			return false;
		if (!broker_segment_is_any(wanted) && !bytes_equal(wanted, segment))
			return false;
	}
	return d.rest.n == 0;
}

/* --- private destinations ------------------------------------------------ */

/* The octet that an escape stands for; negative if it is none. */
static int unescape(const char *p, const char *end)
{
	int high, low;

	if (end - p < 3 || (high = hex_digit(p[1])) < 0 || (low = hex_digit(p[2])) < 0)
		return -1;
	return high << 4 | low;
}

/* As in URLs: "%2F" is a slash in the name. A plus is a plus. */
static int decode(struct bytes from, char *to, struct bytes *decoded)
{
	const char *p = from.p, *end = from.p + from.n;
	char *out = to;
	int c;

	while (p < end) {
		if (*p != '%') {
			*out++ = *p++;
			continue;
		}
		c = unescape(p, end);
		if (c < 0)
			return -EINVAL;
		*out++ = (char)c;
		p += 3;
	}
	*decoded = (struct bytes){ to, (size_t)(out - to) };
	return is_text(*decoded) ? 0 : -EINVAL;
}

/* NAME, as it stands there, and "/rest". */
static bool find_name(struct bytes destination, struct bytes *name, struct bytes *rest)
{
	const char *from = destination.p + sizeof(USER), *end = destination.p + destination.n;
	const char *to;

	if (from >= end || !(to = memchr(from, '/', (size_t)(end - from))) || to == from)
		return false;
	*name = (struct bytes){ from, (size_t)(to - from) };
	*rest = (struct bytes){ to, (size_t)(end - to) };
	return true;
}

int broker_name_split(
    struct bytes destination, char separator, char *text, struct bytes *name, struct bytes *shown)
{
	const size_t n = sizeof(USER) - 1;
	struct bytes escaped, rest;

	if (!is_name(destination) || has_star(destination) || !broker_name_is_private(destination))
		return -EINVAL;
	if (!find_name(destination, &escaped, &rest))
		return -EINVAL;
	memcpy(text, USER, n);
	bytes_put(text + n, rest);
	*shown = (struct bytes){ text, n + rest.n };
	if (!broker_name_is_destination(*shown, separator))
		return -EINVAL;
	return decode(escaped, text + shown->n, name);
}
