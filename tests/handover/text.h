/*
 * tests/handover/text.h - numbered messages: the text follows from who sends it and which it is.
 */
#ifndef HANDOVER_TEXT_H
#define HANDOVER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TEXT_MAX = 20000 };
#define TEXT_LONG 0x80000000u /* in the number of a sender: he sends more */

extern uint64_t text_seed;

/* Its length. Most are short, some are many times as long as what a socket takes at once. */
size_t text_write(char out[TEXT_MAX], unsigned who, unsigned no);
bool text_is(const char *text, size_t n, unsigned who, unsigned no);
/* Who has sent it, and which it is; false: that is no message of ours. */
bool text_read(const char *text, size_t n, unsigned *who, unsigned *no);

/* As chance will have it. */
unsigned below(unsigned n);

#endif
