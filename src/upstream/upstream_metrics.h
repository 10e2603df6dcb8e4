/*
 * upstream/upstream_metrics.h - what is counted of backends, for /metrics.
 */
#ifndef UPSTREAM_UPSTREAM_METRICS_H
#define UPSTREAM_UPSTREAM_METRICS_H

#include "sockjs.h"
#include "upstream/balancer.h"

/* For all reactors together: to be called in one. */
void upstream_metrics(struct sockjs_metrics *m, const struct balancer *balancer, uint64_t now);

#endif
