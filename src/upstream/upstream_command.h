/*
 * upstream/upstream_command.h - POST /api/backends: how the backends of an endpoint are doing; POST
 * /api/backend: what is to become of one of them.
 */
#ifndef UPSTREAM_COMMAND_H
#define UPSTREAM_COMMAND_H

#include "sockjs.h"
#include "upstream/balancer.h"

/* The names of the commands, and a NULL. */
extern const char *const upstream_commands[];
/* Answers one of them. True: sessions are to be closed now, by upstream_reactor_part() in every
 * reactor. */
bool upstream_command(struct sockjs_command *c, struct balancer *balancer, uint64_t now);

#endif
