/*
 * tests/edges.c - many connections that do the same thing at the same moment.
 *
 *	edges --server "CMD" [-n CONNECTIONS] [-v]
 *
 * The loop takes its events in batches, wakes up for batches, and defers what it frees to the
 * end of a turn: so what is to be tried is one event fewer than a batch, exactly one batch, one
 * more, and very many. For that the server is stopped (SIGSTOP) while everybody writes, or
 * closes; when it goes on, all of it is there at once. Then nothing may be lost or come out of
 * order, nobody may have to wait for others to fall silent, and what clients do not read may not
 * take more memory than allowed.
 *
 * CMD is run with -t 1 and with -t 2; its endpoints are those of tests/edges.json. Prints
 * "N passed, N failed", where each scenario with each number of connections counts once.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "soak/peer.h"
#include "soak/subject.h"
#include "wire/arguments.h"

enum {
	CROWD = 10000,
	SPARE = 200,    /* descriptors that are no connections */
	AT_ONCE = 500,  /* connections being made */
	PIPELINED = 16, /* messages of each in one write */
	ANNOUNCED = 4,  /* broadcasts of each speaker */
	GREEDY = 4,     /* members that never fall silent, */
	IN_FLIGHT = 64, /* with so many messages under way, */
	GREEDY_TEXT = 1000,
	PATIENCE_MS = 20000,
	FAIR_MS = 5000, /* the longest that somebody waits for one message */
	TEXT_MAX = 8192,
	/* as in edges.json */
	SEND_BUFFER = 16384,
	/* What else a session may take, a reactor, and the process; a sanitizer makes it twice
	   that. */
	SESSION_KB = 4,
	REACTOR_KB = 8192,
	PROCESS_KB = 16384,
	CROWD_DEAF = 3000, /* of two reactors: it takes long, and is the same for both */
};

/* A connection. Its messages are "NUMBER.SEQUENCE.xxxx". */
struct member {
	struct peer *peer;
	unsigned no, sent, got;
	unsigned heard[2]; /* of the two speakers of a broadcast */
	size_t text;       /* octets of each message */
	bool open, closed, greedy, wrong;
};

static struct sockaddr_in address;
static struct server server;
static struct member crowd[CROWD];
static unsigned members, passed, failed, threads;
static unsigned opened, closed_count, got_total, wrong_total;
static bool verbose, is_broadcast;
static long memory_at_start;
static int64_t began;

static void check(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void check(bool ok, const char *format, ...)
{
	va_list ap;

	passed += ok;
	failed += !ok;
	if (ok && !verbose)
		return;
	printf("%s %5.1f s, %u at once, -t %u: ", ok ? "ok    " : "FAILED",
	    (double)(now_ms() - began) / 1000, members, threads);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

/* --- messages ------------------------------------------------------------------------- */

static size_t make_text(char *out, unsigned no, unsigned seq, size_t n)
{
	size_t len = (size_t)sprintf(out, "%u.%u.", no, seq);

	if (len < n)
		memset(out + len, 'a' + (int)(seq % 26), n - len);
	return len < n ? n : len;
}

static bool is_text(const char *p, size_t n, unsigned no, unsigned seq, size_t size)
{
	char expected[TEXT_MAX];

	return make_text(expected, no, seq, size) == n && memcmp(expected, p, n) == 0;
}

static void speak(struct member *m)
{
	char text[TEXT_MAX];

	peer_write_ws(m->peer, WS_TEXT, text, make_text(text, m->no, m->sent++, m->text));
}

static void hear_wrong(struct member *m, const char *text, size_t n)
{
	if (!m->wrong && wrong_total++ < 5)
		printf("member %u, who has %u of %u messages, hears %.*s (%zu)\n", m->no, m->got,
		    m->sent, n < 40 ? (int)n : 40, text, n);
	m->wrong = true;
}

/* Of a speaker's messages the next one. */
static void hear_speaker(struct member *m, const char *text, size_t n)
{
	unsigned no = (unsigned)strtoul(text, NULL, 10), which = no != 0;

	if ((no != 0 && no != members - 1) ||
	    !is_text(text, n, no, m->heard[which]++, crowd[no].text))
		hear_wrong(m, text, n);
}

static void on_frame(struct peer *p, const char *text, size_t n)
{
	struct member *m = p->owner;

	if (is_broadcast)
		hear_speaker(m, text, n);
	else if (!is_text(text, n, m->no, m->got, m->text))
		hear_wrong(m, text, n);
	m->got++;
	got_total++;
	if (m->greedy)
		speak(m);
}

static void on_response(struct peer *p, unsigned status, bool keeps_alive)
{
	struct member *m = p->owner;

	(void)keeps_alive;
	m->open = status == 101;
	opened += m->open;
}

static void on_ended(struct peer *p, int err)
{
	struct member *m = p->owner;

	(void)err;
	m->closed = true;
	closed_count++;
}

static void on_ws_close(struct peer *p, unsigned code)
{
	peer_close(p);
	on_ended(p, (int)code);
}

static const struct peer_events events = { on_frame, on_response, on_ws_close, on_ended };

/* --- the crowd --------------------------------------------------------------------------- */

static bool await(const unsigned *what, unsigned least, int64_t patience)
{
	int64_t deadline = now_ms() + patient(patience);

	while (*what < least && now_ms() < deadline)
		peers_turn(20);
	return *what >= least;
}

static void freeze(void)
{
	kill(server.pid, SIGSTOP);
}

/* What we have to say is said, as far as the kernel takes it, before the server goes on. */
static void thaw(void)
{
	for (int i = 0; i < 3; i++)
		for (unsigned left = members; left > 0; left -= left < 256 ? left : 256)
			peers_turn(0);
	kill(server.pid, SIGCONT);
}

static bool enter(struct member *m, unsigned no, const char *path)
{
	char request[512];
	int n = snprintf(request, sizeof(request),
	    "GET %s/websocket HTTP/1.1\r\nHost: edges\r\nConnection: Upgrade\r\n"
	    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
	    path);

	*m = (struct member){ .no = no };
	m->peer = peer_new(&address, no % 16, WIRE_WEBSOCKET_RAW, &events, m);
	if (!m->peer)
		return false;
	peer_write(m->peer, request, (size_t)n);
	return true;
}

static bool gather(unsigned n, const char *path)
{
	members = n;
	opened = closed_count = got_total = wrong_total = 0;
	is_broadcast = strcmp(path, "/echo") != 0;
	for (unsigned i = 0; i < n; i++) {
		if (!enter(&crowd[i], i, path))
			break;
		if (i % AT_ONCE == AT_ONCE - 1 && !await(&opened, i + 1, PATIENCE_MS))
			break;
	}
	if (await(&opened, n, PATIENCE_MS))
		return true;
	check(false, "only %u connections can be made to %s", opened, path);
	return false;
}

static void close_all(void)
{
	for (unsigned i = 0; i < members; i++)
		if (!crowd[i].closed)
			peer_close(crowd[i].peer);
	peers_turn(0);
}

/* Everybody leaves in the same turn, and the server has forgotten them. */
static void leave_together(unsigned descriptors)
{
	int64_t deadline = now_ms() + patient(PATIENCE_MS);
	unsigned now;

	freeze();
	close_all();
	thaw();
	do {
		usleep(10000);
		now = subject_descriptors(server.pid);
	} while (now > descriptors && now_ms() < deadline);
	check(
	    now == descriptors, "all leave: %u descriptors, before they came %u", now, descriptors);
}

static bool all_got(unsigned each)
{
	for (unsigned i = 0; i < members; i++)
		if (crowd[i].got != each)
			return false;
	return wrong_total == 0;
}

/* --- echo ------------------------------------------------------------------------------------ */

static void all_say(unsigned messages, size_t text)
{
	unsigned due = got_total + messages * members;
	bool came;

	freeze();
	for (unsigned i = 0; i < members; i++) {
		crowd[i].text = text;
		for (unsigned k = 0; k < messages; k++)
			speak(&crowd[i]);
	}
	thaw();
	came = await(&got_total, due, PATIENCE_MS);
	check(came && all_got(crowd[0].sent), "all say %u messages: %u of %u come back, %u wrong",
	    messages, got_total, due, wrong_total);
}

/* A few never fall silent; the others have one thing to say. */
static void some_are_greedy(void)
{
	unsigned quiet = members - GREEDY, answered = 0, greedy = 0;
	int64_t deadline;

	freeze();
	for (unsigned i = 0; i < members; i++) {
		crowd[i].sent = crowd[i].got = 0;
		crowd[i].greedy = i % (members / GREEDY) == 0 && greedy < GREEDY;
		crowd[i].text = crowd[i].greedy ? GREEDY_TEXT : 0;
		greedy += crowd[i].greedy;
		for (unsigned k = 0; k < (crowd[i].greedy ? IN_FLIGHT : 1); k++)
			speak(&crowd[i]);
	}
	thaw();
	deadline = now_ms() + patient(FAIR_MS);
	while (answered < quiet && now_ms() < deadline) {
		peers_turn(10);
		answered = greedy = 0;
		for (unsigned i = 0; i < members; i++) {
			answered += !crowd[i].greedy && crowd[i].got == 1;
			greedy += crowd[i].greedy && crowd[i].got >= IN_FLIGHT;
		}
	}
	check(answered == quiet && wrong_total == 0,
	    "%d never fall silent: %u of %u others are answered, %u wrong", GREEDY, answered, quiet,
	    wrong_total);
	for (unsigned i = 0; i < members; i++)
		crowd[i].greedy = false;
}

/* --- broadcast -------------------------------------------------------------------- */

static void two_speak_to_all(void)
{
	struct member *first = &crowd[0], *last = &crowd[members - 1];
	unsigned due = 2 * ANNOUNCED * members;
	bool came;

	freeze();
	for (int k = 0; k < ANNOUNCED; k++) {
		speak(first);
		speak(last);
	}
	thaw();
	came = await(&got_total, due, PATIENCE_MS);
	check(came && all_got(2 * ANNOUNCED), "two speak to all: %u of %u messages come, %u wrong",
	    got_total, due, wrong_total);
}

/* --- who does not read ------------------------------------------------------------ */

static long allowed_kb(void)
{
	long each = SEND_BUFFER / 1024 + SESSION_KB;

	return (PROCESS_KB + (long)threads * REACTOR_KB + (long)members * each) *
	       (subject_has_sanitizer(server.pid) ? 2 : 1);
}

static void set_deaf(bool deaf)
{
	for (unsigned i = 0; i < members; i++)
		if (!crowd[i].closed)
			peer_set_deaf(crowd[i].peer, deaf);
}

/* In KB; what was taken and is kept since an earlier scenario counts, too. */
static long memory_taken(void)
{
	return subject_memory(server.pid) - memory_at_start;
}

/* While our side writes what it can: the most the server has taken. */
static long watch_memory(int64_t ms)
{
	int64_t end = now_ms() + ms;
	long most = 0, now;

	do {
		for (int i = 0; i < 20; i++)
			peers_turn(5);
		now = memory_taken();
		most = now > most ? now : most;
	} while (now_ms() < end);
	return most;
}

/* Each sends much and reads nothing, then reads: the application is paused in between. */
static void all_are_deaf_to_echoes(unsigned messages)
{
	unsigned due = messages * members;
	long most;
	bool came;

	set_deaf(true);
	for (unsigned i = 0; i < members; i++) {
		crowd[i].text = 1024;
		for (unsigned k = 0; k < messages; k++)
			speak(&crowd[i]);
	}
	most = watch_memory(700);
	check(most <= allowed_kb(),
	    "none reads %u KB of echoes: the server takes %ld KB, allowed %ld", messages, most,
	    allowed_kb());
	set_deaf(false);
	came = await(&got_total, due, 2 * PATIENCE_MS);
	check(came && all_got(messages), "then all read: %u of %u come, %u wrong, %u closed",
	    got_total, due, wrong_total, closed_count);
}

static unsigned over_or_complete(unsigned messages)
{
	unsigned n = 0;

	for (unsigned i = 0; i < members; i++)
		n += crowd[i].closed || crowd[i].got == messages;
	return n;
}

/* Everybody is deaf but one, who hears everything; of the others each hears all or a beginning. */
static void most_are_deaf_to_a_speaker(unsigned messages)
{
	struct member *speaker = &crowd[0];
	long most = 0, now;
	int64_t deadline;

	set_deaf(true);
	peer_set_deaf(speaker->peer, false);
	speaker->text = 4096;
	for (unsigned k = 0; k < messages; k++) {
		speak(speaker);
		await(&speaker->got, k + 1, PATIENCE_MS);
		now = memory_taken();
		most = now > most ? now : most;
	}
	check(speaker->got == messages, "one speaks, the others are deaf: he hears %u of %u",
	    speaker->got, messages);
	check(most <= allowed_kb(), "one speaks, the others are deaf: %ld KB, allowed %ld", most,
	    allowed_kb());
	set_deaf(false);
	deadline = now_ms() + patient(PATIENCE_MS);
	while (over_or_complete(messages) < members && now_ms() < deadline)
		peers_turn(20);
	check(over_or_complete(messages) == members && wrong_total == 0,
	    "then each hears all, or a beginning and is closed: %u of %u, %u wrong, %u closed",
	    over_or_complete(messages), members, wrong_total, closed_count);
}

/* --- all of it -------------------------------------------------------------------- */

static void try_together(unsigned n, unsigned descriptors)
{
	if (gather(n, "/echo")) {
		all_say(1, 0);
		all_say(PIPELINED, 0);
		some_are_greedy();
	}
	leave_together(descriptors);
	if (gather(n, "/broadcast"))
		two_speak_to_all();
	leave_together(descriptors);
}

/* More of each than the kernel keeps and the server may; but not of ten thousand. */
static void try_deaf(unsigned n, unsigned descriptors)
{
	peers_are_narrow = true;
	if (gather(n, "/echo"))
		all_are_deaf_to_echoes(n > 1000 ? 20 : 512);
	leave_together(descriptors);
	if (gather(n, "/narrow"))
		most_are_deaf_to_a_speaker(n > 1000 ? 20 : 128);
	leave_together(descriptors);
	peers_are_narrow = false;
}

static void try_server(const char *command, unsigned with_threads, unsigned most)
{
	static const unsigned counts[] = { 127, 128, 129, 511, 512, 513 };
	char full[2048], why[128] = "";
	unsigned descriptors;
	bool ended;

	threads = with_threads;
	snprintf(full, sizeof(full), "%s -t %u", command, threads);
	if (!subject_start(&server, full, &address)) {
		check(false, "the server starts");
		return;
	}
	descriptors = subject_descriptors(server.pid);
	memory_at_start = subject_memory(server.pid);
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		try_together(counts[i], descriptors);
		if (counts[i] < 200)
			try_deaf(counts[i], descriptors);
	}
	try_together(most, descriptors);
	try_deaf(threads > 1 && most > CROWD_DEAF ? CROWD_DEAF : most, descriptors);
	ended = server_stop(&server, patient(20000), why);
	check(ended, "the server ends with status 0 on SIGTERM %s", why);
	check(subject_log_is_clean(&server), "no sanitizer has anything to say");
	server_log(&server, failed > 0);
}

/* A sanitizer keeps what was freed for a while; here that would count as the server's. */
static void keep_no_quarantine(void)
{
	const char *asked = getenv("ASAN_OPTIONS");
	char options[512];

	snprintf(options, sizeof(options), "%s%squarantine_size_mb=4", asked ? asked : "",
	    asked ? ":" : "");
	setenv("ASAN_OPTIONS", options, 1);
}

int main(int argc, char **argv)
{
	static const char usage[] = "usage: edges --server \"CMD\" [-n CONNECTIONS] [-v]\n";
	const char *command = NULL;
	unsigned most = CROWD;
	unsigned long limit;
	const struct argument table[] = {
		{ "server", .text = &command },
		{ "n", .count = &most },
		{ "v", .flag = &verbose },
		{ NULL },
	};

	if (arguments_read(table, argc, argv, usage) < argc || !command || most < 2 * GREEDY ||
	    most > CROWD)
		arguments_refuse(usage);
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	began = now_ms();
	limit = subject_raise_limit();
	if (limit < most + SPARE) {
		printf("FAILED: %u connections need %u descriptors for a process, and only %lu are "
		       "allowed (ulimit -Hn)\n0 passed, 1 failed\n",
		    most, most + SPARE, limit);
		return 1;
	}
	if (peers_init() < 0)
		return 2;
	keep_no_quarantine();
	try_server(command, 1, most);
	try_server(command, 2, most);
	peers_fini();
	printf("%u passed, %u failed\n", passed, failed);
	return failed > 0;
}
