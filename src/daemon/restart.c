/*
 * daemon/restart.c - starts the program anew, and hands over to it; see restart.h.
 */
#include "daemon/restart.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/notify.h"
#include "net/loop.h"
#include "server/command.h"

#define VARIABLE "SOCKJSD_TAKES_OVER"
#define THEIR_FD 3
#define ENDS_MS 200

struct restarter {
	struct sockjs_server *server;
	char **argv;
	bool is_busy;
	pid_t pid; /* of the new process */
	struct sockjs_command *asker;
};

/* --- what came of it ------------------------------------------------------------------------------------ */

/* One that cannot take over ends by itself, and at once; one that hangs is ended, for nobody waits for it. */
static void reap(struct restarter *r)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	for (unsigned i = 0; r->pid > 0 && i < ENDS_MS; i++) {
		if (waitpid(r->pid, NULL, WNOHANG) != 0)
			r->pid = 0;
		else
			nanosleep(&moment, NULL);
	}
	if (r->pid > 0) {
		kill(r->pid, SIGKILL);
		while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	r->pid = 0;
}

static void fail(struct restarter *r, const char *why)
{
	log_error("there was no restart, nothing has changed", LOG_STR("why", why));
	if (r->asker)
		sockjs_command_refuse(r->asker, 503, "restart", NULL, why);
	r->asker = NULL;
	r->is_busy = false;
	notify("READY=1");
}

static void tell_success(struct restarter *r)
{
	char state[64];

	snprintf(state, sizeof(state), "READY=1\nMAINPID=%ld", (long)r->pid);
	notify(state);
	log_info("restarted", LOG_INT("pid", r->pid));
	if (r->asker)
		command_answer(r->asker, json_pack("{s:b,s:I}", "restarted", 1, "pid", (json_int_t)r->pid));
	r->asker = NULL;
}

static void done(void *arg, int err, const char *why)
{
	struct restarter *r = arg;

	if (err == 0) {
		tell_success(r);
		return;
	}
	reap(r);
	fail(r, why);
}

/* --- the new process -------------------------------------------------------------------------------------- */

/* Ours, but for what is said to it alone. The caller frees the array, and its last element. */
static char **make_environment(void)
{
	size_t n = 0, kept = 0;
	char **copy;

	while (environ[n])
		n++;
	copy = mem_zalloc((n + 2) * sizeof(*copy));
	if (!copy)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], VARIABLE "=", sizeof(VARIABLE)) != 0 &&
		    strncmp(environ[i], "WATCHDOG_PID=", 13) != 0)
			copy[kept++] = environ[i];
	copy[kept] = mem_strdup(VARIABLE "=3");
	if (copy[kept])
		return copy;
	mem_free(copy);
	return NULL;
}

static void free_environment(char **copy)
{
	size_t n = 0;

	while (copy && copy[n + 1])
		n++;
	if (copy)
		mem_free(copy[n]);
	mem_free(copy);
}

/* 0 or -errno. */
static int spawn(struct restarter *r, int fd)
{
	posix_spawn_file_actions_t actions;
	char **environment = make_environment();
	int err;

	if (!environment)
		return -ENOMEM;
	posix_spawn_file_actions_init(&actions);
	err = posix_spawn_file_actions_adddup2(&actions, fd, THEIR_FD);
	if (err == 0)
		err = posix_spawnp(&r->pid, r->argv[0], &actions, NULL, r->argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	free_environment(environment);
	return -err;
}

static int start(struct restarter *r, const char **why)
{
	int fds[2], err;

	*why = "the new process cannot be started";
	loop_share_descriptors(); /* the other threads go on while it is forked */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	err = spawn(r, fds[1]);
	close(fds[1]);
	if (err == 0) {
		*why = "nothing can be handed over";
		err = sockjs_server_hand_over(r->server, fds[0], done, r);
	}
	if (err < 0)
		close(fds[0]);
	return err;
}

void restarter_begin(struct restarter *r, struct sockjs_command *asker)
{
	const char *why;
	char text[200];
	int err;

	if (r->is_busy) {
		if (asker)
			sockjs_command_refuse(
			    asker, 409, "in_progress", NULL, "Another restart is under way.");
		return;
	}
	r->is_busy = true;
	r->asker = asker;
	r->pid = 0;
	err = start(r, &why);
	if (err == 0)
		return;
	snprintf(text, sizeof(text), "%s: %s.", why, strerror(-err));
	reap(r);
	fail(r, text);
}

/* --- life ------------------------------------------------------------------------------------------------------ */

struct restarter *restarter_new(struct sockjs_server *server, char **argv)
{
	struct restarter *r = mem_zalloc(sizeof(*r));

	if (!r)
		return NULL;
	r->server = server;
	r->argv = argv;
	return r;
}

void restarter_free(struct restarter *r)
{
	mem_free(r);
}

int restart_inherited(void)
{
	bool is_told = getenv(VARIABLE) != NULL;

	unsetenv(VARIABLE);
	return is_told ? THEIR_FD : -1;
}
