/*
 * daemon/supervise.c - whether all reactors still have their turns; see supervise.h.
 *
 * A call goes to each of them, and the last to answer tells the manager. So if one hangs nobody is
 * told anything, and the manager does what it was configured to do.
 */
#include "daemon/supervise.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/notify.h"
#include "server/internal.h"

#define PERIOD_MS 10000
#define LEAST_MS  10

/* Of the one server that a daemon has. */
static struct {
	struct sockjs_server *server;
	unsigned period_ms;
	bool has_watchdog;
	bool is_told; /* the log has said that somebody hangs */
	uint64_t asked_at;
	atomic_bool is_answered; /* by all, since then */
} now;

/* --- the answer ------------------------------------------------------------------- */

static void answer(void *arg)
{
	(void)arg; /* that it runs is the answer */
}

/* In whichever reactor was the last. */
static void all_have_answered(void *arg)
{
	char text[128];

	(void)arg;
	atomic_store(&now.is_answered, true);
	snprintf(text, sizeof(text), "%sSTATUS=%llu sessions", now.has_watchdog ? "WATCHDOG=1\n" : "",
	    server_session_count(now.server));
	notify(text);
}

/* --- the question ----------------------------------------------------------------- */

static void ask(void)
{
	static const char nothing;

	if (now.is_told)
		log_warn("all threads have their turns again");
	now.is_told = false;
	now.asked_at = clock_now();
	atomic_store(&now.is_answered, false);
	if (sockjs_reactor_spread(
	        now.server, 0, NULL, answer, all_have_answered, &nothing, sizeof(nothing)) < 0)
		atomic_store(&now.is_answered, true); /* nobody was asked: once more, later */
}

static void tell(void)
{
	if (!now.is_told)
		log_error("a thread has had no turn for long",
		    LOG_INT("milliseconds", clock_now() - now.asked_at));
	now.is_told = true;
}

static void look(void *arg)
{
	if (atomic_load(&now.is_answered))
		ask();
	else
		tell();
	sockjs_reactor_later(now.server, now.period_ms, look, NULL, arg, 1);
}

/* --- the beginning ------------------------------------------------------------------ */

/* $NAME as a number; 0: it is none. */
static uint64_t number(const char *name)
{
	const char *text = getenv(name);
	char *end = NULL;
	uint64_t n = text ? strtoull(text, &end, 10) : 0;

	return end && *end == '\0' ? n : 0;
}

/* A manager wants to hear of us within this time; it may be meant for another process. */
static uint64_t watchdog_ms(void)
{
	uint64_t pid = number("WATCHDOG_PID");

	return pid == 0 || pid == (uint64_t)getpid() ? number("WATCHDOG_USEC") / 1000 : 0;
}

void supervise_begin(struct sockjs_server *server)
{
	uint64_t half = watchdog_ms() / 2;
	char nothing = 0;

	now.server = server;
	now.has_watchdog = half > 0;
	now.period_ms = half == 0 || half > PERIOD_MS ? PERIOD_MS : (unsigned)half;
	if (now.period_ms < LEAST_MS)
		now.period_ms = LEAST_MS;
	atomic_store(&now.is_answered, true);
	look(&nothing);
}
