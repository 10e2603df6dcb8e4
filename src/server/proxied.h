/*
 * server/proxied.h - connections that a proxy announces by a header (net/proxy_header.h), until that
 * is here.
 */
#ifndef SERVER_PROXIED_H
#define SERVER_PROXIED_H

#include "net/addr.h"

struct reactor;
struct server_listener;

/* `fd` is taken over. Its client is served by reactor_admit() as soon as its proxy has said who it is;
 * who says nothing in time, or something else, is closed. */
void proxied_wait(
    struct reactor *r, struct server_listener *from, int fd, const struct addr *proxy);
/* Ends those that wait still. */
void proxied_end_all(struct reactor *r);

#endif
