/*
 * upstream/upstream_settings.h - what a configuration says of an upstream; shared by all reactors,
 * read-only but for the balancer and strays.
 */
#ifndef UPSTREAM_UPSTREAM_SETTINGS_H
#define UPSTREAM_UPSTREAM_SETTINGS_H

#include "server/options.h"
#include "upstream/balancer.h"
#include "upstream/checks.h"
#include "upstream/strays.h"
#include "ws/ws_conn.h"

enum binary_policy { BINARY_CLOSE, BINARY_BASE64 };

struct upstream_settings {
	struct ws_conn_limits limits;
	struct ws_deflate_config deflate;
	enum binary_policy binary;  /* what becomes of binary messages for SockJS clients */
	bool reports_delivery;      /* in the reason of a Close */
	size_t send_buffer_bytes;   /* to the backend */
	size_t client_buffer_bytes; /* to the client */
	unsigned open_after_ms;     /* before the backend has answered; 0: never */
	unsigned connect_timeout_ms, close_timeout_ms, ping_interval_ms, pong_timeout_ms;
	struct balancer balancer;
	struct strays strays;
	struct check_settings checks;
};

/* From the options of an endpoint, which must stay. 0; -EINVAL and a sentence in `why` if a URL, a
 * certificate or a key is not good; -ENOMEM. What was made is to be freed in each case. */
int upstream_settings_init(struct upstream_settings *settings, const struct sockjs_options *options,
    char *why, size_t why_size);
void upstream_settings_fini(struct upstream_settings *settings);

#endif
