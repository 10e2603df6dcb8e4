/*
 * soak/verdicts.c - see verdicts.h.
 */
#include "soak/verdicts.h"

#include <stdarg.h>
#include <stdio.h>

struct verdicts verdicts;

void check(bool ok, const char *format, ...)
{
	va_list ap;

	if (ok)
		verdicts.passed++;
	else
		verdicts.failed++;
	if (ok && !verdicts.verbose)
		return;
	printf("%s ", ok ? "ok    " : "FAILED");
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}
