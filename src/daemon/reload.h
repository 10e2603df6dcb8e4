/*
 * daemon/reload.h - reads the configuration again while the server runs: SIGHUP, POST /api/reload.
 *
 * A thread of its own reads and checks, starts what is new and binds addresses; clients are served
 * meanwhile. What is wrong changes nothing. Then the server takes all of it over at once
 * (server/reload.h).
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include "daemon/deployment.h"

struct reloader;

/* `now` is what goes at first, and taken over. It is run with the command line it was begun with, which
 * is to stay. NULL when memory is out (and `now` is not taken). */
struct reloader *reloader_new(struct sockjs_server *server, struct running_apps *apps,
    const struct cmdline *cmd, struct deployment *now);
/* In the thread of sockjs_server_run(). Who asks by a command is answered when it is done; NULL: it was
 * a signal. */
void reloader_begin(struct reloader *r, struct sockjs_command *asker);
/* What goes now. Likewise. */
struct deployment *reloader_now(struct reloader *r);
/* After the server has ended, before its applications stop: waits for what is under way, which is given
 * up. NULL is fine; so it is here: */
void reloader_join(struct reloader *r);
void reloader_free(struct reloader *r);

#endif
