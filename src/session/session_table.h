/*
 * session/session_table.h - session id to session, one table per endpoint.
 *
 * Shared by all reactors, in shards with a lock each. A session may be touched on
 * its own loop only; another reactor learns whose it is and sends mail, by id, not
 * by pointer. WebSocket sessions are not in here: an id may be used for several.
 */
#ifndef SESSION_TABLE_H
#define SESSION_TABLE_H

#include <stdbool.h>

#include "base/bytes.h"
#include "net/addr.h"
#include "net/loop.h"

struct session;
struct session_entry;
struct session_limits;
struct session_table;

/* NULL when memory is out. */
struct session_table *session_table_new(void);
/* Must be empty. NULL is fine. */
void session_table_free(struct session_table *t);

#define SESSION_TABLE_SHARES 16 /* a power of two */

struct session_found {
	struct loop *owner;
	struct session *session; /* only if the owner is the current loop; else NULL */
	/* That it goes by: of the endpoint it began with, to be compared alone */
	const struct session_limits *limits;
	bool open;               /* takes messages */
	bool paused;             /* its application has paused it */
};

/* Looks a session up by the id its client chose, for a request from `peer`. false: none, or it is
 * bound to another network. */
bool session_table_find(
    struct session_table *t, struct bytes id, const struct addr *peer, struct session_found *found);
/* Whether there is one, whoever may come to it. */
bool session_table_has(struct session_table *t, struct bytes id);
/* Calls fn with the ids of a share of all, from 0; false: it was the last share. `fn` may not touch the table. */
bool session_table_each_of(
    struct session_table *t, size_t share, void (*fn)(struct bytes id, void *arg), void *arg);
/* Puts a session under an id. 0, -EEXIST, -ENOMEM. It leaves by itself when it ends. */
int session_table_insert(
    struct session_table *t, struct bytes id, struct session *s, const struct addr *peer);

#endif
