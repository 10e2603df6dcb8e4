/*
 * server/restart.h - a server hands over to another process, or takes over from one
 * (doc/decisions/010-a-restart-hands-everything-over.md). What the files of it share; sockjs.h and internal.h have
 * what others see.
 *
 *	restart_out.c      the old process: listeners, the standstill, the word that decides
 *	restart_in.c       the new one
 *	restart_state.c    what a reactor has, in both directions
 *	restart_session.c  a session among that
 *	restart_channel.h  what the two say to each other
 */
#ifndef SERVER_RESTART_H
#define SERVER_RESTART_H

#include "base/snapshot.h"
#include "server/server_private.h"

/* --- restart_out.c ------------------------------------------------------------------------------ */

/* Whether all reactors are to stand still; asked between two turns. */
bool restart_stops(const struct sockjs_server *server);
/* In each reactor: stands still with all others until it is known who goes on. True: this process does not; its
 * connections are closed here, and nothing of the reactor may be touched any more. */
bool restart_stand_still(struct reactor *r);
/* In the first thread, when all is handed over: carries on what could not be, until that has ended. */
void restart_carry(struct sockjs_server *server);
/* It comes to nothing, since the server stops. */
void restart_cancel(struct sockjs_server *server);
bool restart_is_over(const struct sockjs_server *server);

/* --- restart_in.c -------------------------------------------------------------------------------- */

/* In each reactor before its first turn: what it gets. 0; -errno: nothing was taken over, and the server must not run. */
int restart_take(struct reactor *r);
/* Sockets that listen at this address already, for `wanted` reactors. False: none were handed over. */
bool restart_take_place(struct sockjs_server *server, struct listen_place *place, unsigned wanted);
/* Why nothing was taken over; 0: it was, or nothing was to be. */
int restart_in_error(struct sockjs_server *server);
void restart_in_free(struct sockjs_server *server);

/* --- restart_state.c ------------------------------------------------------------------------------ */

/* What applications keep without a session comes first: reading, that of all reactors before the rest of any. */
void reactor_applications_snapshot(struct reactor *r, struct snapshot *s);
/* The rest. */
void reactor_snapshot(struct reactor *r, struct snapshot *s);
/* Writing, when all is handed over: what is left to this process ends. */
void reactor_forget(struct reactor *r);
/* By its prefix, among those of the configuration; NULL: there is none. */
struct server_endpoint *restart_find_endpoint(const struct reactor *r, struct bytes prefix);

/* --- saved.c ---------------------------------------------------------------------------------------- */

/* What its application keeps of a session, or (NULL) without one. Whether it does. */
bool saved_write(
    const struct server_endpoint *ep, struct sockjs_session *session, struct snapshot *s);
/* Whether it goes on with that; `ep` may be NULL. */
bool saved_read(const struct server_endpoint *ep, struct sockjs_session *session, struct snapshot *s);

/* --- restart_session.c ---------------------------------------------------------------------------- */

/* Whether another process may go on with it. */
bool restart_may_go_on(const struct session *s);
/* Reading, `s` is NULL. */
void sockjs_session_snapshot(struct sockjs_session *s, struct snapshot *snapshot, struct reactor *r);

#endif
