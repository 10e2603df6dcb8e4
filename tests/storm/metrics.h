/*
 * tests/storm/metrics.h - what a server says of itself; see metrics.c.
 */
#ifndef STORM_METRICS_H
#define STORM_METRICS_H

#include "wire/conn.h"

/* The sum of a metric over its labels, or with the labels in `name` that one; -1: it cannot be had.
 */
long metric_sum(const struct address *internal, const char *name);

#endif
