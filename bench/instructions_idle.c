/*
 * bench/instructions_idle.c - what a message costs among idle sessions; for
 * doc/scaling.md.
 *
 *	instructions_idle --server "CMD" [-r ROUNDS] [-a ACTIVE] THREADS:IDLE...
 *
 * For each THREADS:IDLE a server of its own is started, with IDLE raw WebSockets
 * that say nothing and ACTIVE (64) that echo 64 octets. Then, in turn, each server gets a slice
 * of messages, in waves of one message on each active connection, and the processor time it took is
 * read from its schedstat. Because the turns alternate, what else the machine does meets all alike.
 * Prints the median over ROUNDS (21) of microseconds of processor time for a message, the quartiles,
 * and the ratio to the first; and what the kernel says of its memory when everybody has come.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "wire/server.h"

enum {
	MAX_ARGS = 32,
	LINE = 512,
	CASES_MAX = 8,
	MESSAGES = 2560,
	ACTIVE_MAX = 1024,
	ROUNDS_MAX = 999
};

struct trial {
	unsigned threads, idle;
	struct server server;
	struct conn *idlers, *active;
	double opening;          /* microseconds for a connection */
	double cost[ROUNDS_MAX]; /* microseconds for a message */
};

static struct trial trials[CASES_MAX];
static char frame[2 + 4 + 64];
static unsigned active = 64;

static void die(const char *what)
{
	fprintf(stderr, "instructions_idle: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int64_t soon(void)
{
	return now_ms() + 30000;
}

/* --- connections --------------------------------------------------------------------- */

static void hear(struct conn *c, size_t n)
{
	if (conn_need(c, n, soon()) < 0)
		die("the server does not answer");
	conn_consume(c, n);
}

static void enter(struct conn *c, const struct trial *t)
{
	static const char request[] =
	    "GET /echo/websocket HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\n"
	    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
	long end;

	conn_init(c);
	if (conn_open(c, &t->server.address[0], soon()) < 0 ||
	    conn_send(c, request, sizeof(request) - 1, soon()) < 0)
		die("cannot connect");
	while ((end = conn_find(c, "\r\n\r\n", 4)) < 0)
		if (conn_fill(c, soon()) <= 0)
			die("the server does not answer");
	conn_consume(c, (size_t)end + 4);
}

/* The server is stopped while they speak: how much of it comes in one turn makes more of a
 * difference than anything else, and so it is all of it each time. */
static void wave(struct trial *t)
{
	if (active > 1)
		kill(t->server.pid, SIGSTOP);
	for (unsigned i = 0; i < active; i++)
		if (conn_send(&t->active[i], frame, sizeof(frame), soon()) < 0)
			die("cannot send");
	kill(t->server.pid, SIGCONT);
	for (unsigned i = 0; i < active; i++)
		hear(&t->active[i], 2 + 64);
}

/* --- servers --------------------------------------------------------------------------- */

/* Nanoseconds of processor time of all its threads. */
static double time_of(pid_t pid)
{
	char path[LINE], line[LINE];
	double sum = 0;
	struct dirent *e;
	DIR *d;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	if (!d)
		die("the server is gone");
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/schedstat", (int)pid, e->d_name);
		f = fopen(path, "re");
		if (f && fgets(line, sizeof(line), f))
			sum += strtod(line, NULL);
		if (f)
			fclose(f);
	}
	closedir(d);
	return sum;
}

static void start(struct trial *t, const char *command)
{
	char copy[4096], *argv[MAX_ARGS], *word;
	double before;
	size_t n = 0;

	snprintf(copy, sizeof(copy), "%s -t %u", command, t->threads);
	for (word = strtok(copy, " "); word && n < MAX_ARGS - 1; word = strtok(NULL, " "))
		argv[n++] = word;
	argv[n] = NULL;
	if (server_start(&t->server, argv, soon()) < 0)
		die("the server does not start");
	t->idlers = calloc(t->idle + 1, sizeof(*t->idlers));
	t->active = calloc(active, sizeof(*t->active));
	if (!t->idlers || !t->active)
		die("memory");
	before = time_of(t->server.pid);
	for (unsigned i = 0; i < t->idle; i++)
		enter(&t->idlers[i], t);
	for (unsigned i = 0; i < active; i++)
		enter(&t->active[i], t);
	t->opening = (time_of(t->server.pid) - before) / 1000 / (t->idle + active);
}

static double slice(struct trial *t)
{
	double before = time_of(t->server.pid);

	for (unsigned i = 0; i < MESSAGES / active; i++)
		wave(t);
	return (time_of(t->server.pid) - before) / 1000 / (MESSAGES / active * active);
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* --- the kernel ------------------------------------------------------------------------- */

static void say_kernel(const char *when)
{
	static const char *const names[] = { "Slab:", "KernelStack:", "MemFree:", "TCP:" };
	static const char *const paths[] = { "/proc/meminfo", "/proc/net/sockstat" };
	char line[LINE];

	printf("%s:", when);
	for (size_t i = 0; i < 2; i++) {
		FILE *f = fopen(paths[i], "re");

		while (f && fgets(line, sizeof(line), f))
			for (size_t k = 0; k < 4; k++)
				if (strncmp(line, names[k], strlen(names[k])) == 0) {
					line[strcspn(line, "\n")] = '\0';
					printf(" %s;", line);
				}
		if (f)
			fclose(f);
	}
	putchar('\n');
}

/* --- main --------------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
	static const struct option options[] = { { "server", required_argument, NULL, 's' },
		{ 0 } };
	const char *command = NULL;
	unsigned rounds = 21;
	size_t n = 0;
	struct rlimit limit;
	char why[128];
	int c;

	while ((c = getopt_long(argc, argv, "r:a:", options, NULL)) != -1) {
		if (c == 's')
			command = optarg;
		else if (c == 'r')
			rounds = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'a')
			active = (unsigned)strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	for (; optind < argc && n < CASES_MAX; optind++, n++)
		if (sscanf(argv[optind], "%u:%u", &trials[n].threads, &trials[n].idle) != 2)
			return 2;
	if (!command || n == 0 || active == 0 || active > ACTIVE_MAX || rounds == 0 ||
	    rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: instructions_idle --server \"CMD\" [-r ROUNDS] [-a ACTIVE] "
		                "THREADS:IDLE...\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	memset(frame, 'x', sizeof(frame));
	memcpy(frame, "\x81\xc0\0\0\0\0", 6);
	say_kernel("before");
	for (size_t i = 0; i < n; i++) {
		start(&trials[i], command);
		snprintf(why, sizeof(why), "with %u more", trials[i].idle + active);
		say_kernel(why);
	}
	for (unsigned r = 0; r < rounds; r++)
		for (size_t i = 0; i < n; i++)
			trials[i].cost[r] = slice(&trials[i]);
	for (size_t i = 0; i < n; i++) {
		struct trial *t = &trials[i];

		qsort(t->cost, rounds, sizeof(*t->cost), ascending);
		printf(
		    "-t %u, %5u idle: %.2f us for a message (%.2f to %.2f), %.2f times the first; "
		    "%.0f us to open one\n",
		    t->threads, t->idle, t->cost[rounds / 2], t->cost[rounds / 4],
		    t->cost[rounds * 3 / 4], t->cost[rounds / 2] / trials[0].cost[rounds / 2],
		    t->opening);
	}
	for (size_t i = 0; i < n; i++) {
		for (unsigned k = 0; k < trials[i].idle; k++)
			conn_abort(&trials[i].idlers[k]);
		for (unsigned k = 0; k < active; k++)
			conn_abort(&trials[i].active[k]);
		if (!server_stop(&trials[i].server, 20000, why))
			fprintf(stderr, "instructions_idle: the server %s\n", why);
		server_log(&trials[i].server, false);
	}
	return 0;
}
