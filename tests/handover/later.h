/*
 * tests/handover/later.h - what is to be done a moment later.
 */
#ifndef HANDOVER_LATER_H
#define HANDOVER_LATER_H

#include <stdint.h>

enum { LATER_MS = 250, LATER_TEXT = 48 };

/* In LATER_MS `fn` is called with these; the text is copied, up to what fits. */
void later(void (*fn)(void *of, const char *text), void *of, const char *text);
/* Calls those that are due. */
void later_turn(int64_t now);
/* How many are to be called yet. */
unsigned later_count(void);

#endif
