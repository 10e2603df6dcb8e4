/*
 * tests/wire/server.c - a server under test as a child process.
 *
 * Starts it, learns its addresses from its standard output, keeps its log,
 * and stops it by SIGTERM: any exit status but 0 is a failure, which is how
 * a sanitizer's report becomes one.
 */
#include "wire/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOG_TAIL = 6000, KILLED_MS = 5000 };

static void become(char *const argv[], int out, int err)
{
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);

	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	signal(SIGPIPE, SIG_DFL);
	execvp(argv[0], argv);
	fprintf(stderr, "cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void learn_address(struct server *s, const char *line)
{
	static const char said[] = "listening on ", inside[] = "internal on ";
	const char *p = strstr(line, said);

	if (strncmp(line, inside, sizeof(inside) - 1) == 0)
		address_parse(&s->internal, line + sizeof(inside) - 1);

	if (!p || s->addresses == SERVER_MAX_ADDRESSES)
		return;
	if (!address_parse(&s->address[s->addresses], p + sizeof(said) - 1))
		s->addresses++;
}

/* Reads what it has said, and learns from whole lines. What read() returned. */
static ssize_t hear(struct server *s)
{
	char *line = s->said, *end;
	ssize_t got = read(s->out, s->said + s->said_n, sizeof(s->said) - 1 - s->said_n);

	if (got <= 0)
		return got;
	s->said_n += (size_t)got;
	s->said[s->said_n] = '\0';
	for (; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		learn_address(s, line);
	}
	s->said_n -= (size_t)(line - s->said);
	memmove(s->said, line, s->said_n);
	return got;
}

/* Reads lines until one address is known and the output pauses. */
static int await_addresses(struct server *s, int64_t deadline)
{
	int64_t left;
	struct pollfd p = { .fd = s->out, .events = POLLIN };

	for (;;) {
		left = s->addresses ? 100 : deadline - now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)left) == 0 && s->addresses)
			return 0;
		if (p.revents && hear(s) <= 0)
			return s->addresses ? 0 : -ECHILD;
	}
}

void server_hear(struct server *s)
{
	struct pollfd p = { .fd = s->out, .events = POLLIN };

	while (poll(&p, 1, 0) > 0 && hear(s) > 0)
		;
}

int server_start(struct server *s, char *const argv[], int64_t deadline)
{
	int out[2], err;

	memset(s, 0, sizeof(*s));
	snprintf(s->log, sizeof(s->log), "/tmp/wire-log-XXXXXX");
	err = mkstemp(s->log);
	if (err < 0 || pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	fcntl(err, F_SETFD, FD_CLOEXEC);
	s->pid = fork();
	if (s->pid < 0)
		return -errno;
	if (!s->pid)
		become(argv, out[1], err);
	close(out[1]);
	close(err);
	s->out = out[0];
	return await_addresses(s, deadline);
}

static bool reap(struct server *s, int64_t deadline)
{
	while (waitpid(s->pid, &s->status, WNOHANG) == 0) {
		if (now_ms() > deadline)
			return false;
		usleep(10000);
	}
	return true;
}

bool server_stop(struct server *s, int64_t grace, char *why)
{
	bool early = reap(s, 0), slow = false;

	close(s->out);
	if (!early) {
		kill(s->pid, SIGTERM);
		slow = !reap(s, now_ms() + grace);
	}
	if (slow) {
		kill(s->pid, SIGKILL);
		reap(s, now_ms() + KILLED_MS);
		snprintf(why, 128, "still running %d ms after SIGTERM", (int)grace);
	} else if (WIFSIGNALED(s->status)) {
		snprintf(why, 128, "%s by signal %d", early ? "killed while serving" : "killed",
		    WTERMSIG(s->status));
	} else if ((early && !s->may_end) || WEXITSTATUS(s->status)) {
		snprintf(why, 128, "%s with status %d", early ? "exited while serving" : "exited",
		    WEXITSTATUS(s->status));
	} else {
		return true;
	}
	return false;
}

void server_log(struct server *s, bool show)
{
	char text[LOG_TAIL];
	int fd = open(s->log, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (show && fd >= 0) {
		if (lseek(fd, -(off_t)sizeof(text), SEEK_END) < 0)
			lseek(fd, 0, SEEK_SET);
		n = read(fd, text, sizeof(text));
		if (n > 0)
			fprintf(stderr, "--- the server's log ends ---\n%.*s---\n", (int)n, text);
	}
	if (fd >= 0)
		close(fd);
	unlink(s->log);
}

/* --- for programs ------------------------------------------------------------------ */

void command_add(struct command *c, const char *text)
{
	char *p = c->text + c->used, *save = NULL;
	size_t n = strlen(text) + 1;

	if (n > sizeof(c->text) - c->used)
		abort();
	memcpy(p, text, n);
	c->used += n;
	for (p = strtok_r(p, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
		if (c->count == COMMAND_WORDS)
			abort();
		c->words[c->count++] = p;
	}
}

void command_keep(struct command *c, size_t n)
{
	while (c->count > n)
		c->words[--c->count] = NULL;
}

static void say(const char *whom, const char *what)
{
	printf("%s%sthe server %s\n", whom ? whom : "", whom ? ": " : "", what);
	fflush(stdout);
}

bool server_begin(struct server *s, const struct command *c, int64_t ms, const char *whom)
{
	int err = c->count ? server_start(s, c->words, now_ms() + ms) : -ENOENT;
	char why[128], what[128];

	if (err == 0)
		return true;
	snprintf(what, sizeof(what), "did not start: %s", strerror(-err));
	say(whom, what);
	if (!c->count)
		return false;
	if (s->pid > 0)
		server_stop(s, 0, why);
	server_log(s, true);
	s->pid = 0;
	return false;
}

bool server_end(struct server *s, int64_t ms, const char *whom)
{
	char why[128];
	bool well = server_stop(s, ms, why);

	if (!well)
		say(whom, why);
	server_log(s, !well);
	return well;
}
