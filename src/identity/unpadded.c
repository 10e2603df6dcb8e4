/*
 * identity/unpadded.c - see unpadded.h.
 */
#include "identity/unpadded.h"

#include <errno.h>

#include "base/base64.h"

/* The six bits of a character, or a value over 63 that stays over 63 when or-ed with others. */
static uint32_t sextet(char c, const char *last_two)
{
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0') + 52;
	if (c == last_two[0])
		return 62;
	return c == last_two[1] ? 63 : 64;
}

/* The last group: two or three characters. */
static ssize_t decode_rest(uint8_t *to, const char *p, size_t n, const char *last_two)
{
	uint32_t a = sextet(p[0], last_two), b = n > 1 ? sextet(p[1], last_two) : 64;
	uint32_t c = n > 2 ? sextet(p[2], last_two) : 0;

	if ((a | b | c) > 63)
		return -EINVAL;
	to[0] = (uint8_t)(a << 2 | b >> 4);
	if (n == 2)
		return (b & 15) == 0 ? 1 : -EINVAL;
	to[1] = (uint8_t)(b << 4 | c >> 2);
	return (c & 3) == 0 ? 2 : -EINVAL;
}

ssize_t unpadded_decode(void *out, struct bytes text, const char *last_two)
{
	uint8_t *to = out;
	const char *p = text.p, *end = text.p + text.n;
	ssize_t rest = 0;

	for (; end - p >= 4; p += 4, to += 3) {
		uint32_t a = sextet(p[0], last_two), b = sextet(p[1], last_two);
		uint32_t c = sextet(p[2], last_two), d = sextet(p[3], last_two);

		if ((a | b | c | d) > 63)
			return -EINVAL;
		to[0] = (uint8_t)(a << 2 | b >> 4);
		to[1] = (uint8_t)(b << 4 | c >> 2);
		to[2] = (uint8_t)(c << 6 | d);
	}
	if (p < end && (rest = decode_rest(to, p, (size_t)(end - p), last_two)) < 0)
		return rest;
	return to - (uint8_t *)out + rest;
}

size_t unpadded_encode(char *out, const void *p, size_t n)
{
	size_t len = BASE64_LEN(n);

	base64_encode(out, p, n);
	while (len > 0 && out[len - 1] == '=')
		len--;
	out[len] = '\0';
	return len;
}
