/*
 * daemon/privs.h - what the kernel lets the process do: descriptors, user, group.
 */
#ifndef DAEMON_PRIVS_H
#define DAEMON_PRIVS_H

#include "daemon/config.h"

/* Descriptors that limits.connections clients may take, as this configuration serves them. */
uint64_t privs_descriptors_needed(const struct config *c);
/* Raises RLIMIT_NOFILE as far as allowed, and warns if limits.connections does not fit. */
void privs_raise_descriptors(const struct config *c);
/* Whether c->user and c->group are known here. 0; -EINVAL, or -EAGAIN if that could not be found
 * out, with a sentence in c->error. */
int privs_check(struct config *c);
/* Takes their rights for a moment, if we are root, to see what they may; before any thread. Then
 * privs_return() must follow. 0 or -errno with a sentence. */
int privs_borrow(struct config *c);
void privs_return(void);
/* Becomes c->user and c->group, for good; after binding, before any thread. Nothing to do if
 * neither is set. 0 or -errno with a sentence in c->error. */
int privs_drop(struct config *c);

/* How many descriptors there may be now. */
uint64_t privs_descriptors(void);

#endif
