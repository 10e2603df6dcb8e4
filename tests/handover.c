/*
 * tests/handover.c - sessions that talk while the server restarts, and notice nothing.
 *
 *	handover --server "CMD" [--mix MIX] [--sessions N] [--restarts N] [--every MS] [--rate N] [--silence MS]
 *	         [--seed S] [-v]
 *
 * MIX is a list of transports (ws,raw,xs,es,html,xhr,jsonp: all of these) whose sessions talk to /echo, or
 * "upstream", whose sessions are at /app and talk to a backend in this program, or "stomp", whose sessions are
 * clients of the broker at /stomp; with these a list may follow: "stomp:ws,xhr,tcp". CMD listens as with
 * tests/handover.json; with "upstream" each {backend} in it becomes the backend's URL.
 *
 * N sessions (1000) send --rate messages a second (as many as there are sessions) all together, evenly, each with a
 * few unanswered at most; some writes are cut in two, some sessions stop reading now and then. Every --every
 * ms (2000) the server is asked to restart by SIGUSR2, so many times (3). What comes must be what was sent,
 * once, and in order; no session, no connection may end. Then the new process must have what the old one had at the
 * same rest: sessions, connections, descriptors, and (without a sanitizer) memory. Prints for each restart
 *
 *	silence   the longest time from when a message was due to its answer
 *	still     the longest time in which nobody got any
 *
 * which are judged with --silence alone. Prints "N passed, N failed". The large runs, of a build with -O2:
 *
 *	handover --server "sockjsd -c tests/handover.json --log-level error" --sessions 10000 --silence 300
 *	... --mix stomp --sessions 1000 --silence 300
 *	handover --server "sockjsd -l 127.0.0.1:0 --log-level error --upstream {backend} --allowed-origins *" --mix upstream --silence 300
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handover/backend.h"
#include "handover/later.h"
#include "handover/population.h"
#include "handover/pulse.h"
#include "handover/rest.h"
#include "handover/text.h"
#include "soak/restarts.h"
#include "soak/subject.h"
#include "soak/verdicts.h"
#include "wire/arguments.h"

enum {
	JOINING_MOST = 200, /* at a time */
	JOIN_MS = 60000,
	QUIET_MS = 30000,
	LEAVE_MS = 30000,
	REST_MS = 5000,
	DESCRIPTORS = 50, /* of whatever else there is */
	WARM_MS = 1500,
	HEARD_MS = 300, /* what has been sent is there */
	SHOWN = 10,
	WIRES_MAX = 16,
};

struct settings {
	const char *server, *mix;
	unsigned sessions, restarts, every_ms, rate, silence_ms;
};

/* When which session is to say something: all in turn, at equal distances. */
struct schedule {
	int64_t start; /* microseconds */
	uint64_t said;
};

static const struct {
	const char *name;
	enum wire wire;
} transports[] = {
	{ "ws", WIRE_WEBSOCKET },
	{ "raw", WIRE_WEBSOCKET_RAW },
	{ "xs", WIRE_XHR_STREAMING },
	{ "es", WIRE_EVENTSOURCE },
	{ "html", WIRE_HTMLFILE },
	{ "xhr", WIRE_XHR },
	{ "jsonp", WIRE_JSONP },
	{ "tcp", WIRE_TCP },
};

static struct settings set = { NULL, "ws,raw,xs,es,html,xhr,jsonp", 1000, 3, 2000, 0, 0 };
static const struct population *people = &echoers;
static bool has_backend;
static enum wire wires[WIRES_MAX];
static unsigned wire_count;
static struct channel_target target = { .prefix = "/echo" };
static struct server server;
static struct restarts restarts;
static struct pulse worst;

/* --- the command line ------------------------------------------------------------------------- */

static bool add_wire(const char *name)
{
	for (size_t i = 0; i < sizeof(transports) / sizeof(*transports); i++)
		if (strcmp(name, transports[i].name) == 0 && wire_count < WIRES_MAX) {
			wires[wire_count++] = transports[i].wire;
			return true;
		}
	return false;
}

static bool add_wires(const char *list)
{
	char text[128], *save = NULL;

	snprintf(text, sizeof(text), "%s", list);
	for (char *name = strtok_r(text, ",", &save); name; name = strtok_r(NULL, ",", &save))
		if (!add_wire(name))
			return false;
	return wire_count > 0;
}

/* What may stand behind a word. */
static const char *after(const char *word, const char *by_default)
{
	size_t n = strlen(word);

	if (strncmp(set.mix, word, n) != 0)
		return NULL;
	return set.mix[n] == ':' ? set.mix + n + 1 : set.mix[n] ? NULL : by_default;
}

static bool choose_population(void)
{
	const char *list;

	if ((list = after("stomp", "ws,raw,xhr,xs,es,tcp"))) {
		people = &subscribers;
		target.prefix = "/stomp";
		target.subprotocol = "v12.stomp";
	} else if ((list = after("upstream", "ws,raw,xs,es,html,xhr,jsonp"))) {
		has_backend = true;
		target.prefix = "/app";
	}
	return add_wires(list ? list : set.mix);
}

static void parse(int argc, char **argv)
{
	static const char usage[] =
	    "usage: handover --server \"CMD\" [--mix MIX] [--sessions N] [--restarts N] [--every MS] "
	    "[--rate N] [--silence MS] [--seed S] [-v]\n"
	    "       MIX: ws,raw,xs,es,html,xhr,jsonp | upstream[:...] | stomp[:...,tcp]\n";
	const struct argument table[] = {
		{ "server", .text = &set.server },
		{ "mix", .text = &set.mix },
		{ "sessions", .count = &set.sessions },
		{ "restarts", .count = &set.restarts },
		{ "every", .count = &set.every_ms },
		{ "rate", .count = &set.rate },
		{ "silence", .count = &set.silence_ms },
		{ "seed", .number = &text_seed },
		{ "v", .flag = &verdicts.verbose },
		{ NULL },
	};

	if (arguments_read(table, argc, argv, usage) < argc || !set.server || !set.sessions ||
	    !set.every_ms || !choose_population())
		arguments_refuse(usage);
	if (set.rate == 0)
		set.rate = set.sessions;
}

/* --- the server ------------------------------------------------------------------------------------ */

/* With the backend's URL where it is wanted. */
static void write_command(char *out, size_t size)
{
	static const char word[] = "{backend}";
	const char *at = strstr(set.server, word);
	char url[64] = "";

	if (has_backend && (!at || !backend_start(url, sizeof(url)))) {
		fprintf(stderr, "handover: there is no %s\n", at ? "backend" : word);
		exit(2);
	}
	if (at && has_backend)
		snprintf(out, size, "%.*s%s%s", (int)(at - set.server), set.server, url, at + sizeof(word) - 1);
	else
		snprintf(out, size, "%s", set.server);
}

/* What websockets have one of, and others two. */
static unsigned connections(void)
{
	unsigned n = 0;

	for (unsigned k = 0; k < set.sessions; k++) {
		enum wire w = wires[k % wire_count];

		n += wire_is_websocket(w) || w == WIRE_TCP ? 1 : 2;
	}
	return n;
}

static bool start_server(void)
{
	char command[1024];

	write_command(command, sizeof(command));
	if (!subject_start(&server, command, &target.http) || peers_init() < 0)
		return false;
	target.tcp = target.http;
	if (server.addresses > 1)
		target.tcp.sin_port = htons((uint16_t)atoi(server.address[1].port));
	return server.addresses > 1 || !people->needs_tcp;
}

/* --- restarts --------------------------------------------------------------------------------------- */

static void tell_restart(void)
{
	struct pulse p = pulse_of_restart();

	if (restarts.done == 0)
		return;
	printf("restart %u: %lld ms from the signal to the old process's end; silence %.1f ms, still %.1f ms "
	       "(%llu messages)\n",
	    restarts.done, (long long)restarts.took, (double)p.silence / 1000, (double)p.still / 1000,
	    (unsigned long long)p.answers);
	check(p.answers > 0, "restart %u: messages were under way", restarts.done);
	if (p.silence > worst.silence)
		worst.silence = p.silence;
	if (p.still > worst.still)
		worst.still = p.still;
}

static void restart_now_and_then(void)
{
	bool was = restarts_are_under_way(&restarts);
	bool is_over = restarts_turn(&restarts);

	if (is_over) {
		pulse_restart_ends();
	} else if (!was && restarts_are_under_way(&restarts)) {
		tell_restart();
		pulse_restart_begins();
	}
}

/* --- turns ------------------------------------------------------------------------------------------- */

static void turn(void)
{
	static int64_t looked;
	int64_t now = now_ms();

	peers_turn(1);
	later_turn(now);
	if (now - looked < 20)
		return;
	looked = now;
	people->turn(now);
}

/* All that is due. */
static void speak(struct schedule *s)
{
	int64_t now = pulse_now(), due;

	while ((due = s->start + (int64_t)(s->said * 1000000 / set.rate)) <= now) {
		people->say((unsigned)(s->said % set.sessions), due);
		s->said++;
	}
}

static void come(void)
{
	int64_t deadline = now_ms() + patient(JOIN_MS), began = now_ms();
	unsigned begun = 0;

	while (findings.in + findings.ended < set.sessions && now_ms() < deadline) {
		for (unsigned i = 0;
		     i < 50 && begun < set.sessions && begun - findings.in < JOINING_MOST; i++)
			people->begin(begun++);
		turn();
	}
	check(findings.in == set.sessions, "%u of %u sessions came within %lld ms", findings.in,
	    set.sessions, (long long)(now_ms() - began));
}

/* Until all that was said is answered. */
static void fall_silent(const char *when)
{
	int64_t deadline = now_ms() + patient(QUIET_MS);
	unsigned k = 0, waiting = 0;
	char what[256];

	pulse_rest(true);
	while ((k < set.sessions || later_count() > 0) && now_ms() < deadline) {
		turn();
		while (k < set.sessions && people->is_quiet(k))
			k++;
	}
	for (k = 0; k < set.sessions; k++) {
		if (people->is_quiet(k) || waiting++ >= SHOWN)
			continue;
		people->describe(k, what, sizeof(what));
		complain(k, people->channel(k), "%s", what);
	}
	check(waiting == 0, "%s: %u sessions wait for something", when, waiting);
	for (deadline = now_ms() + HEARD_MS; now_ms() < deadline;)
		turn();
}

/* Each says something once at least. */
static void warm_up(void)
{
	struct schedule s = { pulse_now(), 0 };
	int64_t end = now_ms() + WARM_MS;

	pulse_rest(false);
	while (now_ms() < end || s.said < set.sessions) {
		speak(&s);
		turn();
	}
	fall_silent("before");
}

/* Until some time after the last restart. */
static void talk(void)
{
	struct schedule s = { pulse_now(), 0 };
	int64_t end = 0;

	pulse_rest(false);
	restarts_init(&restarts, &server, set.restarts ? set.every_ms : 0, set.restarts);
	while (end == 0 || now_ms() < end) {
		speak(&s);
		turn();
		restart_now_and_then();
		if (end == 0 && (restarts.done == set.restarts || restarts.has_failed))
			end = now_ms() + set.every_ms;
	}
	restarts_end(&restarts);
	fall_silent("afterwards");
	tell_restart();
}

/* --- verdicts ------------------------------------------------------------------------------------------ */

static void judge(void)
{
	unsigned connects = 0;

	for (unsigned k = 0; k < set.sessions; k++)
		connects += people->channel(k)->connects;
	check(restarts.done == set.restarts, "%u restarts of %u", restarts.done, set.restarts);
	check(findings.lost == 0, "%u messages lost", findings.lost);
	check(findings.twice == 0, "%u came twice", findings.twice);
	check(findings.misplaced == 0, "%u came to somebody else", findings.misplaced);
	check(findings.broken == 0, "%u were not what was sent", findings.broken);
	check(findings.ended == 0, "%u sessions ended", findings.ended);
	check(findings.cut_off == 0, "%u connections ended while nothing was under way", findings.cut_off);
	check(connects == connections(), "%u connections were made by all, %u are enough", connects,
	    connections());
	if (set.silence_ms > 0)
		check(worst.silence < 1000 * (int64_t)set.silence_ms,
		    "the longest silence is %.1f ms, less than %u", (double)worst.silence / 1000,
		    set.silence_ms);
}

/* What is done a moment late is done. */
static void judge_rest(const struct rest *before)
{
	int64_t deadline = now_ms() + patient(REST_MS);
	struct rest now;

	rest_measure(&now, &server);
	while (!rest_is_same(before, &now) && now_ms() < deadline) {
		turn();
		rest_measure(&now, &server);
	}
	rest_compare(before, &now);
}

static void judge_backend(void)
{
	if (!has_backend)
		return;
	check(backend_accepted() == set.sessions && backend_live() == set.sessions,
	    "the backend has got %u connections, and has %u", backend_accepted(), backend_live());
	check(backend_wrong() == 0, "it has got %u frames that are none", backend_wrong());
}

static void leave(void)
{
	int64_t deadline = now_ms() + patient(LEAVE_MS);

	for (unsigned k = 0; k < set.sessions; k++)
		people->leave(k);
	while (findings.left + findings.ended < set.sessions && now_ms() < deadline)
		turn();
	check(findings.left == set.sessions, "%u of %u left in due form", findings.left, set.sessions);
}

static void tell_sum(void)
{
	struct pulse usual = pulse_otherwise();

	printf("%u sessions, %llu messages, seed %llu; without a restart: silence %.1f ms, still %.1f ms\n",
	    set.sessions, (unsigned long long)findings.heard, (unsigned long long)text_seed,
	    (double)usual.silence / 1000, (double)usual.still / 1000);
	printf("%u passed, %u failed\n", verdicts.passed, verdicts.failed);
}

/* --- main --------------------------------------------------------------------------------------------------- */

static void run(void)
{
	struct rest before;

	people->populate(&target, set.sessions, wires, wire_count);
	come();
	warm_up();
	rest_measure(&before, &server);
	talk();
	judge_rest(&before);
	judge();
	judge_backend();
	leave();
}

static void stop_server(void)
{
	char why[128] = "";
	bool ended = server_stop(&server, patient(20000), why);

	check(ended, "the server ends with status 0 on SIGTERM %s", why);
	check(subject_log_is_clean(&server), "no sanitizer has anything to say");
	server_log(&server, verdicts.failed > 0);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	parse(argc, argv);
	if (subject_raise_limit() < connections() + DESCRIPTORS)
		fprintf(stderr, "handover: there are not enough descriptors for %u connections\n", connections());
	setenv("MALLOC_MMAP_THRESHOLD_", "16384", 0);
	setenv("MALLOC_TRIM_THRESHOLD_", "65536", 0);
	if (!start_server())
		return 2;
	run();
	people->discard();
	peers_turn(0);
	peers_fini();
	stop_server();
	tell_sum();
	return verdicts.failed > 0;
}
