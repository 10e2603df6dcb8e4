/*
 * checkup/place.c - URLs of endpoints and proxies; see place.h.
 */
#include "checkup/place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

static bool is_visible(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text >= 0x7f || strchr("?#@\\\"<>", *text))
			return false;
	return true;
}

static bool is_host(struct bytes host)
{
	for (size_t i = 0; i < host.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:",
		        host.p[i]))
			return false;
	return host.n > 0;
}

static bool read_port(struct bytes text, uint16_t *port)
{
	unsigned n = 0;

	if (text.n == 0 || text.n > 5)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		n = n * 10 + (unsigned)(text.p[i] - '0');
	}
	*port = (uint16_t)n;
	return n > 0 && n <= 65535;
}

/* The host without its brackets; what is left is a port with its colon, or nothing. */
static bool split(struct bytes *rest, struct bytes *host)
{
	const char *end;

	if (rest->n > 0 && rest->p[0] == '[') {
		end = memchr(rest->p, ']', rest->n);
		if (!end)
			return false;
		*host = (struct bytes){ rest->p + 1, (size_t)(end - rest->p) - 1 };
		rest->n -= host->n + 2;
		rest->p = end + 1;
		return memchr(host->p, ':', host->n) != NULL;
	}
	end = memchr(rest->p, ':', rest->n);
	*host = (struct bytes){ rest->p, end ? (size_t)(end - rest->p) : rest->n };
	rest->p += host->n;
	rest->n -= host->n;
	return true;
}

static void copy(char *to, struct bytes b)
{
	*bytes_put(to, b) = '\0';
}

static int read_authority(struct place *p, struct bytes authority)
{
	struct bytes rest = authority, host;
	const char *open, *close;

	p->port = p->is_tls ? 443 : 80;
	if (authority.n >= sizeof(p->authority) - 8 || !split(&rest, &host) || !is_host(host) ||
	    host.n >= sizeof(p->host))
		return -EINVAL;
	if (rest.n > 0 &&
	    (rest.p[0] != ':' || !read_port((struct bytes){ rest.p + 1, rest.n - 1 }, &p->port)))
		return -EINVAL;
	copy(p->host, host);
	open = strchr(p->host, ':') ? "[" : "";
	close = *open ? "]" : "";
	snprintf(p->connect, sizeof(p->connect), "%s%s%s:%u", open, p->host, close, p->port);
	if (p->port == (p->is_tls ? 443 : 80))
		snprintf(p->authority, sizeof(p->authority), "%s%s%s", open, p->host, close);
	else
		memcpy(p->authority, p->connect, sizeof(p->authority));
	return 0;
}

static int read_rest(struct place *p, const char *text)
{
	const char *slash = strchr(text, '/');
	struct bytes authority = { text, slash ? (size_t)(slash - text) : strlen(text) };
	struct bytes path = bytes_of(slash ? slash : "");

	while (path.n > 0 && path.p[path.n - 1] == '/')
		path.n--;
	if (!is_visible(text) || path.n >= sizeof(p->prefix))
		return -EINVAL;
	copy(p->prefix, path);
	return read_authority(p, authority);
}

int place_parse(struct place *p, const char *url)
{
	memset(p, 0, sizeof(*p));
	if (strncmp(url, "http://", 7) == 0)
		return read_rest(p, url + 7);
	p->is_tls = true;
	return strncmp(url, "https://", 8) == 0 ? read_rest(p, url + 8) : -EINVAL;
}

int place_parse_proxy(struct place *p, const char *url)
{
	int err;

	memset(p, 0, sizeof(*p));
	err = read_rest(p, strncmp(url, "http://", 7) == 0 ? url + 7 : url);
	return err == 0 && p->prefix[0] ? -EINVAL : err;
}
