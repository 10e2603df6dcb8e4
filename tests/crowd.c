/*
 * tests/crowd.c - many clients of one topic, and many that come back at once; prints what it has
 * measured.
 *
 *	crowd --server "CMD" [--clients N] [--messages N] [--stalled N] [--latest] [--users N]
 *	      [--seconds N]
 *
 * Without --users: so many subscribers of one topic on mixed transports get so many messages, all
 * in order and none lost, while some of them stall: these are cut off, and cost the server no more
 * than their buffers; with --latest they read a little now and then, and get the latest.
 *
 * With --users: the clients log in all at once, as after a restart, each as one of so many users
 * whose passcode is "passcode" (CMD knows "user0" and so on); meanwhile others are served, who
 * are connected and have what they send come back.
 *
 * CMD listens as with tests/crowd.json. Prints "N passed, N failed".
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "soak/subject.h"
#include "soak/verdicts.h"
#include "storm/link.h"
#include "storm/metrics.h"
#include "wire/arguments.h"

enum {
	JOINING_MOST = 256, /* at a time, where they do not come all at once */
	BEHIND_MOST = 16,   /* messages that subscribers may be behind, on the average */
	WINDOW = 8,         /* messages whose receipts are due */
	BODY = 100,
	ECHOERS = 20,
	ECHO_MS = 20, /* not more often: others want the processor as well */
	ECHOES_MAX = 1 << 20,
	STALL_MS = 2000, /* with --latest: then it reads again for a moment */
	LISTEN_MS = 400,
	CATCH_UP_MS = 20000, /* for who has stalled to get what waits for it */
	BACK_MS = 60000,
	CUT_MS = 60000, /* until who stalls is cut off */
	ADDRESSES = 64,
};

struct member {
	struct link *link;
	unsigned no;
	bool is_in, is_stalled, is_over, is_deaf;
	unsigned next, got; /* messages */
	int64_t turn;       /* when it hears or is deaf again, or may ask for an echo */
	int64_t asked;      /* an echo, in microseconds */
};

struct settings {
	const char *server;
	unsigned clients, messages, stalled, users, seconds;
	bool latest;
};

static struct settings set = { NULL, 10000, 1000, 100, 0, 300, false };
static struct channel_target target;
static struct member *members;
static unsigned begun, joined, lost, misplaced, refused, ended;
static unsigned published, confirmed;
static uint64_t delivered;
static uint32_t echoes[ECHOES_MAX];
static unsigned echo_count;
static long memory_most, memory_at_rest; /* KB */

/* --- small things --------------------------------------------------------------------------- */

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Seconds of the processor that it has taken. */
static double cpu_of(pid_t pid)
{
	unsigned long user = 0, system = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f && fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
	             &user, &system) != 2)
		user = system = 0;
	if (f)
		fclose(f);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void say(struct member *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct member *m, const char *format, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	link_send(m->link, text, (size_t)n + 1);
}

static const char *topic(void)
{
	return set.latest ? "/topic/latest/crowd" : "/topic/crowd";
}

/* --- what comes ------------------------------------------------------------------------------ */

static void got_echo(struct member *m)
{
	if (echo_count < ECHOES_MAX)
		echoes[echo_count++] = (uint32_t)(now_us() - m->asked);
	m->asked = 0;
}

/* Whoever stalls may miss some; nobody gets any in another order. */
static void got_message(struct member *m, const struct stomp_text *f)
{
	unsigned no = (unsigned)strtoul(f->body, NULL, 10);
	bool may_miss = m->is_stalled && set.latest;

	if (no < m->next || f->body_len != BODY)
		misplaced++;
	else if (no > m->next && !may_miss)
		lost += no - m->next;
	m->next = no + 1;
	m->got++;
	if (!m->is_stalled)
		delivered++;
}

static void got_in(struct member *m)
{
	m->is_in = true;
	joined++;
	channel_rest(m->link->channel);
	if (m->is_stalled && set.users == 0) {
		m->is_deaf = true;
		channel_set_deaf(m->link->channel, true);
	}
}

static void on_frame(struct link *l, const struct stomp_text *f)
{
	struct member *m = l->owner;

	if (stomp_text_is(f, "MESSAGE") && set.users > 0)
		got_echo(m);
	else if (stomp_text_is(f, "MESSAGE"))
		got_message(m, f);
	else if (stomp_text_is(f, "RECEIPT") && m->is_in)
		confirmed++;
	else if (stomp_text_is(f, "RECEIPT"))
		got_in(m);
	else if (stomp_text_is(f, "ERROR") && refused++ < 5)
		printf("%.*s%.*s\n", (int)f->head, f->command, (int)f->body_len, f->body);
}

static void on_ended(struct link *l, unsigned code, const char *why)
{
	struct member *m = l->owner;

	m->is_over = true;
	if (m->is_stalled && m->is_in)
		return;
	if (ended++ < 5)
		printf(
		    "client %u (%s) was ended: %u %s\n", m->no, link_wire_name(l->channel->wire), code, why);
}

static const struct link_events events = { .frame = on_frame, .ended = on_ended };

/* --- coming ------------------------------------------------------------------------------------
 */

/* Each on a transport of its own; those who stall are of all. */
static void begin(struct member *m)
{
	peers_are_narrow = m->is_stalled && set.users == 0;
	m->link = link_new(&target, link_wires[m->no % LINK_WIRES], m->no % ADDRESSES, &events, m);
	peers_are_narrow = false;
	if (set.users > 0 && m->no < set.clients)
		say(m, "CONNECT\naccept-version:1.2\nhost:x\nlogin:user%u\npasscode:passcode\n\n",
		    m->no % set.users);
	else
		say(m, "CONNECT\naccept-version:1.2\nhost:x\n\n");
	if (set.users > 0)
		say(m, "SUBSCRIBE\nid:0\ndestination:/topic/echo/%u\nreceipt:in\n\n", m->no);
	else if (m->no < set.clients)
		say(m, "SUBSCRIBE\nid:0\ndestination:%s\nreceipt:in\n\n", topic());
	else
		say(m, "SEND\ndestination:/topic/nobody\nreceipt:in\n\nx");
	begun++;
}

static void turn(const struct server *s)
{
	static int64_t looked;
	long kb;

	peers_turn(5);
	if (now_ms() - looked < 200)
		return;
	looked = now_ms();
	kb = subject_memory(s->pid);
	memory_most = kb > memory_most ? kb : memory_most;
}

static void join_until(const struct server *s, unsigned count, unsigned at_once, int64_t deadline)
{
	while (joined + ended < count && now_ms() < deadline) {
		for (unsigned i = 0; i < 100 && begun < count && begun - joined - ended < at_once;
		     i++)
			begin(&members[begun]);
		turn(s);
	}
}

static void make_members(unsigned count)
{
	members = must_have(calloc(count, sizeof(*members)));
	for (unsigned i = 0; i < count; i++)
		members[i].no = i;
	for (unsigned i = 0; i < set.stalled && i < set.clients; i++)
		members[i].is_stalled = true;
}

/* --- one topic -----------------------------------------------------------------------------------
 */

static void publish(struct member *by, unsigned listeners)
{
	char body[BODY + 1];

	while (published < set.messages && published - confirmed < WINDOW &&
	       (uint64_t)published * listeners < delivered + (uint64_t)BEHIND_MOST * listeners) {
		snprintf(body, sizeof(body), "%-*u", BODY, published);
		say(by, "SEND\ndestination:%s\nreceipt:p\n\n%s", topic(), body);
		published++;
	}
}

/* Reads for a moment now and then. */
static void take_turns(void)
{
	int64_t now = now_ms();

	for (unsigned i = 0; i < set.stalled; i++) {
		struct member *m = &members[i];

		if (m->is_over || now < m->turn)
			continue;
		m->is_deaf = !m->is_deaf;
		m->turn = now + (m->is_deaf ? STALL_MS : LISTEN_MS);
		channel_set_deaf(m->link->channel, m->is_deaf);
	}
}

static void send_all(const struct server *s, int64_t deadline)
{
	unsigned listeners = set.clients - set.stalled;
	uint64_t all = (uint64_t)set.messages * listeners;

	while (delivered + (uint64_t)ended * set.messages < all && now_ms() < deadline) {
		publish(&members[set.clients], listeners);
		if (set.latest)
			take_turns();
		turn(s);
	}
}

/* How many of those who stalled are gone: with 4500, or, where it came to that sooner, because a
 * pong or a poll never came. */
static long cut_off(const struct server *s, long *with_4500)
{
	*with_4500 = metric_sum(&s->internal, "sockjs_sessions_closed_total{reason=\"slow\"}");
	return *with_4500 +
	       metric_sum(&s->internal, "sockjs_sessions_closed_total{reason=\"interrupted\"}");
}

static void judge_stalled(const struct server *s)
{
	int64_t deadline = now_ms() + patient(CUT_MS);
	long with_4500, gone;

	while ((gone = cut_off(s, &with_4500)) < (long)set.stalled && now_ms() < deadline)
		turn(s);
	check(gone == (long)set.stalled && (with_4500 > 0 || set.stalled == 0),
	    "who stalled was cut off: %ld of %u, %ld of them with 4500", gone, set.stalled,
	    with_4500);
}

static unsigned with_the_latest(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < set.stalled; i++)
		n += members[i].next == set.messages && !members[i].is_over;
	return n;
}

static void judge_latest(const struct server *s)
{
	static const char dropped[] =
	    "sockjs_stomp_messages_dropped_total{endpoint=\"/stomp\",reason=\"conflated\"}";
	int64_t deadline = now_ms() + patient(CATCH_UP_MS);

	for (unsigned i = 0; i < set.stalled; i++)
		channel_set_deaf(members[i].link->channel, false);
	while (with_the_latest() < set.stalled && now_ms() < deadline)
		turn(s);
	check(with_the_latest() == set.stalled, "who stalled has the latest: %u of %u",
	    with_the_latest(), set.stalled);
	printf("conflated: %ld messages\n", metric_sum(&s->internal, dropped));
}

static void come(const struct server *s, int64_t deadline)
{
	int64_t begin_ms = now_ms();
	long before = subject_memory(s->pid);

	make_members(set.clients + 1);
	join_until(s, set.clients + 1, JOINING_MOST, deadline);
	memory_most = memory_at_rest = subject_memory(s->pid);
	check(joined == set.clients + 1, "%u of %u came within %.1f s", joined, set.clients + 1,
	    (double)(now_ms() - begin_ms) / 1000);
	printf("memory: %ld KB empty, %ld KB with all of them (%ld octets each)\n", before,
	    memory_at_rest, (memory_at_rest - before) * 1024 / (long)set.clients);
}

static void judge_messages(const struct server *s)
{
	uint64_t all = (uint64_t)set.messages * (set.clients - set.stalled);
	long more = memory_most - memory_at_rest;

	check(delivered == all, "each got all: %llu of %llu", (unsigned long long)delivered,
	    (unsigned long long)all);
	check(lost == 0 && misplaced == 0 && ended == 0,
	    "%u lost, %u in another order, %u clients ended", lost, misplaced, ended);
	check(subject_has_sanitizer(s->pid) ||
	          more < 32768 + (long)set.stalled * 128 + (long)set.clients * 4,
	    "memory is bounded: at most %ld KB more than at rest", more);
}

static void run_topic(const struct server *s)
{
	int64_t deadline = now_ms() + 1000 * (int64_t)set.seconds, begin_ms;
	double cpu;

	come(s, deadline);
	cpu = cpu_of(s->pid);
	begin_ms = now_ms();
	send_all(s, deadline);
	cpu = cpu_of(s->pid) - cpu;
	printf(
	    "%llu messages to %u subscribers in %.1f s: %.2f us of the server's processor each\n",
	    (unsigned long long)delivered, set.clients - set.stalled,
	    (double)(now_ms() - begin_ms) / 1000, 1e6 * cpu / (double)(delivered ? delivered : 1));
	judge_messages(s);
	if (set.latest)
		judge_latest(s);
	else
		judge_stalled(s);
}

/* --- coming back ------------------------------------------------------------------------- */

static void ask_for_echoes(void)
{
	for (unsigned i = set.clients; i < set.clients + ECHOERS; i++) {
		struct member *m = &members[i];

		if (!m->is_in || m->asked || m->is_over || now_ms() < m->turn)
			continue;
		m->turn = now_ms() + ECHO_MS;
		m->asked = now_us();
		say(m, "SEND\ndestination:/topic/echo/%u\n\nx", m->no);
	}
}

static int by_size(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void say_echoes(const char *when)
{
	if (echo_count == 0)
		return;
	qsort(echoes, echo_count, sizeof(*echoes), by_size);
	printf(
	    "echoes of others %s: %u, half within %.2f ms, 99 %% within %.1f ms, all within %.1f "
	    "ms\n",
	    when, echo_count, echoes[echo_count / 2] / 1000.0,
	    echoes[echo_count / 100 * 99] / 1000.0, echoes[echo_count - 1] / 1000.0);
}

static void echo_until(const struct server *s, int64_t end)
{
	while (now_ms() < end) {
		ask_for_echoes();
		turn(s);
	}
}

/* Those who are served meanwhile. */
static void let_others_in(const struct server *s)
{
	int64_t deadline = now_ms() + 10000;

	for (unsigned i = set.clients; i < set.clients + ECHOERS; i++)
		begin(&members[i]);
	while (joined < ECHOERS && now_ms() < deadline)
		turn(s);
	echo_until(s, now_ms() + 2000);
	say_echoes("before");
	echo_count = joined = begun = 0;
}

/* All at once. Returns how long it took. */
static int64_t come_back(const struct server *s)
{
	int64_t begin_ms = now_ms(), deadline = begin_ms + 1000 * (int64_t)set.seconds;

	while (joined + ended < set.clients && now_ms() < deadline) {
		for (unsigned i = 0; i < 200 && begun < set.clients; i++)
			begin(&members[begun]);
		ask_for_echoes();
		turn(s);
	}
	return now_ms() - begin_ms;
}

static void run_return(const struct server *s)
{
	int64_t took;

	set.stalled = 0;
	make_members(set.clients + ECHOERS);
	let_others_in(s);
	took = come_back(s);
	say_echoes("meanwhile");
	check(joined == set.clients && took < patient(BACK_MS),
	    "%u of %u clients of %u users are back within %.1f s", joined, set.clients, set.users,
	    (double)took / 1000);
	check(refused == 0 && ended == 0, "%u refused, %u ended", refused, ended);
	check(echo_count > 0 && echoes[echo_count - 1] < 2000000, "others were served");
	printf("memory: at most %ld KB\n", memory_most);
}

/* --- main -------------------------------------------------------------------------------- */

static void parse(int argc, char **argv)
{
	static const char usage[] =
	    "usage: crowd --server \"CMD\" [--clients N] [--messages N] [--stalled N] [--latest] "
	    "[--users N] [--seconds N]\n";
	const struct argument table[] = {
		{ "server", .text = &set.server },
		{ "clients", .count = &set.clients },
		{ "messages", .count = &set.messages },
		{ "stalled", .count = &set.stalled },
		{ "users", .count = &set.users },
		{ "seconds", .count = &set.seconds },
		{ "latest", .flag = &set.latest },
		{ NULL },
	};

	if (arguments_read(table, argc, argv, usage) < argc || !set.server || !set.clients ||
	    set.stalled >= set.clients)
		arguments_refuse(usage);
}

static void forget_all(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (members[i].link)
			link_free(members[i].link);
	free(members);
	peers_turn(0);
	peers_fini();
}

int main(int argc, char **argv)
{
	struct server server;
	char why[128] = "";
	bool ok;

	verdicts.verbose = true; /* there are few of them, and each is a figure */
	parse(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	subject_raise_limit();
	if (!subject_start(&server, set.server, &target.http) || server.addresses < 2 ||
	    peers_init() < 0)
		return 2;
	target.tcp = target.http;
	target.tcp.sin_port = htons((uint16_t)atoi(server.address[1].port));
	target.prefix = "/stomp";
	target.subprotocol = "v12.stomp";
	if (set.users > 0)
		run_return(&server);
	else
		run_topic(&server);
	forget_all(set.users > 0 ? set.clients + ECHOERS : set.clients + 1);
	ok = server_stop(&server, patient(20000), why);
	check(ok, "the server ends with status 0 on SIGTERM %s", why);
	check(subject_log_is_clean(&server), "no sanitizer has anything to say");
	server_log(&server, verdicts.failed > 0);
	printf("%u passed, %u failed\n", verdicts.passed, verdicts.failed);
	return verdicts.failed > 0;
}
