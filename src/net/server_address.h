/*
 * net/server_address.h - where a server is, as configurations have it: HOST, HOST:PORT, [IPv6]:PORT or
 * unix:/FILE. Its form alone: no name is looked up.
 */
#ifndef NET_SERVER_ADDRESS_H
#define NET_SERVER_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

struct server_address {
	char host[256];   /* a name or an IP address, without brackets; "" for a unix socket */
	uint16_t port;    /* 0: it was not said */
	const char *path; /* of a unix socket, within the text; else NULL */
};

#define SERVER_ADDRESS "HOST, HOST:PORT, [IPv6]:PORT or unix:/FILE"

/* False: it is none. */
bool server_address_read(const char *text, struct server_address *out);

#endif
