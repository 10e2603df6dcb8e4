/*
 * http/http_upgrade.h - 101 Switching Protocols (RFC 9110 section 7.8).
 */
#ifndef HTTP_UPGRADE_H
#define HTTP_UPGRADE_H

#include "http/http_server.h"

/* Answers 101 with the lines of `head` (Upgrade and Connection are added). `out` is the connection,
 * with these events; it wants nothing yet, and what the client has sent behind its request is read
 * from it first. 0 or -errno; on error nothing has been answered. */
int http_upgrade(struct http_request *r, const char *protocol, const struct http_head *head,
    struct stream *out, const struct stream_events *on);

#endif
