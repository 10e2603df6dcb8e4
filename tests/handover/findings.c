/*
 * tests/handover/findings.c - what is wrong, counted and told; see population.h.
 */
#include <stdarg.h>
#include <stdio.h>

#include "handover/later.h"
#include "handover/population.h"
#include "handover/text.h"

enum { SHOWN = 20, CUT_ONE_IN = 8 };

struct findings findings;

void complain(unsigned k, const struct channel *c, const char *format, ...)
{
	static unsigned shown;
	va_list ap;

	if (shown++ >= SHOWN)
		return;
	printf("session %u (%s): ", k, c->wire == WIRE_TCP ? "tcp" : wire_names[c->wire]);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
}

unsigned findings_message(unsigned k, const struct channel *c, const char *text, size_t n, unsigned who,
    unsigned expected)
{
	unsigned by, no;

	findings.heard++;
	if (text_is(text, n, who, expected))
		return expected + 1;
	if (!text_read(text, n, &by, &no) || !text_is(text, n, by, no)) {
		findings.broken++;
		complain(k, c, "a broken message: %.*s (%zu)", n < 60 ? (int)n : 60, text, n);
		return expected;
	}
	if (by != who)
		findings.misplaced++;
	else if (no < expected)
		findings.twice++;
	else
		findings.lost += no - expected;
	complain(k, c, "message %u of %u in place of %u of %u", no, by, expected, who);
	return by == who && no >= expected ? no + 1 : expected;
}

void maybe_cut(struct channel *c, void (*release)(void *of, const char *text), void *of)
{
	if (c->is_over || c->is_cut || c->cut > 0 || below(CUT_ONE_IN) > 0)
		return;
	c->cut = 1 + below(255);
	later(release, of, "");
}
