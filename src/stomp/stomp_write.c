/*
 * stomp/stomp_write.c - frames to octets; see stomp_frame.h.
 *
 * A header's octets come from anybody: another client, with another version, or an application.
 * What the reader's version would take for the end of a line, or of a name, is escaped or becomes a
 * blank.
 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "stomp/stomp_private.h"

/* The digits of SIZE_MAX. */
enum { DIGITS_MAX = 20 };

int stomp_write_begin(struct buf *out, enum stomp_command command)
{
	struct bytes name = bytes_of(stomp_command_name(command));
	char *to = buf_reserve(out, name.n + 1);

	if (!to)
		return -ENOMEM;
	*bytes_put(to, name) = '\n';
	buf_commit(out, name.n + 1);
	return 0;
}

/* What stands behind the backslash; 0: the version has no escape for it. */
static char escape_of(enum stomp_version version, char c)
{
	switch (c) {
	case '\n':
		return 'n';
	case '\\':
		return '\\';
	case ':':
		return 'c';
	case '\r':
		return version == STOMP_1_2 ? 'r' : 0;
	default:
		return 0;
	}
}

/* Not an octet of a header that may stand as it is, but cannot be escaped either. */
static bool would_end_it(char c, bool in_name)
{
	return c == '\0' || c == '\n' || c == '\r' || (c == ':' && in_name);
}

/* At most twice as long. */
static char *write_octet(char *to, enum stomp_version version, char c, bool in_name)
{
	char escape = version >= STOMP_1_1 ? escape_of(version, c) : 0;

	if (escape) {
		*to++ = '\\';
		*to++ = escape;
	} else {
		*to++ = would_end_it(c, in_name) ? ' ' : c;
	}
	return to;
}

static char *write_escaped(char *to, enum stomp_version version, struct bytes b, bool in_name)
{
	static const struct text_stops stops = { ':', '\\', '\\', false };

	while (b.n > 0) {
		size_t plain = text_plain(b.p, b.n, stops);

		to = bytes_put(to, (struct bytes){ b.p, plain });
		if (plain == b.n)
			break;
		to = write_octet(to, version, b.p[plain], in_name);
		b.p += plain + 1;
		b.n -= plain + 1;
	}
	return to;
}

int stomp_write_header(
    struct buf *out, enum stomp_version version, struct bytes name, struct bytes value)
{
	char *begin = buf_reserve(out, 2 * (name.n + value.n) + 2), *to;

	if (!begin)
		return -ENOMEM;
	to = write_escaped(begin, version, name, true);
	*to++ = ':';
	to = write_escaped(to, version, value, false);
	*to++ = '\n';
	buf_commit(out, (size_t)(to - begin));
	return 0;
}

int stomp_write_plain(struct buf *out, const char *name, struct bytes value)
{
	struct bytes n = bytes_of(name);
	char *begin = buf_reserve(out, n.n + value.n + 2), *to;

	if (!begin)
		return -ENOMEM;
	to = bytes_put(begin, n);
	*to++ = ':';
	to = bytes_put(to, value);
	*to++ = '\n';
	buf_commit(out, (size_t)(to - begin));
	return 0;
}

static char *write_number(char *to, size_t number)
{
	char digits[DIGITS_MAX], *first = digits + sizeof(digits);

	do {
		*--first = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return bytes_put(to, (struct bytes){ first, (size_t)(digits + sizeof(digits) - first) });
}

int stomp_write_end(struct buf *out, struct bytes body)
{
	static const struct bytes announcement = { "content-length:", 15 };
	char *begin, *to;

	if (body.n > SIZE_MAX / 4)
		return -ENOMEM;
	begin = to = buf_reserve(out, announcement.n + DIGITS_MAX + 3 + body.n);
	if (!begin)
		return -ENOMEM;
	if (body.n > 0) {
		to = write_number(bytes_put(to, announcement), body.n);
		*to++ = '\n';
	}
	*to++ = '\n';
	to = bytes_put(to, body);
	*to++ = '\0';
	buf_commit(out, (size_t)(to - begin));
	return 0;
}
