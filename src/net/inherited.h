/*
 * net/inherited.h - sockets that listen already when we start: socket activation, by the protocol of
 * sd_listen_fds(3).
 *
 * $LISTEN_PID says whom they are for, $LISTEN_FDS how many there are, from descriptor 3 on, and
 * $LISTEN_FDNAMES what they are called, by colons. An address "fd:NAME" stands for those of this
 * name, "fd:3" for the descriptor of this number.
 *
 * The descriptors stay ours for good, so that a configuration that comes later may name them; who
 * listens gets copies. At one socket listens one address at a time.
 */
#ifndef NET_INHERITED_H
#define NET_INHERITED_H

#include <sys/types.h>

#include "net/listener.h"

#define INHERITED_MOST 64
#define INHERITED_FROM 3

struct inherited;

/* What stands in the three variables (NULL: not set), for the process `self`. NULL when memory is
 * out. What is wrong with them is said when somebody wants a socket. */
struct inherited *inherited_new(
    int first, pid_t self, const char *pid, const char *fds, const char *names);
/* Descriptors stay open. NULL is fine. */
void inherited_free(struct inherited *in);

/* Those of this process. The first call reads the variables and takes them away, so that no child
 * believes them: it is to come before there are threads. NULL when memory is out. */
struct inherited *inherited_here(void);

/* Takes the sockets that `name` (what stands behind "fd:") is for, and makes `wanted` listening sockets
 * of them: each a copy of one of them, in turn; all of them have somebody who listens. They are free
 * again when the copies are closed, by whatever threads; taking is for one thread at a time. 0, or
 * -errno with a sentence that says what was inherited. */
int inherited_take(struct inherited *in, const char *name, struct listen_socket *sockets,
    unsigned wanted, char *why, size_t why_size);
/* Sockets that no address has taken, in words: `fd:4 "web" (0.0.0.0:80)`. False: there is none.
 * Whoever connects to them waits for nothing. */
bool inherited_unused(const struct inherited *in, char *text, size_t size);

#endif
