/*
 * base/hex.h - hexadecimal digits.
 */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* 0 to 15; -1: it is none. */
static inline int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes a number of 1 to 16 digits, in lower case, from the beginning of a text. False: there is none. */
static inline bool hex_take(struct bytes *text, uint64_t *number)
{
	size_t n = 0;

	*number = 0;
	for (; n < text->n && n < 16; n++) {
		char c = text->p[n];

		if (hex_digit(c) < 0 || (c >= 'A' && c <= 'F'))
			break;
		*number = *number << 4 | (uint64_t)hex_digit(c);
	}
	text->p += n;
	text->n -= n;
	return n > 0;
}

/* And the dash between two of them. */
static inline bool hex_take_dash(struct bytes *text)
{
	if (text->n == 0 || text->p[0] != '-')
		return false;
	text->p++;
	text->n--;
	return true;
}

#endif
