/*
 * base/base64.c - see base64.h.
 */
#include "base/base64.h"

#include <errno.h>
#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(char *out, const void *p, size_t n)
{
	const uint8_t *in = p;
	uint32_t w;

	for (; n >= 3; in += 3, n -= 3) {
		w = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
		*out++ = alphabet[w >> 18];
		*out++ = alphabet[w >> 12 & 63];
		*out++ = alphabet[w >> 6 & 63];
		*out++ = alphabet[w & 63];
	}
	if (n == 0)
		return;
	w = (uint32_t)in[0] << 16 | (n == 2 ? (uint32_t)in[1] << 8 : 0);
	*out++ = alphabet[w >> 18];
	*out++ = alphabet[w >> 12 & 63];
	*out++ = n == 2 ? alphabet[w >> 6 & 63] : '=';
	*out = '=';
}

/* The six bits of a character, or a value over 63 that stays over 63 when or-ed with others. */
static uint32_t sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0') + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : 64;
}

/* The last group: two or three characters stand before the padding. */
static ssize_t decode_padded(uint8_t *to, const char *p)
{
	uint32_t a = sextet(p[0]), b = sextet(p[1]), c = p[2] == '=' ? 0 : sextet(p[2]);

	if ((a | b | c) > 63)
		return -EINVAL;
	to[0] = (uint8_t)(a << 2 | b >> 4);
	if (p[2] == '=')
		return (b & 15) == 0 ? 1 : -EINVAL;
	to[1] = (uint8_t)(b << 4 | c >> 2);
	return (c & 3) == 0 ? 2 : -EINVAL;
}

ssize_t base64_decode(void *out, const char *p, size_t n)
{
	uint8_t *to = out;
	ssize_t last;

	if (n % 4 != 0)
		return -EINVAL;
	for (; n > 0; p += 4, n -= 4) {
		uint32_t a, b, c, d;

		if (n == 4 && p[3] == '=') {
			last = decode_padded(to, p);
			return last < 0 ? last : to - (uint8_t *)out + last;
		}
		a = sextet(p[0]), b = sextet(p[1]), c = sextet(p[2]), d = sextet(p[3]);
		if ((a | b | c | d) > 63)
			return -EINVAL;
		*to++ = (uint8_t)(a << 2 | b >> 4);
		*to++ = (uint8_t)(b << 4 | c >> 2);
		*to++ = (uint8_t)(c << 6 | d);
	}
	return to - (uint8_t *)out;
}
