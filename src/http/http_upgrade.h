/*
 * http/http_upgrade.h - 101 Switching Protocols and the hand-over of the stream.
 */
#ifndef HTTP_UPGRADE_H
#define HTTP_UPGRADE_H

#include "http/http_server.h"

/* `s` is the connection (NULL if it broke before 101 was out), `early` are bytes the client sent
 * behind its request, valid for the call. The callee moves the stream away. Called once, from a
 * later stage of the loop. */
typedef void (*http_upgraded_fn)(struct stream *s, struct bytes early, void *arg);

/* Answers 101 with the lines of `head` (Upgrade and Connection are added). 0 or -errno; on error
 * nothing has been answered and fn is not called. */
int http_upgrade(struct http_request *r, const char *protocol, const struct http_head *head,
    http_upgraded_fn fn, void *arg);

#endif
