/*
 * bench/load/tls.h - the client's side of TLS on a descriptor that does not block.
 */
#ifndef LOAD_TLS_H
#define LOAD_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct tls; /* of one connection */

/* Every connection after the first that got a ticket comes by the latest one. */
void tls_resume(void);

struct tls *tls_open(int fd);
/* True when the handshake is done; it goes on when there is something to read. */
bool tls_shake(struct tls *tls);
/* As recv() and send(). */
ssize_t tls_read(struct tls *tls, void *to, size_t room);
ssize_t tls_write(struct tls *tls, const void *data, size_t len);
/* Says nothing to the other side, as a browser does not. */
void tls_close(struct tls *tls);

#endif
