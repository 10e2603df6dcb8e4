/*
 * server/peers.c - which requests are for a session at another gateway; see peers.h.
 */
#include "server/peers.h"

#include <string.h>

#include "server/server_private.h"

/* --- whose a request is ------------------------------------------------------------------------------- */

static void believe(struct http_client *client, const struct http_request *r, const struct hop_client *said)
{
	*client = (struct http_client){
		.address = said->address,
		.host = http_request_header(r, HTTP_HOST),
		.is_tls = said->is_tls,
		.is_passed_on = true,
		.is_proxied = said->is_proxied,
		.subject = said->subject,
		.fingerprint = said->fingerprint,
	};
}

const char *peers_client(const struct reactor *reactor, const struct http_request *r, struct http_client *client)
{
	struct bytes header = http_request_header(r, HTTP_SOCKJSD_PEER);
	struct hop_client said;

	if (!reactor->peers || !header.p)
		return http_client_read(&reactor->config->trust, r, client);
	if (cluster_read_client(reactor->peers, header, &said)) {
		believe(client, r, &said);
		return NULL;
	}
	*client = (struct http_client){ .address = *http_request_peer(r), .host = http_request_header(r, HTTP_HOST) };
	return "This is no gateway that is known here.";
}

struct addr peers_client_address(const struct reactor *reactor, const struct http_request *r)
{
	struct http_client client;

	peers_client(reactor, r, &client);
	return client.address;
}

/* --- where a request goes ----------------------------------------------------------------------------- */

static struct cluster_session session_of(const struct route *route, const struct transport_request *t)
{
	return (struct cluster_session){ .prefix = bytes_of(route->endpoint->prefix), .id = t->session_id };
}

static void no_memory(const struct transport_request *t)
{
	transport_refuse(t, HTTP_REFUSED_NO_MEMORY, 503, "Out of memory.");
}

static bool brings_messages(const struct transport_request *t)
{
	return t->transport == &xhr_send_transport || t->transport == &jsonp_send_transport;
}

/* A certificate is the proxy's, if one speaks for the client. */
static void add_certificate(const struct transport_request *t, struct tls_peer *peer, struct hop_client *client)
{
	if (client->is_proxied || http_request_tls_peer(t->http, peer) < 0)
		return;
	client->subject = bytes_of(peer->subject);
	client->fingerprint = bytes_of(peer->fingerprint);
}

static void pass_on(const struct route *route, const struct transport_request *t, const struct cluster_session *s)
{
	struct tls_peer peer;
	struct hop_client client = {
		.address = t->client.address,
		.host = t->client.host,
		.is_tls = t->client.is_tls,
		.is_proxied = http_trusts(&route->reactor->config->trust, http_request_peer(t->http)),
	};

	add_certificate(t, &peer, &client);
	if (cluster_pass_on(route->reactor->peers, s, t->http, &client,
	        brings_messages(t) ? CLUSTER_BRINGS_MESSAGES : CLUSTER_RECEIVES) < 0)
		no_memory(t);
}

/* The one who has passed it on has looked for it; we do not. */
static void note_passed_on(const struct route *route, const struct transport_request *t)
{
	struct cluster_session s = session_of(route, t);

	cluster_count_received(route->reactor->peers);
	if (!brings_messages(t) && !session_table_has(t->endpoint->table, t->session_id))
		cluster_note_opening(route->reactor->peers, &s);
}

static bool find(const struct route *route, struct transport_request *t)
{
	struct cluster_part *peers = route->reactor->peers;
	struct cluster_session s = session_of(route, t);

	switch (cluster_find(peers, &s)) {
	case CLUSTER_HERE:
		return false;
	case CLUSTER_LOST:
		t->is_lost = true;
		return false;
	case CLUSTER_THERE:
		pass_on(route, t, &s);
		return true;
	case CLUSTER_ASK:
		break;
	}
	if (cluster_ask(peers, &s, t->http) < 0)
		no_memory(t);
	return true;
}

/* A WebSocket is a session of its own, wherever it comes. */
static bool has_place(const struct transport_request *t)
{
	return t->session_id.n > 0 && t->transport != &websocket_transport;
}

bool peers_take(const struct route *route, struct transport_request *t)
{
	struct cluster_part *peers = route->reactor->peers;
	const char *in_vain;

	if (!peers || !has_place(t))
		return false;
	in_vain = http_hold_was_in_vain(t->http);
	if (in_vain) {
		transport_refuse(t, HTTP_REFUSED_GATEWAY, 503, in_vain);
		return true;
	}
	if (t->client.is_passed_on) {
		note_passed_on(route, t);
		return false;
	}
	if (!cluster_has_others(peers) || session_table_has(t->endpoint->table, t->session_id))
		return false;
	return find(route, t);
}

/* --- which sessions are here ---------------------------------------------------------------------------- */

static bool has(void *arg, struct bytes prefix, struct bytes id)
{
	const struct sockjs_server *server = arg;
	const struct server_config *c = config_here(server);

	for (size_t i = 0; i < c->endpoint_count; i++)
		if (bytes_equal(bytes_of(c->endpoints[i]->prefix), prefix))
			return session_table_has(c->endpoints[i]->place->table, id);
	return false;
}

struct counting {
	struct bytes prefix;
	cluster_is_ours_fn is_ours;
	void *arg;
	uint64_t strays;
};

static void count(struct bytes id, void *arg)
{
	struct counting *c = arg;

	c->strays += !c->is_ours(c->arg, c->prefix, id);
}

/* A step is a share of an endpoint's sessions. */
static bool count_strays(void *arg, size_t step, cluster_is_ours_fn is_ours, void *is_ours_arg, uint64_t *strays)
{
	const struct sockjs_server *server = arg;
	const struct server_config *c = config_here(server);
	size_t i = step / SESSION_TABLE_SHARES;
	struct counting counting = { .is_ours = is_ours, .arg = is_ours_arg };

	if (i >= c->endpoint_count)
		return false;
	counting.prefix = bytes_of(c->endpoints[i]->prefix);
	session_table_each_of(c->endpoints[i]->place->table, step % SESSION_TABLE_SHARES, count, &counting);
	*strays += counting.strays;
	return step + 1 < c->endpoint_count * SESSION_TABLE_SHARES;
}

static void message(void *arg, struct bytes name, struct bytes text)
{
	groups_take(arg, name, text);
}

static void asked(void *arg, struct bytes what, struct bytes body, struct bytes to)
{
	const struct sockjs_server *server = arg;

	if (bytes_equal(what, BYTES("command")))
		api_asked(server->api, body, to);
}

const struct cluster_ops peers_cluster_ops = {
	.has = has,
	.count_strays = count_strays,
	.message = message,
	.asked = asked,
};
