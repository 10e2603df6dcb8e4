/*
 * bench/load/fail.c - one way out for whatever goes wrong.
 *
 * A figure from a run in which anything failed would be believed, so nothing is
 * tolerated and nothing repaired: the server under test ends with us (server.c).
 */
#include "load/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void fail(const char *format, ...)
{
	va_list args;

	fputs("loadgen: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

void *must(void *memory)
{
	if (!memory)
		fail("out of memory");
	return memory;
}
