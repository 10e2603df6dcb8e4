/*
 * server/endpoint.c - an endpoint: prefix, application, options; and the way from a
 * URL to what answers it.
 *
 *	/prefix  /prefix/                        greeting; for a WebSocket, as /prefix/websocket
 *	/prefix/info                             info.c
 *	/prefix/iframe*.html                     iframe.c
 *	/prefix/websocket                        raw WebSocket
 *	/prefix/<server>/<session>/<transport>   transports/
 *
 * With the option subpaths there may be more between the prefix and any of these, which is the
 * application's affair.
 *
 * The path is split while it is raw and each segment decoded then, so that an
 * escaped slash or dot is never taken for structure.
 */
#include <errno.h>
#include <stdio.h>

#include "http/http_url.h"
#include "base/buf.h"
#include "base/mem.h"
#include "server/server_private.h"

#define ID_MAX        256 /* octets of a session id */
#define ALLOWED_SHOWN 512 /* octets of the list of origins in a line of the log */

/* --- making one --------------------------------------------------------- */

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

/* --- routing ------------------------------------------------------------ */

/* The endpoint whose prefix is the longest that begins the path; *rest is what follows. */
static struct server_endpoint *find_endpoint(
    const struct sockjs_server *server, struct bytes path, struct bytes *rest)
{
	struct server_endpoint *best = NULL;

	for (size_t i = 0; i < server->endpoint_count; i++) {
		struct server_endpoint *ep = server->endpoints[i];
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

size_t endpoint_body_limit(struct http_request *r, void *arg)
{
	struct reactor *reactor = arg;
	const struct server_listener *door = http_request_door(r);
	struct bytes rest;
	struct server_endpoint *ep = find_endpoint(reactor->server, http_request_path(r), &rest);

	if (door && door->is_internal)
		return internal_body_limit(reactor->server, r);
	return ep && http_request_method(r) == HTTP_POST ? ep->base.max_body_bytes : OTHER_BODY_MAX;
}

/* Takes "/segment" off the front of *rest. */
static struct bytes take_segment(struct bytes *rest)
{
	struct bytes segment = { 0 };
	const char *slash;

	if (rest->n == 0)
		return segment;
	slash = rest->n > 1 ? memchr(rest->p + 1, '/', rest->n - 1) : NULL;
	segment.p = rest->p + 1;
	segment.n = slash ? (size_t)(slash - segment.p) : rest->n - 1;
	rest->p += segment.n + 1;
	rest->n -= segment.n + 1;
	return segment;
}

/* A server or session part: anything but nothing, dots, and what a path parameter begins with.
 * Decoded into `out`; 0 if it is not one. */
static size_t decode_id(struct bytes raw, char out[ID_MAX])
{
	ssize_t n = http_percent_decode(raw, false, out, ID_MAX);

	if (n <= 0 || memchr(out, '.', (size_t)n) || memchr(out, ';', (size_t)n))
		return 0;
	return (size_t)n;
}

/* --- one request on its way ------------------------------------------------- */

struct visit {
	struct reactor *reactor;
	struct http_request *http;
	struct http_client client;
	struct server_endpoint *endpoint; /* NULL: of none */
	struct bytes rest;                /* of the path behind its prefix */
	struct bytes path;                /* before SockJS's own part of that, the application's */
};

static void not_found(struct http_request *r)
{
	http_respond_text(r, 404, "There is nothing here.");
}

/* --- what is refused, in the log ---------------------------------------- */

void endpoint_refused(const struct server_endpoint *ep, struct http_request *r,
    enum http_refusal why, unsigned status)
{
	struct addr client = http_client_address(&ep->server->trust, r);

	http_refused(http_request_server(r), why, &client,
	    HTTP_REFUSED_FIELDS(LOG_STR("endpoint", ep->prefix), LOG_INT("status", status),
	        LOG_BYTES("method", http_request_method_name(r))));
}

/* What a page may be: of the origin the client has reached us by, or listed. Without memory, less
 * of it is said. */
static void list_allowed(const struct visit *v, struct buf *out)
{
	const struct string_list *allowed = &v->endpoint->options.allowed_origins;
	struct bytes host = v->client.host;
	int err = buf_printf(out, "%s://%.*s (its own)", v->client.is_tls ? "https" : "http",
	    (int)host.n, host.n ? host.p : "");

	for (size_t i = 0; i < allowed->count && buf_len(out) < ALLOWED_SHOWN && err == 0; i++)
		err = buf_printf(out, ", %s", allowed->items[i]);
}

static void origin_refused(const struct visit *v)
{
	struct buf allowed = BUF_INIT;

	list_allowed(v, &allowed);
	http_refused(http_request_server(v->http), HTTP_REFUSED_ORIGIN, &v->client.address,
	    HTTP_REFUSED_FIELDS(LOG_STR("endpoint", v->endpoint->prefix), LOG_INT("status", 403),
	        LOG_BYTES("origin", http_request_header(v->http, HTTP_ORIGIN)),
	        LOG_BYTES("referer", http_request_header(v->http, HTTP_REFERER)),
	        LOG_BYTES("host", v->client.host),
	        LOG_BYTES("allowed", ((struct bytes){ allowed.data ? buf_data(&allowed) : "",
	                                 buf_len(&allowed) }))));
	buf_fini(&allowed);
}

/* A refusal by an endpoint carries what lets the page behind the request see it, if its origin may.
 */
static void refuse(const struct visit *v, unsigned status, const char *sentence)
{
	struct http_head head;
	char body[256];
	int n = snprintf(body, sizeof(body), "%s\n", sentence);

	http_head_init(&head, status);
	http_head_add(&head, "Content-Type", "text/plain; charset=UTF-8");
	http_origin_add_allowance(&v->endpoint->base.origins, &v->client, v->http, &head);
	http_respond(v->http, &head, (struct bytes){ body, (size_t)n });
}

/* Where every request of a page that may not connect ends. */
static void refuse_origin(const struct visit *v)
{
	origin_refused(v);
	http_respond_text(v->http, 403, "This origin is not allowed here.");
}

/* What it wants repeated does not fit into an answer. */
static void refuse_long_header(const struct visit *v)
{
	endpoint_refused(v->endpoint, v->http, HTTP_REFUSED_HEAD_TOO_LARGE, 431);
	refuse(v, 431, "A header is too long to be answered.");
}

/* Where every request for a host that is not ours ends. */
static void refuse_host(const struct visit *v)
{
	http_refused(http_request_server(v->http), HTTP_REFUSED_HOST, &v->client.address,
	    HTTP_REFUSED_FIELDS(LOG_INT("status", 421), LOG_BYTES("host", v->client.host)));
	http_respond_text(v->http, 421, "This host is not served here.");
}

void endpoint_refusal(struct http_request *r, struct http_head *head, void *arg)
{
	struct reactor *reactor = arg;
	struct bytes rest;
	struct server_endpoint *ep = find_endpoint(reactor->server, http_request_path(r), &rest);
	struct http_client client;

	if (ep && http_client_read(&reactor->server->trust, r, &client) == NULL)
		http_origin_add_allowance(&ep->base.origins, &client, r, head);
}

static void say_method(struct http_request *r, struct http_head *head, const char *allow)
{
	head->status = 405;
	http_head_add(head, "Allow", allow);
	http_respond(r, head, (struct bytes){ 0 });
}

void endpoint_refuse_method(struct http_request *r, const char *allow)
{
	const struct reactor *reactor = http_server_arg(http_request_server(r));
	struct addr client = http_client_address(&reactor->server->trust, r);
	struct http_head head;

	http_refused(http_request_server(r), HTTP_REFUSED_METHOD, &client,
	    HTTP_REFUSED_FIELDS(LOG_INT("status", 405),
	        LOG_BYTES("method", http_request_method_name(r)), LOG_STR("allowed", allow)));
	http_head_init(&head, 405);
	say_method(r, &head, allow);
}

static void refuse_method(const struct visit *v, const char *allow)
{
	struct http_head head;

	endpoint_refused(v->endpoint, v->http, HTTP_REFUSED_METHOD, 405);
	http_head_init(&head, 405);
	http_origin_add_allowance(&v->endpoint->base.origins, &v->client, v->http, &head);
	say_method(v->http, &head, allow);
}

void endpoint_answer_options(struct http_request *r, const char *methods, struct http_head *head)
{
	head->status = 204;
	http_head_cache_for_a_year(head);
	http_head_add(head, "Access-Control-Allow-Methods", methods);
	http_head_add(head, "Access-Control-Max-Age", "31536000");
	http_respond(r, head, (struct bytes){ 0 });
}

/* --- sessions ----------------------------------------------------------- */

static void answer_transport_options(const struct transport_request *t)
{
	struct http_head head;

	transport_head(t, &head, 204);
	endpoint_answer_options(
	    t->http, t->transport->methods == HTTP_POST ? "OPTIONS, POST" : "OPTIONS, GET", &head);
}

static void refuse_transport_method(const struct visit *v, const struct transport *transport)
{
	bool post = transport->methods == HTTP_POST;

	if (transport->is_cors)
		refuse_method(v, post ? "OPTIONS, POST" : "OPTIONS, GET");
	else
		endpoint_refuse_method(v->http, post ? "POST" : "GET");
}

static bool is_coding(struct bytes element)
{
	return !bytes_equal_nocase(element, BYTES("identity"));
}

/* Whether there is a body to be read, and it is gzip or the like (RFC 9110 section 8.4). */
static bool has_coded_body(const struct transport_request *t)
{
	size_t n = 0;

	if (t->transport->has_body)
		http_request_body(t->http, &n);
	return n > 0 && http_request_has_element(t->http, "Content-Encoding", is_coding);
}

static void refuse_coding(const struct transport_request *t)
{
	struct http_head head;

	transport_head(t, &head, 415);
	http_head_add(&head, "Accept-Encoding", "identity");
	http_head_add(&head, "Content-Type", "text/plain; charset=UTF-8");
	http_head_never_cache(&head);
	http_refused(t->reactor->http, HTTP_REFUSED_PAYLOAD, &t->client.address,
	    HTTP_REFUSED_FIELDS(
	        LOG_STR("endpoint", t->endpoint->prefix), LOG_STR("why", "Content-Encoding")));
	http_respond(
	    t->http, &head, BYTES("A body with a Content-Encoding is not understood here.\n"));
}

static void serve_transport(
    const struct visit *v, const struct transport *transport, struct bytes session_id)
{
	struct transport_request t = {
		.http = v->http,
		.endpoint = &v->endpoint->base,
		.transport = transport,
		.path = v->path,
		.session_id = session_id,
		.client = v->client,
		.reactor = &v->reactor->base,
	};
	enum http_method method = http_request_method(v->http);

	if (http_origin_check(&t.endpoint->origins, &v->client, v->http, transport->evidence) ==
	    HTTP_ORIGIN_REFUSED)
		refuse_origin(v);
	else if (!transport_can_answer(&t))
		refuse_long_header(v);
	else if (method == HTTP_OPTIONS && transport->is_cors)
		answer_transport_options(&t);
	else if ((method & transport->methods) == 0)
		refuse_transport_method(v, transport);
	else if (has_coded_body(&t))
		refuse_coding(&t);
	else
		transport->serve(&t);
}

/* Whether the endpoint's list of transports has this one; those that only bring messages go with
 * the rest. */
static bool is_offered(const struct server_endpoint *ep, const struct transport *t)
{
	static const char *const senders_of[] = { "xhr", "xhr_streaming", "eventsource",
		"htmlfile" };

	if (t->option)
		return endpoint_offers(ep, t->option);
	if (t == &jsonp_send_transport)
		return endpoint_offers(ep, "jsonp");
	for (size_t i = 0; i < sizeof(senders_of) / sizeof(*senders_of); i++)
		if (endpoint_offers(ep, senders_of[i]))
			return true;
	return false;
}

static void serve_session(const struct visit *v)
{
	struct bytes rest = v->rest, server = take_segment(&rest), session = take_segment(&rest),
	             last = take_segment(&rest);
	const struct transport *transport = transport_find(last);
	char server_id[ID_MAX], session_id[ID_MAX];
	size_t n = decode_id(session, session_id);

	if (rest.n > 0 || !transport || !is_offered(v->endpoint, transport) || n == 0 ||
	    decode_id(server, server_id) == 0) {
		endpoint_refused(v->endpoint, v->http, HTTP_REFUSED_NOT_FOUND, 404);
		refuse(v, 404, "There is nothing here.");
		return;
	}
	serve_transport(v, transport, (struct bytes){ session_id, n });
}

/* --- a path of the application's own ------------------------------------ */

/* The last n segments of a path, each with its slash; empty if there are not so many. */
static struct bytes last_segments(struct bytes path, unsigned n)
{
	size_t from = path.n;

	while (n > 0 && from > 0)
		if (path.p[--from] == '/')
			n--;
	return (struct bytes){ path.p + from, n == 0 ? path.n - from : 0 };
}

static bool is_session_url(struct bytes tail)
{
	struct bytes server = take_segment(&tail), session = take_segment(&tail);
	char id[ID_MAX];

	return transport_find(take_segment(&tail)) && decode_id(server, id) > 0 &&
	       decode_id(session, id) > 0;
}

/* What is SockJS's own at the end of a path. */
static struct bytes tail_of(struct bytes path)
{
	struct bytes three = last_segments(path, 3), one = last_segments(path, 1);

	if (three.n && is_session_url(three))
		return three;
	if (bytes_equal(one, BYTES("/")) || bytes_equal(one, BYTES("/info")) ||
	    bytes_equal(one, BYTES("/websocket")) || iframe_is_path(one))
		return one;
	return (struct bytes){ path.p + path.n, 0 };
}

/* A backend may be asked for it: nothing in it leads to another place, however it is spelt. */
static bool is_safe_segment(struct bytes raw)
{
	char text[ID_MAX];
	ssize_t n = http_percent_decode(raw, false, text, ID_MAX);

	if (n <= 0 || memchr(text, '/', (size_t)n) || memchr(text, '\\', (size_t)n))
		return false;
	return !(text[0] == '.' && (n == 1 || (n == 2 && text[1] == '.')));
}

/* What stands before SockJS's own part; false if nobody may ask for that. */
static bool take_subpath(struct bytes *rest, struct bytes *path)
{
	struct bytes tail = tail_of(*rest), left;

	*path = (struct bytes){ rest->p, rest->n - tail.n };
	*rest = tail;
	for (left = *path; left.n > 0;)
		if (!is_safe_segment(take_segment(&left)))
			return false;
	return true;
}

/* --- the rest ----------------------------------------------------------- */

static void greet(struct http_request *r)
{
	struct http_head head;

	if ((http_request_method(r) & (HTTP_GET | HTTP_HEAD)) == 0) {
		endpoint_refuse_method(r, "GET, HEAD");
		return;
	}
	http_head_init(&head, 200);
	http_head_add(&head, "Content-Type", "text/plain; charset=UTF-8");
	http_respond(r, &head, BYTES("Welcome to SockJS!\n"));
}

static void serve_info(const struct visit *v)
{
	struct server_endpoint *ep = v->endpoint;

	if (http_origin_check(&ep->base.origins, &v->client, v->http, HTTP_ORIGIN_UNLESS_FOREIGN) ==
	    HTTP_ORIGIN_REFUSED)
		refuse_origin(v);
	else if (http_request_header(v->http, HTTP_ACCESS_CONTROL_REQUEST_HEADERS).n >
	         HTTP_ECHO_MAX)
		refuse_long_header(v);
	else
		info_serve(ep, &v->client, v->http, v->reactor->draining);
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

static void serve_endpoint(struct visit *v)
{
	struct server_endpoint *ep = v->endpoint;
	bool raw = endpoint_offers(ep, "websocket_raw"), is_prefix;

	if (ep->options.subpaths && !take_subpath(&v->rest, &v->path)) {
		not_found(v->http);
		return;
	}
	is_prefix = v->rest.n == 0 || bytes_equal(v->rest, BYTES("/"));
	if (raw &&
	    (bytes_equal(v->rest, BYTES("/websocket")) || (is_prefix && is_for_websocket(v->http))))
		serve_transport(v, &websocket_raw_transport, (struct bytes){ 0 });
	else if (is_prefix)
		greet(v->http);
	else if (bytes_equal(v->rest, BYTES("/info")))
		serve_info(v);
	else if (iframe_is_path(v->rest))
		iframe_serve(ep, v->http);
	else
		serve_session(v);
}

/* What the pages say of themselves, unless their directory has such a file of its own. */
static bool serve_version(const struct sockjs_server *server, struct http_request *r)
{
	if (!server->options.server.www ||
	    !bytes_equal(http_request_path(r), BYTES("/version.txt")))
		return false;
	if (http_request_method(r) & (HTTP_GET | HTTP_HEAD))
		http_respond_text(r, 200, sockjs_version());
	else
		endpoint_refuse_method(r, "GET, HEAD");
	return true;
}

static void serve_public(struct visit *v)
{
	struct sockjs_server *server = v->reactor->server;
	struct bytes path = http_request_path(v->http);

	if (!http_host_is_allowed(&server->hosts, v->client.host))
		refuse_host(v);
	else if (v->endpoint)
		serve_endpoint(v);
	else if (path.p[0] == '*' && http_request_method(v->http) == HTTP_OPTIONS)
		http_respond_text(v->http, 200, "OK");
	else if (!(server->files && http_static_serve(server->files, v->http)) &&
	         !serve_version(server, v->http))
		not_found(v->http);
}

/* A browser does not come by a unix socket, and other clients ask for whatever they like there. */
static void serve_internal(const struct visit *v)
{
	if (http_request_peer(v->http)->family != AF_UNIX &&
	    !http_host_is_allowed(&v->reactor->server->internal_hosts, v->client.host))
		refuse_host(v);
	else
		internal_serve(v->reactor, v->http);
}

void endpoint_serve(struct http_request *r, void *arg)
{
	struct visit v = { .reactor = arg, .http = r };
	struct sockjs_server *server = v.reactor->server;
	const struct server_listener *door = http_request_door(r);
	const char *wrong = http_client_read(&server->trust, r, &v.client);

	if (wrong) {
		http_refused(http_request_server(r), HTTP_REFUSED_BAD_REQUEST, &v.client.address,
		    HTTP_REFUSED_FIELDS(LOG_INT("status", 400), LOG_STR("answer", wrong)));
		http_respond_text(r, 400, wrong);
		return;
	}
	if (door && door->is_internal) {
		serve_internal(&v);
		return;
	}
	v.endpoint = find_endpoint(server, http_request_path(r), &v.rest);
	serve_public(&v);
}
