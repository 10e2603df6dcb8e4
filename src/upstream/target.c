/*
 * upstream/target.c - the URL of a backend, and its last change; see target.h.
 */
#include "upstream/target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/bytes.h"
#include "base/fnv.h"
#include "base/mem.h"

enum { WS_PORT = 80, WSS_PORT = 443 };

/* A URL in its parts; views into it. */
struct parts {
	bool is_tls;
	struct bytes file;      /* of a unix socket */
	struct bytes authority; /* host and port, as they stand */
	struct bytes host;      /* without brackets */
	unsigned port;
	struct bytes resource; /* empty: "/" */
};

static bool take_prefix(struct bytes *in, struct bytes prefix)
{
	if (in->n < prefix.n || memcmp(in->p, prefix.p, prefix.n) != 0)
		return false;
	in->p += prefix.n;
	in->n -= prefix.n;
	return true;
}

/* Visible ASCII: nothing in it can end a request line or a header. A fragment has no place in a
 * WebSocket URL (RFC 6455 section 3). */
static bool is_visible(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] <= ' ' || b.p[i] >= 0x7f || b.p[i] == '#')
			return false;
	return true;
}

static bool is_host(struct bytes host)
{
	for (size_t i = 0; i < host.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:",
		        host.p[i]))
			return false;
	return host.n > 0 && host.n < 256;
}

static bool read_port(struct bytes text, unsigned *port)
{
	*port = 0;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9' || text.n > 5)
			return false;
		*port = *port * 10 + (unsigned)(text.p[i] - '0');
	}
	return *port > 0 && *port <= 65535;
}

static bool read_authority(struct parts *parts)
{
	struct bytes rest = parts->authority;
	const char *end;

	if (take_prefix(&rest, BYTES("["))) {
		end = memchr(rest.p, ']', rest.n);
		if (!end)
			return false;
		parts->host = (struct bytes){ rest.p, (size_t)(end - rest.p) };
		if (!memchr(parts->host.p, ':', parts->host.n))
			return false; /* brackets are for IPv6 */
		rest.n -= parts->host.n + 1;
		rest.p = end + 1;
	} else {
		end = memchr(rest.p, ':', rest.n);
		parts->host = (struct bytes){ rest.p, end ? (size_t)(end - rest.p) : rest.n };
		rest.p += parts->host.n;
		rest.n -= parts->host.n;
	}
	parts->port = parts->is_tls ? WSS_PORT : WS_PORT;
	if (!is_host(parts->host))
		return false;
	return rest.n == 0 || (take_prefix(&rest, BYTES(":")) && read_port(rest, &parts->port));
}

static bool read_unix(struct bytes rest, struct parts *parts)
{
	const char *colon = memchr(rest.p, ':', rest.n);

	parts->file = rest;
	if (colon) {
		parts->file.n = (size_t)(colon - rest.p);
		parts->resource = (struct bytes){ colon + 1, rest.n - parts->file.n - 1 };
		if (parts->resource.n == 0 || parts->resource.p[0] != '/')
			return false;
	}
	return parts->file.n > 1 && parts->file.p[0] == '/' &&
	       parts->file.n < sizeof(((struct sockaddr_un *)0)->sun_path);
}

static bool read_url(const char *url, struct parts *parts)
{
	struct bytes rest = bytes_of(url);
	size_t n = 0;

	*parts = (struct parts){ 0 };
	if (!is_visible(rest))
		return false;
	if (take_prefix(&rest, BYTES("unix:")))
		return read_unix(rest, parts);
	parts->is_tls = take_prefix(&rest, BYTES("wss://"));
	if (!parts->is_tls && !take_prefix(&rest, BYTES("ws://")))
		return false;
	while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
		n++;
	parts->authority = (struct bytes){ rest.p, n };
	parts->resource = (struct bytes){ rest.p + n, rest.n - n };
	return read_authority(parts);
}

bool target_is_url(const char *url)
{
	struct parts parts;

	return read_url(url, &parts);
}

static char *copy(struct bytes b)
{
	return mem_strndup(b.p, b.n);
}

/* A query may follow the host at once: the path is "/" then. */
static char *copy_resource(struct bytes b)
{
	char *text = mem_alloc(b.n + 2);
	size_t n = 0;

	if (!text)
		return NULL;
	if (b.n == 0 || b.p[0] != '/')
		text[n++] = '/';
	bytes_put(text + n, b);
	text[n + b.n] = '\0';
	return text;
}

int target_init(struct target *t, const char *url)
{
	struct parts parts;
	bool ok;

	if (!read_url(url, &parts))
		return -EINVAL;
	pthread_mutex_init(&t->lock, NULL);
	t->is_tls = parts.is_tls;
	t->port = (uint16_t)parts.port;
	t->key = fnv1a(url);
	atomic_store(&t->weight, 1);
	t->url = mem_strdup(url);
	t->resource = copy_resource(parts.resource);
	t->authority = parts.file.n ? mem_strdup("localhost") : copy(parts.authority);
	if (parts.file.n)
		t->file = copy(parts.file);
	else
		t->host = copy(parts.host);
	ok = t->url && t->resource && t->authority && (t->file || t->host);
	if (!ok)
		target_fini(t);
	return ok ? 0 : -ENOMEM;
}

void target_fini(struct target *t)
{
	mem_free(t->url);
	mem_free(t->name);
	mem_free(t->host);
	mem_free(t->authority);
	mem_free(t->file);
	mem_free(t->resource);
	t->url = t->name = t->host = t->authority = t->file = t->resource = NULL;
	pthread_mutex_destroy(&t->lock);
}

/* --- what has become of it ---------------------------------------------------------- */

void target_note(struct target *t, uint64_t now, const char *why)
{
	pthread_mutex_lock(&t->lock);
	t->changed_at = now;
	snprintf(t->why, sizeof(t->why), "%s", why);
	pthread_mutex_unlock(&t->lock);
}

uint64_t target_noted(struct target *t, char why[TARGET_WHY_MAX + 1])
{
	uint64_t at;

	pthread_mutex_lock(&t->lock);
	at = t->changed_at;
	memcpy(why, t->why, sizeof(t->why));
	pthread_mutex_unlock(&t->lock);
	return at;
}
