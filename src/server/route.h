/*
 * server/route.h - a request on its way from its URL to what answers it; for route.c,
 * which goes it, and the files that it calls.
 */
#ifndef SERVER_ROUTE_H
#define SERVER_ROUTE_H

#include "policy/forwarded.h"
#include "transports/transport.h"

#define PATH_ID_MAX 256 /* octets of a session id */

struct reactor;
struct server_endpoint;

struct route {
	struct reactor *reactor;
	struct http_request *http;
	struct http_client client;
	struct server_endpoint *endpoint; /* NULL: of none */
	struct bytes rest;                /* of the path behind its prefix */
	struct bytes path;                /* before SockJS's own part of that, the application's */
};

/* --- route_path.c -------------------------------------------------------- */

/* Takes "/segment" off the front of *rest. */
struct bytes path_take_segment(struct bytes *rest);
/* A server or session part: anything but nothing, dots, and what a path parameter begins with.
 * Decoded into `out`; 0 if it is not one. */
size_t path_decode_id(struct bytes raw, char out[PATH_ID_MAX]);
/* Takes what stands before SockJS's own part; false if nobody may ask for that. */
bool path_take_subpath(struct bytes *rest, struct bytes *path);

/* "/SERVER/SESSION/TRANSPORT" at the end of a path; empty if it is no session's. */
struct bytes path_session_tail(struct bytes path);

/* --- route_transport.c --------------------------------------------------- */

/* `session_id` is empty where the URL has none. */
void route_to_transport(
    const struct route *route, const struct transport *transport, struct bytes server_id, struct bytes session_id);
/* What is left of the path says which session, and which transport. */
void route_to_session(struct route *route);

/* --- answers.c ------------------------------------------------------------ */

/* A refusal by an endpoint carries what lets the page behind the request see it, if its origin may.
 */
void route_refuse(const struct route *route, unsigned status, const char *sentence);
/* Where every request of a page that may not connect ends. */
void route_refuse_origin(const struct route *route);
/* What it wants repeated does not fit into an answer. */
void route_refuse_long_header(const struct route *route);
/* Where every request for a host that is not ours ends. */
void route_refuse_host(const struct route *route);
/* 405 with what would do. */
void route_refuse_method(const struct route *route, const char *allow);

#endif
