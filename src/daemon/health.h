/*
 * daemon/health.h - `sockjsd health`: whether a server works, as an exit status, for containers and
 * scripts that have no client of HTTP.
 */
#ifndef DAEMON_HEALTH_H
#define DAEMON_HEALTH_H

#include "daemon/cmdline.h"

/* argv[0] is "health". */
enum exit_code health(int argc, char **argv);

#endif
