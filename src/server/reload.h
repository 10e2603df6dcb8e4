/*
 * server/reload.h - another configuration for a server that runs.
 *
 *	reload_begin()    beside the one of the moment; endpoints and addresses are added to it,
 *	                  where they are the same with what the elder has
 *	reload_commit()   all reactors take it, each between two events; or reload_abandon(): nothing
 *	                  has happened
 *
 * Sessions go on with what they began with. An endpoint that is not there any more goes on for those
 * it has. Addresses are bound before others are closed.
 *
 * One at a time. Of these only reload_elder() and reload_commit() have to be called in the thread of
 * sockjs_server_run(); reading files and names would hold that up.
 */
#ifndef SERVER_RELOAD_H
#define SERVER_RELOAD_H

#include "server/server_config.h"

/* A reference to what goes now. */
struct server_config *reload_elder(struct sockjs_server *server);
/* Likewise, to one that is to come: to be filled as server_config.h has it. 0, or -errno with
 * sockjs_server_error(). */
int reload_begin(struct server_config **out, struct sockjs_server *server,
    const struct sockjs_options *o);
/* Takes the reference. `done` is called in this thread, when all reactors have it. 0; -ESHUTDOWN: the
 * server is about to stop; -ENOMEM: then nothing has happened, and the reference is gone as well. */
int reload_commit(struct server_config *c, void (*done)(void *arg), void *arg);
void reload_abandon(struct server_config *c); /* NULL is fine */

#endif
