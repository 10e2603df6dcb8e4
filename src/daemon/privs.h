/*
 * daemon/privs.h - what the kernel lets the process do: descriptors, user, group.
 */
#ifndef DAEMON_PRIVS_H
#define DAEMON_PRIVS_H

#include "daemon/config.h"

/* Raises RLIMIT_NOFILE as far as allowed, and warns if limits.connections does not fit. */
void privs_raise_descriptors(const struct config *c);
/* Becomes c->user and c->group, for good; after binding, before any thread. Nothing to do if
 * neither is set. 0 or -errno with a sentence in c->error. */
int privs_drop(struct config *c);

/* How many descriptors there may be now. */
uint64_t privs_descriptors(void);

#endif
