/*
 * tests/handover/rest.h - what a server has while nothing is under way, of which the next process is to have as much.
 */
#ifndef HANDOVER_REST_H
#define HANDOVER_REST_H

#include "wire/server.h"

enum { REST_GAUGES = 12 };

struct rest {
	unsigned descriptors;
	long kb;
	bool has_sanitizer; /* its memory tells nothing */
	long gauges[REST_GAUGES]; /* -1: it does not say */
};

void rest_measure(struct rest *rest, const struct server *s);
/* Whether it is so; if not, it may be so later. */
bool rest_is_same(const struct rest *before, const struct rest *now);
/* Each figure is a verdict. */
void rest_compare(const struct rest *before, const struct rest *now);

#endif
