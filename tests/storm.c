/*
 * tests/storm.c - STOMP clients on every transport that come, subscribe, send, unsubscribe and
 *leave as chance will have it, and exact accounts of every message at the end (storm/ledger.c).
 *
 *	storm --server "CMD" [--guests N] [--at-once N] [--seconds N] [--seed S] [--lag MS]
 *	      [--rss KB] [--restart-every MS] [-v]
 *
 * CMD must listen for HTTP, for raw STOMP and for its own metrics, in this order, as it does with
 * tests/storm.json. With --restart-every it hands over to another process (soak/restarts.c) all the
 * while. Guests come in two equal rounds. After each the server must come to rest: its
 * gauges are 0, it has as many descriptors as at its start; after the second no more memory than
 * after the first (not asked of a build with a sanitizer). Prints "N passed, N failed", where each
 * guest, each subscription and each of these checks counts once.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "soak/restarts.h"
#include "soak/subject.h"
#include "soak/verdicts.h"
#include "storm/ledger.h"
#include "storm/link.h"
#include "storm/metrics.h"
#include "wire/arguments.h"

enum {
	SUBS_MAX = 6, /* of one guest at a time */
	BODY_MAX = 8000,
	PATIENCE_MS = 30000,
	REST_MS = 15000,
	QUIET_MS = 2000, /* then nothing is under way any more */
	SHOWN = 20,
};

enum ending { END_POLITE, END_FIN, END_RST, ENDINGS };

static const char *const ending_names[ENDINGS] = { "polite", "FIN", "RST" };

struct guest {
	struct guest *next, **place;
	unsigned no;
	struct link *link;
	unsigned version;
	enum ending ending;
	char session[40]; /* its own name, by which others reach it */
	bool is_connected, is_leaving, is_over, has_failed;
	unsigned steps, receipts_due;
	int64_t wake, deadline;
	unsigned subs[SUBS_MAX], sub_count;
};

struct settings {
	const char *server;
	unsigned guests, seconds, at_once, rss_kb, lag_ms, restart_every;
};

static struct channel_target target;
static struct restarts restarts;
static struct guest *live;
static unsigned live_count, started, shown, restarted;
static uint64_t state, seed = 1;
static int64_t last_heard;
static bool is_ending;
static bool has_heard_all; /* those who are still there have */

/* --- small things -------------------------------------------------------------------------- */

static unsigned below(unsigned n)
{
	uint64_t z = state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (unsigned)((z ^ (z >> 31)) % n);
}

/* --- the end of a guest --------------------------------------------------------------------- */

static void leave_all(struct guest *g)
{
	for (unsigned i = 0; i < g->sub_count; i++)
		ledger_left(g->subs[i], has_heard_all);
}

static void guest_over(struct guest *g)
{
	if (g->is_over)
		return;
	g->is_over = true;
	leave_all(g);
	verdicts.passed += !g->has_failed;
	verdicts.failed += g->has_failed;
}

static void fail(struct guest *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fail(struct guest *g, const char *format, ...)
{
	va_list ap;

	if (g->is_over)
		return;
	g->has_failed = true;
	if (shown++ < SHOWN) {
		printf("FAILED guest %u (%s, 1.%u, %s, %u steps left): ", g->no,
		    link_wire_name(g->link->channel->wire), g->version, ending_names[g->ending], g->steps);
		va_start(ap, format);
		vprintf(format, ap);
		va_end(ap);
		putchar('\n');
		fflush(stdout);
	}
	link_close(g->link, false);
	guest_over(g);
}

static void say(struct guest *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct guest *g, const char *format, ...)
{
	static char text[BODY_MAX + 512];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	link_send(g->link, text, (size_t)n + 1); /* with its NUL */
}

/* In due form it waits for the RECEIPT and for the server's end. */
static void leave(struct guest *g)
{
	g->is_leaving = true;
	leave_all(g);
	if (g->ending == END_POLITE) {
		say(g, "DISCONNECT\nreceipt:bye\n\n");
		return;
	}
	link_close(g->link, g->ending == END_RST);
	guest_over(g);
}

/* --- messages: the text follows from their number ----------------------------------------------
 */

static size_t body_length(unsigned message)
{
	uint64_t z = (message + seed) * 0x9e3779b97f4a7c15u;

	return (z >> 20) % 50 == 0 ? (z >> 30) % (BODY_MAX - 50) : (z >> 30) % 200;
}

static size_t body_text(unsigned message, char out[BODY_MAX])
{
	size_t n = (size_t)sprintf(out, "%u ", message), fill = body_length(message);

	for (size_t i = 0; i < fill; i++)
		out[n++] = (char)('a' + (i + message) % 26);
	out[n] = '\0';
	return n;
}

/* --- what guests do ------------------------------------------------------------------------- */

static void subscribe(struct guest *g)
{
	struct pattern p = { (enum pattern_kind)below(PATTERNS), below(ROWS), below(COLUMNS) };
	char text[64];
	unsigned no;

	if (g->sub_count == SUBS_MAX)
		return;
	if (p.kind == PATTERN_ALL && below(3))
		p.kind = PATTERN_ONE;
	no = g->subs[g->sub_count++] = ledger_subscribe(g->no, &p);
	pattern_text(&p, text);
	g->receipts_due++;
	say(g, "SUBSCRIBE\nid:%u\ndestination:%s\nreceipt:s%u\n\n", no, text, no);
}

static void unsubscribe(struct guest *g)
{
	unsigned i, no;

	if (g->sub_count == 0)
		return;
	i = below(g->sub_count);
	no = g->subs[i];
	g->subs[i] = g->subs[--g->sub_count];
	ledger_left(no, false);
	g->receipts_due++;
	say(g, "UNSUBSCRIBE\nid:%u\nreceipt:u%u\n\n", no, no);
}

static void send_message(struct guest *g, unsigned destination, const char *text)
{
	unsigned no = ledger_sent(destination);
	char body[BODY_MAX];

	body_text(no, body);
	g->receipts_due++;
	say(g, "SEND\ndestination:%s\nreceipt:m%u\n\n%s", text, no, body);
}

static void send_to_topics(struct guest *g)
{
	char text[64];

	for (unsigned n = 1 + below(4); n > 0; n--) {
		unsigned destination = below(TOPICS);

		topic_text(destination, text);
		send_message(g, destination, text);
	}
}

static void send_to_somebody(struct guest *g)
{
	struct guest *to = live;
	char text[96];

	for (unsigned skip = below(live_count); skip > 0 && to->next; skip--)
		to = to->next;
	if (!to->is_connected)
		return;
	snprintf(text, sizeof(text), "/user/%s/storm/own", to->session);
	send_message(g, TOPICS + to->no, text);
}

static void step(struct guest *g)
{
	unsigned what = below(100);

	g->wake = now_ms() + (below(3) ? below(30) : below(300));
	if (g->steps == 0) {
		leave(g);
		return;
	}
	g->steps--;
	if (what < 30)
		subscribe(g);
	else if (what < 40)
		unsubscribe(g);
	else if (what < 80)
		send_to_topics(g);
	else
		send_to_somebody(g);
}

/* --- what comes ------------------------------------------------------------------------------- */

static bool number_at(const char *p, size_t n, unsigned *out)
{
	char text[16];

	if (n == 0 || n >= sizeof(text))
		return false;
	memcpy(text, p, n);
	text[n] = '\0';
	return sscanf(text, "%u", out) == 1;
}

static void got_connected(struct guest *g, const struct stomp_text *f)
{
	size_t n;
	const char *session = stomp_text_header(f, "session", &n);

	if (g->is_connected || n == 0 || n >= sizeof(g->session)) {
		fail(g, "a strange CONNECTED");
		return;
	}
	memcpy(g->session, session, n);
	g->is_connected = true;
	g->wake = now_ms();
}

static void got_receipt(struct guest *g, const struct stomp_text *f)
{
	size_t n;
	const char *id = stomp_text_header(f, "receipt-id", &n);
	unsigned no;

	if (n == 3 && memcmp(id, "bye", 3) == 0 && g->is_leaving) {
		link_close(g->link, false);
		guest_over(g);
		return;
	}
	if (n < 2 || !number_at(id + 1, n - 1, &no)) {
		fail(g, "a strange RECEIPT");
		return;
	}
	g->receipts_due--;
	if (*id == 's')
		ledger_active(no);
	else if (*id == 'm')
		ledger_receipt(no);
	else
		ledger_sub(no)->is_gone = true;
}

static void got_message(struct guest *g, const struct stomp_text *f)
{
	char body[BODY_MAX];
	size_t n, id_n;
	const char *sub = stomp_text_header(f, "subscription", &n), *wrong;
	const char *id = stomp_text_header(f, "message-id", &id_n);
	unsigned no, message;

	if (!number_at(sub, n, &no) || ledger_sub(no)->guest != g->no) {
		fail(g, "a message of somebody else's subscription");
		return;
	}
	message = (unsigned)strtoul(f->body, NULL, 10);
	if (message >= ledger_messages() || f->body_len != body_text(message, body) ||
	    memcmp(f->body, body, f->body_len) != 0) {
		fail(g, "not what was sent");
		return;
	}
	wrong = ledger_got(no, message, id, id_n);
	if (wrong)
		fail(g, "%s", wrong);
}

static void on_frame(struct link *l, const struct stomp_text *f)
{
	struct guest *g = l->owner;

	last_heard = now_ms();
	if (g->is_over)
		return;
	if (stomp_text_is(f, "MESSAGE"))
		got_message(g, f);
	else if (stomp_text_is(f, "RECEIPT"))
		got_receipt(g, f);
	else if (stomp_text_is(f, "CONNECTED"))
		got_connected(g, f);
	else
		fail(g, "%.*s%.*s", (int)f->head, f->command, (int)f->body_len, f->body);
}

static void on_ended(struct link *l, unsigned code, const char *why)
{
	fail(l->owner, "ended: %u %s", code, why);
}

static const struct link_events events = { .frame = on_frame, .ended = on_ended };

/* --- rounds --------------------------------------------------------------------------------------
 */

static void start_guest(void)
{
	struct guest *g = must_have(calloc(1, sizeof(*g)));

	g->no = started++;
	g->ending = (enum ending)below(ENDINGS);
	g->version = below(3);
	g->steps = 3 + below(30);
	g->deadline = now_ms() + patient(PATIENCE_MS);
	g->place = &live;
	g->next = live;
	if (live)
		live->place = &g->next;
	live = g;
	live_count++;
	g->link = link_new(&target, link_wires[below(LINK_WIRES)], below(64), &events, g);
	say(g, "%s\naccept-version:1.%u\nhost:storm\n\n",
	    g->version > 0 && below(2) ? "STOMP" : "CONNECT", g->version);
}

static void forget(struct guest *g)
{
	*g->place = g->next;
	if (g->next)
		g->next->place = g->place;
	live_count--;
	link_free(g->link);
	free(g);
}

static void look_at(struct guest *g, int64_t now)
{
	if (g->is_over)
		forget(g);
	else if (now > g->deadline)
		fail(g, "it takes too long: %u receipts due", g->receipts_due);
	else if (g->is_connected && !g->is_leaving && !is_ending && now >= g->wake)
		step(g);
}

static void look_at_all(void)
{
	int64_t now = now_ms();
	struct guest *next;

	for (struct guest *g = live; g; g = next) {
		next = g->next;
		look_at(g, now);
	}
}

static bool is_quiet(void)
{
	for (const struct guest *g = live; g; g = g->next)
		if (g->receipts_due > 0 || !g->is_connected)
			return false;
	return now_ms() - last_heard > QUIET_MS;
}

static void turn(int ms)
{
	peers_turn(ms);
	look_at_all();
	restarted += restarts_turn(&restarts);
}

/* Those who are still there hear what there is to hear, then all leave. */
static void end_round(void)
{
	int64_t deadline = now_ms() + patient(PATIENCE_MS);

	is_ending = true;
	while (live_count > 0 && !is_quiet() && now_ms() < deadline)
		turn(10);
	has_heard_all = is_quiet();
	for (struct guest *g = live; g; g = g->next)
		if (!g->is_leaving && !g->is_over) {
			g->ending = END_POLITE;
			leave(g);
		}
	while (live_count > 0)
		turn(10);
	is_ending = has_heard_all = false;
}

static void run_round(const struct settings *set, struct server *s)
{
	unsigned until = started + set->guests / 2, at_once = set->at_once;
	int64_t end = now_ms() + 500 * (int64_t)set->seconds;

	restarts_init(&restarts, s, set->restart_every, 0);
	while (now_ms() < end && (started < until || live_count > at_once / 2)) {
		for (unsigned i = 0; i < 20 && live_count < at_once && started < until; i++)
			start_guest();
		turn(5);
	}
	end_round();
	peers_turn(0);
	restarts_end(&restarts);
}

/* --- the server
 * ----------------------------------------------------------------------------------- */

static void await_rest(const struct server *s, unsigned at_start)
{
	static const char *const gauges[] = { "sockjs_stomp_clients", "sockjs_stomp_subscriptions",
		"sockjs_sessions" };
	int64_t deadline = now_ms() + patient(REST_MS);
	unsigned now;

	for (size_t i = 0; i < sizeof(gauges) / sizeof(*gauges); i++) {
		long value;

		while ((value = metric_sum(&s->internal, gauges[i])) > 0 && now_ms() < deadline)
			usleep(50000);
		check(value == 0, "%s is %ld", gauges[i], value);
	}
	while ((now = subject_descriptors(s->pid)) > at_start && now_ms() < deadline)
		usleep(50000);
	check(now <= at_start, "the server has as many descriptors as at its start: %u, %u",
	    at_start, now);
}

/* --- main
 * ------------------------------------------------------------------------------------------- */

static struct settings parse(int argc, char **argv)
{
	static const char usage[] =
	    "usage: storm --server \"CMD\" [--guests N] [--at-once N] [--seconds N] [--seed S] "
	    "[--lag MS] [--rss KB] [--restart-every MS] [-v]\n";
	struct settings set = { NULL, 1500, 10, 150, 6144, 5000, 0 };
	const struct argument table[] = {
		{ "server", .text = &set.server },
		{ "guests", .count = &set.guests },
		{ "seconds", .count = &set.seconds },
		{ "at-once", .count = &set.at_once },
		{ "seed", .number = &seed },
		{ "lag", .count = &set.lag_ms },
		{ "rss", .count = &set.rss_kb },
		{ "restart-every", .count = &set.restart_every },
		{ "v", .flag = &verdicts.verbose },
		{ NULL },
	};

	if (arguments_read(table, argc, argv, usage) < argc || !set.server)
		arguments_refuse(usage);
	return set;
}

static void run(const struct settings *set, struct server *s)
{
	unsigned descriptors;
	long first, second;

	metric_sum(&s->internal, "sockjs_sessions"); /* whoever answers has all that it needs */
	usleep(200000);
	descriptors = subject_descriptors(s->pid);
	run_round(set, s);
	await_rest(s, descriptors);
	first = subject_memory(s->pid);
	run_round(set, s);
	await_rest(s, descriptors);
	second = subject_memory(s->pid);
	if (set->restart_every)
		check(restarted > 0, "%u restarts", restarted);
	if (subject_has_sanitizer(s->pid))
		printf("memory: %ld KB, then %ld KB (with a sanitizer)\n", first, second);
	else
		check(second <= first + (long)set->rss_kb, "memory: %ld KB, then %ld KB", first,
		    second);
}

static bool find_tcp(const struct server *s)
{
	target.tcp = target.http;
	target.tcp.sin_port = htons((uint16_t)atoi(s->address[1].port));
	target.prefix = "/stomp";
	target.subprotocol = "v12.stomp";
	return s->addresses == 2 && s->internal.host[0];
}

int main(int argc, char **argv)
{
	struct settings set = parse(argc, argv);
	struct server server;
	char why[128] = "";
	unsigned wrong;
	bool ended;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	subject_raise_limit();
	state = seed;
	setenv("MALLOC_MMAP_THRESHOLD_", "16384", 0);
	setenv("MALLOC_TRIM_THRESHOLD_", "65536", 0);
	if (!subject_start(&server, set.server, &target.http) || !find_tcp(&server) ||
	    peers_init() < 0)
		return 2;
	run(&set, &server);
	wrong = ledger_check(set.lag_ms, SHOWN);
	check(wrong == 0, "%u subscriptions did not get what they were to get", wrong);
	peers_fini();
	ended = server_stop(&server, patient(15000), why);
	check(ended, "the server ends with status 0 on SIGTERM %s", why);
	check(subject_log_is_clean(&server), "no sanitizer has anything to say");
	server_log(&server, verdicts.failed > 0);
	printf("%u guests, %u messages, %llu deliveries, seed %llu\n%u passed, %u failed\n",
	    started, ledger_messages(), (unsigned long long)ledger_deliveries(),
	    (unsigned long long)seed, verdicts.passed, verdicts.failed);
	ledger_free();
	return verdicts.failed > 0;
}
