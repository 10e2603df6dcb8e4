/*
 * daemon/assets.h - where --demo finds its pages and the browser's half of SockJS.
 */
#ifndef DAEMON_ASSETS_H
#define DAEMON_ASSETS_H

#include "daemon/config.h"

/* Fills in www and client_library where they are not set, and logs where they were found. 0 or
 * -ENOMEM; that nothing was found is a warning in the log. */
int assets_find(struct config *c);

#endif
