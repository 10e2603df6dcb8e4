/*
 * daemon/signals.c - handlers that do no more than a handler may; see signals.h.
 *
 * sockjs_server_stop(), server_wake() and notify() are safe in a handler. The logger is not, so a
 * handler leaves a note, and the thread of sockjs_server_run() reads it aloud (signals_tell()).
 */
#include "daemon/signals.h"

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_file.h"
#include "daemon/notify.h"
#include "server/internal.h"

#define MARGIN_MS 5000 /* for the service manager, beyond the time that a stop may take */

/* Those that mean something, or that people send to services. */
static const struct known_signal {
	int signo;
	const char *name;
	bool stops;
} known[] = {
	{ SIGTERM, "SIGTERM", true },
	{ SIGINT, "SIGINT", true },
	{ SIGHUP, "SIGHUP", false },
	{ SIGUSR1, "SIGUSR1", false },
	{ SIGUSR2, "SIGUSR2", false },
};

enum { KNOWN = sizeof(known) / sizeof(*known) };

static struct sockjs_server *volatile watched;
static volatile sig_atomic_t came[KNOWN];
static volatile uint64_t sessions_then; /* at the first signal to stop */
static unsigned stops;                  /* those that the log has told */
/* What the service manager hears: a handler may read the one while the other is written */
static char texts[2][80];
static _Atomic(const char *) stopping = texts[0];

static void on_signal(int signo)
{
	struct sockjs_server *server = watched;
	size_t i = 0;

	while (i < KNOWN - 1 && known[i].signo != signo)
		i++;
	came[i] = 1;
	if (signo == SIGUSR1)
		log_reopen();
	if (known[i].stops)
		notify(stopping);
	if (!server)
		return;
	if (!known[i].stops) {
		server_wake(server);
		return;
	}
	sessions_then = server_session_count(server);
	sockjs_server_stop(server);
}

void signals_stop_was_asked(void)
{
	notify(stopping);
	stops++;
	log_info("stopping", LOG_STR("command", "drain"),
	    LOG_INT("sessions", watched ? server_session_count(watched) : 0));
}

static void tell_stop(const struct known_signal *s)
{
	if (stops++ == 0)
		log_info(
		    "stopping", LOG_STR("signal", s->name), LOG_INT("sessions", sessions_then));
	else
		log_warn("stopping at once", LOG_STR("signal", s->name));
}

struct signals_wish signals_tell(void)
{
	struct signals_wish wish = { false, false };

	for (size_t i = 0; i < KNOWN; i++) {
		if (!came[i])
			continue;
		came[i] = 0;
		if (known[i].stops)
			tell_stop(&known[i]);
		else if (known[i].signo == SIGHUP)
			wish.reload = true;
		else if (known[i].signo == SIGUSR2)
			wish.restart = true;
		else if (known[i].signo == SIGUSR1)
			log_info("logs are opened anew", LOG_STR("signal", known[i].name));
		else
			log_info("ignored", LOG_STR("signal", known[i].name));
	}
	return wish;
}

static void handle(int signo, void (*handler)(int))
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART };

	sigemptyset(&sa.sa_mask);
	sigaction(signo, &sa, NULL);
}

/* Their default is the end of the process, and nobody has asked for any of them. SIGTERM and SIGINT
 * end a start as they always do. Whoever is process 1 (of a container) inherits orphans, and has to
 * take note of their end: with SIGCHLD ignored the kernel does. */
void signals_begin(void)
{
	static const int ignored[] = { SIGPIPE, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGIO,
		SIGPWR, SIGXFSZ };

	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		handle(ignored[i], SIG_IGN);
	if (getpid() == 1)
		handle(SIGCHLD, SIG_IGN);
	for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++)
		handle(signo, SIG_IGN);
}

void signals_stop_takes(uint64_t stop_ms)
{
	char *text = texts[atomic_load(&stopping) == texts[0]];

	snprintf(text, sizeof(texts[0]), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64,
	    (stop_ms + MARGIN_MS) * 1000);
	atomic_store(&stopping, text);
}

void signals_watch(struct sockjs_server *server, uint64_t stop_ms)
{
	signals_stop_takes(stop_ms);
	watched = server;
	for (size_t i = 0; i < KNOWN; i++)
		handle(known[i].signo, on_signal);
}

void signals_forget(void)
{
	watched = NULL;
}
