/*
 * net/send_ring.h - many sends in one system call, by io_uring.
 *
 * None of them waits, and all have ended when the call returns, so the kernel
 * holds on to nothing of ours between two calls. It is there only if it was built
 * in and the kernel lets us (seccomp and kernel.io_uring_disabled may not).
 */
#ifndef NET_SEND_RING_H
#define NET_SEND_RING_H

#include <stddef.h>
#include <sys/types.h>

struct send_ring;

struct send_op {
	int fd;
	const void *p;
	size_t n;
	ssize_t result; /* what it took, or -errno, as send(); SEND_NOT_TRIED */
};

enum { SEND_NOT_TRIED = -4095 }; /* no error number of the kernel's */

/* For up to `most` sends at a time. 0, or -errno: -ENOSYS if it was not built in. */
int send_ring_new(struct send_ring **out, unsigned most);
void send_ring_free(struct send_ring *ring); /* NULL is fine */

/* Sends each, in order. 0, or -errno if the kernel refused some of the calls: those have
 * SEND_NOT_TRIED and the ring must not be used again. */
int send_ring_send(struct send_ring *ring, struct send_op *ops, unsigned n);

#endif
