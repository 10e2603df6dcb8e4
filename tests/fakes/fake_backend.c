/*
 * fakes/fake_backend.c - see fake_backend.h.
 *
 * What it hears is short and comes whole: its clients are gateways on loopback.
 */
#include "fakes/fake_backend.h"

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "net/addr.h"
#include "ws/ws_handshake.h"

enum { HEARD_MAX = 8192, FRAME_MAX = 125, CLOSE = 8 };

static void drop(struct fake_backend *b, unsigned i)
{
	close(b->connections[i].fd);
	b->connections[i].fd = -1;
}

static bool say(int fd, const void *p, size_t n)
{
	return send(fd, p, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static bool accept_handshake(struct fake_backend *b, unsigned i, const char *request)
{
	static const char name[] = "Sec-WebSocket-Key: ";
	const char *key = strstr(request, name);
	char accept[WS_ACCEPT_LEN + 1], text[256];
	int n;

	if (!key)
		return false;
	key += sizeof(name) - 1;
	if (ws_accept_key(accept, (struct bytes){ key, strcspn(key, "\r\n") }) < 0)
		return false;
	n = snprintf(text, sizeof(text),
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\n\r\n",
	    accept);
	b->connections[i].open = true;
	atomic_fetch_add(&b->accepted, 1);
	return say(b->connections[i].fd, text, (size_t)n);
}

/* Each frame goes back without its mask; a Close ends the connection. */
static bool echo(int fd, unsigned char *p, size_t n)
{
	while (n >= 6 && (p[1] & 0x7f) <= FRAME_MAX && n >= 6u + (p[1] & 0x7f)) {
		unsigned char frame[2 + FRAME_MAX] = { p[0], p[1] & 0x7f };
		size_t len = frame[1];

		for (size_t i = 0; i < len; i++)
			frame[2 + i] = p[6 + i] ^ p[2 + i % 4];
		if (!say(fd, frame, 2 + len) || (p[0] & 0xf) == CLOSE)
			return false;
		p += 6 + len;
		n -= 6 + len;
	}
	return n == 0;
}

static void hear(struct fake_backend *b, unsigned i)
{
	char text[HEARD_MAX + 1];
	ssize_t n = recv(b->connections[i].fd, text, HEARD_MAX, 0);
	bool stays = n > 0;

	if (stays) {
		text[n] = '\0';
		stays = b->connections[i].open
		            ? echo(b->connections[i].fd, (unsigned char *)text, (size_t)n)
		            : accept_handshake(b, i, text);
	}
	if (!stays)
		drop(b, i);
}

static void take(struct fake_backend *b)
{
	int fd = accept4(b->listener, NULL, NULL, SOCK_CLOEXEC);
	unsigned i = 0;

	while (i < FAKE_BACKEND_CONNECTIONS && b->connections[i].fd >= 0)
		i++;
	if (fd >= 0 && i == FAKE_BACKEND_CONNECTIONS) {
		close(fd);
		return;
	}
	b->connections[i].fd = fd;
	b->connections[i].open = false;
}

static void *run(void *arg)
{
	struct fake_backend *b = arg;
	struct pollfd fds[FAKE_BACKEND_CONNECTIONS + 2];

	for (;;) {
		for (unsigned i = 0; i < FAKE_BACKEND_CONNECTIONS; i++)
			fds[i] = (struct pollfd){ b->connections[i].fd, POLLIN, 0 };
		fds[FAKE_BACKEND_CONNECTIONS] = (struct pollfd){ b->listener, POLLIN, 0 };
		fds[FAKE_BACKEND_CONNECTIONS + 1] = (struct pollfd){ b->stop[0], POLLIN, 0 };
		poll(fds, FAKE_BACKEND_CONNECTIONS + 2, -1);
		if (fds[FAKE_BACKEND_CONNECTIONS + 1].revents)
			return NULL;
		for (unsigned i = 0; i < FAKE_BACKEND_CONNECTIONS; i++)
			if (fds[i].revents)
				hear(b, i);
		if (fds[FAKE_BACKEND_CONNECTIONS].revents)
			take(b);
	}
}

static bool bind_to(struct fake_backend *b, const char *ip, unsigned port)
{
	struct sockaddr_storage sa;
	socklen_t len;
	struct addr addr;
	int on = 1;

	ck_assert_int_eq(addr_parse_ip(bytes_of(ip), &addr), 0);
	addr.port = (uint16_t)port;
	len = addr_to_sockaddr(&addr, &sa);
	b->listener = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(b->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (b->listener < 0 || bind(b->listener, (struct sockaddr *)&sa, len) < 0 ||
	    listen(b->listener, 64) < 0 ||
	    getsockname(b->listener, (struct sockaddr *)&sa, &len) < 0)
		return false;
	b->port = addr_from_sockaddr((struct sockaddr *)&sa).port;
	return true;
}

bool fake_backend_start(struct fake_backend *b, const char *ip, unsigned port)
{
	memset(b, 0, sizeof(*b));
	for (unsigned i = 0; i < FAKE_BACKEND_CONNECTIONS; i++)
		b->connections[i].fd = -1;
	if (!bind_to(b, ip, port)) {
		if (b->listener >= 0)
			close(b->listener);
		return false;
	}
	ck_assert_int_eq(pipe(b->stop), 0);
	ck_assert_int_eq(pthread_create(&b->thread, NULL, run, b), 0);
	return true;
}

void fake_backend_stop(struct fake_backend *b)
{
	ck_assert_int_eq(write(b->stop[1], "x", 1), 1);
	pthread_join(b->thread, NULL);
	for (unsigned i = 0; i < FAKE_BACKEND_CONNECTIONS; i++)
		if (b->connections[i].fd >= 0)
			drop(b, i);
	close(b->listener);
	close(b->stop[0]);
	close(b->stop[1]);
}
