/*
 * server/command_turns.h - a command that takes several turns, of one reactor or of several one
 * after the other, so that none of them takes long.
 */
#ifndef SERVER_COMMAND_TURNS_H
#define SERVER_COMMAND_TURNS_H

#include "server/command.h"

/* A member of what the command keeps meanwhile. */
struct command_turns {
	struct sockjs_command *command;
	/* Its part of a turn: it answers, or goes on. */
	void (*turn)(struct command_turns *t);
	/* It cannot go on, and has been answered so: frees what it keeps. */
	void (*drop)(struct command_turns *t);
};

/* Goes on in the next turn of a reactor, also where it is already. */
void command_go_on(struct command_turns *t, unsigned reactor);

#endif
