/*
 * cluster/hop_request.h - a request as one gateway passes it on to another: as the client has sent it, but for what
 * is between two ends of one connection (RFC 9110 section 7.6.1), and with a line that says whose it is.
 *
 *	Sockjsd-Peer: SECRET client=192.0.2.1:4711 [tls] [proxied] [fingerprint=HEX subject=CN=ann,O=Example]
 *
 * The secret is that of the gateway it goes to, which knows by it that what follows is not just somebody's word.
 * What the client has asked for as a host is the request's Host.
 */
#ifndef CLUSTER_HOP_REQUEST_H
#define CLUSTER_HOP_REQUEST_H

#include "base/buf.h"
#include "cluster/gateway_card.h"
#include "http/http_request.h"

#define HOP_HEADER "Sockjsd-Peer"

/* Whose request it is; views. */
struct hop_client {
	struct addr address;
	struct bytes host;
	bool is_tls;
	bool is_proxied; /* a proxy speaks for it that the first gateway trusts */
	struct bytes subject, fingerprint; /* of its certificate; empty: none */
};

/* Appends it, with its body. 0 or -ENOMEM. */
int hop_request_add(
    struct buf *out, struct http_request *r, const struct hop_client *client, const char *secret);
/* The value of HOP_HEADER; the host is not in it. False: it is none, or not for whoever has this secret. */
bool hop_client_read(struct bytes value, const char *secret, struct hop_client *client);

#endif
