/*
 * net/visitors.h - connections and sessions of one address, counted for all reactors in one table
 * (base/quotas.h).
 *
 * A visitor is a prefix, as long as the configuration has it: usually a whole IPv4 address, and a
 * /64 of IPv6, for that is what one customer gets at least. A unix socket is nobody, and so is an
 * unknown address. Whether an address is that of a proxy, who stands for many, is for the caller
 * to know.
 */
#ifndef NET_VISITORS_H
#define NET_VISITORS_H

#include "base/quotas.h"
#include "net/addr.h"

/* What a visitor may have. */
enum visitor_kind { VISITOR_CONNECTION, VISITOR_SESSION, VISITOR_KINDS };

/* How many bits of an address say who it is: 1 to 32, 1 to 128. What was taken by others is held as
 * it was, by who it was then. */
struct visitor_prefixes {
	uint8_t ipv4, ipv6;
};

/* As quota_take(), by address. `q` may be NULL: no limits. */
enum quota_verdict visitor_enter(struct quotas *q, const struct addr *who,
    struct visitor_prefixes prefixes, enum visitor_kind kind, struct quota_row **row);

/* The key of an address in such a table, at most QUOTA_KEY_MAX octets. How many it has; 0: it is
 * nobody's. */
size_t visitor_key(const struct addr *who, struct visitor_prefixes prefixes, char *key);
/* The key of the prefix, which is no longer than that of `key`, that it is within; as visitor_key(). What stands
 * in `key` behind its address does not count. */
size_t visitor_key_widen(struct bytes key, struct visitor_prefixes prefixes, char *wide);
/* Whether the addresses of a key of such a table, and of a network, have any in common; likewise. */
bool visitor_key_meets(struct bytes key, const struct cidr *network);
/* A key of such a table: "192.0.2.1", "198.51.100.0/24", "2001:db8::/64". */
const char *visitor_print(struct bytes key, char text[ADDR_TEXT_MAX]);

#endif
