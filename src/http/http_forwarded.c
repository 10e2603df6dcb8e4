/*
 * http/http_forwarded.c - who the client is; see http_forwarded.h.
 */
#include "http/http_forwarded.h"

static bool is_trusted(const struct http_trust *trust, const struct addr *a)
{
	for (size_t i = 0; i < trust->count; i++)
		if (cidr_contains(&trust->proxies[i], a))
			return true;
	return false;
}

/* Takes the last element off a comma-separated list. */
static struct bytes take_last(struct bytes *list)
{
	size_t from = list->n, to = list->n;
	struct bytes element;

	while (from > 0 && list->p[from - 1] != ',')
		from--;
	element = (struct bytes){ list->p + from, to - from };
	list->n = from > 0 ? from - 1 : 0;
	while (element.n && (element.p[0] == ' ' || element.p[0] == '\t'))
		element.p++, element.n--;
	while (element.n && (element.p[element.n - 1] == ' ' || element.p[element.n - 1] == '\t'))
		element.n--;
	return element;
}

/* "192.0.2.1", "192.0.2.1:4711", "2001:db8::1", "[2001:db8::1]:4711": proxies write all of these.
 */
static int parse_forwarded(struct bytes text, struct addr *out)
{
	const char *colon;

	if (addr_parse_ip(text, out) == 0)
		return 0;
	colon = text.n ? memrchr(text.p, ':', text.n) : NULL;
	if (!colon)
		return -1;
	return addr_parse_ip((struct bytes){ text.p, (size_t)(colon - text.p) }, out);
}

struct addr http_client_address(const struct http_trust *trust, const struct http_request *r)
{
	struct addr a = *http_request_peer(r), next;
	struct bytes list = http_request_header(r, HTTP_X_FORWARDED_FOR);

	while (list.n > 0 && is_trusted(trust, &a)) {
		if (parse_forwarded(take_last(&list), &next) < 0)
			break;
		a = next;
	}
	return a;
}

bool http_client_is_tls(const struct http_trust *trust, const struct http_request *r)
{
	struct bytes proto = http_request_header(r, HTTP_X_FORWARDED_PROTO);

	if (proto.n && is_trusted(trust, http_request_peer(r)))
		return bytes_equal_nocase(proto, BYTES("https"));
	return http_request_is_tls(r);
}

struct bytes http_client_host(const struct http_trust *trust, const struct http_request *r)
{
	struct bytes host = http_request_find_header(r, "X-Forwarded-Host");
	const char *comma = host.n ? memchr(host.p, ',', host.n) : NULL;

	if (host.n == 0 || !is_trusted(trust, http_request_peer(r)))
		return http_request_header(r, HTTP_HOST);
	if (comma)
		host.n = (size_t)(comma - host.p);
	while (host.n && (host.p[host.n - 1] == ' ' || host.p[host.n - 1] == '\t'))
		host.n--;
	return host;
}

bool http_trusts(const struct http_trust *trust, const struct addr *a)
{
	return is_trusted(trust, a);
}
