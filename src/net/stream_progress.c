/*
 * net/stream_progress.c - what the peer has taken of what was written.
 *
 * The queue of a stream tells only when the kernel's buffer, megabytes perhaps, is a third
 * empty again; on a slow line that is long after the peer has taken the first of it. The
 * kernel knows better, under TLS, too. It is asked when a deadline is looked at, never for
 * a message.
 */
#include <linux/sockios.h>
#include <linux/tcp.h> /* for tcpi_bytes_acked, which <netinet/tcp.h> lacks */
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "net/stream_private.h"
#include "net/stream_witness.h"

#define GIVE_UP_MS 30000

#define ENDS_AT(type, field) (offsetof(type, field) + sizeof(((type *)0)->field))

/* What the kernel has, and the peer's has not. */
static size_t unacked(int fd)
{
	int waiting = 0;

	return ioctl(fd, SIOCOUTQ, &waiting) == 0 && waiting > 0 ? (size_t)waiting : 0;
}

uint64_t socket_acked(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
	    len >= ENDS_AT(struct tcp_info, tcpi_bytes_acked))
		return info.tcpi_bytes_acked;
	return (uint64_t)INT64_MAX - unacked(fd);
}

uint64_t stream_acked(const struct stream *s)
{
	int witness = stream_witness(s);

	return socket_acked(witness < 0 ? s->watch.fd : witness);
}

size_t stream_unacked(const struct stream *s)
{
	int witness = stream_witness(s);

	return unacked(s->watch.fd) + (witness < 0 ? 0 : unacked(witness)) + stream_queued(s);
}

void stream_give_up(struct stream *s)
{
	const unsigned ms = GIVE_UP_MS;
	int witness = stream_witness(s);

	setsockopt(witness < 0 ? s->watch.fd : witness, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms,
	    sizeof(ms)); /* in vain if it is not TCP */
}

uint64_t stream_progress(const struct stream *s)
{
	return stream_acked(s) - stream_queued(s);
}

/* What a unix socket held for a peer that has closed is gone, and nothing says whether it was read
 * before. TCP remembers. */
static bool may_have_dropped(int fd)
{
	struct pollfd p = { .fd = fd };
	int protocol = 0;
	socklen_t len = sizeof(protocol);

	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 && protocol == IPPROTO_TCP)
		return false;
	return poll(&p, 1, 0) != 0;
}

void stream_measure(struct stream *s, struct stream_reach *reach)
{
	int waiting = 0;

	stream_batch_settle(s);
	*reach = (struct stream_reach){ .written = s->written };
	reach->sent = reach->acked = s->written - (uint32_t)stream_queued(s);
	if (!stream_is_open(s) || ioctl(s->watch.fd, SIOCOUTQ, &waiting) < 0)
		return;
	reach->acked -= (uint32_t)waiting;
	/* What its carrier has is nowhere counted */
	reach->is_known = !(s->flags & STREAM_CARRIED) && !may_have_dropped(s->watch.fd);
}
