/*
 * webhook/known_host.h - the addresses of a host, as libcurl wants to be told: counted, since those
 * calls that were told keep them.
 */
#ifndef WEBHOOK_KNOWN_HOST_H
#define WEBHOOK_KNOWN_HOST_H

#include <curl/curl.h>
#include <stddef.h>

#include "net/addr.h"
#include "webhook/http_target.h"

struct known_host {
	unsigned refs;
	struct curl_slist *line;
};

/* Both give one reference, or NULL when memory is out. `line` is NULL for who needs none: it is an
 * address already. */
struct known_host *known_host_new(const char *line);
/* "HOST:PORT:ADDRESS,ADDRESS", as CURLOPT_RESOLVE has it; at most RESOLVER_ADDRS_MAX, of which the
 * one at `first` is tried first. */
struct known_host *known_host_from(
    const struct http_target *t, const struct addr *addrs, size_t count, size_t first);
void known_host_unref(struct known_host *h); /* NULL is fine */

#endif
