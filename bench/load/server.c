/*
 * bench/load/server.c - starts, pins, finds and stops the server under test.
 *
 * Every measurement has a server of its own, so that none inherits the heap of another.
 * It gets SIGTERM when we end, however that comes.
 */
#include "load/server.h"

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

/* Reads what the server prints until it has told where it listens. */
static struct place learn_place(int out)
{
	static const char said[] = "listening on ";
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
		end = line ? strpbrk(line, "\r\n") : NULL;
		if (end) {
			*end = '\0';
			return place_parse(line + strlen(said));
		}
	}
}

static bool reap(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) != 0;
}

static void await_listener(pid_t pid, const struct place *place)
{
	for (int waited = 0; waited < START_MS; waited += STEP_MS) {
		int fd = socket(place->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int status = connect(fd, &place->address.any, place->len);

		close(fd);
		if (status == 0)
			return;
		if (reap(pid))
			break;
		usleep(STEP_MS * 1000);
	}
	fail("the server does not start");
}

void server_start(struct server *s, char *const argv[], int cpu, const struct place *place)
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
	s->place = *place;
	if (place->len)
		await_listener(s->pid, place);
	else
		s->place = learn_place(s->out);
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
