/*
 * upstream/upstream_request.h - what a backend is asked for one session: which resource, in
 * whose name, with which headers.
 *
 * Made once, from what the client asked; written anew for each backend that is tried, since
 * some of it is the backend's own.
 */
#ifndef UPSTREAM_REQUEST_H
#define UPSTREAM_REQUEST_H

#include <stdbool.h>

#include "base/buf.h"
#include "upstream/target.h"
#include "ws/ws_client.h"

struct snapshot;

/* Strings are copied, each of a kind into one text. */
struct upstream_request {
	struct buf headers;      /* name NUL value NUL ... */
	struct buf subprotocols; /* token NUL ... */
	char *host;              /* NULL: the backend's own, from its URL */
	char *origin;            /* or NULL */
	char *path;              /* behind that of the URL; "" if none, else from '/' on */
	char *query;             /* without '?'; "" if none */
	uint64_t hash;           /* of who the client is */
	bool own_origin;     /* the one that belongs to the Host it is sent, instead of `origin` */
	bool offers;         /* the client itself offered the subprotocols */
	bool may_open_early; /* the client need not know what the backend says first */
};

struct upstream_request *upstream_request_new(void);
void upstream_request_free(struct upstream_request *r); /* NULL is fine */
int upstream_request_header(struct upstream_request *r, const char *name, const char *value);
int upstream_request_subprotocol(struct upstream_request *r, const char *token);

/* Writes it down; or makes one of what was (`r` is NULL then), NULL if that is wrong. */
struct upstream_request *upstream_request_snapshot(struct upstream_request *r, struct snapshot *s);

/* Begins the handshake with a backend: as ws_client_begin(). */
int upstream_request_begin(const struct upstream_request *r, const struct target *t,
    const struct ws_deflate_config *deflate, struct ws_client **handshake, struct buf *out);

#endif
