/*
 * http/http_detach.h - takes a connection out of libmicrohttpd, for good or until
 * its poll is answered.
 *
 * The descriptor is duplicated and the request refused to libmicrohttpd, which under
 * MHD_USE_TURBO then closes its own copy without shutting the connection down.
 * What libmicrohttpd has read beyond the request would be lost that way, so when
 * something is behind a request that is to be answered in one piece, the
 * connection stays inside, suspended, and the stream handed out is one end of a
 * socket pair: what is written there becomes the body of the response.
 */
#ifndef HTTP_DETACH_H
#define HTTP_DETACH_H

#include "http/http_memo.h"
#include "http/http_server.h"

struct http_detached {
	struct stream stream; /* wants nothing yet; its events are NULL */
	struct addr peer;
	bool keep_alive; /* after a complete response, http_server_give_back() is welcome */
	bool bare;       /* write the body alone, without head and framing, then close */
	uint8_t misses;  /* these two for http_again.h */
	struct http_memo memo;
};

/* For a response of unknown length, or one that ends with the connection. `head` may be NULL. */
int http_detach_stream(struct http_request *r, struct http_detached *out);
/* For one response of known length, later. `head` is used only when the connection has to stay
 * inside (bare). */
int http_detach_poll(
    struct http_request *r, const struct http_head *head, struct http_detached *out);

/* Whether the client has sent something behind this request already, which would be lost with it;
 * true also if that is not known (a chunked body). */
bool http_is_followed(const struct http_request *r);

/* Whether the installed libmicrohttpd keeps a detached descriptor alive. 0, or -errno and a
 * sentence with its version in `why`. Takes a few milliseconds; once at start. */
int http_detach_self_test(char *why, size_t why_size);

#endif
