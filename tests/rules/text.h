/*
 * tests/rules/text.h - sequences of octets that are not UTF-8, one for each way not to
 * be; for whoever carries text.
 */
#ifndef RULES_TEXT_H
#define RULES_TEXT_H

#include <stddef.h>

struct sequence {
	const char *name;
	const char *octets;
	size_t n;
	size_t bad; /* the first octet that cannot be right, whatever follows */
};

extern const struct sequence bad_sequences[];
extern const size_t bad_sequence_count;

/* Octets of a code point; how many. */
size_t utf8_put(unsigned char to[4], unsigned long c);

#endif
