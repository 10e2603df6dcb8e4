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

size_t base64_encode_unpadded(char *out, const void *p, size_t n)
{
	size_t len = BASE64_LEN(n);

	base64_encode(out, p, n);
	while (len > 0 && out[len - 1] == '=')
		len--;
	out[len] = '\0';
	return len;
}

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

/* The last group: one to three characters. */
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

ssize_t base64_decode_unpadded(void *out, const char *p, size_t n, const char *last_two)
{
	uint8_t *to = out;
	ssize_t rest = 0;

	for (; n >= 4; p += 4, n -= 4) {
		uint32_t a = sextet(p[0], last_two), b = sextet(p[1], last_two);
		uint32_t c = sextet(p[2], last_two), d = sextet(p[3], last_two);

		if ((a | b | c | d) > 63)
			return -EINVAL;
		*to++ = (uint8_t)(a << 2 | b >> 4);
		*to++ = (uint8_t)(b << 4 | c >> 2);
		*to++ = (uint8_t)(c << 6 | d);
	}
	if (n > 0 && (rest = decode_rest(to, p, n, last_two)) < 0)
		return rest;
	return to - (uint8_t *)out + rest;
}

ssize_t base64_decode(void *out, const char *p, size_t n)
{
	if (n % 4 != 0)
		return -EINVAL;
	for (unsigned padding = 0; padding < 2 && n > 0 && p[n - 1] == '='; padding++)
		n--;
	return base64_decode_unpadded(out, p, n, BASE64_PLAIN);
}
