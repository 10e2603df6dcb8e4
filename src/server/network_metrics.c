/*
 * server/network_metrics.c - what is known of the networks of clients, as figures for /metrics.
 *
 * Addresses are not among their labels, for strangers choose these: networks one by one are told
 * by the command `networks`. Only rows of what has been counted, or there would be many of nothing.
 */
#include <stdio.h>

#include "server/metrics_table.h"
#include "server/server_private.h"

static const struct network_tally *tally_of(const struct server_endpoint *ep)
{
	return networks_tally(ep->place->networks);
}

static int add_known(struct buf *out, const struct server_endpoint *ep)
{
	char label[512];

	snprintf(label, sizeof(label), "endpoint=\"%s\"", ep->prefix);
	return metric_row(
	    out, METRIC_sockjs_networks, label, (double)network_counted(&tally_of(ep)->known));
}

static int add_served(struct buf *out, const struct server_endpoint *ep)
{
	char label[512];
	int err = 0;

	for (unsigned i = 0; i < NETWORK_SERVICE_ROWS && err == 0; i++) {
		snprintf(label, sizeof(label), "endpoint=\"%s\",service=\"%s\"", ep->prefix,
		    network_service_word((enum network_service)i));
		err = metric_row(out, METRIC_sockjs_network_sessions_total, label,
		    (double)network_counted(&tally_of(ep)->served[i]));
	}
	return err;
}

/* A row of `m`, if there is anything to say. */
static int add_of_browser(struct buf *out, enum metric m, const struct server_endpoint *ep,
    unsigned browser, const char *what, const atomic_uint_fast64_t *counter)
{
	uint64_t count = network_counted(counter);
	char label[600];

	if (count == 0)
		return 0;
	snprintf(label, sizeof(label), "endpoint=\"%s\",browser=\"%s\",%s", ep->prefix,
	    network_browser_word((enum network_browser)browser), what);
	return metric_row(out, m, label, (double)count);
}

static int add_evidence(struct buf *out, const struct server_endpoint *ep)
{
	char what[64];
	int err = 0;

	for (unsigned b = 0; b < NETWORK_BROWSER_ROWS; b++)
		for (unsigned i = 0; i < NETWORK_EVIDENCE_ROWS && err == 0; i++) {
			snprintf(what, sizeof(what), "evidence=\"%s\"",
			    network_evidence_word((enum network_evidence)i));
			err = add_of_browser(out, METRIC_sockjs_network_evidence_total, ep, b,
			    what, &tally_of(ep)->of[b].evidence[i]);
		}
	return err;
}

static int add_reached(
    struct buf *out, const struct server_endpoint *ep, const char *const *transports)
{
	char what[64];
	int err = 0;

	for (unsigned b = 0; b < NETWORK_BROWSER_ROWS; b++)
		for (unsigned i = 0; i < NETWORK_TRANSPORTS && transports[i] && err == 0; i++) {
			snprintf(what, sizeof(what), "transport=\"%s\"", transports[i]);
			err = add_of_browser(out, METRIC_sockjs_network_reached_total, ep, b, what,
			    &tally_of(ep)->of[b].reached[i]);
		}
	return err;
}

typedef int (*add_fn)(struct buf *out, const struct server_endpoint *ep);

static int add_all(
    struct buf *out, enum metric m, const struct server_config *config, add_fn add)
{
	int err = metric_head(out, m);

	for (size_t i = 0; i < config->endpoint_count && err == 0; i++)
		err = add(out, config->endpoints[i]);
	return err;
}

int network_metrics_add(
    struct buf *out, const struct server_config *config, const char *const *transports)
{
	int err = add_all(out, METRIC_sockjs_networks, config, add_known);

	err = err ? err : add_all(out, METRIC_sockjs_network_sessions_total, config, add_served);
	err = err ? err : add_all(out, METRIC_sockjs_network_evidence_total, config, add_evidence);
	err = err ? err : metric_head(out, METRIC_sockjs_network_reached_total);
	for (size_t i = 0; i < config->endpoint_count && err == 0; i++)
		err = add_reached(out, config->endpoints[i], transports);
	return err;
}
