/*
 * bench/load/place.c - the words by which servers say where they listen.
 */
#include "load/place.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/fail.h"

static struct place at_path(const char *path)
{
	struct place p = { .address.un = { .sun_family = AF_UNIX }, .len = sizeof(p.address.un) };

	if (strlen(path) >= sizeof(p.address.un.sun_path))
		fail("\"%s\" is too long for the path of a socket", path);
	memcpy(p.address.un.sun_path, path, strlen(path) + 1);
	return p;
}

static const char *after_scheme(const char *text)
{
	const char *colon = strstr(text, "://");

	return colon ? colon + 3 : text;
}

struct place place_parse(const char *text)
{
	struct place p = { .address.in = { .sin_family = AF_INET }, .len = sizeof(p.address.in) };
	const char *name = after_scheme(text), *colon = strchr(name, ':');
	char host[64] = "";

	if (strncmp(text, "unix:", 5) == 0)
		return at_path(text + 5);
	if (colon && (size_t)(colon - name) < sizeof(host))
		memcpy(host, name, (size_t)(colon - name));
	if (!colon || inet_pton(AF_INET, host, &p.address.in.sin_addr) != 1)
		fail("\"%s\" is no address such as 127.0.0.1:8081", text);
	p.address.in.sin_port = htons((uint16_t)atoi(colon + 1));
	p.has_tls = strncmp(text, "https:", 6) == 0;
	return p;
}

const char *place_host(const struct place *place)
{
	static char host[32];

	if (place->address.any.sa_family == AF_UNIX)
		return "localhost";
	snprintf(host, sizeof(host), "127.0.0.1:%u", ntohs(place->address.in.sin_port));
	return host;
}
