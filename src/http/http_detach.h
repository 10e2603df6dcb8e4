/*
 * http/http_detach.h - takes the connection of a request away, for good or until it was answered.
 *
 * What the client has sent behind the request stays with the stream (stream_unread()): whoever
 * reads next reads that first.
 */
#ifndef HTTP_DETACH_H
#define HTTP_DETACH_H

#include "http/http_server.h"

struct http_detached {
	struct stream stream; /* wants nothing yet; its events are NULL */
	struct addr peer;
	bool keep_alive; /* after a complete response, http_server_give_back() is welcome; never
	                  * for HTTP/1.0, which would have to be told so */
};

/* 0 or -ENOMEM; then nothing has changed. */
int http_detach(struct http_request *r, struct http_detached *out);

/* Whether the client has sent something behind this request already. */
bool http_is_followed(const struct http_request *r);

#endif
