/*
 * hostile/words.h - the words of one rule, and where each of them stands. No I/O.
 *
 * Blanks part words. A colon or a comma behind a word is a word of its own; within quotation
 * marks everything is text.
 */
#ifndef HOSTILE_WORDS_H
#define HOSTILE_WORDS_H

#include <stdbool.h>

#include "base/bytes.h"

#define WORDS_MOST 64

enum word_kind { WORD_TEXT, WORD_QUOTED, WORD_COLON, WORD_COMMA };

struct word {
	enum word_kind kind;
	struct bytes text;
	unsigned column; /* of its first octet, from 1 */
};

struct words {
	struct word word[WORDS_MOST];
	unsigned count;
};

/* Views into `line`. NULL; or a sentence about what is wrong, and *column says where. */
const char *words_read(struct words *out, struct bytes line, unsigned *column);

/* --- what a word may say -------------------------------------------------------------- */

/* A whole number in decimal digits, no more than 15 of them. */
bool word_number(struct bytes text, uint64_t *out);
/* "20s", "800ms", "2m", "1h"; a bare number is milliseconds. */
bool word_duration(struct bytes text, uint64_t *ms);
/* "4096", "64KiB", "64k", "1MiB"; whether it names a unit is *has_unit. */
bool word_size(struct bytes text, uint64_t *octets, bool *has_unit);
/* "10%", "0.5%": in millionths. */
bool word_percent(struct bytes text, uint32_t *millionths);

#endif
