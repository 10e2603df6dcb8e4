/*
 * daemon/config_error.h - how the parts of the configuration put their errors
 * into words; for config*.c and presets.c alone.
 */
#ifndef DAEMON_CONFIG_ERROR_H
#define DAEMON_CONFIG_ERROR_H

#include <stdarg.h>

#include "daemon/config.h"

#define CONFIG_SHOWN 80 /* octets of a wrong value that an error repeats */

/* Writes the sentence and returns `err`. */
int config_fail(struct config *c, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int config_no_memory(struct config *c);

#endif
