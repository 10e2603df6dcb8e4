/*
 * tests/wire/sockjs.c - SockJS frames as a client decodes them.
 *
 * Each transport wraps the same frames (o, a[...], h, c[...]) in its own
 * way; "receive" of the scenario language peels them with this table.
 */
#include "wire/sockjs.h"

#include <stdlib.h>
#include <string.h>

static int hex4(const char *p, const char *end)
{
	char digits[5] = { 0 };

	if (end - p < 4)
		return -1;
	memcpy(digits, p, 4);
	if (strspn(digits, "0123456789abcdefABCDEF") != 4)
		return -1;
	return (int)strtol(digits, NULL, 16);
}

static void add_code_point(struct text *t, unsigned long c)
{
	unsigned char b[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4, i;

	for (i = n - 1; i; i--, c >>= 6)
		b[i] = (unsigned char)(0x80 | (c & 0x3f));
	b[0] = (unsigned char)(n == 1 ? c : (0xf00u >> n & 0xff) | c);
	text_add(t, b, n);
}

/* At the 'u' of an escape; a pair of surrogates is one character. */
static const char *add_unicode(struct text *t, const char *p, const char *end)
{
	int c = hex4(p + 1, end), low;

	if (c < 0)
		return NULL;
	p += 5;
	if (c >= 0xd800 && c < 0xdc00 && end - p > 6 && p[0] == '\\' && p[1] == 'u') {
		low = hex4(p + 2, end);
		if (low >= 0xdc00 && low < 0xe000) {
			add_code_point(t,
			    0x10000u + ((unsigned)(c - 0xd800) << 10) + (unsigned)(low - 0xdc00));
			return p + 6;
		}
	}
	add_code_point(t, (unsigned long)c);
	return p;
}

/* A JSON string at P; returns what is behind its closing quote, or NULL. */
static const char *json_string(const char *p, const char *end, struct text *out)
{
	static const char from[] = "bfnrt\"\\/", to[] = "\b\f\n\r\t\"\\/";
	const char *known;

	memset(out, 0, sizeof(*out));
	text_add(out, "", 0);
	if (p >= end || *p++ != '"')
		return NULL;
	while (p < end && *p != '"') {
		if ((unsigned char)*p < 0x20)
			return NULL;
		if (*p != '\\') {
			text_add(out, p++, 1);
			continue;
		}
		if (++p == end)
			return NULL;
		known = *p ? strchr(from, *p) : NULL;
		if (known)
			text_add(out, to + (known - from), 1);
		else if (*p != 'u')
			return NULL;
		p = known ? p + 1 : add_unicode(out, p, end);
		if (!p)
			return NULL;
	}
	return p < end ? p + 1 : NULL;
}

bool sockjs_next_message(const char **p, const char *end, struct text *message)
{
	const char *after = json_string(*p, end, message);

	if (!after || after >= end || (*after != ',' && *after != ']'))
		return false;
	*p = after + 1;
	return true;
}

static bool starts(struct text t, const char *with)
{
	return t.n >= strlen(with) && !memcmp(t.p, with, strlen(with));
}

static bool ends(struct text t, const char *with)
{
	size_t n = strlen(with);

	return t.n >= n && !memcmp(t.p + t.n - n, with, n);
}

/* What stands between two constants. */
static bool between(struct text piece, const char *before, const char *after, struct text *inner)
{
	size_t cut = strlen(before) + strlen(after);

	if (!starts(piece, before) || !ends(piece, after) || piece.n < cut)
		return false;
	inner->p = piece.p + strlen(before);
	inner->n = piece.n - cut;
	return true;
}

static bool unwrap_line(struct text piece, struct text *frame)
{
	return between(piece, "", "\n", frame);
}

static bool unwrap_event(struct text piece, struct text *frame)
{
	static const char hex[] = "0123456789ABCDEF";
	struct text line;
	const char *high, *low;
	size_t i;
	char byte;

	if (piece.n == 2 && starts(piece, "\r\n"))
		return true;
	if (!between(piece, "data: ", "\r\n\r\n", &line))
		return false;
	for (i = 0; i < line.n; i++) {
		byte = line.p[i];
		if (byte == '%') {
			if (i + 2 >= line.n || !(high = strchr(hex, line.p[i + 1])) ||
			    !(low = strchr(hex, line.p[i + 2])))
				return false;
			byte = (char)((high - hex) << 4 | (low - hex));
			i += 2;
		}
		text_add(frame, &byte, 1);
	}
	return true;
}

static bool unwrap_script(struct text piece, struct text *frame)
{
	struct text string;

	if (starts(piece, "<!doctype html>"))
		return true;
	return between(piece, "<script>\np(", ");\n</script>\r\n", &string) &&
	       json_string(string.p, string.p + string.n, frame) == string.p + string.n;
}

static bool unwrap_callback(struct text piece, struct text *frame)
{
	struct text string;

	return between(piece, "/**/cb(", ");\r\n", &string) &&
	       json_string(string.p, string.p + string.n, frame) == string.p + string.n;
}

static const struct sockjs_transport transports[] = {
	{ .name = "xhr", .method = "POST", .query = "", .unwrap = unwrap_line },
	{ .name = "xhr_streaming",
	    .method = "POST",
	    .query = "",
	    .streams = true,
	    .unwrap = unwrap_line },
	{ .name = "eventsource",
	    .method = "GET",
	    .query = "",
	    .streams = true,
	    .unwrap = unwrap_event },
	{ .name = "htmlfile",
	    .method = "GET",
	    .query = "?c=cb",
	    .streams = true,
	    .unwrap = unwrap_script },
	{ .name = "jsonp", .method = "GET", .query = "?c=cb", .unwrap = unwrap_callback },
};

const struct sockjs_transport *sockjs_transport(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(transports) / sizeof(transports[0]); i++)
		if (!strcmp(transports[i].name, name))
			return &transports[i];
	return NULL;
}
