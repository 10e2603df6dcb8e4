/*
 * net/connector_private.h - what the two files of the connector share: connector.c is what it does,
 * connector_servers.c the list of those to whom.
 */
#ifndef NET_CONNECTOR_PRIVATE_H
#define NET_CONNECTOR_PRIVATE_H

#include "net/addresses.h"
#include "net/connector.h"

enum { CONNECTOR_NAME_BYTES = 300 };

struct connector_place {
	struct list node;
	struct connector_server server; /* its strings are in `text` */
	struct known_addresses known;
	const char *name;
	bool is_listed;
	bool has_failed; /* in this round */
	char text[];
};

/* --- connector_servers.c ------------------------------------------------------------ */

/* The first behind the last one that has not failed in this round; that one itself comes last. */
struct connector_place *connector_next_place(const struct connector *c);
void connector_mark_all(struct connector *c, bool has_failed);
/* It is not at any. */
void connector_leave_place(struct connector *c);
/* The list is empty. The one that it is at outlives its place there. */
void connector_drop_places(struct connector *c);

/* --- connector.c -------------------------------------------------------------------- */

/* The list is another one, and may have some that are new. */
void connector_settle(struct connector *c, bool has_new);

#endif
