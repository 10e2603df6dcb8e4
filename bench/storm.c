/*
 * bench/storm.c - clients that are all cut and come back at once; and others who are there meanwhile.
 *
 *	storm crowd N PORT [PORT]   N sessions at the first port. Whenever one is closed its client comes
 *	                            back at once, to the second port if there is one; who is not let in
 *	                            tries again half a second to a second later
 *	storm echo N PORT           N sessions, each of which sends 64 octets ten times a second
 *
 * Both are driven by lines on standard input and answer on standard output, in JSON: "in" when all are
 * there; crowd: "cut" ends all connections, "back" tells of the times as soon as all are back (or after
 * BACK_MS); echo: "mark" tells of the latencies since the last one. An echo is measured from when it was due.
 * Times are in microseconds. bench/storm.mjs drives them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load/fail.h"
#include "load/histogram.h"

enum {
	EVENTS = 256,
	STEP = 64,      /* of those who come, in one turn: others are to be heard meanwhile */
	WINDOW = 200,   /* on the way at a time, at the beginning */
	SOURCES = 60,   /* addresses that they come from: 127.0.0.2 and so on */
	ECHO_MS = 100,
	SIZE = 64,
	BACK_MS = 120000,
};

#define MS 1000000LL

static const char request[] =
    "GET /echo/websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

enum state { OUT, CONNECTING, ASKING, IN };

struct client {
	int fd;
	enum state state;
	int64_t gone; /* when it was cut; 0: it has not been yet */
	int64_t due;  /* to try again; or the next echo, or the one that is under way */
	bool waits;   /* for an echo */
};

static struct client *clients;
static unsigned count, in, on_the_way;
static bool echoes, storming; /* all have been in, and come back when they are cut */
static struct sockaddr_in at[2];
static int epoll;
static int64_t began, last_back;
static unsigned failures, backs;
static struct histogram times;

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* --- coming and going --------------------------------------------------------------- */

static void watch(struct client *c, int op, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = c };

	if (epoll_ctl(epoll, op, c->fd, &e) < 0)
		fail("epoll_ctl: %s", strerror(errno));
}

static void out(struct client *c)
{
	close(c->fd);
	c->fd = -1;
	if (c->state == IN)
		in--;
	else
		on_the_way--;
	c->state = OUT;
	c->waits = false;
}

static void try_later(struct client *c)
{
	out(c);
	failures++;
	c->due = now_ns() + 500 * MS + rand() % 500 * MS;
}

/* Where everything was well until now. */
static void cut_off(struct client *c)
{
	if (echoes)
		fail("a session with echoes was closed");
	if (!storming)
		fail("a session was closed before all were there");
	out(c);
	c->due = c->gone = now_ns();
	if (!began)
		began = c->gone;
}

static void come(struct client *c)
{
	unsigned no = (unsigned)(c - clients);
	struct sockaddr_in from = { .sin_family = AF_INET };
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		fail("socket: %s", strerror(errno));
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + no % SOURCES);
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(c->fd, (void *)&from, sizeof(from)) < 0)
		fail("bind: %s", strerror(errno));
	c->state = CONNECTING;
	on_the_way++;
	if (connect(c->fd, (void *)&at[storming && at[1].sin_port], sizeof(*at)) < 0 && errno != EINPROGRESS)
		try_later(c);
	else
		watch(c, EPOLL_CTL_ADD, EPOLLOUT);
}

static void arrived(struct client *c)
{
	int64_t now = now_ns();

	c->state = IN;
	on_the_way--;
	in++;
	c->due = now + rand() % ECHO_MS * MS;
	if (!c->gone)
		return;
	histogram_record(&times, now - c->gone);
	c->gone = 0;
	last_back = now;
	backs++;
}

/* --- what they say and hear --------------------------------------------------------- */

static void send_all(struct client *c, const void *data, size_t n)
{
	if (send(c->fd, data, n, MSG_NOSIGNAL) != (ssize_t)n && errno == EAGAIN)
		fail("the server does not read");
}

static void ask_echo(struct client *c)
{
	unsigned char frame[6 + SIZE] = { 0x82, 0x80 | SIZE }; /* masked with zeros */

	c->waits = true;
	send_all(c, frame, sizeof(frame));
}

static void heard(struct client *c, const unsigned char *data, size_t n)
{
	static const unsigned char pong[6] = { 0x8a, 0x80 };
	int64_t now = now_ns();

	if (c->state == ASKING) {
		/* A short answer comes whole. */
		if (n < 12 || memcmp(data, "HTTP/1.1 101", 12) != 0)
			try_later(c);
		else
			arrived(c);
	} else if (data[0] == 0x88) {
		cut_off(c);
	} else if (data[0] == 0x89) {
		send_all(c, pong, sizeof(pong));
	} else if (c->waits) {
		histogram_record(&times, now - c->due);
		c->waits = false;
		for (c->due += ECHO_MS * MS; c->due < now - ECHO_MS * MS;)
			c->due += ECHO_MS * MS;
	}
}

static void on_event(struct client *c, uint32_t events)
{
	unsigned char data[4096];
	ssize_t n;

	if (c->state == CONNECTING) {
		if (events & (EPOLLERR | EPOLLHUP)) {
			try_later(c);
			return;
		}
		c->state = ASKING;
		watch(c, EPOLL_CTL_MOD, EPOLLIN);
		send_all(c, request, sizeof(request) - 1);
		return;
	}
	n = recv(c->fd, data, sizeof(data), 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0)
		heard(c, data, (size_t)n);
	else if (c->state == IN)
		cut_off(c);
	else
		try_later(c);
}

/* --- turns -------------------------------------------------------------------------- */

/* Those whose time it is, from where the last turn has ended. */
static void go_on(void)
{
	static unsigned next;
	int64_t now = now_ns();
	unsigned steps = 0;

	for (unsigned i = 0; i < count && steps < STEP; i++, next = (next + 1) % count) {
		struct client *c = &clients[next];

		if (c->state == OUT && c->due <= now && (storming || on_the_way < WINDOW)) {
			come(c);
			steps++;
		} else if (echoes && storming && c->state == IN && !c->waits && c->due <= now) {
			ask_echo(c);
		}
	}
}

static void cut_all(void)
{
	struct linger at_once = { .l_onoff = 1 };

	began = now_ns();
	for (unsigned i = 0; i < count; i++) {
		struct client *c = &clients[i];

		if (c->state == OUT)
			continue;
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		out(c);
		c->due = c->gone = began;
	}
}

static void tell(void)
{
	printf("{\"count\":%llu,\"missing\":%u,\"failures\":%u,\"all\":%lld,\"p50\":%llu,\"p99\":%llu,\"max\":%llu}\n",
	    (unsigned long long)times.count, count - in, failures,
	    began ? (long long)(last_back - began) / 1000 : 0LL,
	    (unsigned long long)histogram_quantile(&times, 0.5) / 1000,
	    (unsigned long long)histogram_quantile(&times, 0.99) / 1000,
	    (unsigned long long)times.max / 1000);
	fflush(stdout);
	times = (struct histogram){ 0 };
}

/* A line is there. False: the end. */
static bool obey(bool *wants_back)
{
	char line[64];
	ssize_t n = read(0, line, sizeof(line) - 1);

	if (n <= 0)
		return false;
	line[n] = '\0';
	if (strstr(line, "cut"))
		cut_all();
	if (strstr(line, "mark"))
		tell();
	if (strstr(line, "back"))
		*wants_back = true;
	return true;
}

static bool is_over(void)
{
	return began && ((in == count && backs >= count) || now_ns() - began > BACK_MS * MS);
}

static void run(void)
{
	struct epoll_event events[EVENTS], e = { .events = EPOLLIN, .data.ptr = NULL };
	bool wants_back = false;

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &e) < 0)
		fail("standard input is no pipe");
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, on_the_way || echoes ? 1 : 5);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				on_event(events[i].data.ptr, events[i].events);
			else if (!obey(&wants_back))
				return;
		}
		go_on();
		if (!storming && in == count) {
			storming = true;
			failures = 0;
			puts("in");
			fflush(stdout);
		}
		if (wants_back && is_over()) {
			tell();
			wants_back = false;
		}
	}
}

static struct sockaddr_in port_of(const char *text)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)atoi(text)) };
}

int main(int argc, char **argv)
{
	if (argc < 4 || argc > 5)
		fail("usage: storm crowd|echo N PORT [PORT]");
	echoes = strcmp(argv[1], "echo") == 0;
	count = (unsigned)atoi(argv[2]);
	at[0] = port_of(argv[3]);
	if (argc > 4)
		at[1] = port_of(argv[4]);
	if (!echoes && nice(10) == -1 && errno == EPERM)
		fail("nice: %s", strerror(errno)); /* it must not keep the server and the echoes waiting */
	clients = must(calloc(count, sizeof(*clients)));
	epoll = epoll_create1(EPOLL_CLOEXEC);
	run();
	return 0;
}
