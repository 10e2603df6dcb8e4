/*
 * webhook/known_host.c - see known_host.h.
 */
#include "webhook/known_host.h"

#include <stdio.h>

#include "base/mem.h"
#include "net/resolver.h"

#define LINE_MAX_OCTETS (256 + 8 + RESOLVER_ADDRS_MAX * (ADDR_TEXT_MAX + 2))

void known_host_unref(struct known_host *h)
{
	if (!h || --h->refs > 0)
		return;
	curl_slist_free_all(h->line);
	mem_free(h);
}

struct known_host *known_host_new(const char *line)
{
	struct known_host *h = mem_zalloc(sizeof(*h));

	if (!h)
		return NULL;
	h->refs = 1;
	h->line = line ? curl_slist_append(NULL, line) : NULL;
	if (h->line || !line)
		return h;
	mem_free(h);
	return NULL;
}

struct known_host *known_host_from(
    const struct http_target *t, const struct addr *addrs, size_t count, size_t first)
{
	char line[LINE_MAX_OCTETS], text[ADDR_TEXT_MAX];
	int n = snprintf(line, sizeof(line), "%s:%u", t->host, t->port);

	for (size_t i = 0; i < count; i++) {
		const struct addr *a = &addrs[(first + i) % count];
		bool v6 = a->family == AF_INET6;

		n += snprintf(line + n, sizeof(line) - (size_t)n, "%c%s%s%s", i ? ',' : ':',
		    v6 ? "[" : "", addr_print(a, false, text), v6 ? "]" : "");
	}
	return known_host_new(line);
}
