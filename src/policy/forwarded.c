/*
 * policy/forwarded.c - who the client is; see forwarded.h.
 */
#include "policy/forwarded.h"

#include <ctype.h>

#include "base/field.h"

#define HOST_MAX 300 /* a name of 255, a port, brackets */

static bool is_trusted(const struct http_trust *trust, const struct addr *a)
{
	for (size_t i = 0; i < trust->count; i++)
		if (cidr_contains(&trust->proxies[i], a))
			return true;
	return false;
}

/* "192.0.2.1", "192.0.2.1:4711", "2001:db8::1", "[2001:db8::1]:4711": proxies write all of these.
 */
static bool read_node(struct bytes text, struct addr *out)
{
	const char *colon;

	if (addr_parse_ip(text, out) == 0)
		return true;
	colon = text.n ? memrchr(text.p, ':', text.n) : NULL;
	return colon && addr_parse_ip((struct bytes){ text.p, (size_t)(colon - text.p) }, out) == 0;
}

/* --- what a proxy says of the request ------------------------------------------------- */

/* A WebSocket's scheme is that of its handshake (Traefik says wss); what is neither says nothing.
 */
static void believe_scheme(struct http_client *client, struct bytes proto)
{
	if (bytes_equal_nocase(proto, BYTES("https")) || bytes_equal_nocase(proto, BYTES("wss")))
		client->is_tls = true;
	else if (bytes_equal_nocase(proto, BYTES("http")) || bytes_equal_nocase(proto, BYTES("ws")))
		client->is_tls = false;
}

static void believe_host(struct http_client *client, struct bytes host)
{
	if (host.n == 0 || host.n > HOST_MAX)
		return;
	for (size_t i = 0; i < host.n; i++)
		if (!isalnum((unsigned char)host.p[i]) && !memchr("-._:[]", host.p[i], 6))
			return;
	client->host = host;
}

/* --- X-Forwarded-* ---------------------------------------------------------------------- */

/* The element that the proxy so many hops away has appended. Where proxies replace the list instead
 * there are fewer, and the first is the farthest. */
static struct bytes said_at(struct bytes list, size_t hops)
{
	struct bytes element = { NULL, 0 }, next;

	for (size_t i = 0; i < hops && field_last(&list, ',', &next); i++)
		element = next;
	return element;
}

static const char *read_x_forwarded(
    const struct http_trust *trust, const struct http_request *r, struct http_client *client)
{
	struct bytes list = http_request_header(r, HTTP_X_FORWARDED_FOR), element;
	struct addr next;
	size_t hops = 0;

	while (is_trusted(trust, &client->address) && field_last(&list, ',', &element)) {
		if (++hops > HTTP_HOPS_MAX)
			return "Too many proxies.";
		if (!read_node(element, &next))
			break;
		client->address = next;
	}
	hops = hops ? hops : 1;
	believe_scheme(client, said_at(http_request_header(r, HTTP_X_FORWARDED_PROTO), hops));
	believe_host(client, said_at(http_request_header(r, HTTP_X_FORWARDED_HOST), hops));
	return NULL;
}

/* --- Forwarded -------------------------------------------------------------------------- */

static const char *read_forwarded(
    const struct http_trust *trust, const struct http_request *r, struct http_client *client)
{
	struct http_forwarded elements[HTTP_HOPS_MAX], *said = NULL;
	struct addr next;
	size_t n, hops = 0;

	if (!http_forwarded_parse(http_request_header(r, HTTP_FORWARDED), elements, &n))
		return "The Forwarded header is malformed.";
	while (is_trusted(trust, &client->address) && hops < n) {
		if (hops == HTTP_HOPS_MAX)
			return "Too many proxies.";
		said = &elements[(n - ++hops) % HTTP_HOPS_MAX];
		if (!read_node(said->node, &next))
			break;
		client->address = next;
	}
	if (said) {
		believe_scheme(client, said->proto);
		believe_host(client, said->host);
	}
	return NULL;
}

/* --- the two ---------------------------------------------------------------------------- */

static bool goes_by_forwarded(const struct http_trust *trust, const struct http_request *r)
{
	if (trust->headers != HTTP_PROXY_AUTO)
		return trust->headers == HTTP_PROXY_FORWARDED;
	return !http_request_header(r, HTTP_X_FORWARDED_FOR).p &&
	       !http_request_header(r, HTTP_X_FORWARDED_PROTO).p &&
	       !http_request_header(r, HTTP_X_FORWARDED_HOST).p;
}

const char *http_client_read(
    const struct http_trust *trust, const struct http_request *r, struct http_client *client)
{
	*client = (struct http_client){ .address = *http_request_peer(r) };
	client->host = http_request_header(r, HTTP_HOST);
	client->is_tls = http_request_is_tls(r);
	if (!is_trusted(trust, &client->address))
		return NULL;
	return goes_by_forwarded(trust, r) ? read_forwarded(trust, r, client)
	                                   : read_x_forwarded(trust, r, client);
}

bool http_trusts(const struct http_trust *trust, const struct addr *a)
{
	return is_trusted(trust, a);
}

struct addr http_client_address(const struct http_trust *trust, const struct http_request *r)
{
	struct http_client client;

	http_client_read(trust, r, &client);
	return client.address;
}
