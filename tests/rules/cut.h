/*
 * tests/rules/cut.h - the sizes of the pieces in which octets are sent.
 */
#ifndef RULES_CUT_H
#define RULES_CUT_H

#include "rules/subject.h"

struct cutter {
	enum cut cut;
	uint32_t seed;
};

/* Of N octets that are left, those of the next piece. At random: mostly a few, sometimes many, so
 * that headers are cut and long messages have an end. */
static inline size_t cut_next(struct cutter *c, size_t n)
{
	size_t most;

	if (c->cut == CUT_OCTETS)
		return 1;
	if (c->cut != CUT_AT_RANDOM)
		return n;
	c->seed = c->seed * 1664525 + 1013904223;
	most = c->seed >> 30 ? (size_t)16 : n;
	c->seed = c->seed * 1664525 + 1013904223;
	n = 1 + (c->seed >> 8) % (most < n ? most : n);
	return n;
}

#endif
