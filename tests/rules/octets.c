/*
 * tests/rules/octets.c - a growing row of octets; see octets.h.
 */
#include "rules/octets.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned char *octets_room(struct octets *o, size_t n)
{
	size_t capacity = o->capacity ? o->capacity : 256;

	while (capacity < o->n + n)
		capacity *= 2;
	if (capacity != o->capacity) {
		o->p = realloc(o->p, capacity);
		o->capacity = capacity;
	}
	if (!o->p)
		abort();
	o->n += n;
	return o->p + o->n - n;
}

void octets_add(struct octets *o, const void *p, size_t n)
{
	unsigned char *to = octets_room(o, n);

	if (n > 0)
		memcpy(to, p, n);
}

void octets_free(struct octets *o)
{
	free(o->p);
	*o = (struct octets){ 0 };
}

/* By words, since a sanitizer looks at every access. */
void octets_mask(unsigned char *to, const unsigned char *p, size_t n, const unsigned char key[4])
{
	uint64_t keys, word;
	size_t i = 0;

	memcpy(&keys, key, 4);
	memcpy((unsigned char *)&keys + 4, key, 4);
	for (; n - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, p + i, sizeof(word));
		word ^= keys;
		memcpy(to + i, &word, sizeof(word));
	}
	for (; i < n; i++)
		to[i] = p[i] ^ key[i & 3];
}

static bool are_eight_of_ascii(const unsigned char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return (word & 0x8080808080808080u) == 0;
}

bool octets_are_utf8(const unsigned char *p, size_t n)
{
	static const unsigned long least[] = { 0, 0x80, 0x800, 0x10000 };
	const unsigned char *end = p + n;

	while (p < end) {
		while (end - p >= 8 && are_eight_of_ascii(p))
			p += 8;
		if (p == end)
			break;
		unsigned long c = *p++;
		int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;

		if (c < 0x80)
			continue;
		if (c < 0xc0 || c > 0xf7 || end - p < more)
			return false;
		c &= 0x3fu >> more;
		for (int i = 0; i < more; i++, p++) {
			if ((*p & 0xc0) != 0x80)
				return false;
			c = c << 6 | (*p & 0x3f);
		}
		if (c < least[more] || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
			return false;
	}
	return true;
}

static size_t show_some(char *to, const unsigned char *p, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++)
		if (p[i] >= ' ' && p[i] < 127 && p[i] != '"' && p[i] != '\\')
			to[at++] = (char)p[i];
		else
			at += (size_t)sprintf(to + at, "\\x%02x", p[i]);
	to[at] = '\0';
	return at;
}

const char *octets_show(const void *p, size_t n)
{
	enum { SOME = 24, MUCH = 2 * SOME };
	static char texts[4][16 * MUCH];
	static unsigned next;
	char *text = texts[next++ % 4];
	size_t at = 1;

	text[0] = '"';
	if (n <= MUCH) {
		at += show_some(text + at, p, n);
	} else {
		at += show_some(text + at, p, SOME);
		at += (size_t)sprintf(text + at, "\" ... \"");
		at += show_some(text + at, (const unsigned char *)p + n - SOME, SOME);
	}
	sprintf(text + at, "\" (%zu octets)", n);
	return text;
}
