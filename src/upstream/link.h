/*
 * upstream/link.h - one session's WebSocket to a backend: dialled by us, in the
 * reactor of the session, with the codec in its client role.
 *
 *	resolve --> connect --> [TLS] --> handshake --> open --> closing
 *
 * A link outlives its session by as long as the closing handshake takes.
 */
#ifndef UPSTREAM_LINK_H
#define UPSTREAM_LINK_H

#include <pthread.h>

#include "base/buf.h"
#include "base/list.h"
#include "net/dialer.h"
#include "net/resolver.h"
#include "sockjs.h"
#include "upstream/link_request.h"
#include "upstream/pool.h"
#include "ws/ws_client.h"
#include "ws/ws_conn.h"

struct link;

enum binary_policy { BINARY_CLOSE, BINARY_BASE64 };

/* What a configuration says; shared by all reactors, read-only but for the pool. */
struct upstream_settings {
	struct pool pool;
	struct ws_conn_limits limits;
	struct ws_deflate_config deflate;
	enum binary_policy binary;  /* what becomes of binary messages for SockJS clients */
	size_t send_buffer_bytes;   /* to the backend */
	size_t client_buffer_bytes; /* to the client */
	unsigned open_after_ms;     /* before the backend has answered; 0: never */
	unsigned connect_timeout_ms, close_timeout_ms, ping_interval_ms, pong_timeout_ms;
};

/* The addresses of a target, as long as DNS lets us keep them. */
struct known_addresses {
	struct addr addrs[RESOLVER_ADDRS_MAX];
	size_t count, next;
	uint64_t until;
};

/* One reactor's share. */
struct upstream_part {
	struct upstream_settings *settings;
	struct loop *loop;
	struct resolver *resolver;
	struct list links;
	struct known_addresses *known; /* one for each target */
	struct ws_deflate *deflate;
	/* Frames for one backend, which leave together at the end of the turn */
	struct buf out;
	struct link *out_link;
	struct deferred out_deferred;
	struct buf pongs; /* for the backend that is being read */
};

int upstream_part_init(struct upstream_part *part, struct upstream_settings *settings);
/* Ends every link at once. What they deferred runs when the loop goes. */
void upstream_part_fini(struct upstream_part *part);

/* A link for a session on hold; takes the request over, also on error. NULL when memory is out. The
 * session is accepted or refused later, from the loop. */
struct link *link_new(
    struct upstream_part *part, struct sockjs_session *session, struct link_request *request);
/* From the client: to the backend. */
void link_send(struct link *l, const struct sockjs_message *m);
/* The session is open. */
void link_client_open(struct link *l);
/* There is room on the way to the client again. */
void link_client_writable(struct link *l);
/* The session is over; so is the link, soon. */
void link_client_closed(struct link *l, unsigned code, const char *reason);
/* Octets that it holds, for the backend and of it. */
size_t link_held(const struct link *l);

#endif
