/*
 * upstream/upstream_conn.h - one session's WebSocket to a backend: dialled by us, in the
 * reactor of the session, with the codec in its client role.
 *
 *	resolve --> connect --> [TLS] --> handshake --> open --> closing
 *
 * A connection outlives its session by as long as the closing handshake takes.
 */
#ifndef UPSTREAM_CONN_H
#define UPSTREAM_CONN_H

#include <pthread.h>

#include "base/buf.h"
#include "base/list.h"
#include "net/dialer.h"
#include "net/resolver.h"
#include "sockjs.h"
#include "upstream/upstream_request.h"
#include "upstream/upstream_settings.h"
#include "ws/ws_conn.h"

struct upstream_conn;

/* The addresses of a target, as long as DNS lets us keep them. */
struct known_addresses {
	struct addr addrs[RESOLVER_ADDRS_MAX];
	size_t count, next;
	uint64_t until;
};

/* One reactor's share. */
struct upstream_reactor {
	struct upstream_settings *settings;
	struct loop *loop;
	struct resolver *resolver;
	struct list conns;
	struct known_addresses *known; /* one for each target */
	struct ws_deflate *deflate;
	/* Frames for one backend, which leave together at the end of the turn */
	struct buf out;
	struct upstream_conn *out_conn;
	struct deferred out_deferred;
	struct buf pongs; /* for the backend that is being read */
};

int upstream_reactor_init(struct upstream_reactor *reactor, struct upstream_settings *settings);
/* Ends every connection at once. What they deferred runs when the loop goes. */
void upstream_reactor_fini(struct upstream_reactor *reactor);

/* A connection for a session on hold; takes the request over, also on error. NULL when memory is
 * out. The session is accepted or refused later, from the loop. */
struct upstream_conn *upstream_conn_new(struct upstream_reactor *reactor,
    struct sockjs_session *session, struct upstream_request *request);
/* From the client: to the backend. */
void upstream_conn_send(struct upstream_conn *uc, const struct sockjs_message *m);
/* The session is open. */
void upstream_conn_client_open(struct upstream_conn *uc);
/* There is room on the way to the client again. */
void upstream_conn_client_writable(struct upstream_conn *uc);
/* The session is over; so is the connection, soon. */
void upstream_conn_client_closed(struct upstream_conn *uc, unsigned code, const char *reason);
/* Octets that it holds, for the backend and of it. */
size_t upstream_conn_held(const struct upstream_conn *uc);

#endif
