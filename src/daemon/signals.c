/*
 * daemon/signals.c - handlers that do no more than a handler may; see signals.h.
 *
 * sockjs_server_stop() and notify() are safe in a handler. The logger is not, so
 * the one line a handler has to say is written as it stands.
 */
#include "daemon/signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "daemon/notify.h"

#define NO_RELOAD "SIGHUP ignored: this version cannot reload; restart to read the configuration"

static struct sockjs_server *volatile watched;
static const char *volatile no_reload_line;

static void on_stop(int signo)
{
	struct sockjs_server *server = watched;

	(void)signo;
	notify("STOPPING=1");
	if (server)
		sockjs_server_stop(server);
}

static void on_reload(int signo)
{
	int saved = errno;
	ssize_t ignored;

	(void)signo;
	if (log_threshold > LOG_WARN)
		return;
	ignored = write(STDERR_FILENO, no_reload_line, strlen(no_reload_line));
	(void)ignored;
	errno = saved;
}

static void handle(int signo, void (*handler)(int))
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART };

	sigemptyset(&sa.sa_mask);
	sigaction(signo, &sa, NULL);
}

void signals_watch(struct sockjs_server *server, enum log_format format)
{
	no_reload_line = format == LOG_JSON ? "{\"level\":\"warn\",\"message\":\"" NO_RELOAD "\"}\n"
	                                    : "warn  " NO_RELOAD "\n";
	watched = server;
	handle(SIGPIPE, SIG_IGN);
	handle(SIGTERM, on_stop);
	handle(SIGINT, on_stop);
	handle(SIGHUP, on_reload);
}

void signals_forget(void)
{
	watched = NULL;
}
