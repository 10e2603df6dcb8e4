/*
 * tests/handover/backend.c - see backend.h.
 */
#include "handover/backend.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/websocket.h"

enum { EVENTS = 256, READ_BYTES = 65536, KEY = 24 };

struct octets {
	unsigned char *p;
	size_t n, cap;
};

struct client {
	int fd;
	struct octets in, out;
	bool is_upgraded, is_closing;
};

static int listening, epoll;
static atomic_uint accepted, live, wrong;

static void *need(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static void add(struct octets *o, const void *p, size_t n)
{
	if (o->n + n > o->cap) {
		o->cap = 2 * (o->n + n);
		o->p = need(realloc(o->p, o->cap));
	}
	memcpy(o->p + o->n, p, n);
	o->n += n;
}

static void drop(struct octets *o, size_t n)
{
	memmove(o->p, o->p + n, o->n - n);
	o->n -= n;
}

static void forget(struct client *c)
{
	close(c->fd);
	free(c->in.p);
	free(c->out.p);
	free(c);
	atomic_fetch_sub(&live, 1);
}

/* --- frames -------------------------------------------------------------------------------- */

static void answer(struct client *c, unsigned opcode, const unsigned char *p, size_t n)
{
	unsigned char head[10] = { (unsigned char)(0x80 | opcode), (unsigned char)n };
	size_t len = 2;

	if (n >= 65536) {
		head[1] = 127;
		for (int i = 0; i < 8; i++)
			head[2 + i] = (unsigned char)((uint64_t)n >> (56 - 8 * i));
		len = 10;
	} else if (n >= 126) {
		head[1] = 126;
		head[2] = (unsigned char)(n >> 8);
		head[3] = (unsigned char)n;
		len = 4;
	}
	add(&c->out, head, len);
	add(&c->out, p, n);
}

static void hear(struct client *c, unsigned opcode, const unsigned char *p, size_t n)
{
	if (opcode == WS_TEXT || opcode == WS_CLOSE)
		answer(c, opcode, p, n);
	else if (opcode == WS_PING)
		answer(c, WS_PONG, p, n);
	else if (opcode != WS_PONG)
		atomic_fetch_add(&wrong, 1);
	c->is_closing = opcode == WS_CLOSE;
}

/* How long the frame's head is, with its mask; its payload's length in *n. 0: it is not all there. */
static size_t frame_head(const struct octets *in, size_t *n)
{
	size_t head = 2;

	if (in->n < 2)
		return 0;
	*n = in->p[1] & 0x7f;
	if (*n >= 126) {
		head = *n == 126 ? 4 : 10;
		if (in->n < head)
			return 0;
		*n = 0;
		for (size_t i = 2; i < head; i++)
			*n = *n << 8 | in->p[i];
	}
	return head + 4;
}

/* One frame; false: it is not all there, or wrong. */
static bool take_frame(struct client *c)
{
	size_t n, head = frame_head(&c->in, &n);
	unsigned char *payload = c->in.p + head, *mask = payload - 4;

	if (head == 0 || c->in.n < head + n)
		return false;
	if ((c->in.p[0] & 0xf0) != 0x80 || !(c->in.p[1] & 0x80)) {
		atomic_fetch_add(&wrong, 1);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		payload[i] ^= mask[i % 4];
	hear(c, c->in.p[0] & 0x0f, payload, n);
	drop(&c->in, head + n);
	return true;
}

/* --- the opening handshake -------------------------------------------------------------------- */

static bool upgrade(struct client *c)
{
	static const char name[] = "\r\nSec-WebSocket-Key: ";
	char *end, *at, key[KEY + 1], accept[29], text[200];

	add(&c->in, "", 1);
	c->in.n--;
	end = strstr((char *)c->in.p, "\r\n\r\n");
	at = end ? strcasestr((char *)c->in.p, name) : NULL;
	if (!at || at > end)
		return false;
	snprintf(key, sizeof(key), "%.*s", KEY, at + sizeof(name) - 1);
	ws_accept(key, accept);
	add(&c->out, text,
	    (size_t)snprintf(text, sizeof(text),
	        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	        "Sec-WebSocket-Accept: %s\r\n\r\n",
	        accept));
	drop(&c->in, (size_t)(end - (char *)c->in.p) + 4);
	return c->is_upgraded = true;
}

/* --- events -------------------------------------------------------------------------------------- */

/* False: it is over. */
static bool flush(struct client *c)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

	while (c->out.n > 0) {
		ssize_t n = send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return false;
		if (n < 0)
			break;
		drop(&c->out, (size_t)n);
	}
	e.events |= c->out.n > 0 ? EPOLLOUT : 0;
	epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
	return !c->is_closing || c->out.n > 0;
}

static void serve(struct client *c)
{
	static unsigned char bytes[READ_BYTES];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);

	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		forget(c);
		return;
	}
	if (n > 0)
		add(&c->in, bytes, (size_t)n);
	if (c->is_upgraded || upgrade(c))
		while (take_frame(c))
			;
	if (!flush(c))
		forget(c);
}

static void let_in(void)
{
	int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct epoll_event e = { .events = EPOLLIN };
	struct client *c;

	if (fd < 0)
		return;
	c = need(calloc(1, sizeof(*c)));
	c->fd = fd;
	e.data.ptr = c;
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
	atomic_fetch_add(&accepted, 1);
	atomic_fetch_add(&live, 1);
}

static void *run(void *nothing)
{
	struct epoll_event events[EVENTS];

	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++)
			if (events[i].data.ptr)
				serve(events[i].data.ptr);
			else
				let_in();
	}
	return nothing;
}

bool backend_start(char *url, size_t size)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event e = { .events = EPOLLIN };
	socklen_t n = sizeof(at);
	pthread_t thread;

	epoll = epoll_create1(EPOLL_CLOEXEC);
	listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (epoll < 0 || listening < 0 || bind(listening, (struct sockaddr *)&at, n) < 0 ||
	    listen(listening, SOMAXCONN) < 0 ||
	    getsockname(listening, (struct sockaddr *)&at, &n) < 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, listening, &e) < 0)
		return false;
	snprintf(url, size, "ws://127.0.0.1:%u/", ntohs(at.sin_port));
	return pthread_create(&thread, NULL, run, NULL) == 0 && pthread_detach(thread) == 0;
}

unsigned backend_accepted(void)
{
	return atomic_load(&accepted);
}

unsigned backend_live(void)
{
	return atomic_load(&live);
}

unsigned backend_wrong(void)
{
	return atomic_load(&wrong);
}
