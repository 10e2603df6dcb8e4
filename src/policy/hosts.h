/*
 * policy/hosts.h - which hosts may be asked for, by the Host header.
 *
 * A page whose name its owner suddenly resolves to our address (DNS rebinding) is of our own
 * origin as far as its browser, and a check of origins, can tell. But it asks for its own
 * name, so whoever knows the names he is reached by is safe.
 */
#ifndef POLICY_HOSTS_H
#define POLICY_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

struct http_hosts {
	bool any;              /* whatever is asked for */
	bool local;            /* localhost and any IP address, which nobody can rebind */
	struct bytes *allowed; /* names, "*.domain", IP addresses, "*" for any; without ports */
	size_t count;
};

/* A port does not count, nor case, nor a dot at the end. An empty host is allowed: no browser
 * leaves it out. */
bool http_host_is_allowed(const struct http_hosts *hosts, struct bytes host);

/* Whether a text may stand in the list. */
bool http_host_is_valid(struct bytes text);

#endif
