/*
 * server/restart_channel.c - messages with descriptors; see restart_channel.h.
 */
#include "server/restart_channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define PATIENCE_MS 10 /* the kernel has too many descriptors under way: the other takes some */

/* On the wire; both are of one machine. */
struct wire {
	uint32_t kind, number;
	uint64_t size;
	char text[RESTART_TEXT];
};

union ancillary {
	struct cmsghdr head; /* aligned */
	char room[CMSG_SPACE(RESTART_FDS_MOST * sizeof(int))];
};

void restart_message_init(struct restart_message *m, enum restart_kind kind)
{
	m->kind = kind;
	m->number = 0;
	m->size = 0;
	m->text[0] = '\0';
	m->fd_count = 0;
}

void restart_message_close(struct restart_message *m)
{
	for (unsigned i = 0; i < m->fd_count; i++)
		close(m->fds[i]);
	m->fd_count = 0;
}

/* 0 or -errno. A timeout below 0 waits for ever. */
static int wait_for(int fd, short events, uint64_t until, int timeout_ms)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		uint64_t now = clock_now();
		int left = timeout_ms < 0 ? -1 : until > now ? (int)(until - now) : 0;
		int n = poll(&p, 1, left);

		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static void attach(struct msghdr *h, union ancillary *a, const struct restart_message *m)
{
	struct cmsghdr *c;

	if (m->fd_count == 0)
		return;
	memset(a, 0, sizeof(*a));
	h->msg_control = a->room;
	h->msg_controllen = CMSG_SPACE(m->fd_count * sizeof(int));
	c = CMSG_FIRSTHDR(h);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(m->fd_count * sizeof(int));
	memcpy(CMSG_DATA(c), m->fds, m->fd_count * sizeof(int));
}

int restart_send(int fd, const struct restart_message *m, int timeout_ms)
{
	struct wire wire = { .kind = m->kind, .number = m->number, .size = m->size };
	struct iovec io = { &wire, sizeof(wire) };
	struct msghdr h = { .msg_iov = &io, .msg_iovlen = 1 };
	uint64_t until = clock_now() + (timeout_ms > 0 ? (uint64_t)timeout_ms : 0);
	union ancillary a;
	int err;

	memcpy(wire.text, m->text, strnlen(m->text, sizeof(wire.text) - 1));
	attach(&h, &a, m);
	while (sendmsg(fd, &h, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		if (errno == ETOOMANYREFS && clock_now() < until) {
			poll(NULL, 0, PATIENCE_MS);
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if ((err = wait_for(fd, POLLOUT, until, timeout_ms)) < 0)
			return err;
	}
	return 0;
}

static void detach_fds(struct msghdr *h, struct restart_message *m)
{
	struct cmsghdr *c;

	m->fd_count = 0;
	for (c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		m->fd_count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(m->fds, CMSG_DATA(c), m->fd_count * sizeof(int));
	}
}

static int unpack(struct restart_message *m, const struct wire *wire, ssize_t n, int flags)
{
	if (n == 0)
		return -EPIPE;
	if (n != (ssize_t)sizeof(*wire) || wire->kind == 0 || wire->kind >= RESTART_KINDS ||
	    (flags & (MSG_TRUNC | MSG_CTRUNC)))
		return -EPROTO;
	m->kind = (enum restart_kind)wire->kind;
	m->number = wire->number;
	m->size = wire->size;
	memcpy(m->text, wire->text, sizeof(m->text));
	m->text[sizeof(m->text) - 1] = '\0';
	return 0;
}

int restart_receive(int fd, struct restart_message *m, int timeout_ms)
{
	struct wire wire;
	union ancillary a;
	struct iovec io = { &wire, sizeof(wire) };
	struct msghdr h = { .msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = a.room,
		.msg_controllen = sizeof(a.room) };
	uint64_t until = clock_now() + (timeout_ms > 0 ? (uint64_t)timeout_ms : 0);
	ssize_t n;
	int err;

	while ((n = recvmsg(fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) < 0) {
		if (errno == ECONNRESET)
			return -EPIPE;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if ((err = wait_for(fd, POLLIN, until, timeout_ms)) < 0)
			return err;
	}
	detach_fds(&h, m);
	err = unpack(m, &wire, n, h.msg_flags);
	if (err < 0)
		restart_message_close(m);
	return err;
}
