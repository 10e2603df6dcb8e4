/*
 * bench/load/loop.c - the epoll loop and its connections.
 *
 * One recv for each readiness and one send for each answer, as the servers under test are
 * hoped to do: the load must not be what is measured.
 */
#include "load/loop.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load/fail.h"
#include "load/tls.h"

enum { EVENTS = 512, BUFFER_BYTES = 4 << 20, READ_BYTES = 1 << 20, SOURCES = 32 };

int64_t loop_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

void loop_init(struct loop *loop, const struct place *to)
{
	*loop = (struct loop){ .to = *to, .now = loop_clock() };
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0)
		fail("epoll: %s", strerror(errno));
	loop->buffer = must(malloc(BUFFER_BYTES));
}

/* --- opening and closing ------------------------------------------------------------ */

void link_init(struct link *l, struct loop *loop, const struct link_ops *ops, void *owner)
{
	*l = (struct link){ .loop = loop, .ops = ops, .owner = owner, .fd = -1 };
}

static void watch(struct link *l, int op, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = l };

	if (epoll_ctl(l->loop->epoll, op, l->fd, &e) < 0)
		fail("epoll_ctl: %s", strerror(errno));
}

/* From one of several addresses, for an address has 28,000 ports, many of them waiting for a
 * while after use. */
static void bind_source(struct link *l)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	int one = 1;

	if (ntohl(l->loop->to.address.in.sin_addr.s_addr) >> 24 != 127)
		return;
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + l->loop->sources++ % SOURCES);
	setsockopt(l->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(l->fd, (struct sockaddr *)&from, sizeof(from)) < 0)
		fail("bind: %s", strerror(errno));
}

void link_open(struct link *l)
{
	const struct place *to = &l->loop->to;
	int family = to->address.any.sa_family, one = 1;

	l->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		fail("socket: %s", strerror(errno));
	if (family == AF_INET) {
		bind_source(l);
		setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	if (connect(l->fd, &to->address.any, to->len) < 0 && errno != EINPROGRESS)
		fail("connect: %s", strerror(errno));
	l->connecting = true;
	l->born = l->loop->batch;
	watch(l, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

static void forget(struct kept *k)
{
	free(k->data);
	*k = (struct kept){ 0 };
}

void link_close(struct link *l)
{
	if (l->fd < 0)
		return;
	tls_close(l->tls);
	l->tls = NULL;
	close(l->fd);
	l->fd = -1;
	forget(&l->untaken);
	forget(&l->unsent);
}

/* --- sending ------------------------------------------------------------------------ */

static void keep(struct kept *k, const char *data, size_t len)
{
	k->data = must(realloc(k->data, k->len + len));
	memcpy(k->data + k->len, data, len);
	k->len += len;
}

static size_t try_send(struct link *l, const char *data, size_t len)
{
	ssize_t n = l->tls ? tls_write(l->tls, data, len) : send(l->fd, data, len, MSG_NOSIGNAL);

	/* A connection that is broken says so when it is read. */
	if (n < 0)
		return errno == EAGAIN ? 0 : len;
	return (size_t)n;
}

void link_send(struct link *l, const void *data, size_t len)
{
	size_t sent = 0;

	if (l->unsent.len == 0)
		sent = try_send(l, data, len);
	if (sent == len)
		return;
	if (l->unsent.len == 0)
		watch(l, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
	keep(&l->unsent, (const char *)data + sent, len - sent);
}

static void on_writable(struct link *l)
{
	size_t sent;

	sent = try_send(l, l->unsent.data, l->unsent.len);
	memmove(l->unsent.data, l->unsent.data + sent, l->unsent.len - sent);
	l->unsent.len -= sent;
	if (l->unsent.len == 0)
		watch(l, EPOLL_CTL_MOD, EPOLLIN);
}

/* --- receiving ---------------------------------------------------------------------- */

static void on_end(struct link *l)
{
	link_close(l);
	l->ops->ended(l);
}

/* Hands the bytes over, and keeps the rest. */
static void hand_over(struct link *l, char *data, size_t len)
{
	size_t taken = l->ops->bytes(l, data, len);

	if (l->fd < 0)
		return;
	l->untaken.len = 0;
	if (taken < len)
		keep(&l->untaken, data + taken, len - taken);
}

static void on_readable(struct link *l)
{
	char *buffer = l->loop->buffer;
	size_t before = l->untaken.len;
	ssize_t n;

	if (before > BUFFER_BYTES - READ_BYTES)
		fail("the server sends something without an end");
	if (before > 0)
		memcpy(buffer, l->untaken.data, before);
	n = l->tls ? tls_read(l->tls, buffer + before, READ_BYTES)
	           : recv(l->fd, buffer + before, READ_BYTES, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	l->loop->now = loop_clock();
	if (n <= 0)
		on_end(l);
	else
		hand_over(l, buffer, before + (size_t)n);
}

/* --- events ------------------------------------------------------------------------- */

/* There is a connection, or its handshake goes on. */
static void on_progress(struct link *l, uint32_t events)
{
	if (events & (EPOLLERR | EPOLLHUP))
		fail("the server refuses a connection");
	if (events & EPOLLOUT)
		watch(l, EPOLL_CTL_MOD, EPOLLIN);
	if (l->loop->to.has_tls && !l->tls)
		l->tls = tls_open(l->fd);
	if (l->tls && !tls_shake(l->tls))
		return;
	l->connecting = false;
	l->ops->connected(l);
}

static void on_event(struct link *l, uint32_t events)
{
	/* Closed, or closed and opened again, since the kernel said this. */
	if (l->fd < 0 || l->born == l->loop->batch)
		return;
	if (l->connecting) {
		on_progress(l, events);
		return;
	}
	if (events & EPOLLOUT)
		on_writable(l);
	if (l->fd >= 0 && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		on_readable(l);
}

void loop_turn(struct loop *loop, int64_t until)
{
	struct epoll_event events[EVENTS];
	int64_t left = until - loop_clock();
	int n, ms = left <= 0 ? 0 : (int)((left + 999999) / 1000000);

	n = epoll_wait(loop->epoll, events, EVENTS, ms);
	if (n < 0 && errno != EINTR)
		fail("epoll_wait: %s", strerror(errno));
	loop->batch++;
	for (int i = 0; i < n; i++)
		on_event(events[i].data.ptr, events[i].events);
}
