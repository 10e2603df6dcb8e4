/*
 * soak/verdicts.h - what a program that checks has found, of which it prints the sum in the end.
 */
#ifndef SOAK_VERDICTS_H
#define SOAK_VERDICTS_H

#include <stdbool.h>

extern struct verdicts {
	unsigned passed, failed;
	bool verbose; /* what is right is printed as well */
} verdicts;

/* Counts, and says of what is wrong what it is. */
void check(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
