/*
 * net/addresses.h - where a host is, as long as DNS lets us keep that.
 */
#ifndef NET_ADDRESSES_H
#define NET_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/addr.h"
#include "net/resolver.h"

/* Zeroed: nothing is known. */
struct known_addresses {
	struct addr addrs[RESOLVER_ADDRS_MAX];
	size_t count, next;
	uint64_t until;
};

/* What the resolver said; times are milliseconds. */
void addresses_take(struct known_addresses *known, const struct addr *addrs, size_t n,
    unsigned ttl_seconds, uint64_t now);
/* The resolver failed: whether what was known before may be used for a while. */
bool addresses_keep_stale(struct known_addresses *known, int err, uint64_t now);
/* Each in its turn. */
const struct addr *addresses_next(struct known_addresses *known);

#endif
