/*
 * nats/nats_headers.c - headers of messages; see nats_headers.h.
 */
#include "nats/nats_headers.h"

#include "base/field.h"

#define VERSION BYTES("NATS/1.0")

/* Without its CR LF; false: there is no whole line. */
static bool next_line(struct bytes block, size_t *at, struct bytes *line)
{
	const char *from = block.p + *at, *lf;

	if (*at >= block.n || !(lf = memchr(from, '\n', block.n - *at)) || lf == from ||
	    lf[-1] != '\r')
		return false;
	*line = (struct bytes){ from, (size_t)(lf - from) - 1 };
	*at += (size_t)(lf - from) + 1;
	return true;
}

static bool is_first_line(struct bytes line)
{
	return line.n >= VERSION.n && memcmp(line.p, VERSION.p, VERSION.n) == 0;
}

bool nats_headers_next(struct bytes block, size_t *at, struct nats_header *header)
{
	struct bytes line;
	const char *colon;

	if (*at == 0 && (!next_line(block, at, &line) || !is_first_line(line)))
		return false;
	if (!next_line(block, at, &line) || !(colon = line.n ? memchr(line.p, ':', line.n) : NULL))
		return false;
	header->name = (struct bytes){ line.p, (size_t)(colon - line.p) };
	header->value = field_trim((struct bytes){ colon + 1, line.n - header->name.n - 1 });
	return true;
}

struct bytes nats_headers_get(struct bytes block, const char *name)
{
	struct nats_header header;
	size_t at = 0;

	while (nats_headers_next(block, &at, &header))
		if (bytes_equal(header.name, bytes_of(name)))
			return header.value;
	return (struct bytes){ NULL, 0 };
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

unsigned nats_headers_status(struct bytes block, struct bytes *description)
{
	struct bytes line;
	const char *d;
	size_t at = 0;

	if (!next_line(block, &at, &line) || !is_first_line(line))
		return 0;
	line = field_trim((struct bytes){ line.p + VERSION.n, line.n - VERSION.n });
	d = line.p;
	if (line.n < 3 || d[0] < '1' || !is_digit(d[0]) || !is_digit(d[1]) || !is_digit(d[2]) ||
	    (line.n > 3 && !field_is_blank(d[3])))
		return 0;
	if (description)
		*description = field_trim((struct bytes){ d + 3, line.n - 3 });
	return (unsigned)(d[0] - '0') * 100 + (unsigned)(d[1] - '0') * 10 + (unsigned)(d[2] - '0');
}
