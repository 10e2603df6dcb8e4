/*
 * bench/load/server.c - starts, pins, finds and stops the server under test.
 *
 * Every measurement has a server of its own, so that none inherits the heap of another.
 * It gets SIGTERM when we end, however that comes.
 */
#include "load/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load/fail.h"
#include "load/usage.h"

enum { START_MS = 60000, STOP_MS = 3000, STEP_MS = 10 };

struct sockaddr_in server_parse_address(const char *text)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	const char *colon = strrchr(text, ':');
	char host[64] = "";

	if (colon && (size_t)(colon - text) < sizeof(host))
		memcpy(host, text, (size_t)(colon - text));
	if (!colon || inet_pton(AF_INET, host, &a.sin_addr) != 1)
		fail("\"%s\" is no address such as 127.0.0.1:8081", text);
	a.sin_port = htons((uint16_t)atoi(colon + 1));
	return a;
}

/* --- start -------------------------------------------------------------------------- */

static _Noreturn void become(char *const argv[], int out, int cpu)
{
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);

	dup2(in, 0);
	dup2(out, 1);
	usage_pin(0, cpu);
	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	execvp(argv[0], argv);
	fprintf(stderr, "cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* Reads what the server prints until it has told its address. */
static struct sockaddr_in learn_address(int out)
{
	static const char said[] = "listening on http://";
	char text[4096], *line, *end;
	struct pollfd p = { .fd = out, .events = POLLIN };
	size_t n = 0;
	ssize_t got;

	for (;;) {
		if (poll(&p, 1, START_MS) <= 0 || n == sizeof(text) - 1)
			fail("the server does not say where it listens");
		got = read(out, text + n, sizeof(text) - 1 - n);
		if (got <= 0)
			fail("the server does not start");
		n += (size_t)got;
		text[n] = '\0';
		line = strstr(text, said);
		end = line ? strpbrk(line + strlen(said), "/\r\n") : NULL;
		if (end) {
			*end = '\0';
			return server_parse_address(line + strlen(said));
		}
	}
}

static bool reap(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) != 0;
}

static void await_listener(pid_t pid, const struct sockaddr_in *address)
{
	for (int waited = 0; waited < START_MS; waited += STEP_MS) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int status = connect(fd, (const struct sockaddr *)address, sizeof(*address));

		close(fd);
		if (status == 0)
			return;
		if (reap(pid))
			break;
		usleep(STEP_MS * 1000);
	}
	fail("the server does not start");
}

void server_start(struct server *s, char *const argv[], int cpu, const struct sockaddr_in *address)
{
	int out[2];

	if (pipe2(out, O_CLOEXEC) < 0)
		fail("pipe: %s", strerror(errno));
	s->pid = fork();
	if (s->pid < 0)
		fail("fork: %s", strerror(errno));
	if (s->pid == 0)
		become(argv, out[1], cpu);
	close(out[1]);
	s->out = out[0];
	s->address = *address;
	if (address->sin_port)
		await_listener(s->pid, address);
	else
		s->address = learn_address(s->out);
}

/* --- stop --------------------------------------------------------------------------- */

void server_stop(struct server *s)
{
	if (s->pid <= 0)
		return;
	kill(s->pid, SIGTERM);
	for (int waited = 0; waited < STOP_MS; waited += STEP_MS) {
		if (reap(s->pid))
			return;
		usleep(STEP_MS * 1000);
	}
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
}
