/*
 * bench/load/histogram.c - recording and reading of log-linear buckets.
 */
#include "load/histogram.h"

static unsigned bucket_of(uint64_t ns)
{
	unsigned exponent;

	if (ns < HISTOGRAM_STEPS)
		return (unsigned)ns;
	exponent = 63 - (unsigned)__builtin_clzll(ns) - 5;
	return (exponent + 1) * HISTOGRAM_STEPS + (unsigned)(ns >> exponent) - HISTOGRAM_STEPS;
}

/* The greatest time that belongs to a bucket. */
static uint64_t upper_end(unsigned bucket)
{
	unsigned exponent = bucket / HISTOGRAM_STEPS;

	if (exponent == 0)
		return bucket;
	exponent--;
	return ((uint64_t)(bucket % HISTOGRAM_STEPS + HISTOGRAM_STEPS + 1) << exponent) - 1;
}

void histogram_record(struct histogram *h, int64_t ns)
{
	uint64_t n = ns > 0 ? (uint64_t)ns : 0;

	h->bucket[bucket_of(n)]++;
	h->count++;
	if (n > h->max)
		h->max = n;
}

uint64_t histogram_quantile(const struct histogram *h, double q)
{
	uint64_t wanted = (uint64_t)(q * (double)h->count), seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen > wanted)
			return upper_end(i) < h->max ? upper_end(i) : h->max;
	}
	return h->max;
}
