/*
 * server/handshake.c - see handshake.h, and sockjs.h for what applications may ask.
 *
 * A copy is made by asking the handshake everything.
 */
#include "server/handshake_private.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "ws/ws_answer.h"
#include "ws/ws_handshake.h"

const char *handshake_scrap(struct sockjs_handshake *h, struct bytes b)
{
	struct scrap *scrap = mem_alloc(sizeof(*scrap) + b.n + 1);

	if (!scrap)
		return NULL;
	*bytes_put(scrap->text, b) = '\0';
	scrap->next = h->scraps;
	h->scraps = scrap;
	return scrap->text;
}

void handshake_fini(struct sockjs_handshake *h)
{
	while (h->scraps) {
		struct scrap *next = h->scraps->next;

		mem_free(h->scraps);
		h->scraps = next;
	}
}

/* Its functions take it as const, since looking changes nothing that can be seen. */
static struct sockjs_handshake *mutable(const struct sockjs_handshake *h)
{
	return (struct sockjs_handshake *)(uintptr_t)h;
}

/* --- what it can be asked ----------------------------------------------------------- */

const char *sockjs_handshake_transport(const struct sockjs_handshake *h)
{
	return h->kept ? h->kept->transport : h->t->transport->name;
}

const char *sockjs_handshake_prefix(const struct sockjs_handshake *h)
{
	return h->endpoint->prefix;
}

const char *sockjs_handshake_path(const struct sockjs_handshake *h)
{
	const char *text = h->kept ? h->kept->path : handshake_scrap(mutable(h), h->t->path);

	return text ? text : "";
}

const char *sockjs_handshake_query(const struct sockjs_handshake *h)
{
	const struct http_request *r = h->kept ? NULL : h->t->http;
	const char *text = h->kept ? h->kept->query : NULL;

	if (r)
		text = handshake_scrap(mutable(h), http_request_query(r));
	return text ? text : "";
}

const char *sockjs_handshake_origin(const struct sockjs_handshake *h)
{
	struct bytes origin = { 0 };

	if (h->kept)
		return h->kept->origin;
	if (h->t->http)
		origin = http_request_header(h->t->http, HTTP_ORIGIN);
	return origin.p ? handshake_scrap(mutable(h), origin) : NULL;
}

const char *sockjs_handshake_remote(const struct sockjs_handshake *h)
{
	if (!h->kept)
		addr_print(&h->t->client.address, false, mutable(h)->remote);
	return h->remote;
}

const char *sockjs_handshake_host(const struct sockjs_handshake *h)
{
	const char *text = h->kept ? h->kept->host : handshake_scrap(mutable(h), h->t->client.host);

	return text ? text : "";
}

int sockjs_handshake_is_tls(const struct sockjs_handshake *h)
{
	return h->kept ? h->kept->is_tls : h->t->client.is_tls;
}

int sockjs_handshake_is_trusted(const struct sockjs_handshake *h)
{
	const struct http_request *r = h->kept ? NULL : h->t->http;

	if (h->kept)
		return h->kept->is_trusted;
	if (r && h->t->client.is_passed_on)
		return h->t->client.is_proxied;
	return r && http_trusts(&config_here(h->endpoint->server)->trust, http_request_peer(r));
}

/* As the gateway says that has passed it on. */
static int read_peer_there(const struct http_client *client, struct tls_peer *peer)
{
	if (client->fingerprint.n == 0)
		return -ENOENT;
	if (client->subject.n >= sizeof(peer->subject) || client->fingerprint.n >= sizeof(peer->fingerprint))
		return -EMSGSIZE;
	*(char *)bytes_put(peer->subject, client->subject) = '\0';
	*(char *)bytes_put(peer->fingerprint, client->fingerprint) = '\0';
	return 0;
}

/* What a trusted proxy shows is its own certificate, whoever it speaks for. */
static int read_peer(const struct sockjs_handshake *h, struct tls_peer *peer)
{
	if (h->t->wire)
		return stream_tls_peer(h->t->wire, peer);
	if (h->t->client.is_passed_on)
		return read_peer_there(&h->t->client, peer);
	if (!h->t->http || sockjs_handshake_is_trusted(h))
		return -ENOENT;
	return http_request_tls_peer(h->t->http, peer);
}

const char *sockjs_handshake_client_subject(const struct sockjs_handshake *h)
{
	struct tls_peer peer;

	if (h->kept)
		return h->kept->subject;
	return read_peer(h, &peer) == 0 ? handshake_scrap(mutable(h), bytes_of(peer.subject)) : NULL;
}

const char *sockjs_handshake_client_fingerprint(const struct sockjs_handshake *h)
{
	struct tls_peer peer;

	if (h->kept)
		return h->kept->fingerprint;
	return read_peer(h, &peer) == 0 ? handshake_scrap(mutable(h), bytes_of(peer.fingerprint)) : NULL;
}

static const char *find(const struct sockjs_header *headers, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(headers[i].name, name) == 0)
			return headers[i].value;
	return NULL;
}

static const char *kept_header(const struct kept_handshake *kept, const char *name)
{
	const char *granted = find(kept->granted, kept->granted_count, name);

	return granted ? granted : find(kept->headers, kept->header_count, name);
}

const struct string_list *handshake_shown_headers(const struct sockjs_handshake *h)
{
	return &h->endpoint->options.request_headers;
}

const char *sockjs_handshake_header(const struct sockjs_handshake *h, const char *name)
{
	const struct string_list *allowed = handshake_shown_headers(h);
	struct buf value = BUF_INIT;
	const char *text = NULL;
	size_t i = 0;

	if (h->kept)
		return kept_header(h->kept, name);
	if (!h->t->http)
		return NULL;
	while (i < allowed->count && strcasecmp(allowed->items[i], name) != 0)
		i++;
	if (i < allowed->count && http_request_join_header(h->t->http, name, &value) > 0)
		text = handshake_scrap(mutable(h), (struct bytes){ buf_data(&value), buf_len(&value) });
	buf_fini(&value);
	return text;
}

const struct http_request *handshake_request(const struct sockjs_handshake *h)
{
	return h->kept ? NULL : h->t->http;
}

void sockjs_handshake_set_user(struct sockjs_handshake *h, void *user)
{
	h->user = user;
}

/* --- subprotocols ------------------------------------------------------------------- */

struct bytes handshake_offer(const struct sockjs_handshake *h, size_t i)
{
	const struct ws_subprotocols *offers = h->kept ? NULL : h->t->offers;

	if (h->kept) /* nobody asks beyond the NULL */
		return bytes_of(h->kept->offers[i]);
	return offers && i < offers->count ? offers->tokens[i] : (struct bytes){ NULL, 0 };
}

const char *sockjs_handshake_subprotocol(const struct sockjs_handshake *h, size_t i)
{
	struct bytes token = { 0 };

	for (size_t j = 0; j <= i; j++) /* a copy has no count of them */
		if (!(token = handshake_offer(h, j)).p)
			return NULL;
	return h->kept ? token.p : handshake_scrap(mutable(h), token);
}

int sockjs_handshake_select(struct sockjs_handshake *h, const char *subprotocol)
{
	struct bytes wanted = bytes_of(subprotocol), token;

	for (size_t i = 0; (token = handshake_offer(h, i)).p; i++) {
		if (!bytes_equal(token, wanted))
			continue;
		if (token.n > SUBPROTOCOL_MAX)
			return -EMSGSIZE;
		h->subprotocol = token;
		return 0;
	}
	return -EINVAL;
}

void handshake_select_by_list(struct sockjs_handshake *h)
{
	const struct string_list *ours = &h->endpoint->options.subprotocols;

	for (size_t i = 0; i < ours->count && !h->subprotocol.n; i++)
		sockjs_handshake_select(h, ours->items[i]);
}

/* --- a copy ------------------------------------------------------------------------- */

/* NULL when memory is out, or there is no text: *ok tells. */
static const char *copy(struct sockjs_handshake *to, const char *text, bool *ok)
{
	const char *own = text ? handshake_scrap(to, bytes_of(text)) : NULL;

	*ok = *ok && (own || !text);
	return own;
}

static bool copy_offers(struct sockjs_handshake *to, const struct sockjs_handshake *h)
{
	size_t n = 0;
	bool ok = true;

	while (handshake_offer(h, n).p)
		n++;
	to->kept->offers = mem_zalloc((n + 1) * sizeof(*to->kept->offers));
	if (!to->kept->offers)
		return false;
	for (size_t i = 0; i < n; i++) {
		to->kept->offers[i] = handshake_scrap(to, handshake_offer(h, i));
		ok = ok && to->kept->offers[i];
	}
	return ok;
}

static bool copy_headers(struct sockjs_handshake *to, const struct sockjs_handshake *h)
{
	const struct string_list *names = handshake_shown_headers(h);
	struct kept_handshake *kept = to->kept;
	bool ok = true;

	kept->headers = mem_zalloc((names->count + 1) * sizeof(*kept->headers));
	for (size_t i = 0; kept->headers && i < names->count; i++) {
		const char *value = sockjs_handshake_header(h, names->items[i]);
		struct sockjs_header *header = &kept->headers[kept->header_count];

		if (!value)
			continue;
		*header = (struct sockjs_header){ names->items[i], copy(to, value, &ok) };
		kept->header_count += header->value != NULL;
	}
	return ok && kept->headers;
}

static bool copy_all(struct sockjs_handshake *to, const struct sockjs_handshake *h)
{
	struct kept_handshake *kept = to->kept;
	bool ok = true;

	kept->transport = sockjs_handshake_transport(h);
	kept->path = copy(to, sockjs_handshake_path(h), &ok);
	kept->query = copy(to, sockjs_handshake_query(h), &ok);
	kept->origin = copy(to, sockjs_handshake_origin(h), &ok);
	kept->host = copy(to, sockjs_handshake_host(h), &ok);
	kept->is_tls = sockjs_handshake_is_tls(h);
	kept->is_trusted = sockjs_handshake_is_trusted(h);
	kept->subject = copy(to, sockjs_handshake_client_subject(h), &ok);
	kept->fingerprint = copy(to, sockjs_handshake_client_fingerprint(h), &ok);
	memcpy(to->remote, sockjs_handshake_remote(h), sizeof(to->remote));
	return ok && copy_offers(to, h) && copy_headers(to, h);
}

struct sockjs_handshake *handshake_new_copy(struct server_endpoint *ep)
{
	struct sockjs_handshake *to = mem_zalloc(sizeof(*to));

	if (!to)
		return NULL;
	to->endpoint = ep;
	to->kept = mem_zalloc(sizeof(*to->kept));
	if (to->kept)
		return to;
	mem_free(to);
	return NULL;
}

struct sockjs_handshake *handshake_keep(const struct sockjs_handshake *h)
{
	struct sockjs_handshake *to = handshake_new_copy(h->endpoint);

	if (to && copy_all(to, h))
		return to;
	handshake_free(to);
	return NULL;
}

void handshake_free(struct sockjs_handshake *kept)
{
	if (!kept)
		return;
	handshake_fini(kept);
	if (kept->kept) {
		mem_free(kept->kept->offers);
		mem_free(kept->kept->headers);
	}
	mem_free(kept->kept);
	mem_free(kept);
}

int handshake_grant(struct sockjs_handshake *kept, const char *name, const char *value)
{
	struct kept_handshake *k = kept->kept;
	bool ok = true;

	if (!*name || ws_token_length(bytes_of(name)) != strlen(name) ||
	    !ws_is_field_text(bytes_of(value)))
		return -EINVAL;
	if (k->granted_count == GRANTED_MAX)
		return -ENOSPC;
	k->granted[k->granted_count] =
	    (struct sockjs_header){ copy(kept, name, &ok), copy(kept, value, &ok) };
	if (!ok)
		return -ENOMEM;
	k->granted_count++;
	return 0;
}

bool handshake_is_granted(const struct sockjs_handshake *h, const char *name)
{
	return h->kept && find(h->kept->granted, h->kept->granted_count, name);
}

const struct sockjs_header *handshake_granted(const struct sockjs_handshake *h, size_t i)
{
	return h->kept && i < h->kept->granted_count ? &h->kept->granted[i] : NULL;
}
