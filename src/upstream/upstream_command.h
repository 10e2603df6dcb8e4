/*
 * upstream/upstream_command.h - POST /api/backends: how the backends of an endpoint are doing.
 */
#ifndef UPSTREAM_COMMAND_H
#define UPSTREAM_COMMAND_H

#include "sockjs.h"
#include "upstream/balancer.h"

/* The names of the commands, and a NULL. */
extern const char *const upstream_commands[];
/* Answers one of them. */
void upstream_command(struct sockjs_command *c, const struct balancer *balancer, uint64_t now);

#endif
