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
#include "net/addresses.h"
#include "upstream/upstream_request.h"
#include "upstream/upstream_settings.h"
#include "ws/ws_conn.h"

struct snapshot;
struct upstream_conn;

/* What a reactor has of one target. */
struct target_share {
	struct known_addresses known;
	struct list conns; /* open ones */
	size_t count;      /* of these */
};

/* One reactor's share. */
struct upstream_reactor {
	struct upstream_settings *settings;
	struct loop *loop;
	struct resolver *resolver;
	struct list conns;            /* in the making, or on their way out */
	struct target_share *targets; /* one for each */
	struct ws_deflate *deflate;
	/* Frames for one backend, which leave together at the end of the turn */
	struct buf out;
	struct upstream_conn *out_conn;
	struct deferred out_deferred;
	struct buf pongs; /* for the backend that is being read */
	/* Behind what each message needs */
	struct timer parting;  /* some targets are to lose their sessions */
	struct checks *checks; /* NULL: they are in another reactor, or there are none */
};

int upstream_reactor_init(struct upstream_reactor *reactor, struct upstream_settings *settings);
/* Whether it has no connections. */
bool upstream_reactor_is_idle(const struct upstream_reactor *reactor);
/* Ends every connection at once, and the checks. What they deferred runs when the loop goes, or in
 * its next turn. Harmless the second time. */
void upstream_reactor_fini(struct upstream_reactor *reactor);

/* Begins the checks of all targets; in one reactor. 0 or -errno. */
int upstream_reactor_check(struct upstream_reactor *reactor);
/* Sessions of targets that are to lose them (target->parting_until) are closed, a few at a time. */
void upstream_reactor_part(struct upstream_reactor *reactor);

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

/* --- for another process: upstream_snapshot.c ----------------------------------------- */

/* Writes the connection of a session down, or makes one from what was, for this session in this reactor. NULL: it has
 * none. 0, or -errno: the snapshot is wrong, or, though it is not, nobody can go on with it. */
int upstream_conn_snapshot(struct upstream_conn **uc, struct snapshot *s,
    struct upstream_reactor *reactor, struct sockjs_session *session);
/* What a reactor has without sessions. */
void upstream_reactor_snapshot(struct upstream_reactor *reactor, struct snapshot *s);

#endif
