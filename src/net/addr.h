/*
 * net/addr.h - parse and print addresses.
 *
 * A peer is kept in 20 octets (struct addr); a place to listen at is
 * HOST:PORT, [V6]:PORT, unix:PATH or fd:NAME (struct listen_addr). An IPv4 address
 * mapped into IPv6 (::ffff:192.0.2.1, what a dual-stack listener sees) becomes
 * the IPv4 address on the way in, so that there is one form to compare.
 */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/bytes.h"

struct addr {
	uint16_t family; /* AF_INET, AF_INET6, AF_UNIX (no address), 0 unknown */
	uint16_t port;   /* host order */
	uint8_t ip[16];  /* v4 in the first four */
};

#define ADDR_TEXT_MAX 64

struct snapshot;
struct addr addr_snapshot(struct snapshot *s, struct addr a);
struct addr addr_from_sockaddr(const struct sockaddr *sa);
/* Writes into *out and returns its length (for AF_UNIX: an unnamed address). */
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out);
/* "192.0.2.1:80", "[2001:db8::1]:80", "unix"; with_port false leaves the port and brackets away. */
const char *addr_print(const struct addr *a, bool with_port, char text[ADDR_TEXT_MAX]);
/* A bare IP address, v4 or v6 (brackets allowed); 0 or -EINVAL. */
int addr_parse_ip(struct bytes text, struct addr *out);
/* An unknown address is the same as no other. */
bool addr_same_ip(const struct addr *a, const struct addr *b);
/* The same client network: equal v4 addresses, or the same /64 of v6; two AF_UNIX are the same. */
bool addr_same_class(const struct addr *a, const struct addr *b);

struct cidr {
	struct addr base;
	unsigned prefix;
};

/* "10.0.0.0/8", "::1", "unix" (any local socket); 0 or -EINVAL. */
int cidr_parse(struct bytes text, struct cidr *out);
bool cidr_contains(const struct cidr *c, const struct addr *a);

struct listen_addr {
	struct sockaddr_storage sa;
	socklen_t len;   /* 0, and AF_UNSPEC: of a socket that is inherited */
	bool dual_stack; /* an IPv6 address that takes IPv4 too */
};

/* HOST:PORT (HOST may be a name; "*" or empty: all, IPv6 and IPv4), [V6]:PORT (IPv6 alone, so
 * [::]:80 and 0.0.0.0:80 can stand side by side), unix:PATH, fd:NAME or fd:3 (net/inherited.h). On error -EINVAL (or -ENOENT for an
 * unknown host) and *why is a sentence that says what is allowed. */
int listen_addr_parse(const char *text, struct listen_addr *out, const char **why);
/* Its form alone: no name is looked up. */
int listen_addr_check(const char *text, const char **why);
/* What stands behind "fd:"; NULL: it is an address of another kind. */
const char *listen_addr_inherited(const char *text);
/* Whether one cannot listen at both, since they share addresses and a port. */
bool listen_addr_overlaps(const struct listen_addr *a, const struct listen_addr *b);

#endif
