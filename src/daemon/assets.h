/*
 * daemon/assets.h - where --demo finds its pages and what they load, and who has no
 * configuration file the browser's half of SockJS.
 */
#ifndef DAEMON_ASSETS_H
#define DAEMON_ASSETS_H

#include <limits.h>
#include <stdbool.h>

#include "daemon/config.h"

/* Fill in www and stomp_library, and client_library, where they are not set, and log where they
 * were found. 0 or -ENOMEM; that nothing was found is a warning in the log. A library may stand
 * beside www, so that is looked for first. */
int assets_find_pages(struct config *c);
int assets_find_library(struct config *c);
/* Where the browser's half of SockJS is, for the page for operators. False: it is not here, which is
 * no misfortune, so nothing is said. */
bool assets_know_client(char path[PATH_MAX]);

#endif
