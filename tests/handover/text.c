/*
 * tests/handover/text.c - see text.h.
 */
#include "handover/text.h"

#include <stdio.h>
#include <string.h>

enum { HEAD_MAX = 32, LONG_ONE_IN = 48, OFTEN_ONE_IN = 4 };

uint64_t text_seed = 1;

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

unsigned below(unsigned n)
{
	static uint64_t state;

	return (unsigned)(mix((state += 0x9e3779b97f4a7c15u) ^ text_seed << 32) % n);
}

size_t text_write(char out[TEXT_MAX], unsigned who, unsigned no)
{
	static const char alphabet[] =
	    "0123456789 abcdefghijklmnopqrstuvwxyz:ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	uint64_t z = mix((uint64_t)who << 32 ^ no ^ text_seed << 44);
	unsigned one_in = who & TEXT_LONG ? OFTEN_ONE_IN : LONG_ONE_IN;
	size_t n = (size_t)sprintf(out, "%u.%u.", who, no), end = n + z / one_in % 90;

	if (z % one_in == 0)
		end = n + z / one_in % (TEXT_MAX - HEAD_MAX);
	for (size_t i = 0; n < end; i++)
		out[n++] = alphabet[((z >> (i & 31)) + i) & 63];
	return n;
}

bool text_is(const char *text, size_t n, unsigned who, unsigned no)
{
	char expected[TEXT_MAX];

	return text_write(expected, who, no) == n && memcmp(expected, text, n) == 0;
}

bool text_read(const char *text, size_t n, unsigned *who, unsigned *no)
{
	char head[HEAD_MAX]; /* what has come has no NUL behind it */

	snprintf(head, sizeof(head), "%.*s", n < sizeof(head) ? (int)n : (int)sizeof(head), text);
	return sscanf(head, "%u.%u.", who, no) == 2;
}
