/*
 * server/answers.c - answers that do not depend on what was asked for: refusals, each
 * with its line in the log, and the answer to a preflight.
 */
#include <stdio.h>

#include "base/buf.h"
#include "server/peers.h"
#include "server/route.h"
#include "server/server_private.h"

#define ALLOWED_SHOWN 512 /* octets of the list of origins in a line of the log */

void endpoint_count_refusal(const struct server_endpoint *ep, struct http_request *r,
    enum http_refusal why, unsigned status)
{
	struct addr client = peers_client_address(reactor_current(), r);

	http_refused(http_request_server(r), why, &client,
	    HTTP_REFUSED_FIELDS(LOG_STR("endpoint", ep->prefix), LOG_INT("status", status),
	        LOG_BYTES("method", http_request_method_name(r))));
}

static void answer_405(struct http_request *r, struct http_head *head, const char *allow)
{
	head->status = 405;
	http_head_add(head, "Allow", allow);
	http_respond(r, head, (struct bytes){ 0 });
}

void answer_method_not_allowed(struct http_request *r, const char *allow)
{
	const struct reactor *reactor = http_server_arg(http_request_server(r));
	struct addr client = peers_client_address(reactor, r);
	struct http_head head;

	http_refused(http_request_server(r), HTTP_REFUSED_METHOD, &client,
	    HTTP_REFUSED_FIELDS(LOG_INT("status", 405),
	        LOG_BYTES("method", http_request_method_name(r)), LOG_STR("allowed", allow)));
	http_head_init(&head, 405);
	answer_405(r, &head, allow);
}

void answer_preflight(struct http_request *r, const char *methods, struct http_head *head)
{
	head->status = 204;
	http_head_cache_for_a_year(head);
	http_head_add(head, "Access-Control-Allow-Methods", methods);
	http_head_add(head, "Access-Control-Max-Age", "31536000");
	http_respond(r, head, (struct bytes){ 0 });
}

/* --- of a request whose route is known ------------------------------------ */

void route_refuse(const struct route *route, unsigned status, const char *sentence)
{
	struct http_head head;
	char body[256];
	int n = snprintf(body, sizeof(body), "%s\n", sentence);

	http_head_init(&head, status);
	http_head_add(&head, "Content-Type", "text/plain; charset=UTF-8");
	http_origin_add_allowance(
	    &route->endpoint->base.origins, &route->client, route->http, &head);
	http_respond(route->http, &head, (struct bytes){ body, (size_t)n });
}

/* What a page may be: of the origin the client has reached us by, or listed. Without memory, less
 * of it is said. */
static void list_allowed(const struct route *route, struct buf *out)
{
	const struct string_list *allowed = &route->endpoint->options.allowed_origins;
	struct bytes host = route->client.host;
	int err = buf_printf(out, "%s://%.*s (its own)", route->client.is_tls ? "https" : "http",
	    (int)host.n, host.n ? host.p : "");

	for (size_t i = 0; i < allowed->count && buf_len(out) < ALLOWED_SHOWN && err == 0; i++)
		err = buf_printf(out, ", %s", allowed->items[i]);
}

static void origin_refused(const struct route *route)
{
	struct buf allowed = BUF_INIT;

	list_allowed(route, &allowed);
	http_refused(http_request_server(route->http), HTTP_REFUSED_ORIGIN, &route->client.address,
	    HTTP_REFUSED_FIELDS(LOG_STR("endpoint", route->endpoint->prefix),
	        LOG_INT("status", 403),
	        LOG_BYTES("origin", http_request_header(route->http, HTTP_ORIGIN)),
	        LOG_BYTES("referer", http_request_header(route->http, HTTP_REFERER)),
	        LOG_BYTES("host", route->client.host),
	        LOG_BYTES("allowed", ((struct bytes){ allowed.data ? buf_data(&allowed) : "",
	                                 buf_len(&allowed) }))));
	buf_fini(&allowed);
}

void route_refuse_origin(const struct route *route)
{
	origin_refused(route);
	http_respond_text(route->http, 403, "This origin is not allowed here.");
}

void route_refuse_long_header(const struct route *route)
{
	endpoint_count_refusal(route->endpoint, route->http, HTTP_REFUSED_HEAD_TOO_LARGE, 431);
	route_refuse(route, 431, "A header is too long to be answered.");
}

void route_refuse_host(const struct route *route)
{
	http_refused(http_request_server(route->http), HTTP_REFUSED_HOST, &route->client.address,
	    HTTP_REFUSED_FIELDS(LOG_INT("status", 421), LOG_BYTES("host", route->client.host)));
	http_respond_text(route->http, 421, "This host is not served here.");
}

void route_refuse_method(const struct route *route, const char *allow)
{
	struct http_head head;

	endpoint_count_refusal(route->endpoint, route->http, HTTP_REFUSED_METHOD, 405);
	http_head_init(&head, 405);
	http_origin_add_allowance(
	    &route->endpoint->base.origins, &route->client, route->http, &head);
	answer_405(route->http, &head, allow);
}
