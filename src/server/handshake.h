/*
 * server/handshake.h - what an application sees of a client that asks for a session.
 *
 * As a rule it lives as long as the handshake callback. Whoever has to ask somebody else first
 * keeps a copy of it, and may add to it what he was told.
 */
#ifndef SERVER_HANDSHAKE_H
#define SERVER_HANDSHAKE_H

#include "server/server_private.h"

struct scrap;
struct kept_handshake;

struct sockjs_handshake {
	const struct transport_request *t; /* NULL in a copy */
	struct server_endpoint *endpoint;
	struct scrap *scraps;
	void *user;
	struct bytes subprotocol;    /* chosen; empty: none */
	struct kept_handshake *kept; /* NULL, but in a copy */
	const struct network_begin *network; /* likewise NULL there */
	char remote[ADDR_TEXT_MAX];
};

void handshake_fini(struct sockjs_handshake *h);
/* The i-th subprotocol that the client offers; p is NULL after the last. */
struct bytes handshake_offer(const struct sockjs_handshake *h, size_t i);
/* The names of the headers that an application may see, whether the request has them or not. */
const struct string_list *handshake_shown_headers(const struct sockjs_handshake *h);
/* The request itself; NULL by raw TCP, and in a copy. */
const struct http_request *handshake_request(const struct sockjs_handshake *h);
/* The application did not choose: the first of the endpoint's own list that the client offers. */
void handshake_select_by_list(struct sockjs_handshake *h);

/* A copy that answers all that the handshake can be asked. NULL when memory is out. */
struct sockjs_handshake *handshake_keep(const struct sockjs_handshake *h);
void handshake_free(struct sockjs_handshake *kept); /* NULL is fine */
/* Writes a copy down, or makes one of what was; NULL if that is wrong. Before it was granted anything. */
struct snapshot;
struct sockjs_handshake *handshake_snapshot(
    struct sockjs_handshake *kept, struct snapshot *s, struct server_endpoint *ep);
/* Gives a copy a header, as if the client's request had it alone, and the application might see it.
 * 0; -EINVAL: no name or value of a header; -ENOSPC: too many; -ENOMEM. */
int handshake_grant(struct sockjs_handshake *kept, const char *name, const char *value);
/* Whether it was given one of that name; the i-th of those, or NULL. */
bool handshake_is_granted(const struct sockjs_handshake *h, const char *name);
const struct sockjs_header *handshake_granted(const struct sockjs_handshake *h, size_t i);

#endif
