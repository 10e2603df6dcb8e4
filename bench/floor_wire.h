/*
 * bench/floor_wire.h - what carries the floor's octets: TCP, a unix socket, or TLS over TCP.
 *
 * Connections are descriptors, which do not block; see floor_wire.c.
 */
#ifndef BENCH_FLOOR_WIRE_H
#define BENCH_FLOOR_WIRE_H

#include <stddef.h>
#include <sys/types.h>

enum { CONNECTIONS = 1 << 17 }; /* descriptors */

_Noreturn void die(const char *what);

/* From here on connections are by TLS. */
void wire_secure(const char *certificate, const char *key);

/* Listens at a port of 127.0.0.1 (NULL: a free one) or at "unix:PATH", and prints where. */
int wire_listen(const char *where);

/* -1: nobody is there. */
int wire_accept(int listener);

/* As recv() and send(), and with one of them, where there is no handshake to be done. */
ssize_t wire_recv(int fd, void *to, size_t room);
ssize_t wire_send(int fd, const void *data, size_t len);
void wire_close(int fd);

#endif
