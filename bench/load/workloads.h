/*
 * bench/load/workloads.h - what a load can be.
 */
#ifndef LOAD_WORKLOADS_H
#define LOAD_WORKLOADS_H

#include "load/transport.h"

extern const struct workload echo_workload, post_workload, fanout_workload;
extern const struct workload idle_workload, churn_workload;

/* How many of all the messages session I of N may send. */
static inline uint64_t load_share(const struct load *load, unsigned i, unsigned n)
{
	uint64_t count = load->options.count;

	return count ? count / n + (i < count % n) : UINT64_MAX;
}

#endif
