/*
 * tests/upstream/acceptor.c - the least that a backend can be: says 101 to everybody and nothing
 * more, so that many idle sessions can be held in front of it.
 *
 * Prints its port. Ends when its standard input does.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ws/ws_handshake.h"

enum { EVENTS = 256, BACKLOG = 4096, REQUEST_MAX = 8192 };

static int loop;

static void die(const char *what)
{
	fprintf(stderr, "acceptor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void watch(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &ev) < 0)
		die("epoll_ctl");
}

static int open_listener(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET };
	socklen_t len = sizeof(here);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0 ||
	    listen(fd, BACKLOG) < 0 || getsockname(fd, (struct sockaddr *)&here, &len) < 0)
		die("listen");
	printf("%u\n", ntohs(here.sin_port));
	fflush(stdout);
	return fd;
}

/* A request that comes in one piece; all else that comes (pings, a Close) is for nobody. */
static void answer(int fd, char *request)
{
	static const char name[] = "Sec-WebSocket-Key: ";
	char *key = strstr(request, name), accept[WS_ACCEPT_LEN + 1], text[256];
	int n;

	if (!key)
		return;
	key += sizeof(name) - 1;
	if (ws_accept_key(accept, (struct bytes){ key, strcspn(key, "\r\n") }) < 0)
		die("digest");
	n = snprintf(text, sizeof(text),
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\n\r\n",
	    accept);
	if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		close(fd);
}

static void on_readable(int fd)
{
	char text[REQUEST_MAX + 1];
	ssize_t n = recv(fd, text, REQUEST_MAX, 0);

	if (n <= 0) {
		close(fd);
		return;
	}
	text[n] = '\0';
	answer(fd, text);
}

int main(void)
{
	struct epoll_event batch[EVENTS];
	int listener;

	loop = epoll_create1(EPOLL_CLOEXEC);
	if (loop < 0)
		die("epoll_create1");
	listener = open_listener();
	watch(listener);
	watch(STDIN_FILENO);
	for (;;) {
		int n = epoll_wait(loop, batch, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			int fd = batch[i].data.fd;

			if (fd == STDIN_FILENO)
				return 0;
			if (fd != listener)
				on_readable(fd);
			else if ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
				watch(fd);
		}
	}
}
