/*
 * bench/load/tables.c - the one place that names all transports and workloads.
 */
#include <string.h>

#include "load/workloads.h"

static const struct transport *const transports[] = {
	&transport_ws,
	&transport_websocket,
	&transport_xhr_streaming,
	&transport_eventsource,
	&transport_htmlfile,
	&transport_xhr,
	&transport_jsonp,
	&transport_chunks,
	&transport_post,
	&transport_silent,
	&transport_kept,
	&transport_stomp,
	&transport_nats,
	NULL,
};

static const struct workload *const workloads[] = {
	&echo_workload,
	&post_workload,
	&first_post_workload,
	&fanout_workload,
	&churn_workload,
	&idle_workload,
	&receipt_workload,
	&subscriptions_workload,
	&receive_workload,
	NULL,
};

const struct transport *transport_at(unsigned i)
{
	return transports[i];
}

const struct workload *workload_at(unsigned i)
{
	return workloads[i];
}

const struct transport *transport_find(const char *name)
{
	for (unsigned i = 0; transports[i]; i++)
		if (strcmp(transports[i]->name, name) == 0)
			return transports[i];
	return NULL;
}

const struct workload *workload_find(const char *name)
{
	for (unsigned i = 0; workloads[i]; i++)
		if (strcmp(workloads[i]->name, name) == 0)
			return workloads[i];
	return NULL;
}
