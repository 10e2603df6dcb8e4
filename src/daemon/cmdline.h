/*
 * daemon/cmdline.h - the command line of sockjsd, parsed but not yet obeyed.
 */
#ifndef DAEMON_CMDLINE_H
#define DAEMON_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/config.h"

enum exit_code {
	EXIT_STOPPED = 0, /* as asked */
	EXIT_RUNNING = 1, /* failed while running */
	EXIT_USAGE = 2,   /* the command line or the configuration is wrong */
};

#define CMDLINE_MAX_ADDRESSES 32

/* Strings point into argv; NULL where an option was not given. */
struct cmdline {
	const char *file;
	const char *upstream;
	const char *addresses[CMDLINE_MAX_ADDRESSES];
	size_t address_count;
	const char *internal;
	const char *threads;
	const char *www;
	const char *allowed_origins;
	const char *log_level;
	const char *log_format;
	bool demo, check_config, print_config;
	bool help, version, hash_password;
};

/* True, or false after a message on standard error: exit with EXIT_USAGE. */
bool cmdline_parse(struct cmdline *cmd, int argc, char **argv);
/* Lets the command line have the last word over a configuration. 0, -EINVAL with a sentence in
 * c->error, -ENOMEM. */
int cmdline_apply(const struct cmdline *cmd, struct config *c);
void cmdline_print_help(void);
void cmdline_print_version(void);

#endif
