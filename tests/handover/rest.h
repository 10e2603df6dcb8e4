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
	long gauges[REST_GAUGES]; /* -1: it does not say */
};

void rest_measure(struct rest *rest, const struct server *s);
/* Waits until it is so. Each figure is a verdict. */
void rest_compare(const struct rest *before, const struct server *s);

#endif
