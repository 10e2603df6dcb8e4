/*
 * bench/idle.c - what an idle session costs.
 *
 *	idle --server "CMD" [-n SESSIONS] [-t SECONDS] TRANSPORT...
 *
 * For each transport a server is started, SESSIONS (15000, or what descriptors allow)
 * sessions of /echo are opened and left alone: an open WebSocket, a stream, or a
 * poll that waits. Prints user-space bytes for each (resident memory beyond that
 * of the empty server) and the processor time the server takes while nothing
 * happens for SECONDS (5).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/server.h"

enum { MAX_ARGS = 32, SPARE = 100, WARM = 200 };

static struct sockaddr_in address;

static void die(const char *what)
{
	fprintf(stderr, "idle: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* --- a session ------------------------------------------------------------------------ */

static int connect_from(unsigned n)
{
	struct sockaddr_in here = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		die("socket");
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK + n % 16);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("connect");
	return fd;
}

static size_t request_of(char *out, const char *transport, unsigned n)
{
	static const char upgrade[] =
	    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

	if (strcmp(transport, "websocket_raw") == 0)
		return (size_t)sprintf(
		    out, "GET /echo/websocket HTTP/1.1\r\nHost: idle\r\n%s", upgrade);
	if (strcmp(transport, "websocket") == 0)
		return (size_t)sprintf(
		    out, "GET /echo/000/s%08u/websocket HTTP/1.1\r\nHost: idle\r\n%s", n, upgrade);
	if (strncmp(transport, "xhr", 3) == 0)
		return (size_t)sprintf(out,
		    "POST /echo/000/s%08u/%s HTTP/1.1\r\nHost: idle\r\nContent-Length: 0\r\n\r\n",
		    n, transport);
	return (size_t)sprintf(
	    out, "GET /echo/000/s%08u/%s?c=cb HTTP/1.1\r\nHost: idle\r\n\r\n", n, transport);
}

/* Reads until `what` has come. */
static void await(int fd, const char *what)
{
	char text[8192];
	size_t n = 0;
	ssize_t got;

	while (n < sizeof(text) - 1) {
		got = recv(fd, text + n, sizeof(text) - 1 - n, 0);
		if (got <= 0)
			die("the server has ended a connection");
		n += (size_t)got;
		if (memmem(text, n, what, strlen(what)))
			return;
	}
	die("the server has not said what it should");
}

static const char *greeting_of(const char *transport)
{
	if (strcmp(transport, "websocket_raw") == 0)
		return "\r\n\r\n";
	if (strcmp(transport, "websocket") == 0)
		return "\r\n\r\n\x81\x01o";
	if (strcmp(transport, "eventsource") == 0)
		return "data: o\r\n\r\n";
	if (strcmp(transport, "htmlfile") == 0)
		return "p(\"o\")";
	if (strcmp(transport, "jsonp") == 0)
		return "cb(\"o\")";
	return "o\n";
}

static int open_session(const char *transport, unsigned n)
{
	char request[512];
	size_t len = request_of(request, transport, n);
	int fd = connect_from(n),
	    polls = strcmp(transport, "xhr") == 0 || strcmp(transport, "jsonp") == 0;

	for (int i = 0; i <= polls; i++) {
		if (send(fd, request, len, MSG_NOSIGNAL) < 0)
			die("send");
		if (i == 0)
			await(fd, greeting_of(transport));
	}
	return fd;
}

/* --- the server -------------------------------------------------------------------------- */

static void start_server(struct server *s, const char *command)
{
	char copy[4096], *argv[MAX_ARGS], *word;
	size_t n = 0;

	snprintf(copy, sizeof(copy), "%s", command);
	for (word = strtok(copy, " "); word && n < MAX_ARGS - 1; word = strtok(NULL, " "))
		argv[n++] = word;
	argv[n] = NULL;
	if (n == 0 || server_start(s, argv, now_ms() + 10000) < 0)
		die("the server does not start");
	address.sin_family = AF_INET;
	address.sin_port = htons((uint16_t)atoi(s->address[0].port));
	inet_pton(AF_INET, s->address[0].host, &address.sin_addr);
}

/* In KB. */
static long memory_of(pid_t pid)
{
	char line[256];
	long kb = 0;
	FILE *f;

	snprintf(line, sizeof(line), "/proc/%d/status", (int)pid);
	f = fopen(line, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

/* In milliseconds, of all threads. */
static long processor_of(pid_t pid)
{
	char path[64];
	unsigned long user = 0, system = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
	              &system) != 2)
		user = system = 0;
	if (f)
		fclose(f);
	return (long)(user + system) * 1000 / sysconf(_SC_CLK_TCK);
}

static void measure(const char *command, const char *transport, unsigned sessions, unsigned seconds)
{
	int *fds = calloc(sessions + WARM, sizeof(*fds));
	struct server server;
	long memory, processor;
	char why[128];

	if (!fds)
		die("memory");
	start_server(&server, command);
	for (unsigned i = 0; i < WARM; i++)
		fds[i] = open_session(transport, i);
	memory = memory_of(server.pid);
	for (unsigned i = WARM; i < WARM + sessions; i++)
		fds[i] = open_session(transport, i);
	usleep(500000);
	memory = memory_of(server.pid) - memory;
	processor = processor_of(server.pid);
	sleep(seconds);
	processor = processor_of(server.pid) - processor;
	printf("%-14s %6u sessions: %5ld bytes each; %ld ms of processor time in %u s\n", transport,
	    sessions, memory * 1024 / (long)sessions, processor, seconds);
	fflush(stdout);
	for (unsigned i = 0; i < WARM + sessions; i++)
		close(fds[i]);
	free(fds);
	if (!server_stop(&server, 15000, why))
		fprintf(stderr, "idle: the server %s\n", why);
	server_log(&server, false);
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "server", required_argument, NULL, 'x' },
		{ 0 } };
	const char *command = NULL;
	unsigned sessions = 15000, seconds = 5;
	struct rlimit limit;
	int c;

	while ((c = getopt_long(argc, argv, "n:t:", options, NULL)) != -1) {
		if (c == 'x')
			command = optarg;
		else if (c == 'n')
			sessions = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 't')
			seconds = (unsigned)strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	if (!command || optind == argc) {
		fprintf(stderr,
		    "usage: idle --server \"CMD\" [-n SESSIONS] [-t SECONDS] TRANSPORT...\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max; /* the server inherits it */
	setrlimit(RLIMIT_NOFILE, &limit);
	if (sessions + WARM + SPARE > limit.rlim_cur)
		sessions = (unsigned)limit.rlim_cur - WARM - SPARE;
	for (int i = optind; i < argc; i++)
		measure(command, argv[i], sessions, seconds);
	return 0;
}
