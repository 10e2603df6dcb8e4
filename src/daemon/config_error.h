/*
 * daemon/config_error.h - how the parts of the configuration put their errors
 * into words; for config*.c and presets.c alone.
 */
#ifndef DAEMON_CONFIG_ERROR_H
#define DAEMON_CONFIG_ERROR_H

#include <stdarg.h>

#include "daemon/config.h"

enum {
	CONFIG_SHOWN = 80,       /* octets of a wrong value that an error repeats */
	CONFIG_SHOWN_FILE = 300, /* of a file's name, whose end tells most */
	CONFIG_WHERE = 48, /* for the path of an object, "endpoints[0].upstream", with its NUL */
	CONFIG_KEY = 80,   /* for that of a key in it */
};

/* Writes the sentence and returns `err`. */
int config_fail(struct config *c, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with the source of the configuration and the path of a key before it. A key such as "-l"
 * is of the command line, and stands alone. */
int config_blame(struct config *c, int err, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* How errors call the i-th listener: "listen[0]", or "-l". */
void config_listener_path(const struct config *c, size_t i, char path[CONFIG_WHERE]);
int config_no_memory(struct config *c);

#endif
