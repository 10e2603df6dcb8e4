/*
 * net/stream_fd.c - the plain wire: a socket; see stream_private.h.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "net/stream_private.h"

enum {
	IOV_PIECES = 64,
	SENDS_MAX = 16, /* in one call: a fast reader with a long queue must not hold up the turn */
};

static ssize_t result(ssize_t n)
{
	if (n >= 0)
		return n;
	return errno == EINTR || errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

static ssize_t fd_read(struct stream *s, void *p, size_t n)
{
	return result(recv(s->watch.fd, p, n, 0));
}

/* Sends up to IOV_PIECES pieces; *asked is their length. */
static ssize_t send_some(int fd, const struct stream_piece *pieces, unsigned n, size_t *asked)
{
	struct iovec iov[IOV_PIECES];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = n };

	*asked = 0;
	for (unsigned i = 0; i < n; i++) {
		iov[i].iov_base = (void *)(uintptr_t)pieces[i].p;
		iov[i].iov_len = pieces[i].n;
		*asked += pieces[i].n;
	}
	return result(sendmsg(fd, &msg, MSG_NOSIGNAL));
}

static ssize_t fd_write(struct stream *s, const struct stream_piece *pieces, unsigned n)
{
	size_t total = 0, asked;
	ssize_t sent;

	if (n == 1)
		return result(send(s->watch.fd, pieces->p, pieces->n, MSG_NOSIGNAL));
	for (unsigned i = 0; i < SENDS_MAX && n > 0; i++) {
		unsigned now = n < IOV_PIECES ? n : IOV_PIECES;

		sent = send_some(s->watch.fd, pieces, now, &asked);
		if (sent < 0)
			return total > 0 ? (ssize_t)total : sent;
		total += (size_t)sent;
		if ((size_t)sent < asked)
			break;
		pieces += now;
		n -= now;
	}
	return (ssize_t)total;
}

static int fd_shutdown(struct stream *s)
{
	return shutdown(s->watch.fd, SHUT_WR) < 0 ? -errno : 0;
}

static void fd_release(struct stream *s, bool politely)
{
	(void)s;
	(void)politely;
}

const struct stream_ops stream_fd_ops = {
	.read = fd_read,
	.write = fd_write,
	.shutdown = fd_shutdown,
	.release = fd_release,
};
