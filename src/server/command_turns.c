/*
 * server/command_turns.c - a command that takes several turns; see command_turns.h.
 */
#include "server/command_turns.h"

#include "server/api.h"

struct step {
	struct command_turns *turns;
	bool has_run;
};

static void give_up(struct command_turns *t)
{
	command_no_memory(t->command);
	t->drop(t);
}

static void run(void *arg)
{
	struct step *step = arg;

	step->has_run = true;
	step->turns->turn(step->turns);
}

static void is_over(void *arg)
{
	const struct step *step = arg;

	if (!step->has_run)
		give_up(step->turns); /* the server has ended: nobody hears it */
}

void command_go_on(struct command_turns *t, unsigned reactor)
{
	struct step step = { t, false };

	if (sockjs_reactor_call(
	        t->command->api->server, reactor, run, is_over, &step, sizeof(step)) < 0)
		give_up(t);
}
