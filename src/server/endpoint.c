/*
 * server/endpoint.c - an endpoint: prefix, application, options. route.c leads to it.
 */
#include <errno.h>

#include "base/mem.h"
#include "server/server_private.h"

static int copy_origins(struct http_origins *to, const struct string_list *list)
{
	to->allowed = mem_zalloc((list->count ? list->count : 1) * sizeof(*to->allowed));
	if (!to->allowed)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i], "*") == 0)
			to->any = true;
		to->allowed[to->count++] = http_origin_rule(bytes_of(list->items[i]));
	}
	return 0;
}

static const struct endpoint_ops endpoint_ops = {
	.accept = endpoint_accept,
	.subprotocol = endpoint_subprotocol,
	.headers = endpoint_headers,
};

/* By the words of the table of options. */
static enum cookie_rule cookie_rule(const char *word)
{
	static const char *const words[] = {
		[COOKIE_AUTO] = "auto",
		[COOKIE_YES] = "true",
		[COOKIE_NO] = "false",
		[COOKIE_LAX] = "lax",
		[COOKIE_STRICT] = "strict",
		[COOKIE_NONE] = "none",
	};
	unsigned i = 0;

	while (i < COOKIE_NONE && strcmp(words[i], word) != 0)
		i++;
	return (enum cookie_rule)i;
}

static struct ws_conn_limits ws_limits(const struct endpoint_options *o, size_t max_message_bytes)
{
	return (struct ws_conn_limits){
		.max_message_bytes = max_message_bytes,
		.max_fragments = (unsigned)o->websocket_max_fragments,
		.max_inflation = (unsigned)o->websocket_max_inflation,
	};
}

static void fill_base(
    struct endpoint *b, const struct endpoint_options *o, const struct server_options *server)
{
	b->ops = &endpoint_ops;
	b->limits = (struct session_limits){
		.heartbeat_delay_ms = (unsigned)o->heartbeat_delay_ms,
		.disconnect_delay_ms = (unsigned)o->disconnect_delay_ms,
		.first_message_timeout_ms = (unsigned)o->first_message_timeout_ms,
		.send_timeout_ms = (unsigned)o->send_timeout_ms,
		.send_buffer_bytes = o->send_buffer_bytes,
		.receive_buffer_bytes = o->max_body_bytes,
		.bind_address = o->bind_address,
	};
	b->response_limit_bytes = o->response_limit_bytes;
	b->max_message_bytes = o->max_message_bytes;
	b->max_body_bytes = o->max_body_bytes;
	b->session_cookie = o->session_cookie;
	b->cookie_secure = cookie_rule(o->session_cookie_secure);
	b->cookie_same_site = cookie_rule(o->session_cookie_same_site);
	b->ws = ws_limits(o, o->max_body_bytes);
	b->ws_raw = ws_limits(o, o->max_message_bytes);
	b->max_frame_messages = (unsigned)o->websocket_max_messages;
	b->pace = (struct pace){ .grace_ms = (unsigned)server->limit_body_timeout_ms,
		.bytes_per_second = (unsigned)server->limit_min_rate };
	b->deflate = (struct ws_deflate_config){
		.enabled = o->websocket_compression,
		.context_takeover = o->websocket_context_takeover,
		.window_bits = (uint8_t)o->websocket_window_bits,
		.level = (uint8_t)o->websocket_compression_level,
		.min_bytes = o->websocket_compression_min_bytes,
	};
	b->ping_interval_ms = (unsigned)o->websocket_ping_interval_ms;
	b->pong_timeout_ms = (unsigned)o->websocket_pong_timeout_ms;
	b->close_timeout_ms = (unsigned)o->websocket_close_timeout_ms;
}

struct server_endpoint *endpoint_new(struct sockjs_server *server, const char *prefix,
    const struct sockjs_callbacks *callbacks, void *app, struct sockjs_options *options)
{
	struct server_endpoint *ep = mem_zalloc(sizeof(*ep));

	if (!ep)
		return NULL;
	ep->server = server;
	ep->callbacks = *callbacks;
	ep->app = app;
	ep->options = options->endpoint;
	fill_base(&ep->base, &ep->options, &server->options.server);
	ep->prefix = mem_strdup(prefix);
	ep->base.table = session_table_new();
	if (!ep->prefix || !ep->base.table ||
	    copy_origins(&ep->base.origins, &ep->options.allowed_origins) < 0 ||
	    iframe_prepare(ep) < 0) {
		endpoint_free(ep);
		return NULL;
	}
	ep->prefix_len = strlen(prefix);
	ep->base.prefix = ep->prefix;
	ep->own_options = options;
	return ep;
}

void endpoint_free(struct server_endpoint *ep)
{
	if (!ep)
		return;
	sockjs_options_free(ep->own_options);
	session_table_free(ep->base.table);
	mem_free(ep->base.origins.allowed);
	mem_free(ep->prefix);
	mem_free(ep->iframe);
	mem_free(ep->iframe_lines);
	mem_free(ep);
}

bool endpoint_offers(const struct server_endpoint *ep, const char *transport)
{
	const struct string_list *list = &ep->options.transports;

	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], transport) == 0)
			return true;
	return false;
}

void endpoints_begin(const struct sockjs_server *server)
{
	for (size_t i = 0; i < server->endpoint_count; i++) {
		const struct server_endpoint *ep = server->endpoints[i];

		if (ep->callbacks.begin)
			ep->callbacks.begin(ep->app);
	}
}

void endpoints_end(const struct sockjs_server *server)
{
	for (size_t i = 0; i < server->endpoint_count; i++) {
		const struct server_endpoint *ep = server->endpoints[i];

		if (ep->callbacks.end)
			ep->callbacks.end(ep->app);
	}
}
