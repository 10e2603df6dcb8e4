/*
 * server/handshake_private.h - between handshake.c and handshake_snapshot.c, which tells another process of a copy; for
 * them alone.
 */
#ifndef SERVER_HANDSHAKE_PRIVATE_H
#define SERVER_HANDSHAKE_PRIVATE_H

#include "server/handshake.h"

enum { GRANTED_MAX = 32 };

/* Strings for the application, which live as long as the handshake. */
struct scrap {
	struct scrap *next;
	char text[];
};

/* All strings are scraps of the copy, or live longer. */
struct kept_handshake {
	const char *transport, *path, *query, *origin, *host;
	bool is_tls, is_trusted;
	const char *subject, *fingerprint; /* NULL: no certificate */
	const char **offers;               /* and a NULL */
	struct sockjs_header *headers;     /* those that the application may see */
	size_t header_count;
	struct sockjs_header granted[GRANTED_MAX];
	size_t granted_count;
};

/* A scrap; NULL when memory is out. */
const char *handshake_scrap(struct sockjs_handshake *h, struct bytes b);
/* A copy of nothing yet. NULL when memory is out. */
struct sockjs_handshake *handshake_new_copy(struct server_endpoint *ep);

#endif
