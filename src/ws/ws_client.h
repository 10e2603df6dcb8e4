/*
 * ws/ws_client.h - the client's side of the opening handshake (RFC 6455 section
 * 4.1), without I/O: writes a request, then reads the answer as it comes, in
 * whatever pieces, and decides.
 *
 * A handshake is one object on the heap, which its owner frees when he has read the
 * outcome: an open connection keeps nothing of it. Time is the owner's too, and so is
 * a peer that hangs up before there is an outcome.
 */
#ifndef WS_CLIENT_H
#define WS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "ws/ws_handshake.h"
#include "ws/ws_negotiation.h"

#define WS_INTERIM_MAX 8 /* 1xx answers before the final one */
#define WS_PHRASE_MAX  63
#define WS_COOKIES_MAX                                                                             \
	16 /* Set-Cookie headers of an answer; what comes behind them is left out                  \
	    */

struct ws_client_request {
	struct bytes host; /* as it is to stand in the header: with the port, if not the default */
	struct bytes target;              /* path and query, from '/' on */
	struct bytes origin;              /* empty: no such header */
	const struct bytes *subprotocols; /* in order of preference */
	size_t subprotocol_count;
	const struct ws_request_header *headers; /* others: X-Forwarded-For and so on */
	size_t header_count;
	const struct ws_deflate_config *deflate; /* NULL or not enabled: no extension is offered */
};

enum ws_client_state {
	WS_CLIENT_WAITING, /* for more of the answer */
	WS_CLIENT_OPEN,    /* what follows the answer are frames */
	WS_CLIENT_REFUSED, /* by a well-formed answer that is not 101; redirections are not followed
	                    */
	WS_CLIENT_FAILED,  /* what came is no answer, or not one to what we asked */
};

/* Fields are set for the states named, and else 0 or NULL. */
struct ws_client_outcome {
	enum ws_client_state state;
	/* OPEN, REFUSED */
	const char *cookies; /* the values of Set-Cookie, a NUL behind each, and behind the last;
	                      * NULL: none. Lives as long as the ws_client */
	/* OPEN */
	const char *subprotocol; /* of those offered; NULL: the server chose none. Lives as long as
	                          * the ws_client */
	struct ws_deflate_params deflate;
	/* REFUSED */
	unsigned status;                /* 200 to 599 */
	char phrase[WS_PHRASE_MAX + 1]; /* the server's words for it, cut: printable ASCII */
	bool has_retry_after;
	unsigned retry_after_s; /* a date is not understood; what is longer than a year is a year */
	/* FAILED */
	const char *sentence; /* what is wrong */
};

struct ws_client;

/* Begins a handshake with a fresh key: appends the request to `out`. What `req` points at is
 * copied. 0 and *client, which is to be freed; -ENOMEM, -EINVAL: then `out` is as it was.
 *
 * -EINVAL is said to whatever would make the request say something else than was meant: a control
 * character (but for a tab) in a value; a blank, or an octet that is not ASCII, in host, target or
 * origin; a name or subprotocol that is no token, a subprotocol that stands twice, or more than
 * WS_SUBPROTOCOLS_MAX; among the other headers one that is written here (Host, Origin, Upgrade,
 * Connection, Sec-WebSocket-*) or that promises a body (Content-Length, Transfer-Encoding). */
int ws_client_begin(
    struct ws_client **client, const struct ws_client_request *req, struct buf *out);

/* Takes n bytes of the answer, and returns how many of them belong to it: all, while the state is
 * WS_CLIENT_WAITING; once it is WS_CLIENT_OPEN, what is left are the first frames. Memory that is
 * out fails the handshake, and has its sentence as everything has. Takes nothing after that. */
size_t ws_client_feed(struct ws_client *c, const char *p, size_t n);

const struct ws_client_outcome *ws_client_outcome(const struct ws_client *c);

void ws_client_free(struct ws_client *c); /* NULL is fine */

#endif
