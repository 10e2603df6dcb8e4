/*
 * net/proxy_header.c - the PROXY protocol; see proxy_header.h.
 */
#include "net/proxy_header.h"

#include <string.h>

static const struct bytes signature = BYTES("\r\n\r\n\0\r\nQUIT\n");
static const struct bytes beginning = BYTES("PROXY ");

enum {
	V1_MAX = 107, /* with its line end */
	V2_HEAD = 16, /* signature, version and command, family, length */
	V2_VERSION = 0x20,
	V2_LOCAL = 0,
	V2_PROXY = 1,
	V2_TCP4 = 0x11,
	V2_TCP6 = 0x21,
};

static bool begins_like(struct bytes in, struct bytes with)
{
	size_t n = in.n < with.n ? in.n : with.n;

	return memcmp(in.p, with.p, n) == 0;
}

/* --- version 1 ------------------------------------------------------------------------- */

/* The next word of a line; they are parted by one blank each. */
static struct bytes next_word(struct bytes *line)
{
	const char *blank = memchr(line->p, ' ', line->n);
	struct bytes word = { line->p, blank ? (size_t)(blank - line->p) : line->n };
	size_t used = word.n + (blank != NULL);

	line->p += used;
	line->n -= used;
	return word;
}

static bool read_port(struct bytes word, uint16_t *port)
{
	unsigned n = 0;

	if (word.n == 0 || word.n > 5 || (word.p[0] == '0' && word.n > 1))
		return false;
	for (size_t i = 0; i < word.n; i++) {
		if (word.p[i] < '0' || word.p[i] > '9')
			return false;
		n = n * 10 + (unsigned)(word.p[i] - '0');
	}
	*port = (uint16_t)n;
	return n <= UINT16_MAX;
}

/* "SOURCE DESTINATION SOURCE-PORT DESTINATION-PORT", of one family. */
static bool read_addresses(struct bytes line, uint16_t family, struct addr *client)
{
	struct bytes words[4];
	struct addr to;
	uint16_t port;

	for (int i = 0; i < 3; i++)
		words[i] = next_word(&line);
	words[3] = line;
	if (memchr(words[0].p, '[', words[0].n) ||
	    addr_parse_ip(words[0], client) < 0 || addr_parse_ip(words[1], &to) < 0 ||
	    !read_port(words[2], &client->port) || !read_port(words[3], &port))
		return false;
	/* An IPv4 address in IPv6 form has become IPv4 by now */
	return family == AF_INET6 || (client->family == AF_INET && to.family == AF_INET);
}

static enum proxy_header_result read_line(struct bytes in, struct proxy_header *out)
{
	const char *lf = memchr(in.p, '\n', in.n);
	struct bytes line, family;

	if (!lf) {
		out->wanted = in.n + 1;
		return in.n < V1_MAX ? PROXY_HEADER_MORE : PROXY_HEADER_BAD;
	}
	if (in.n > V1_MAX || lf != in.p + in.n - 1 || in.n < beginning.n + 2 || lf[-1] != '\r')
		return PROXY_HEADER_BAD;
	line = (struct bytes){ in.p + beginning.n, in.n - beginning.n - 2 };
	family = next_word(&line);
	if (bytes_equal(family, BYTES("UNKNOWN")))
		return PROXY_HEADER_WHOLE; /* whatever stands behind it */
	if (bytes_equal(family, BYTES("TCP4")))
		return read_addresses(line, AF_INET, &out->client) ? PROXY_HEADER_WHOLE
		                                                   : PROXY_HEADER_BAD;
	if (bytes_equal(family, BYTES("TCP6")))
		return read_addresses(line, AF_INET6, &out->client) ? PROXY_HEADER_WHOLE
		                                                    : PROXY_HEADER_BAD;
	return PROXY_HEADER_BAD;
}

/* --- version 2 --------------------------------------------------------------------------- */

static unsigned octet(struct bytes in, size_t at)
{
	return (unsigned char)in.p[at];
}

static uint16_t be16(struct bytes in, size_t at)
{
	return (uint16_t)(octet(in, at) << 8 | octet(in, at + 1));
}

/* Source and destination, then their ports. */
static bool take_client(struct bytes in, size_t ip, struct addr *client)
{
	struct addr a = { .family = ip == 4 ? AF_INET : AF_INET6 };
	struct sockaddr_storage sa;

	if (in.n < V2_HEAD + 2 * ip + 4)
		return false;
	memcpy(a.ip, in.p + V2_HEAD, ip);
	a.port = be16(in, V2_HEAD + 2 * ip);
	addr_to_sockaddr(&a, &sa); /* and back: there is one form of an IPv4 address */
	*client = addr_from_sockaddr((const struct sockaddr *)&sa);
	return true;
}

static enum proxy_header_result read_binary(struct bytes in, struct proxy_header *out)
{
	unsigned command;
	bool is_well = true;

	out->wanted = V2_HEAD;
	if (in.n < V2_HEAD)
		return PROXY_HEADER_MORE;
	command = octet(in, 12) & 0x0f;
	if ((octet(in, 12) & 0xf0) != V2_VERSION || command > V2_PROXY)
		return PROXY_HEADER_BAD;
	out->wanted = V2_HEAD + be16(in, 14);
	if (out->wanted > PROXY_HEADER_MAX)
		return PROXY_HEADER_BAD;
	if (in.n < out->wanted)
		return PROXY_HEADER_MORE;
	if (in.n > out->wanted)
		return PROXY_HEADER_BAD; /* more was taken than was wanted */
	if (command == V2_PROXY && octet(in, 13) == V2_TCP4)
		is_well = take_client(in, 4, &out->client);
	else if (command == V2_PROXY && octet(in, 13) == V2_TCP6)
		is_well = take_client(in, 16, &out->client);
	return is_well ? PROXY_HEADER_WHOLE : PROXY_HEADER_BAD;
}

/* --- both ---------------------------------------------------------------------------------- */

enum proxy_header_result proxy_header_read(struct bytes in, struct proxy_header *out)
{
	*out = (struct proxy_header){ .wanted = 1 };
	if (in.n == 0)
		return PROXY_HEADER_MORE;
	if (begins_like(in, signature))
		return read_binary(in, out);
	return begins_like(in, beginning) ? read_line(in, out) : PROXY_HEADER_BAD;
}

size_t proxy_header_take(struct bytes taken, struct bytes waiting)
{
	bool is_line = taken.n > 0 ? taken.p[0] == 'P' : waiting.n > 0 && waiting.p[0] == 'P';
	struct proxy_header h;
	const char *lf;

	if (is_line) {
		lf = memchr(waiting.p, '\n', waiting.n);
		return lf ? (size_t)(lf - waiting.p) + 1 : waiting.n;
	}
	if (proxy_header_read(taken, &h) != PROXY_HEADER_MORE)
		return 0;
	if (h.wanted < V2_HEAD)
		h.wanted = V2_HEAD;
	return waiting.n < h.wanted - taken.n ? waiting.n : h.wanted - taken.n;
}
