/*
 * bench/load/workloads.h - what a load can be.
 */
#ifndef LOAD_WORKLOADS_H
#define LOAD_WORKLOADS_H

#include "load/transport.h"

extern const struct workload echo_workload, post_workload, first_post_workload;
extern const struct workload fanout_workload;
extern const struct workload idle_workload, churn_workload;
extern const struct workload receipt_workload, subscriptions_workload, receive_workload;

#endif
