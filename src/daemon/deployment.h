/*
 * daemon/deployment.h - a configuration at work: what was read, and an application for each of its
 * endpoints. One is made at the start, and one with each reload, which takes over from the one before
 * whatever is the same.
 */
#ifndef DAEMON_DEPLOYMENT_H
#define DAEMON_DEPLOYMENT_H

#include "apps/running_app.h"
#include "daemon/cmdline.h"
#include "daemon/config.h"

struct server_config;

struct deployment {
	struct config config; /* as it was read; its error is that of what follows */
	struct running_app **apps; /* by endpoint; NULL: not started */
	void **renewals;           /* likewise, for those that go on: app->renew() */
};

/* Reads what the command line says, which has the last word, and checks it. `sets_log`: what is said on
 * the way is said as it wants the log. *out is there on an error too, with its sentence, unless memory is
 * out. 0, or -errno as config_check() has it. */
int deployment_read(struct deployment **out, const struct cmdline *cmd, bool sets_log);
/* Whether an error is the configuration's fault. A port that is taken may be free at the next try, a name may
 * be known and a directory be there. */
bool deployment_is_lasting(int err);
/* What it has is given back, but for what the server has. NULL is fine. */
void deployment_free(struct deployment *d);

/* Starts applications, and adds endpoints and addresses to the server's configuration. What `now` (NULL:
 * there is none) has as well is taken from it and from `elder`, the server's own of it. 0, or -errno
 * with a sentence; *is_usage: the configuration is to blame, not the moment. */
int deployment_build(struct deployment *d, struct running_apps *apps, struct server_config *c,
    const struct deployment *now, const struct server_config *elder, bool *is_usage);
/* Opens what is written and is not open yet, by who runs; likewise. */
int deployment_open(struct deployment *d, struct server_config *c,
    const struct server_config *elder, bool *is_usage);
/* The server is about to have it, if it can: in its first thread. */
void deployment_succeed(struct deployment *d, const struct deployment *before);
/* It has it, in place of `before` (NULL: of none): likewise. */
void deployment_taken(struct deployment *d, const struct deployment *before);
/* Whether all applications could be started, and operators would be known; leaves no trace. Likewise. */
int deployment_check(struct deployment *d, struct sockjs_server *server, bool *is_usage);

#endif
