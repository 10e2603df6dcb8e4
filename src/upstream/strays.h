/*
 * upstream/strays.h - targets of connections that another process has handed over, and that no configuration here has:
 * they go on to their end, and count nowhere.
 */
#ifndef UPSTREAM_STRAYS_H
#define UPSTREAM_STRAYS_H

#include <pthread.h>

#include "base/bytes.h"
#include "upstream/target.h"

#define STRAYS_MAX 64

/* Zeroed before. */
struct strays {
	pthread_mutex_t lock;
	size_t count;
	struct target *all[STRAYS_MAX];
};

void strays_init(struct strays *s);
/* When no connection has one of them any more. */
void strays_fini(struct strays *s);
/* The one of this URL; it stays as long as the strays. Any thread. 0; -EINVAL: that is no URL; -ENOSPC: there are
 * as many as there may be; -ENOMEM. */
int strays_find(struct strays *s, struct bytes url, struct target **out);

#endif
