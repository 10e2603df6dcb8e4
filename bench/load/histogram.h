/*
 * bench/load/histogram.h - how long things took.
 *
 * Buckets are log-linear: 32 to each power of two, so that a quantile is within 3 %
 * and a recording costs one store. Nanoseconds.
 */
#ifndef LOAD_HISTOGRAM_H
#define LOAD_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_STEPS = 32, HISTOGRAM_BUCKETS = 60 * HISTOGRAM_STEPS };

struct histogram {
	uint64_t count, max;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_record(struct histogram *h, int64_t ns);

/* The least time that the share Q (0 to 1) did not exceed; 0 if nothing was recorded. */
uint64_t histogram_quantile(const struct histogram *h, double q);

#endif
