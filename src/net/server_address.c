/*
 * net/server_address.c - see server_address.h.
 */
#include "net/server_address.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "net/addr.h"

static bool read_port(const char *text, uint16_t *port)
{
	size_t n = strspn(text, "0123456789");
	unsigned long number = strtoul(text, NULL, 10);

	if (n == 0 || n > 5 || text[n] != '\0' || number == 0 || number > 65535)
		return false;
	*port = (uint16_t)number;
	return true;
}

static bool is_name(struct bytes host)
{
	for (size_t i = 0; i < host.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._", host.p[i]))
			return false;
	return host.n > 0 && host.p[0] != '.';
}

static bool take_host(struct bytes host, struct server_address *out)
{
	if (host.n >= sizeof(out->host))
		return false;
	bytes_put(out->host, host);
	out->host[host.n] = '\0';
	return true;
}

static bool read_ipv6(const char *text, struct server_address *out)
{
	const char *end = strchr(text, ']');
	struct addr addr;

	if (!end || !take_host((struct bytes){ text + 1, (size_t)(end - text) - 1 }, out) ||
	    addr_parse_ip(bytes_of(out->host), &addr) < 0)
		return false;
	return end[1] == '\0' || (end[1] == ':' && read_port(end + 2, &out->port));
}

bool server_address_read(const char *text, struct server_address *out)
{
	const char *colon = strchr(text, ':');
	struct bytes host = { text, colon ? (size_t)(colon - text) : strlen(text) };

	*out = (struct server_address){ 0 };
	if (strncmp(text, "unix:", 5) == 0) {
		out->path = text + 5;
		return text[5] == '/' && text[6] && strlen(text + 5) < sizeof(((struct sockaddr_un *)0)->sun_path);
	}
	if (text[0] == '[')
		return read_ipv6(text, out);
	return is_name(host) && take_host(host, out) && (!colon || read_port(colon + 1, &out->port));
}
