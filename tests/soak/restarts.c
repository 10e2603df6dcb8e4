/*
 * tests/soak/restarts.c - asks a server by SIGUSR2 to hand over to another process, time and again.
 *
 * It is over when the old process has ended, with status 0. That was our child; its own child, the
 * new process, becomes ours then, because we are the reaper of orphans below us.
 */
#include "soak/restarts.h"

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "soak/verdicts.h"

enum { RESTART_MS = 30000 };

void restarts_init(struct restarts *r, struct server *server, unsigned every_ms, unsigned most)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	*r = (struct restarts){
		.server = server, .every_ms = every_ms, .most = most ? most : UINT_MAX, .next = now_ms() + every_ms
	};
}

bool restarts_are_under_way(const struct restarts *r)
{
	return r->deadline > 0;
}

static pid_t parent_of(const char *pid)
{
	char path[64], state;
	int parent = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	f = fopen(path, "re");
	if (f && fscanf(f, "%*d (%*[^)]) %c %d", &state, &parent) != 2)
		parent = 0;
	if (f)
		fclose(f);
	return parent;
}

/* Our child; 0: there is none. The server is the only one that we have. */
static pid_t find_heir(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	pid_t found = 0;

	while (dir && !found && (e = readdir(dir)))
		if (atoi(e->d_name) > 0 && parent_of(e->d_name) == getpid())
			found = atoi(e->d_name);
	if (dir)
		closedir(dir);
	return found;
}

static void fail(struct restarts *r, const char *why)
{
	check(false, "restart %u: %s", r->done + 1, why);
	r->has_failed = true;
	r->deadline = 0;
}

static void begin(struct restarts *r)
{
	r->heir = *r->server;
	r->heir.addresses = 0;
	r->heir.internal.host[0] = '\0';
	r->began = now_ms();
	r->deadline = r->began + patient(RESTART_MS);
	if (kill(r->server->pid, SIGUSR2) < 0)
		fail(r, "there is no server");
}

static bool is_same(const struct address *a, const struct address *b)
{
	return strcmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0;
}

/* Where it listens. */
static void compare_addresses(struct restarts *r)
{
	struct server *s = r->server;
	bool same = is_same(&s->internal, &r->heir.internal);

	for (int i = 0; i < s->addresses; i++)
		same = same && is_same(&s->address[i], &r->heir.address[i]);
	if (!same)
		check(false, "after restart %u it listens elsewhere", r->done);
	s->internal = r->heir.internal;
}

static void hear_heir(struct restarts *r)
{
	const struct server *s = r->server;

	server_hear(&r->heir);
	if (r->heir.addresses == s->addresses && (r->heir.internal.host[0] || !s->internal.host[0])) {
		r->is_heir_silent = false;
		compare_addresses(r);
	} else if (now_ms() > r->began + patient(RESTART_MS)) {
		r->is_heir_silent = false;
		check(false, "after restart %u it does not say where it listens", r->done);
	}
}

static bool complete(struct restarts *r, int status)
{
	pid_t heir = find_heir();

	r->server->status = status;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !heir) {
		fail(r, heir ? "the old process has not ended with status 0"
		             : "the server has ended without an heir");
		return false;
	}
	r->server->pid = heir;
	r->is_heir_silent = true;
	r->took = now_ms() - r->began;
	r->next = r->began + r->every_ms;
	r->deadline = 0;
	r->done++;
	return true;
}

bool restarts_turn(struct restarts *r)
{
	int status;

	if (r->every_ms == 0 || r->has_failed)
		return false;
	if (!restarts_are_under_way(r)) {
		if (r->is_heir_silent)
			hear_heir(r);
		else if (now_ms() >= r->next && (r->done < r->most))
			begin(r);
		return false;
	}
	if (waitpid(r->server->pid, &status, WNOHANG) == r->server->pid)
		return complete(r, status);
	if (now_ms() > r->deadline)
		fail(r, "the old process goes on");
	return false;
}

void restarts_end(struct restarts *r)
{
	r->most = r->done + restarts_are_under_way(r);
	while ((restarts_are_under_way(r) || r->is_heir_silent) && !r->has_failed) {
		restarts_turn(r);
		usleep(1000);
	}
	r->every_ms = 0;
}
