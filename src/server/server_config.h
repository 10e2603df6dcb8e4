/*
 * server/server_config.h - what a server goes by: its options, whom it believes and answers, its
 * endpoints and addresses. One object, which nobody changes any more once a reactor has it. For this
 * folder alone.
 *
 * It is made while the server does not run yet, or beside one that runs (reload.c); then each
 * reactor takes it in place of the one before, between two events. So within one call nothing
 * changes, and whoever lives longer holds what he needs of it by a reference of his own: a session
 * its endpoint, a connection its TLS.
 */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include <stdatomic.h>

#include "policy/forwarded.h"
#include "policy/hosts.h"
#include "files/static_files.h"
#include "net/listener.h"
#include "net/tls_server.h"
#include "net/visitors.h"
#include "networks/networks.h"
#include "server/options.h"
#include "server/server_logs.h"
#include "transports/transport.h"

struct operators;
struct quotas;
struct server_endpoint;
struct server_listener;

struct server_config {
	atomic_uint refs;
	struct sockjs_server *server;
	struct sockjs_options options;
	struct http_limits http_limits;
	struct http_trust trust;
	struct http_hosts hosts, internal_hosts;
	struct http_static *files; /* NULL: none */
	struct server_endpoint **endpoints;
	size_t endpoint_count;
	/* Those of earlier configurations that some session goes by, the youngest first; held */
	struct server_endpoint **elders;
	size_t elder_count;
	struct server_listener **listeners;
	size_t listener_count;
	struct server_logs logs; /* opened once the rights to more are given up */
	struct quotas *visitors; /* the server's own; NULL: nothing is limited by address */
	struct visitor_prefixes prefixes; /* whom it takes for one of them */
	struct operators *operators; /* those who may give commands; NULL: nobody may */
};

/* One reference; without endpoints and addresses yet. 0, or -errno with sockjs_server_error(). */
int server_config_new(
    struct server_config **out, struct sockjs_server *server, const struct sockjs_options *o);
struct server_config *server_config_ref(struct server_config *c);
void server_config_unref(struct server_config *c); /* NULL is fine */

/* What one endpoint or address goes by: what the server was given for all, and over it `o`. 0, or
 * -errno with sockjs_server_error(). */
int server_config_merge(struct server_config *c, struct sockjs_options *out,
    const struct sockjs_options *o, enum option_scope scope);
/* What it goes by if nothing of that holds for it: `o` (NULL: defaults) alone. Likewise. */
int server_config_merge_apart(struct server_config *c, struct sockjs_options *out,
    const struct sockjs_options *o, enum option_scope scope);
/* Opens the logs of sessions and requests that its options want; those that `elder` (NULL: there is none)
 * has as well are the same. Likewise; harmless the second time. */
int server_config_open_logs(struct server_config *c, const struct server_config *elder);
/* Reads who may give commands, if anybody may. Likewise. */
int server_config_read_operators(struct server_config *c);
/* Whether that would succeed, with these options; leaves no trace. As that. */
int server_config_check_operators(struct sockjs_server *server, const struct sockjs_options *o);

/* Whether commands are taken: then whatever they ask for is kept, and the dashboard asks who comes. */
static inline bool server_config_takes_commands(const struct server_config *c)
{
	return c->operators != NULL;
}

/* --- endpoints ---------------------------------------------------------- */

/* What all objects of one prefix share, as one follows the other: a session is found by its id
 * whichever of them it began with. */
struct endpoint_place {
	atomic_uint refs;
	struct session_table *table;
	struct networks *networks; /* of clients */
	atomic_uint_fast64_t sessions;
	struct {
		atomic_uint_fast64_t now, opened; /* open sessions, by their transport's place */
	} carried[SESSION_TRANSPORTS_MAX + 1];
	size_t prefix_len;
	char prefix[];
};

/* Whose application an endpoint has; told when nobody uses it any more, on any thread. */
struct endpoint_keeper {
	void (*leave)(void *arg); /* NULL: nobody wants to know */
	void *arg;
};

/* It counts its references (base.refs), and among these its users, by whom its application may be called:
 * configurations that offer it, its sessions, commands. Its keeper is told when there are none. */
struct server_endpoint {
	struct endpoint base; /* what transports see */
	atomic_uint users;
	struct sockjs_server *server;
	struct endpoint_place *place;
	struct network_settings networks;
	struct sockjs_options *own_options;
	struct endpoint_options options; /* of own_options */
	struct sockjs_callbacks callbacks;
	void *app;
	struct endpoint_keeper keeper;
	bool is_internal; /* for operators: no address is limited */
	/* It is no more in what the server was told, and there for the sessions of its elders */
	bool is_leaving;
	const char *prefix; /* the place's */
	size_t prefix_len;
	char *iframe; /* the page, with its length, who may frame it, and an ETag of both */
	size_t iframe_len;
	char *iframe_lines;
	size_t iframe_lines_len;
	char iframe_etag[24];
};

/* What is given for a new one. */
struct endpoint_wish {
	const char *prefix;
	const struct sockjs_callbacks *callbacks;
	void *app;
	const struct sockjs_options *options; /* over those for all */
	struct endpoint_keeper keeper;
};

/* One more, in the place of an older one of the same prefix, if there is one in `elder`. 0, or
 * -errno with sockjs_server_error(); then the keeper is not called. */
int server_config_add_endpoint(struct server_config *c, const struct endpoint_wish *wish,
    const struct server_config *elder);
/* One user more, or less; with a reference. */
void endpoint_hold(struct server_endpoint *ep);
void endpoint_release(struct server_endpoint *ep);
/* One that another configuration has, as it is. 0 or -ENOMEM. */
int server_config_share_endpoint(struct server_config *c, struct server_endpoint *ep);
/* One that is in no configuration, with these options and none of those for all; NULL when memory is
 * out. One reference. */
struct server_endpoint *endpoint_new_apart(
    struct server_config *c, const struct endpoint_wish *wish);
/* Goes on for those who have sessions at endpoints of the one before that are not in this one: with
 * their options, and where nobody else finds anything any more. 0 or -ENOMEM. */
int server_config_follow(struct server_config *c, const struct server_config *elder);
/* By its prefix; NULL: there is none. */
struct server_endpoint *server_config_endpoint(const struct server_config *c, const char *prefix);

/* --- addresses ---------------------------------------------------------- */

/* Sockets bound to one address, one for each reactor: all before privileges are dropped. */
struct listen_place {
	atomic_uint refs;
	struct listen_socket *sockets;
	unsigned socket_count;
	char *address; /* as it was given */
};

struct server_listener {
	atomic_uint refs; /* of configurations */
	struct listen_place *place;
	struct sockjs_options own_options;
	struct tls_server *tls;           /* NULL: plain */
	struct server_endpoint *endpoint; /* of raw TCP; NULL: HTTP, for all */
	bool is_internal;                 /* for operators: internal.c, and reactor 0 alone */
	bool is_proxied;                  /* a header says who comes: proxied.c */
	char url[160];
};

/* One more. What an address of `elder` (NULL: there is none) has as well is taken from it: its
 * sockets, its certificates, or all of it. 0, or -errno with sockjs_server_error(). */
int server_config_listen(struct server_config *c, const char *address,
    const struct sockjs_options *o, const struct server_config *elder);
/* Likewise, for operators, once it is known who they are. What the server was given for all addresses
 * does not hold there. */
int server_config_listen_internal(struct server_config *c, const char *address,
    const struct sockjs_options *o, const struct server_config *elder);
/* Whether one of its listeners is there. */
bool server_config_has_place(const struct server_config *c, const struct listen_place *place);
struct server_listener *server_listener_ref(struct server_listener *l);
void server_listener_unref(struct server_listener *l); /* NULL is fine */

#endif
