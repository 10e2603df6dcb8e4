/*
 * http/http_detach.h - takes the connection of a request away, for good or until it was answered.
 *
 * What the client has sent behind the request stays with the stream (stream_unread()): whoever
 * reads next reads that first.
 */
#ifndef HTTP_DETACH_H
#define HTTP_DETACH_H

#include "http/http_server.h"

/* `to` (uninitialised memory) is the connection from now on, with these events, in `loop`: that of
 * the server, or NULL as for stream_move(). It wants nothing yet. The request is not looked at any
 * more. 0 or -ENOMEM; then nothing has changed. */
int http_detach(struct http_request *r, struct stream *to, struct loop *loop,
    const struct stream_events *on);

/* To be asked before it is detached: whether http_server_give_back() is welcome after a complete
 * response. Never for HTTP/1.0, which would have to be told so. */
bool http_comes_back(const struct http_request *r);

/* Whether the client has sent something behind this request already. */
bool http_is_followed(const struct http_request *r);

#endif
