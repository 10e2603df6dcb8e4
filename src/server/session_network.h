/*
 * server/session_network.h - between sessions and what is known of the networks of their clients
 * (networks/networks.h): a session that opens gets its policy, and what is seen of it while it
 * lives and as it ends is evidence.
 */
#ifndef SERVER_SESSION_NETWORK_H
#define SERVER_SESSION_NETWORK_H

#include "server/server_private.h"

/* What a session begins with. */
struct network_begin {
	struct network_client client;
	struct network_policy policy;
};

/* False: a client from there is not served by this transport. An earlier session of the client that
 * he has given up for this one is doubted. */
bool session_network_admits(
    struct server_endpoint *ep, const struct transport_request *t, struct network_begin *begin);
/* endpoint_ops.no_handshake */
void session_network_no_handshake(const struct transport_request *t);
void session_network_begin(struct sockjs_session *s, const struct network_begin *begin);
/* It has opened. */
void session_network_said(const struct sockjs_session *s);
/* session_ops.sign */
void session_network_sign(struct session *base, enum session_sign sign);
/* It has ended. */
void session_network_over(struct sockjs_session *s);

#endif
