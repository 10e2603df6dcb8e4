/*
 * pubsub/commands.h - what a broker is asked from outside, on the internal address.
 */
#ifndef PUBSUB_COMMANDS_H
#define PUBSUB_COMMANDS_H

#include <jansson.h>

struct joined_asked;
struct sockjs_command;

/* For struct sockjs_callbacks. */
extern const char *const pubsub_commands[];
void pubsub_command(struct sockjs_command *c, void *broker);

/* command_publish.c, command_history.c, command_users.c, command_presence.c; `broker` is a struct
 * sockjs_broker. */
void command_publish(struct sockjs_command *c, void *broker);
void command_history(struct sockjs_command *c, void *broker);
void command_users(struct sockjs_command *c, void *broker);
void command_presence(struct sockjs_command *c, void *broker);
void command_disconnect(struct sockjs_command *c, void *broker);

/* Another gateway asks that of us; joined_answer() follows. */
void command_users_asked(struct joined_asked *a, const json_t *arguments);
void command_disconnect_asked(struct joined_asked *a, const json_t *arguments);

#endif
