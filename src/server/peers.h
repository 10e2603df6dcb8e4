/*
 * server/peers.h - requests of sessions that are at another gateway, for a server that has some (cluster/cluster.h).
 *
 *	peers_join.c  from options to a cluster
 *	peers.c       requests: whose they are, and which of them go elsewhere
 */
#ifndef SERVER_PEERS_H
#define SERVER_PEERS_H

#include "cluster/cluster.h"
#include "server/engine_setup.h"
#include "server/route.h"

struct api;
struct sockjs_server;

struct peers {
	struct engine_setup setup;
	char prefix[300]; /* of its subjects: those of no endpoint's broker */
	struct tls_context *tls;
	struct cluster *cluster; /* NULL: it does not run yet */
};

/* --- peers_join.c ----------------------------------------------------------------------------------- */

/* Before its reactors begin, with all of them there. Nothing if the server has not been joined. 0, or -errno with
 * sockjs_server_error(). */
int peers_attach(struct sockjs_server *server);
void peers_free(struct peers *p); /* NULL is fine */

/* --- peers.c ---------------------------------------------------------------------------------------- */

/* Who the client is: as another gateway says that has passed the request on, or as http_client_read(). NULL, or the
 * sentence of a 400. */
const char *peers_client(const struct reactor *reactor, const struct http_request *r, struct http_client *client);
/* The address alone, as far as it can be read. */
struct addr peers_client_address(const struct reactor *reactor, const struct http_request *r);
/* A request for a session, which may be a transport's in every respect. True: it is not for us, and dealt with. */
bool peers_take(const struct route *route, struct transport_request *t);
/* A message of a group, from another gateway: group_shared.c. */
void groups_take(struct sockjs_server *server, struct bytes name, struct bytes text);
/* A command, from another gateway: api_gateways.c. */
void api_asked(struct api *api, struct bytes body, struct bytes to);
/* Those that were shared before the server runs. */
void groups_attach(struct sockjs_server *server);
extern const struct cluster_ops peers_cluster_ops; /* without arg: the server */

#endif
