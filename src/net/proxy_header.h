/*
 * net/proxy_header.h - the header by which a proxy says who its client is, before anything else on a
 * connection: the PROXY protocol of HAProxy, versions 1 (a line) and 2 (binary). Without I/O.
 *
 * Whoever reads it must not take an octet more than the header has, for what is behind it may be for
 * TLS: so it is said how many octets to take next.
 */
#ifndef NET_PROXY_HEADER_H
#define NET_PROXY_HEADER_H

#include "net/addr.h"

/* More than any proxy sends: 107 of a line; of version 2 addresses (216 at most) and some extensions,
 * which are passed over. */
#define PROXY_HEADER_MAX 1024

enum proxy_header_result { PROXY_HEADER_MORE, PROXY_HEADER_WHOLE, PROXY_HEADER_BAD };

struct proxy_header {
	/* WHOLE: the client; family 0 if the proxy speaks for itself (LOCAL), or does not know it */
	struct addr client;
	/* MORE: as many octets may be taken in all before this is to be called again. Where it is not
	 * known where the header ends these are those that are there: version 1 ends with the first
	 * LF, and nothing behind one may be taken */
	size_t wanted;
};

/* Looks at what was taken so far. */
enum proxy_header_result proxy_header_read(struct bytes in, struct proxy_header *out);
/* How many of the octets that wait may be taken, when `taken` were before. */
size_t proxy_header_take(struct bytes taken, struct bytes waiting);

#endif
