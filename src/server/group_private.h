/*
 * server/group_private.h - between group.c and group_shared.c.
 */
#ifndef SERVER_GROUP_PRIVATE_H
#define SERVER_GROUP_PRIVATE_H

#include "server/server_private.h"

struct group_part;

struct sockjs_group {
	struct sockjs_server *server;
	atomic_uint refs; /* the owner's, each member's, each mail's */
	atomic_size_t size;
	struct group_part *parts;
	unsigned part_count;
	unsigned owner; /* the reactor in which its messages get their order */
	struct list shared;   /* server->shared_groups */
	_Atomic(char *) name; /* by which others know it; NULL: it is of this gateway alone */
};

void group_ref(struct sockjs_group *g);
void group_unref(struct sockjs_group *g);
/* A message of another gateway, to members here. As sockjs_group_send(). */
int group_deliver(struct sockjs_group *g, struct bytes text);

/* --- group_shared.c ----------------------------------------------------------------------------------- */

/* It is about to be freed. */
void group_unshare(struct sockjs_group *g);
/* Whether there are others, and a message is for them as well: they get it. In the owner's reactor. */
void group_send_to_others(const struct sockjs_group *g, const struct message *m);

#endif
