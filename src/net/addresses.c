/*
 * net/addresses.c - where a host is; see addresses.h.
 */
#include "net/addresses.h"

#include <errno.h>
#include <string.h>

enum {
	KEEP_MIN_S = 1,
	KEEP_STALE_S = 5,
	KEEP_MAX_S = 300,
};

/* What says that it holds for no time holds for as long as it takes to use it; literals and the
 * hosts file say so as well, and cost nothing to ask. */
static uint64_t keep_seconds(unsigned ttl)
{
	if (ttl < KEEP_MIN_S)
		return KEEP_MIN_S;
	return ttl < KEEP_MAX_S ? ttl : KEEP_MAX_S;
}

void addresses_take(struct known_addresses *known, const struct addr *addrs, size_t n,
    unsigned ttl_seconds, uint64_t now)
{
	memcpy(known->addrs, addrs, n * sizeof(*addrs));
	known->count = n;
	known->until = now + keep_seconds(ttl_seconds) * 1000;
}

/* Nobody can tell, which does not mean that it has moved: the addresses that it had. */
bool addresses_keep_stale(struct known_addresses *known, int err, uint64_t now)
{
	if (err == -ENOENT || err == -EINVAL || known->count == 0)
		return false;
	known->until = now + KEEP_STALE_S * 1000;
	return true;
}

const struct addr *addresses_next(struct known_addresses *known)
{
	return &known->addrs[known->next++ % known->count];
}
