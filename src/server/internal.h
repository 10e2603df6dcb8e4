/*
 * server/internal.h - what the daemon may ask of a server beside sockjs.h: an
 * address for operators, never the public one.
 */
#ifndef SERVER_INTERNAL_H
#define SERVER_INTERNAL_H

struct sockjs_server;

/* Binds the internal address: /healthz (200 while the process works), /readyz (503 as soon as it
 * drains), /metrics (Prometheus text). As sockjs_server_listen(). */
int server_listen_internal(struct sockjs_server *server, const char *address);
/* Its URL, or NULL if there is none. */
const char *server_internal_url(const struct sockjs_server *server);

#endif
