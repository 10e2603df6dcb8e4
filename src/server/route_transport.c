/*
 * server/route_transport.c - a request for a transport: whether its page may, its method,
 * its preflight, its coding. What is left of it is the transport's.
 */
#include "server/peers.h"
#include "server/server_private.h"

static void answer_transport_preflight(const struct transport_request *t)
{
	struct http_head head;

	transport_head(t, &head, 204);
	answer_preflight(
	    t->http, t->transport->methods == HTTP_POST ? "OPTIONS, POST" : "OPTIONS, GET", &head);
}

static void refuse_transport_method(const struct route *route, const struct transport *transport)
{
	bool post = transport->methods == HTTP_POST;

	if (transport->is_cors)
		route_refuse_method(route, post ? "OPTIONS, POST" : "OPTIONS, GET");
	else
		answer_method_not_allowed(route->http, post ? "POST" : "GET");
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

/* Whether its page may. */
static bool may_come(const struct server_endpoint *ep, const struct route *route,
    const struct transport *transport)
{
	return http_origin_check(&ep->base.origins, &route->client, route->http,
	           transport->evidence) != HTTP_ORIGIN_REFUSED;
}

void route_to_transport(const struct route *route, const struct transport *transport,
    struct bytes server_id, struct bytes session_id)
{
	struct transport_request t = {
		.http = route->http,
		.endpoint = &route->endpoint->base,
		.transport = transport,
		.path = route->path,
		.server_id = server_id,
		.session_id = session_id,
		.client = route->client,
		.reactor = &route->reactor->base,
	};
	enum http_method method = http_request_method(route->http);

	if (!may_come(route->endpoint, route, transport))
		route_refuse_origin(route);
	else if (!transport_can_answer(&t))
		route_refuse_long_header(route);
	else if (method == HTTP_OPTIONS && transport->is_cors)
		answer_transport_preflight(&t);
	else if ((method & transport->methods) == 0)
		refuse_transport_method(route, transport);
	else if (has_coded_body(&t))
		refuse_coding(&t);
	else if (!peers_take(route, &t))
		transport->serve(&t);
}

/* --- /prefix/<server>/<session>/<transport> -------------------------------- */

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

static bool is_open_to(const struct server_endpoint *ep, const struct route *route,
    const struct transport *transport)
{
	return is_offered(ep, transport) && may_come(ep, route, transport);
}

/* Who began a session at this endpoint as it was before goes on with it as he began. NULL: nobody
 * may. */
static struct server_endpoint *find_elder(
    const struct route *route, const struct transport *transport, struct bytes session_id)
{
	const struct server_config *c = route->reactor->config;
	struct endpoint_place *place = route->endpoint->place;
	struct session_found found;

	if (!session_table_find(
	        place->table, session_id, &route->client.address, &found))
		return NULL;
	for (size_t i = 0; i < c->elder_count; i++)
		if (&c->elders[i]->base.limits == found.limits &&
		    is_open_to(c->elders[i], route, transport))
			return c->elders[i];
	return NULL;
}

void route_to_session(struct route *route)
{
	struct server_endpoint *elder;
	struct bytes rest = route->rest, server = path_take_segment(&rest),
	             session = path_take_segment(&rest), last = path_take_segment(&rest);
	const struct transport *transport = transport_find(last);
	char server_id[PATH_ID_MAX], session_id[PATH_ID_MAX];
	size_t n = path_decode_id(session, session_id);

	size_t server_n = path_decode_id(server, server_id);

	bool is_path = rest.n == 0 && transport && n > 0 && server_n > 0;

	if (is_path && route->reactor->config->elder_count > 0 &&
	    (route->endpoint->is_leaving || !is_open_to(route->endpoint, route, transport))) {
		elder = find_elder(route, transport, (struct bytes){ session_id, n });
		route->endpoint = elder ? elder : route->endpoint;
	}
	if (!is_path || route->endpoint->is_leaving || !is_offered(route->endpoint, transport)) {
		endpoint_count_refusal(route->endpoint, route->http, HTTP_REFUSED_NOT_FOUND, 404);
		route_refuse(route, 404, "There is nothing here.");
		return;
	}
	route_to_transport(route, transport, (struct bytes){ server_id, server_n },
	    (struct bytes){ session_id, n });
}
