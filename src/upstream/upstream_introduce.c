/*
 * upstream/upstream_introduce.c - what a backend is told of a client; see upstream_introduce.h.
 */
#include "upstream/upstream_introduce.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/fnv.h"
#include "base/mem.h"
#include "server/handshake.h"

/* The parameter that sockjs-client itself adds is not the application's: c for the callback of
 * jsonp and htmlfile, t (the time, against caches) where it uses XMLHttpRequest. It is the last
 * one; what the page has called so comes before. */
static bool is_clients_own(const char *transport, const char *p, size_t n)
{
	if (p[n] != '\0' || n <= 2 || p[1] != '=')
		return false;
	if (strcmp(transport, "jsonp") == 0 || strcmp(transport, "htmlfile") == 0)
		return p[0] == 'c';
	return p[0] == 't' && strncmp(transport, "xhr", 3) == 0 &&
	       strspn(p + 2, "0123456789") == n - 2;
}

static char *clean_query(const char *transport, const char *query)
{
	char *clean = mem_alloc(strlen(query) + 1), *to = clean;

	if (!clean)
		return NULL;
	while (*query) {
		size_t n = strcspn(query, "&");

		if (n > 0 && !is_clients_own(transport, query, n)) {
			if (to > clean)
				*to++ = '&';
			memcpy(to, query, n);
			to += n;
		}
		query += n + (query[n] == '&');
	}
	*to = '\0';
	return clean;
}

/* RFC 7239; an IPv6 address and a host with a port are quoted. */
static int add_forwarded(
    struct upstream_request *r, const char *remote, const char *proto, const char *host)
{
	struct buf value = BUF_INIT;
	bool v6 = strchr(remote, ':'), known = strcmp(remote, "unix") != 0;
	int err = buf_printf(&value, "for=%s%s%s;proto=%s",
	    !known ? "unknown"
	    : v6   ? "\"["
	           : "",
	    known ? remote : "", v6 ? "]\"" : "", proto);

	if (err == 0 && *host && !strpbrk(host, "\"\\"))
		err = buf_printf(&value, ";host=\"%s\"", host);
	if (err == 0)
		err = buf_add(&value, "", 1);
	if (err == 0)
		err = upstream_request_header(r, "Forwarded", buf_data(&value));
	buf_fini(&value);
	return err;
}

static int add_who(struct upstream_request *r, const struct sockjs_handshake *h)
{
	const char *remote = sockjs_handshake_remote(h), *host = sockjs_handshake_host(h),
	           *proto = sockjs_handshake_is_tls(h) ? "https" : "http";
	int err = 0;

	if (strcmp(remote, "unix") != 0) /* that is no address */
		err = upstream_request_header(r, "X-Forwarded-For", remote);
	if (err == 0)
		err = upstream_request_header(r, "X-Forwarded-Proto", proto);
	if (err == 0 && *host)
		err = upstream_request_header(r, "X-Forwarded-Host", host);
	if (err == 0)
		err = add_forwarded(r, remote, proto, host);
	if (err == 0)
		err =
		    upstream_request_header(r, "X-Sockjs-Transport", sockjs_handshake_transport(h));
	return err;
}

static int add_forwarded_headers(
    struct upstream_request *r, const struct upstream_options *o, const struct sockjs_handshake *h)
{
	int err = 0;

	for (size_t i = 0; i < o->forward_headers.count && err == 0; i++) {
		const char *name = o->forward_headers.items[i],
		           *value = sockjs_handshake_header(h, name);

		if (value && !handshake_is_granted(h, name))
			err = upstream_request_header(r, name, value);
	}
	return err;
}

static bool is_certificate_header(const struct upstream_options *o, const char *name)
{
	return (o->client_subject_header && strcasecmp(name, o->client_subject_header) == 0) ||
	       (o->client_fingerprint_header &&
	           strcasecmp(name, o->client_fingerprint_header) == 0);
}

/* Nobody else says these: not the client, as options_check.c sees to it. */
static int add_certificate_headers(
    struct upstream_request *r, const struct upstream_options *o, const struct sockjs_handshake *h)
{
	const char *subject = o->client_subject_header ? sockjs_handshake_client_subject(h) : NULL,
	           *fingerprint =
	               o->client_fingerprint_header ? sockjs_handshake_client_fingerprint(h) : NULL;
	int err = 0;

	if (subject)
		err = upstream_request_header(r, o->client_subject_header, subject);
	if (err == 0 && fingerprint)
		err = upstream_request_header(r, o->client_fingerprint_header, fingerprint);
	return err;
}

/* What whoever guards the endpoint has given the client, which goes before the client's own. */
static int add_granted_headers(
    struct upstream_request *r, const struct upstream_options *o, const struct sockjs_handshake *h)
{
	const struct sockjs_header *granted;
	int err = 0;

	for (size_t i = 0; err == 0 && (granted = handshake_granted(h, i)); i++)
		if (!is_certificate_header(o, granted->name))
			err = upstream_request_header(r, granted->name, granted->value);
	return err;
}

static int add_subprotocols(
    struct upstream_request *r, const struct upstream_options *o, const struct sockjs_handshake *h)
{
	const char *token;
	int err = 0;

	for (size_t i = 0; err == 0 && (token = sockjs_handshake_subprotocol(h, i)); i++) {
		err = upstream_request_subprotocol(r, token);
		r->offers = true;
	}
	for (size_t i = 0; err == 0 && !r->offers && i < o->subprotocols.count; i++)
		err = upstream_request_subprotocol(r, o->subprotocols.items[i]);
	return err;
}

/* A token that stands twice is the client's fault, and no backend needs to hear of it. */
bool upstream_offers_well(const struct sockjs_handshake *h)
{
	const char *tokens[WS_SUBPROTOCOLS_MAX];
	size_t n = 0;

	while (n < WS_SUBPROTOCOLS_MAX && (tokens[n] = sockjs_handshake_subprotocol(h, n)) != NULL)
		for (size_t i = 0, last = n++; i < last; i++)
			if (strcmp(tokens[i], tokens[last]) == 0)
				return false;
	return true;
}

static int copy_text(char **to, const char *text)
{
	*to = text ? mem_strdup(text) : NULL;
	return text && !*to ? -ENOMEM : 0;
}

static int add_path(
    struct upstream_request *r, const struct upstream_options *o, const struct sockjs_handshake *h)
{
	return copy_text(&r->path, o->forward_path ? sockjs_handshake_path(h) : NULL);
}

/* Whom the backend is asked for, and who asks: applications compare the two. */
static int add_names(
    struct upstream_request *r, const struct upstream_options *o, const struct sockjs_handshake *h)
{
	const char *host = o->host, *origin = o->origin;

	r->own_origin = strcmp(origin, "own") == 0;
	if (strcmp(host, "client") == 0)
		host = sockjs_handshake_host(h);
	else if (strcmp(host, "own") == 0)
		host = "";
	if (strcmp(origin, "client") == 0)
		origin = sockjs_handshake_origin(h);
	if (*host && copy_text(&r->host, host) < 0)
		return -ENOMEM;
	return copy_text(&r->origin, origin);
}

/* A bare WebSocket waits for the backend's 101, as does who wants to hear a subprotocol with it. */
static bool may_open_early(const struct upstream_request *r, const char *transport)
{
	return strcmp(transport, "websocket_raw") != 0 && !r->offers;
}

struct upstream_request *upstream_introduce(
    const struct upstream_options *o, const struct sockjs_handshake *h)
{
	struct upstream_request *r = upstream_request_new();
	const char *transport = sockjs_handshake_transport(h);

	if (!r)
		return NULL;
	r->hash = fnv1a(sockjs_handshake_remote(h));
	r->query = clean_query(transport, sockjs_handshake_query(h));
	if (r->query && add_path(r, o, h) == 0 && add_names(r, o, h) == 0 && add_who(r, h) == 0 &&
	    add_forwarded_headers(r, o, h) == 0 && add_granted_headers(r, o, h) == 0 &&
	    add_certificate_headers(r, o, h) == 0 && add_subprotocols(r, o, h) == 0) {
		r->may_open_early = may_open_early(r, transport);
		return r;
	}
	upstream_request_free(r);
	return NULL;
}
