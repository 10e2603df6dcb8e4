/*
 * daemon/config_changes.h - what is different in a configuration that was read again, for those who
 * want to know what a reload has done; and that what only a restart can change stays as it is.
 */
#ifndef DAEMON_CONFIG_CHANGES_H
#define DAEMON_CONFIG_CHANGES_H

#include <jansson.h>

#include "daemon/config.h"

/* Compares, and gives `next` the values of `now` where another one needs a restart. `level` is that of
 * the log at the moment, which a command may have set. Returns an object of arrays, each with paths of
 * what is different: "changed", which goes at once; "new_sessions", which goes for those to come;
 * "restart", which has no effect yet; "added" and "removed", endpoints; "opened" and "closed",
 * addresses. NULL when memory is out. */
json_t *config_changes(struct config *next, const struct config *now, enum log_level level);

#endif
