/*
 * tests/rules/octets.h - a growing row of octets.
 */
#ifndef RULES_OCTETS_H
#define RULES_OCTETS_H

#include <stdbool.h>
#include <stddef.h>

struct octets {
	unsigned char *p;
	size_t n, capacity;
};

/* Where N octets more will stand; they count at once. */
unsigned char *octets_room(struct octets *o, size_t n);
void octets_add(struct octets *o, const void *p, size_t n);
void octets_free(struct octets *o);

/* XORs a masking key, from its beginning. TO may be P. */
void octets_mask(unsigned char *to, const unsigned char *p, size_t n, const unsigned char key[4]);

/* Well-formed UTF-8 (RFC 3629): no surrogates, nothing overlong or above U+10FFFF. */
bool octets_are_utf8(const unsigned char *p, size_t n);

/* For messages: printable, in quotes, shortened in the middle. One of four static buffers. */
const char *octets_show(const void *p, size_t n);

#endif
