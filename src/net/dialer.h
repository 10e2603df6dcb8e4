/*
 * net/dialer.h - connects to one address without blocking, within a time.
 *
 * Which address to try next, and what to say over the connection (TLS:
 * stream_tls_connect()), is the caller's affair.
 *
 * All functions belong to the loop's own thread.
 */
#ifndef NET_DIALER_H
#define NET_DIALER_H

#include <errno.h>
#include <stdbool.h>
#include <sys/un.h>

#include "net/addr.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/timer.h"

struct dial;

/* Success: `s` is connected, plain, wants nothing and has no events; take it by stream_move()
 * before returning, or it is closed. Failure: s is NULL and err is -ETIMEDOUT (our time, or the
 * kernel's), -ECONNREFUSED, -ENOENT (no such unix socket), -EHOSTUNREACH, -EMFILE and whatever else
 * socket(2) and connect(2) say. The dial may be started again at once, for the next address. */
typedef void (*dialed_fn)(struct dial *d, struct stream *s, int err);

/* A connection in the making: embed it in the owner. All fields are the dialer's; to be zeroed
 * before the first use. The memory must stay until the end of the turn in which it was done or
 * cancelled: loop_defer() what holds it. */
struct dial {
	struct watch watch; /* watch.fd is the descriptor; valid while `opened` */
	struct timer timer;
	struct loop *loop; /* NULL: nothing is under way */
	uint64_t deadline;
	dialed_fn done;
	bool opened;
	union {
		struct sockaddr sa;
		struct sockaddr_storage ip;
		struct sockaddr_un un;
	} to;
	socklen_t to_len; /* 0: the path is too long */
};

/* Connects to an IPv4 or IPv6 address and port. The connection has TCP_NODELAY. `done` is called
 * exactly once unless it is cancelled, from the loop, never from within this call. */
void dial_start(struct dial *d, struct loop *loop, const struct addr *addr, unsigned timeout_ms,
    dialed_fn done);
/* The same to the unix socket at `path`. While its backlog is full it tries again. */
void dial_start_unix(
    struct dial *d, struct loop *loop, const char *path, unsigned timeout_ms, dialed_fn done);
/* Whether what failed is our own affair: descriptors, ports or memory are out here, and no other
 * address can help it. */
static inline bool dial_is_our_own(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM ||
	       err == -EADDRNOTAVAIL;
}
/* `done` is not called any more; the connection is given up. Harmless on one that is zeroed, done
 * or cancelled. */
void dial_cancel(struct dial *d);

#endif
