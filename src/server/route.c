/*
 * server/route.c - the way from a URL to what answers it.
 *
 *	/prefix  /prefix/                        greeting; for a WebSocket, as /prefix/websocket
 *	/prefix/info                             info.c
 *	/prefix/iframe*.html                     iframe.c
 *	/prefix/websocket                        raw WebSocket
 *	/prefix/<server>/<session>/<transport>   transports/
 *
 * With the option subpaths there may be more between the prefix and any of these, which is the
 * application's affair.
 */
#include "server/dashboard.h"
#include "server/peers.h"
#include "server/route.h"
#include "server/server_private.h"

/* The endpoint whose prefix is the longest that begins the path; *rest is what follows. */
static struct server_endpoint *find_endpoint(
    const struct server_config *config, struct bytes path, struct bytes *rest)
{
	struct server_endpoint *best = NULL;

	for (size_t i = 0; i < config->endpoint_count; i++) {
		struct server_endpoint *ep = config->endpoints[i];
		size_t n = ep->prefix_len;

		if (path.n < n || memcmp(path.p, ep->prefix, n) != 0 ||
		    (path.n > n && path.p[n] != '/'))
			continue;
		if (!best || n > best->prefix_len)
			best = ep;
	}
	if (best)
		*rest = (struct bytes){ path.p + best->prefix_len, path.n - best->prefix_len };
	return best;
}

static size_t body_limit(struct http_request *r, void *arg)
{
	struct reactor *reactor = arg;
	struct bytes rest;
	struct server_endpoint *ep = find_endpoint(reactor->config, http_request_path(r), &rest);

	if (http_request_listener(r) == &internal_address)
		return internal_body_limit(reactor->config, r);
	return ep && http_request_method(r) == HTTP_POST ? ep->base.max_body_bytes : OTHER_BODY_MAX;
}

static void refusal(struct http_request *r, struct http_head *head, void *arg)
{
	struct reactor *reactor = arg;
	struct bytes rest;
	struct server_endpoint *ep = find_endpoint(reactor->config, http_request_path(r), &rest);
	struct http_client client;

	if (ep && peers_client(reactor, r, &client) == NULL)
		http_origin_add_allowance(&ep->base.origins, &client, r, head);
}

static void not_found(struct http_request *r)
{
	http_respond_text(r, 404, "There is nothing here.");
}

/* --- below a prefix ------------------------------------------------------- */

static void greet(struct http_request *r)
{
	struct http_head head;

	if ((http_request_method(r) & (HTTP_GET | HTTP_HEAD)) == 0) {
		answer_method_not_allowed(r, "GET, HEAD");
		return;
	}
	http_head_init(&head, 200);
	http_head_add(&head, "Content-Type", "text/plain; charset=UTF-8");
	http_respond(r, &head, BYTES("Welcome to SockJS!\n"));
}

static void serve_info(const struct route *route)
{
	struct server_endpoint *ep = route->endpoint;

	if (http_origin_check(&ep->base.origins, &route->client, route->http,
	        HTTP_ORIGIN_UNLESS_FOREIGN) == HTTP_ORIGIN_REFUSED)
		route_refuse_origin(route);
	else if (http_request_header(route->http, HTTP_ACCESS_CONTROL_REQUEST_HEADERS).n >
	         HTTP_ECHO_MAX)
		route_refuse_long_header(route);
	else
		info_serve(ep, &route->client, route->http, route->reactor->draining);
}

static bool is_websocket(struct bytes element)
{
	return bytes_equal_nocase(element, BYTES("websocket"));
}

/* An Upgrade in HTTP/1.0 is to be ignored (RFC 9110 section 7.8). */
static bool is_for_websocket(const struct http_request *r)
{
	return http_request_method(r) == HTTP_GET && http_request_is_1_1(r) &&
	       http_request_has_element(r, "Upgrade", is_websocket);
}

static void serve_endpoint(struct route *route)
{
	struct server_endpoint *ep = route->endpoint;
	bool raw = endpoint_offers(ep, "websocket_raw"), is_prefix;

	if (ep->options.subpaths && !path_take_subpath(&route->rest, &route->path)) {
		not_found(route->http);
		return;
	}
	if (ep->is_leaving) {
		route_to_session(route);
		return;
	}
	is_prefix = route->rest.n == 0 || bytes_equal(route->rest, BYTES("/"));
	if (raw && (bytes_equal(route->rest, BYTES("/websocket")) ||
	               (is_prefix && is_for_websocket(route->http))))
		route_to_transport(route, &websocket_raw_transport, (struct bytes){ 0 },
		    (struct bytes){ 0 });
	else if (is_prefix)
		greet(route->http);
	else if (bytes_equal(route->rest, BYTES("/info")))
		serve_info(route);
	else if (iframe_is_path(route->rest))
		iframe_serve(ep, route->http);
	else
		route_to_session(route);
}

/* --- everything ----------------------------------------------------------- */

/* What the pages say of themselves, unless their directory has such a file of its own. */
static bool serve_version(const struct server_config *config, struct http_request *r)
{
	if (!config->options.server.www ||
	    !bytes_equal(http_request_path(r), BYTES("/version.txt")))
		return false;
	if (http_request_method(r) & (HTTP_GET | HTTP_HEAD))
		http_respond_text(r, 200, sockjs_version());
	else
		answer_method_not_allowed(r, "GET, HEAD");
	return true;
}

static void serve_public(struct route *route)
{
	const struct server_config *config = route->reactor->config;
	struct bytes path = http_request_path(route->http);

	if (!http_host_is_allowed(&config->hosts, route->client.host))
		route_refuse_host(route);
	else if (route->endpoint)
		serve_endpoint(route);
	else if (path.p[0] == '*' && http_request_method(route->http) == HTTP_OPTIONS)
		http_respond_text(route->http, 200, "OK");
	else if (!(config->files && http_static_serve(config->files, route->http)) &&
	         !serve_version(config, route->http))
		not_found(route->http);
}

/* Clients ask for whatever they like at a unix socket, and no browser comes there by itself. But it
 * does by way of ssh(1), for a page. */
static bool is_host_checked(const struct route *route)
{
	return http_request_peer(route->http)->family != AF_UNIX ||
	       dashboard_is_path(http_request_path(route->http));
}

/* A connection that a transport gives back does not know any more where it has come in. */
static void serve_feed(struct route *route)
{
	http_request_end(route->http);
	serve_endpoint(route);
}

static void serve_internal(struct route *route)
{
	struct reactor *reactor = route->reactor;

	if (is_host_checked(route) &&
	    !http_host_is_allowed(&reactor->config->internal_hosts, route->client.host))
		route_refuse_host(route);
	else if ((route->endpoint = dashboard_feed(
	              reactor, http_request_path(route->http), &route->rest)))
		serve_feed(route);
	else
		internal_serve(reactor, route->http);
}

static void serve(struct http_request *r, void *arg)
{
	struct route route = { .reactor = arg, .http = r };
	const struct server_config *config = route.reactor->config;
	const char *wrong = peers_client(route.reactor, r, &route.client);

	if (wrong) {
		http_refused(http_request_server(r),
		    http_request_header(r, HTTP_SOCKJSD_PEER).p ? HTTP_REFUSED_PEER : HTTP_REFUSED_BAD_REQUEST,
		    &route.client.address,
		    HTTP_REFUSED_FIELDS(LOG_INT("status", 400), LOG_STR("answer", wrong)));
		http_respond_text(r, 400, wrong);
		return;
	}
	if (http_request_listener(r) == &internal_address) {
		serve_internal(&route);
		return;
	}
	route.endpoint = find_endpoint(config, http_request_path(r), &route.rest);
	serve_public(&route);
}

static struct addr client(const struct http_request *r, void *arg)
{
	const struct reactor *reactor = arg;

	return peers_client_address(reactor, r);
}

#define WAYS .body_limit = body_limit, .serve = serve, .refusal = refusal, .client = client

const struct http_handler route_handler = { WAYS };
const struct http_handler route_handler_logging = { WAYS, .answered = access_log_add };
