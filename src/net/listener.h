/*
 * net/listener.h - accepts connections, in each reactor on its own.
 *
 * A TCP address is bound once per reactor with SO_REUSEPORT; a unix socket is
 * bound once and shared, and so is one that was inherited (inherited.h). When descriptors run out (EMFILE, ENFILE, ENOBUFS,
 * ENOMEM) the listener steps back for 100 ms instead of spinning, and logs it once
 * a second at most.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <stdatomic.h>

#include "net/addr.h"
#include "net/loop.h"

/* A bound, listening socket that reactors share or copy. */
struct listen_socket {
	int fd;
	bool is_unix;
	bool is_shared;     /* by several reactors, of which a connection wakes one */
	atomic_uint *users; /* of one that is inherited: who have copies; NULL: it is our own */
	struct listen_addr addr; /* with the true port when 0 was asked for */
};

/* Binds and listens; fails with -EADDRINUSE if anything else listens there, be it our own second
 * process. For unix: a stale socket file is removed if nobody answers on it; with a `mode` other
 * than 0 the file is born with it (the umask of the process is borrowed for a moment, so no other
 * thread should be creating files). On error -errno and a sentence in `why`, to be put behind the
 * address. */
int listen_socket_open(struct listen_socket *ls, const struct listen_addr *addr, unsigned mode,
    char *why, size_t why_size);
/* Whether the address is one of this machine's, and a unix socket could be made; nothing listens,
 * and no port is asked for. 0; -EINVAL: something else stands where the socket should be; another
 * -errno may pass; with a sentence. */
int listen_addr_try(const struct listen_addr *addr, char *why, size_t why_size);
/* The socket for one more reactor: for TCP a new one bound to the same port, for unix a dup. */
int listen_socket_share(const struct listen_socket *ls, struct listen_socket *out);
/* The connections that come by it ask a silent peer after so many seconds whether it is still
 * there, and break if it does not answer three times. Does nothing to a unix socket. */
void listen_socket_keep_alive(const struct listen_socket *ls, unsigned seconds);
/* Unlinks the path of a unix socket of our own if `unlink_path`. */
void listen_socket_close(struct listen_socket *ls, bool unlink_path);
/* "unix:/run/x", "unix:@x" (no file: an abstract one). */
void listen_unix_print(const struct sockaddr_un *un, socklen_t len, char *text, size_t size);

struct listener;
/* `fd` is the new connection: non-blocking, close-on-exec, TCP_NODELAY; the callee owns it. */
typedef void (*accept_fn)(struct listener *l, int fd, const struct addr *peer, void *arg);

/* Starts accepting on ls->fd (which stays the caller's) in this loop. */
int listener_new(struct listener **out, struct loop *loop, const struct listen_socket *ls,
    accept_fn fn, void *arg);
/* Accepts those who are waiting, though not more than a few hundred: before it stops for good, for the
 * others find their connections broken. */
void listener_accept_all(struct listener *l);
/* Stops for good. NULL is fine. */
void listener_free(struct listener *l);
/* Stops and goes on accepting; for connection limits. */
void listener_pause(struct listener *l);
void listener_resume(struct listener *l);

#endif
