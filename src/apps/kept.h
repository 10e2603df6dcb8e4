/*
 * apps/kept.h - what the small applications keep of a session for another process: their name, so that it does not become a
 * session of another application there, and some octets.
 */
#ifndef APPS_KEPT_H
#define APPS_KEPT_H

#include "sockjs.h"

/* For the callback save. 0 or -ENOMEM. */
int kept_put(struct sockjs_saved *to, const char *app, const void *p, size_t n);
/* For the callback restore: whether it is of this application; its octets, so many, are copied to `p`. */
int kept_get(struct sockjs_saved *from, const char *app, void *p, size_t n);

#endif
