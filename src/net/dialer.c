/*
 * net/dialer.c - connects to one address; see dialer.h.
 *
 * dial_start() only notes what to do and pokes the watch: all that happens,
 * happens in the loop, so `done` has one way to be called, and a dial can be
 * started again in the turn in which it failed.
 *
 * Owns: the descriptor, until it goes to the stream.
 */
#include "net/dialer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

/* A unix socket with a full backlog refuses (EAGAIN) and announces nothing. */
#define RETRY_MS 10

/* A peer that vanished is given up when what it was sent stays unacknowledged for so long; the same
 * as for connections that come in (listener.c). */
#define USER_TIMEOUT_MS 30000

/* --- the end ------------------------------------------------------------ */

static void stop(struct dial *d)
{
	loop_unwatch(d->loop, &d->watch);
	timer_stop(loop_timers(d->loop), &d->timer);
}

void dial_cancel(struct dial *d)
{
	if (!d->loop)
		return;
	stop(d);
	if (d->opened)
		loop_close(d->loop, d->watch.fd);
	d->opened = false;
	d->loop = NULL;
}

static void fail(struct dial *d, int err)
{
	dial_cancel(d);
	d->done(d, NULL, err);
}

/* The stream is the owner's if it takes it; it may take the dial's memory, too. */
static void succeed(struct dial *d)
{
	struct stream s;

	stop(d);
	stream_init(&s, d->loop, d->watch.fd, NULL);
	d->opened = false;
	d->loop = NULL;
	d->done(d, &s, 0);
	stream_close(&s);
}

/* --- connecting --------------------------------------------------------- */

static bool is_tcp(const struct dial *d)
{
	return d->to.sa.sa_family != AF_UNIX;
}

static int open_socket(struct dial *d)
{
	const int on = 1, user_timeout = USER_TIMEOUT_MS;

	d->watch.fd = socket(d->to.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->watch.fd < 0)
		return -errno;
	d->opened = true;
	if (is_tcp(d) && (setsockopt(d->watch.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
	                     setsockopt(d->watch.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout,
	                         sizeof(user_timeout)) < 0))
		return -errno;
	return 0;
}

/* While nobody listens at a port of this machine, the kernel may give us that very port, and a
 * connection to itself is one in TCP. It would also keep the port from whom it belongs to. */
static bool is_connected_to_itself(const struct dial *d)
{
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);
	struct addr from, to;

	if (getsockname(d->watch.fd, (void *)&own, &len) < 0)
		return false;
	from = addr_from_sockaddr((const void *)&own);
	to = addr_from_sockaddr(&d->to.sa);
	return from.port == to.port && addr_same_ip(&from, &to);
}

static void connected(struct dial *d)
{
	if (is_tcp(d) && is_connected_to_itself(d))
		fail(d, -ECONNREFUSED);
	else
		succeed(d);
}

static void await(struct dial *d)
{
	int err = loop_watch(d->loop, &d->watch, EPOLLOUT);

	if (err < 0)
		fail(d, err);
}

static void try_later(struct dial *d)
{
	uint64_t now = loop_now(d->loop), left = d->deadline > now ? d->deadline - now : 0;

	timer_start(loop_timers(d->loop), &d->timer, left < RETRY_MS ? left : RETRY_MS);
}

static void try_connect(struct dial *d)
{
	if (connect(d->watch.fd, &d->to.sa, d->to_len) == 0)
		connected(d);
	else if (errno == EINPROGRESS || errno == EINTR)
		await(d);
	else if (errno == EAGAIN && !is_tcp(d))
		try_later(d);
	else
		fail(d, -errno);
}

static void open_and_connect(struct dial *d)
{
	int err = d->to_len ? open_socket(d) : -ENAMETOOLONG;

	if (err < 0)
		fail(d, err);
	else
		try_connect(d);
}

static void look_at_outcome(struct dial *d)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(d->watch.fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	if (err)
		fail(d, -err);
	else
		connected(d);
}

static void on_event(struct watch *w, uint32_t events)
{
	struct dial *d = container_of(w, struct dial, watch);

	(void)events;
	if (d->opened)
		look_at_outcome(d);
	else
		open_and_connect(d);
}

/* Fires for the deadline, and in between while a unix socket is tried again. */
static void on_timer(struct timer *t)
{
	struct dial *d = container_of(t, struct dial, timer);

	if (loop_now(d->loop) >= d->deadline)
		fail(d, -ETIMEDOUT);
	else
		try_connect(d);
}

/* --- beginning ---------------------------------------------------------- */

static void start(struct dial *d, struct loop *loop, unsigned timeout_ms, dialed_fn done)
{
	d->watch.fn = on_event;
	d->loop = loop;
	d->done = done;
	d->deadline = loop_now(loop) + timeout_ms;
	timer_init(&d->timer, on_timer);
	timer_start(loop_timers(loop), &d->timer, timeout_ms);
	loop_poke(loop, &d->watch);
}

void dial_start(
    struct dial *d, struct loop *loop, const struct addr *addr, unsigned timeout_ms, dialed_fn done)
{
	d->to_len = addr_to_sockaddr(addr, &d->to.ip);
	start(d, loop, timeout_ms, done);
}

void dial_start_unix(
    struct dial *d, struct loop *loop, const char *path, unsigned timeout_ms, dialed_fn done)
{
	size_t n = strlen(path);
	bool fits = n < sizeof(d->to.un.sun_path);

	memset(&d->to, 0, sizeof(d->to));
	d->to.un.sun_family = AF_UNIX;
	if (fits)
		memcpy(d->to.un.sun_path, path, n);
	d->to_len = fits ? (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1) : 0;
	start(d, loop, timeout_ms, done);
}
