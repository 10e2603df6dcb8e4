/*
 * upstream/upstream_report.c - see upstream_report.h.
 */
#include "upstream/upstream_report.h"

#include <stdio.h>
#include <string.h>

#define ESCAPED_MAX 6 /* octets, of one character */

/* The octets of the character at p, which is part of UTF-8 that is valid. */
static size_t character_at(const char *p)
{
	unsigned char c = (unsigned char)*p;

	return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* As it stands in a string of JSON; how long that is. */
static size_t escape(const char *p, size_t n, char out[ESCAPED_MAX + 1])
{
	if ((unsigned char)*p < 0x20)
		return (size_t)snprintf(out, ESCAPED_MAX + 1, "\\u%04x", (unsigned)*p);
	if (*p == '"' || *p == '\\')
		return (size_t)snprintf(out, ESCAPED_MAX + 1, "\\%c", *p);
	memcpy(out, p, n);
	return n;
}

/* As many whole characters as there is room for. */
static char *add_text(char *to, const char *end, const char *text)
{
	char escaped[ESCAPED_MAX + 1];

	while (*text) {
		size_t n = strnlen(text, character_at(text)), len = escape(text, n, escaped);

		if (len > (size_t)(end - to))
			break;
		to = mempcpy(to, escaped, len);
		text += n;
	}
	return to;
}

const char *upstream_report(
    const struct sockjs_session *s, const char *reason, char out[WS_REASON_MAX + 1])
{
	static const char member[] = ",\"reason\":\"", tail[] = "\"}";
	struct sockjs_delivery d;
	char *to, *end = out + WS_REASON_MAX - strlen(tail);
	int n;

	sockjs_delivery(s, &d);
	n = snprintf(out, WS_REASON_MAX + 1,
	    "{\"accepted\":%llu,\"sent\":%llu,\"acknowledged\":%llu,\"confirmed\":%llu}", d.accepted,
	    d.sent, d.acknowledged, d.confirmed);
	if (n > WS_REASON_MAX)
		return reason; /* of numbers that no session lives to see */
	to = out + n - 1;
	if (!reason || !*reason || (size_t)(end - to) <= strlen(member))
		return out;
	to = mempcpy(to, member, strlen(member));
	to = add_text(to, end, reason);
	memcpy(to, tail, sizeof(tail));
	return out;
}
