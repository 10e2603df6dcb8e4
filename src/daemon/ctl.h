/*
 * daemon/ctl.h - `sockjsd ctl`: what operators ask of a server that runs, by its internal address.
 */
#ifndef DAEMON_CTL_H
#define DAEMON_CTL_H

#include "daemon/cmdline.h"

/* With argv[0] "ctl". */
enum exit_code ctl(int argc, char **argv);

#endif
