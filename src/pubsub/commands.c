/*
 * pubsub/commands.c - the commands that a broker takes from outside: one row each.
 */
#include "pubsub/commands.h"

#include <stddef.h>
#include <string.h>

#include "sockjs.h"

/* X(name) */
#define COMMANDS(X)                                                                                \
	X(publish)                                                                                 \
	X(history)                                                                                 \
	X(users)                                                                                   \
	X(presence)                                                                                \
	X(disconnect)

const char *const pubsub_commands[] = {
#define X(name) #name,
	COMMANDS(X)
#undef X
	    NULL,
};

void pubsub_command(struct sockjs_command *c, void *broker)
{
	static void (*const fns[])(struct sockjs_command *, void *) = {
#define X(name) command_##name,
		COMMANDS(X)
#undef X
	};

	for (size_t i = 0; pubsub_commands[i]; i++) {
		if (strcmp(pubsub_commands[i], sockjs_command_name(c)) == 0) {
			fns[i](c, broker);
			return;
		}
	}
}
