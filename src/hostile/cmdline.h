/*
 * hostile/cmdline.h - the command line of sockjs-hostile, and the rules on it.
 */
#ifndef HOSTILE_CMDLINE_H
#define HOSTILE_CMDLINE_H

#include "hostile/proxy.h"

enum exit_code {
	EXIT_STOPPED = 0, /* as asked */
	EXIT_RUNNING = 1, /* failed to start, or while running */
	EXIT_USAGE = 2,   /* the command line or a rule is wrong */
};

struct cmdline {
	const char *listen, *target, *control, *seed, *connections, *scenario, *log_level,
	    *log_format;
	bool anywhere, help, version, check;
	char **rules; /* arguments that are no options */
	int rule_count;
};

/* Rules are moved to the front of argv. False: a sentence on standard error has said what is
 * wrong. */
bool cmdline_parse(struct cmdline *cmd, int argc, char **argv);
void cmdline_print_help(void);

/* Reads the target, numbers, the scenario and all rules. An exit code; what is wrong was said. */
enum exit_code cmdline_apply(const struct cmdline *cmd, struct proxy *p);

#endif
