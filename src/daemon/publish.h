/*
 * daemon/publish.h - `sockjsd publish`: a message for a broker that runs elsewhere in this machine
 * or network, by its internal address.
 */
#ifndef DAEMON_PUBLISH_H
#define DAEMON_PUBLISH_H

#include "daemon/cmdline.h"

/* With argv[0] "publish". */
enum exit_code publish(int argc, char **argv);

#endif
