/*
 * tests/unit/broker_socket.c - see broker_socket.h.
 */
#include "broker_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop_fixture.h"

enum { PATIENCE = 3000 };

int peer;
unsigned connections;
char heard[1 << 20];
size_t heard_octets;
bool is_deaf;

static int listener;
static size_t heard_text;

uint16_t broker_up(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);

	connections = 0;
	heard_octets = heard_text = 0;
	heard[0] = '\0';
	is_deaf = false;
	peer = -1;
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(listener, (void *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(listener, 8), 0);
	ck_assert_int_eq(getsockname(listener, (void *)&sa, &len), 0);
	return ntohs(sa.sin_port);
}

void broker_down(void)
{
	if (peer >= 0)
		close(peer);
	close(listener);
}

static void forget(void)
{
	heard[0] = '\0';
	heard_text = heard_octets = 0;
}

/* Time is the test's, and Nagle's is not. */
static void accept_next(void)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	if (peer >= 0)
		close(peer);
	peer = fd;
	connections++;
	forget();
}

void broker_serve(void)
{
	char octets[65536];
	ssize_t n;

	accept_next();
	if (peer < 0 || is_deaf || (n = recv(peer, octets, sizeof(octets), 0)) <= 0)
		return;
	heard_octets += (size_t)n;
	for (size_t i = 0; i < (size_t)n && heard_text + 1 < sizeof(heard); i++)
		heard[heard_text++] = octets[i] ? octets[i] : '@';
	heard[heard_text] = '\0';
}

void say(const char *text)
{
	char octets[4000];
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		octets[i] = text[i] == '@' ? '\0' : text[i];
	ck_assert_int_eq(send(peer, octets, n, MSG_NOSIGNAL), (ssize_t)n);
}

void hang_up(void)
{
	close(peer);
	peer = -1;
	forget();
}

void hear(const char *what)
{
	for (int i = 0; !strstr(heard, what) && i < PATIENCE; i++)
		turn();
	ck_assert_msg(strstr(heard, what), "\"%.200s\" has no \"%s\"", heard, what);
}
