/*
 * server/endpoint.c - an endpoint: prefix, application, options. route.c leads to it.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "server/server_private.h"
#include "server/session_network.h"

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

/* By the words of the table of options. */
static enum network_choice choice_of(const char *word)
{
	if (strcmp(word, "auto") == 0)
		return NETWORK_AUTO;
	return strcmp(word, "always") == 0 ? NETWORK_ALWAYS : NETWORK_NEVER;
}

static enum network_choice streams_of(const char *word)
{
	return strcmp(word, "short") == 0 ? NETWORK_ALWAYS
	                                  : choice_of(strcmp(word, "long") == 0 ? "never" : word);
}

/* Than WebSockets, which are refused only to who can take one of these. */
static bool has_other_ways(const struct endpoint_options *o)
{
	for (size_t i = 0; i < o->transports.count; i++)
		if (strncmp(o->transports.items[i], "websocket", 9) != 0)
			return true;
	return false;
}

static struct network_settings network_settings(const struct endpoint_options *o)
{
	return (struct network_settings){
		.adapts = o->networks_adapt,
		.refuses_websocket = o->networks_refuse_websocket && has_other_ways(o),
		.short_streams = streams_of(o->networks_streams),
		.prove = choice_of(o->websocket_prove),
		.half_life_ms = (unsigned)o->networks_half_life_ms,
		.first_silence_ms = (unsigned)o->networks_first_heartbeat_ms,
		.most_silence_ms = (unsigned)o->heartbeat_delay_ms,
		.answer_ms = (unsigned)o->networks_ping_unacknowledged_ms,
	};
}

static void fill_base(
    struct endpoint *b, const struct endpoint_options *o, const struct server_options *server)
{
	b->limits = (struct session_limits){
		.heartbeat_delay_ms = (unsigned)o->heartbeat_delay_ms,
		.first_silence_ms = (unsigned)o->networks_first_heartbeat_ms,
		.disconnect_delay_ms = (unsigned)o->disconnect_delay_ms,
		.first_message_timeout_ms = (unsigned)o->first_message_timeout_ms,
		.send_timeout_ms = (unsigned)o->send_timeout_ms,
		.send_buffer_bytes = o->send_buffer_bytes,
		.receive_buffer_bytes = o->max_body_bytes,
		.bind_address = o->bind_address,
	};
	b->response_limit_bytes = o->response_limit_bytes;
	b->whole_streams = choice_of(o->networks_close_delimited);
	b->answer_ms = (unsigned)o->networks_ping_unacknowledged_ms;
	b->max_message_bytes = o->max_message_bytes;
	b->max_body_bytes = o->max_body_bytes;
	b->session_cookie = o->session_cookie;
	b->gateway_cookie = server->peers_name ? server->peers_cookie : NULL;
	b->gateway_name = server->peers_name;
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

/* --- places -------------------------------------------------------------- */

static struct endpoint_place *place_new(const char *prefix)
{
	size_t n = strlen(prefix);
	struct endpoint_place *place = mem_zalloc(sizeof(*place) + n + 1);

	if (place)
		place->table = session_table_new();
	if (place && place->table)
		place->networks = networks_new();
	if (!place || !place->networks) {
		session_table_free(place ? place->table : NULL);
		mem_free(place);
		return NULL;
	}
	atomic_init(&place->refs, 1);
	place->prefix_len = n;
	memcpy(place->prefix, prefix, n);
	return place;
}

static struct endpoint_place *place_ref(struct endpoint_place *place)
{
	atomic_fetch_add_explicit(&place->refs, 1, memory_order_relaxed);
	return place;
}

static void place_unref(struct endpoint_place *place)
{
	if (!place || atomic_fetch_sub_explicit(&place->refs, 1, memory_order_acq_rel) > 1)
		return;
	session_table_free(place->table);
	networks_free(place->networks);
	mem_free(place);
}

/* --- life ---------------------------------------------------------------- */

static void endpoint_free(struct endpoint *base)
{
	struct server_endpoint *ep = container_of(base, struct server_endpoint, base);

	sockjs_options_free(ep->own_options);
	mem_free(ep->base.origins.allowed);
	mem_free(ep->iframe);
	mem_free(ep->iframe_lines);
	place_unref(ep->place);
	mem_free(ep);
}

void endpoint_hold(struct server_endpoint *ep)
{
	endpoint_ref(&ep->base);
	atomic_fetch_add_explicit(&ep->users, 1, memory_order_relaxed);
}

void endpoint_release(struct server_endpoint *ep)
{
	if (atomic_fetch_sub_explicit(&ep->users, 1, memory_order_acq_rel) == 1 && ep->keeper.leave)
		ep->keeper.leave(ep->keeper.arg);
	endpoint_unref(&ep->base);
}

static const struct endpoint_ops endpoint_ops = {
	.accept = endpoint_accept,
	.subprotocol = endpoint_subprotocol,
	.headers = endpoint_headers,
	.no_handshake = session_network_no_handshake,
	.free = endpoint_free,
};

/* Takes `options` over. NULL (and they are not) when memory is out. */
static struct server_endpoint *endpoint_new(struct server_config *c,
    const struct endpoint_wish *wish, struct endpoint_place *place, struct sockjs_options *options)
{
	struct server_endpoint *ep = mem_zalloc(sizeof(*ep));

	if (!ep)
		return NULL;
	atomic_init(&ep->base.refs, 1);
	atomic_init(&ep->users, 1);
	ep->base.ops = &endpoint_ops;
	ep->server = c->server;
	ep->callbacks = *wish->callbacks;
	ep->app = wish->app;
	ep->options = options->endpoint;
	fill_base(&ep->base, &ep->options, &c->options.server);
	ep->networks = network_settings(&ep->options);
	ep->place = place_ref(place);
	ep->base.prefix = ep->prefix = place->prefix;
	ep->prefix_len = place->prefix_len;
	ep->base.table = place->table;
	if (copy_origins(&ep->base.origins, &ep->options.allowed_origins) < 0 ||
	    iframe_prepare(ep) < 0) {
		endpoint_unref(&ep->base);
		return NULL;
	}
	ep->keeper = wish->keeper;
	ep->own_options = options;
	return ep;
}

/* --- in a configuration -------------------------------------------------- */

struct server_endpoint *server_config_endpoint(const struct server_config *c, const char *prefix)
{
	for (size_t i = 0; i < c->endpoint_count; i++)
		if (strcmp(c->endpoints[i]->prefix, prefix) == 0)
			return c->endpoints[i];
	return NULL;
}

static int check_prefix(struct server_config *c, const char *prefix)
{
	if (!options_is_prefix(prefix))
		return server_fail(c->server, -EINVAL, "\"%.80s\" is not a prefix; allowed: %s",
		    prefix, OPTIONS_PREFIX);
	if (server_config_endpoint(c, prefix))
		return server_fail(
		    c->server, -EEXIST, "the prefix \"%s\" is taken already", prefix);
	return 0;
}

/* Takes `options` over, in any case. */
static int add(struct server_config *c, const struct endpoint_wish *wish,
    struct sockjs_options *options, struct server_endpoint *elder)
{
	struct endpoint_place *place = elder ? place_ref(elder->place) : place_new(wish->prefix);
	struct server_endpoint *ep = NULL;

	if (place && server_grow(&c->endpoints, c->endpoint_count) == 0)
		ep = endpoint_new(c, wish, place, options);
	place_unref(place);
	if (!ep) {
		sockjs_options_free(options);
		return server_fail(c->server, -ENOMEM, "out of memory");
	}
	c->endpoints[c->endpoint_count++] = ep;
	return 0;
}

int server_config_add_endpoint(struct server_config *c, const struct endpoint_wish *wish,
    const struct server_config *elder)
{
	struct sockjs_options *options;
	int err = check_prefix(c, wish->prefix);

	if (err < 0)
		return err;
	options = mem_alloc(sizeof(*options));
	if (!options)
		return server_fail(c->server, -ENOMEM, "out of memory");
	err = server_config_merge(c, options, wish->options, OPTION_ENDPOINT);
	if (err < 0) {
		mem_free(options);
		return err;
	}
	return add(
	    c, wish, options, elder ? server_config_endpoint(elder, wish->prefix) : NULL);
}

int server_config_share_endpoint(struct server_config *c, struct server_endpoint *ep)
{
	if (server_grow(&c->endpoints, c->endpoint_count) < 0)
		return -ENOMEM;
	endpoint_hold(ep);
	c->endpoints[c->endpoint_count++] = ep;
	return 0;
}

struct server_endpoint *endpoint_new_apart(
    struct server_config *c, const struct endpoint_wish *wish)
{
	struct endpoint_place *place = place_new(wish->prefix);
	struct sockjs_options *own = mem_alloc(sizeof(*own));
	struct server_endpoint *ep = NULL;

	if (own && options_copy(own, wish->options) < 0) {
		mem_free(own);
		own = NULL;
	}
	if (place && own)
		ep = endpoint_new(c, wish, place, own);
	if (!ep)
		sockjs_options_free(own);
	place_unref(place);
	return ep;
}

/* --- those of earlier configurations --------------------------------------------- */

static bool has_object(const struct server_config *c, const struct server_endpoint *ep)
{
	for (size_t i = 0; i < c->endpoint_count; i++)
		if (c->endpoints[i] == ep)
			return true;
	return false;
}

static int add_elder(struct server_config *c, struct server_endpoint *ep)
{
	if (server_grow(&c->elders, c->elder_count) < 0)
		return -ENOMEM;
	endpoint_ref(&ep->base);
	c->elders[c->elder_count++] = ep;
	return 0;
}

/* Whether a session or a configuration goes by it. Once it is not it never will be, and its application
 * may be gone. */
static bool is_in_use(const struct server_endpoint *ep)
{
	return atomic_load_explicit(&ep->users, memory_order_relaxed) > 0;
}

/* Sessions may begin at those of the one before as long as it goes, so all of them count. */
static int add_elders(struct server_config *c, const struct server_config *elder)
{
	int err = 0;

	for (size_t i = 0; i < elder->endpoint_count && err == 0; i++)
		if (!elder->endpoints[i]->is_leaving && !has_object(c, elder->endpoints[i]))
			err = add_elder(c, elder->endpoints[i]);
	for (size_t i = 0; i < elder->elder_count && err == 0; i++)
		if (is_in_use(elder->elders[i]))
			err = add_elder(c, elder->elders[i]);
	return err;
}

static int add_leaving(struct server_config *c, struct server_endpoint *ep)
{
	static const struct sockjs_callbacks nobody;
	const struct endpoint_wish wish = { .prefix = ep->prefix, .callbacks = &nobody };
	struct sockjs_options *options = mem_alloc(sizeof(*options));
	int err;

	if (!options || options_copy(options, ep->own_options) < 0) {
		mem_free(options);
		return -ENOMEM;
	}
	err = add(c, &wish, options, ep);
	if (err == 0)
		c->endpoints[c->endpoint_count - 1]->is_leaving = true;
	return err;
}

int server_config_follow(struct server_config *c, const struct server_config *elder)
{
	int err = add_elders(c, elder);

	for (size_t i = 0; i < elder->endpoint_count && err == 0; i++) {
		struct server_endpoint *ep = elder->endpoints[i];

		if (server_config_endpoint(c, ep->prefix) ||
		    atomic_load_explicit(&ep->place->sessions, memory_order_relaxed) == 0)
			continue;
		err = ep->is_leaving ? server_config_share_endpoint(c, ep) : add_leaving(c, ep);
	}
	return err;
}

bool endpoint_offers(const struct server_endpoint *ep, const char *transport)
{
	const struct string_list *list = &ep->options.transports;

	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], transport) == 0)
			return true;
	return false;
}

static bool is_of(const struct server_endpoint *ep, struct server_endpoint *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_in_use(list[i]) && list[i]->app == ep->app &&
		    list[i]->callbacks.begin == ep->callbacks.begin)
			return true;
	return false;
}

void endpoints_begin(const struct server_config *c, const struct server_config *before)
{
	for (size_t i = 0; i < c->endpoint_count; i++) {
		const struct server_endpoint *ep = c->endpoints[i];

		if (ep->callbacks.begin &&
		    !(before && (is_of(ep, before->endpoints, before->endpoint_count) ||
		                    is_of(ep, before->elders, before->elder_count))))
			ep->callbacks.begin(ep->app);
	}
}

/* An application that is to be freed has to come by this reactor first, to leave it: what is in use now
 * stays until this is over. */
static void end_each(struct server_endpoint *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_in_use(list[i]) && list[i]->callbacks.end)
			list[i]->callbacks.end(list[i]->app);
}

void endpoints_end(const struct server_config *c)
{
	end_each(c->endpoints, c->endpoint_count);
	end_each(c->elders, c->elder_count);
}
