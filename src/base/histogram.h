/*
 * base/histogram.h - how long things took: counts in buckets that are the same everywhere, so that
 * those of several threads can be added up.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>

/* Upper bounds in microseconds. X(bound, as seconds) */
#define HISTOGRAM_BOUNDS(X)                                                                        \
	X(50, "5e-05")                                                                             \
	X(100, "0.0001")                                                                           \
	X(250, "0.00025")                                                                          \
	X(500, "0.0005")                                                                           \
	X(1000, "0.001")                                                                           \
	X(2500, "0.0025")                                                                          \
	X(5000, "0.005")                                                                           \
	X(10000, "0.01")                                                                           \
	X(25000, "0.025")                                                                          \
	X(50000, "0.05")                                                                           \
	X(100000, "0.1")                                                                           \
	X(250000, "0.25")                                                                          \
	X(500000, "0.5")                                                                           \
	X(1000000, "1")                                                                            \
	X(2500000, "2.5")                                                                          \
	X(5000000, "5")                                                                            \
	X(10000000, "10")                                                                          \
	X(30000000, "30")

enum {
#define X(bound, text) HISTOGRAM_UP_TO_##bound,
	HISTOGRAM_BOUNDS(X)
#undef X
	    HISTOGRAM_BEYOND,
	HISTOGRAM_BUCKETS
};

struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS]; /* each of its own: not yet added up */
	uint64_t sum_us;
};

/* Most things are quick: then the first comparison is the last. */
static inline unsigned histogram_bucket(uint64_t us)
{
	static const uint64_t bounds[] = {
#define X(bound, text) bound,
		HISTOGRAM_BOUNDS(X)
#undef X
	};
	unsigned i = 0;

	while (i < HISTOGRAM_BEYOND && us > bounds[i])
		i++;
	return i;
}

/* The upper bound of a bucket as Prometheus wants it: seconds, or "+Inf". */
static inline const char *histogram_bound(unsigned bucket)
{
	static const char *const texts[] = {
#define X(bound, text) text,
		HISTOGRAM_BOUNDS(X)
#undef X
		    "+Inf",
	};

	return texts[bucket];
}

/* So many that took as long. */
static inline void histogram_add_many(struct histogram *h, uint64_t us, unsigned n)
{
	h->counts[histogram_bucket(us)] += n;
	h->sum_us += us * n;
}

static inline void histogram_add(struct histogram *h, uint64_t us)
{
	histogram_add_many(h, us, 1);
}

static inline void histogram_add_up(struct histogram *all, const struct histogram *h)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		all->counts[i] += h->counts[i];
	all->sum_us += h->sum_us;
}

#endif
