/*
 * server/internal.c - the address of operators: health, counters, commands.
 */
#include "server/internal.h"

#include <stdio.h>

#include "server/api.h"
#include "server/dashboard.h"

const char internal_address = 0;

/* The endpoint whose application cannot take sessions now; NULL: all can. */
static const struct server_endpoint *find_unready(const struct server_config *config)
{
	for (size_t i = 0; i < config->endpoint_count; i++) {
		const struct server_endpoint *ep = config->endpoints[i];

		if (ep->callbacks.ready && !ep->callbacks.ready(ep->app))
			return ep;
	}
	return NULL;
}

static void serve_readyz(struct reactor *reactor, struct http_request *r)
{
	const struct server_config *config = reactor->config;
	const struct server_endpoint *unready =
	    config->options.server.ready_needs_backends ? find_unready(config) : NULL;
	char sentence[300];

	if (reactor->draining) {
		http_respond_text(r, 503, "draining");
	} else if (unready) {
		snprintf(sentence, sizeof(sentence), "not ready: %s", unready->prefix);
		http_respond_text(r, 503, sentence);
	} else {
		http_respond_text(r, 200, "ready");
	}
}

size_t internal_body_limit(const struct server_config *config, const struct http_request *r)
{
	if (http_request_method(r) != HTTP_POST || !api_is_path(http_request_path(r)))
		return OTHER_BODY_MAX;
	return (size_t)config->options.server.max_command_bytes;
}

void internal_serve(struct reactor *reactor, struct http_request *r)
{
	struct bytes path = http_request_path(r);

	if (api_is_path(path))
		api_serve(reactor, r);
	else if ((http_request_method(r) & (HTTP_GET | HTTP_HEAD)) == 0)
		answer_method_not_allowed(r, "GET, HEAD");
	else if (bytes_equal(path, BYTES("/healthz")))
		http_respond_text(r, 200, "ok");
	else if (bytes_equal(path, BYTES("/readyz")))
		serve_readyz(reactor, r);
	else if (bytes_equal(path, BYTES("/metrics")) && http_request_method(r) == HTTP_GET)
		metrics_serve(reactor, r);
	else if (!dashboard_serve_page(reactor, r))
		http_respond_text(r, 404,
		    "There is nothing here: try /healthz, /readyz, /metrics, /api/openapi.json.");
}
