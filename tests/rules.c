/*
 * tests/rules.c - every rule of RFC 6455 and RFC 7692, one by one.
 *
 *	rules [OPTIONS]
 *
 *	--server "CMD"  start its program twice, with configurations of our own, and ask both, too:
 *	                one without and one with context takeover
 *	--url URL       ask the server that runs there
 *	                without either only the codec is asked
 *	--only TEXT     only the rules whose name contains TEXT
 *	-j N            so many processes (default 8)
 *	-p FACTOR       patience: multiply deadlines (sanitizers, slow machines)
 *	-v              name every rule
 *
 * A rule is asked of each subject that has to keep it: the codec as a server, the
 * codec as a client, the server on its socket (/echo/websocket). Each time it is played
 * several times: whole, octet by octet, in random pieces, and for the codec with a pause
 * at every message. All have to go well for the rule to pass.
 *
 * Prints a line per failed rule (subject, name, how it was cut, what differed) and at
 * the end "N passed, N failed". Exits with 1 if any failed.
 *
 * Files (rules/): the families of rules (frames.c, sizes.c, ...) fill the catalogue of
 * rule.c with scripts (script.c); subject_codec.c and subject_wire.c play them; reader.c
 * reads strictly what comes back, deflate.c inflates it, judge.c compares. But for
 * subject_codec.c none uses the code under test.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rules/deflate.h"
#include "rules/judge.h"
#include "rules/negotiation.h"
#include "rules/opening.h"
#include "rules/rule.h"
#include "rules/subject.h"
#include "wire/arguments.h"
#include "wire/server.h"

enum {
	MAX_JOBS = 32,
	START_MS = 10000,
	STOP_MS = 10000,
	ANSWER_MS = 5000,
	RULE_SECONDS = 30,        /* after which a process is given up */
	OCTETS_CODEC = 16 * 1024, /* more than these are not sent octet by octet */
	OCTETS_WIRE = 400,
	MUCH = 1 << 20, /* more is not read in one go anyway, and is sent whole */
};

static struct {
	const char *url, *server, *only;
	unsigned jobs;
	double patience;
	bool verbose;
} options = { .jobs = 8, .patience = 1 };

/* Whom a rule is asked of; the first two are also enum side. */
enum { CODEC_SERVER, CODEC_CLIENT, WIRE, WIRE_TAKEOVER, SUBJECTS };

static const struct {
	const char *name;
	unsigned on; /* rules that it has to keep */
} subjects[SUBJECTS] = {
	[CODEC_SERVER] = { "codec as server", ON_SERVER },
	[CODEC_CLIENT] = { "codec as client", ON_CLIENT },
	[WIRE] = { "wire", ON_WIRE },
	[WIRE_TAKEOVER] = { "wire with context takeover", ON_WIRE },
};

/* A rule to be asked of a subject. */
struct task {
	const struct rule *rule;
	int subject;
};

static struct task *tasks;
static size_t task_count;
static struct address addresses[SUBJECTS];
static bool answers[SUBJECTS], compresses[SUBJECTS] = { true, true };

/* What the processes share. */
static struct {
	atomic_size_t next; /* task */
	atomic_uint passed, failed, skipped, declined, compressed;
	atomic_size_t current[MAX_JOBS]; /* task of each process, from 1; 0: none */
} * shared;

/* --- one rule, one subject --------------------------------------------------------- */

enum verdict { PASSED, NOT_PASSED, DECLINED_IT };

static bool is_wire(const struct task *t)
{
	return t->subject >= WIRE;
}

static const char *const cut_names[] = { "whole", "in octets", "in pieces", "with pauses" };

static uint32_t seed_of(const char *name)
{
	uint32_t seed = 2166136261u;

	for (; *name; name++)
		seed = (seed ^ (unsigned char)*name) * 16777619u;
	return seed;
}

static int patience(void)
{
	return (int)(ANSWER_MS * options.patience);
}

static void report(const struct task *t, const char *how, const char *wrong)
{
	char line[2048];
	int n = snprintf(line, sizeof(line), "%s: %s: %s: %s\n", subjects[t->subject].name,
	    t->rule->name, how, wrong);

	if (n >= (int)sizeof(line)) {
		n = sizeof(line);
		line[n - 1] = '\n';
	}
	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		abort();
}

static bool is_too_long(const struct task *t, const struct script *s, enum cut cut)
{
	switch (cut) {
	case CUT_OCTETS:
		return s->sent.n > (size_t)(is_wire(t) ? OCTETS_WIRE : OCTETS_CODEC);
	case CUT_AT_RANDOM:
		return is_wire(t) && s->sent.n > MUCH;
	case CUT_BY_PAUSES:
		return s->sent.n > MUCH;
	default:
		return false;
	}
}

static const char *judge_and_free(struct outcome *o, const struct script *s, bool in_order)
{
	unsigned compressed;
	const char *wrong = judge(o, s, in_order, &compressed);

	shared->compressed += compressed;
	octets_free(&o->got);
	return wrong;
}

static void play(
    struct outcome *o, const struct task *t, struct opened *w, const struct script *s, enum cut cut)
{
	uint32_t seed = seed_of(t->rule->name);

	if (is_wire(t))
		wire_play(o, w, s, cut, seed, patience());
	else
		codec_play(o, s, (enum side)t->subject, cut, seed);
}

static const char *converse(
    const struct task *t, struct opened *w, enum cut cut, const struct agreed *agreed)
{
	struct script s;
	struct outcome o;
	const char *wrong = NULL;

	script_init(&s, t->subject != AS_CLIENT, agreed);
	t->rule->play(&s, t->rule);
	script_finish(&s);
	if (!is_too_long(t, &s, cut)) {
		play(&o, t, w, &s, cut);
		wrong = judge_and_free(&o, &s, !is_wire(t));
	}
	script_free(&s);
	return wrong;
}

/* What needs an extension cannot be asked for if the offer may be declined, and is. */
static const char *settle_and_converse(
    const struct task *t, struct opened *w, enum cut cut, enum verdict *verdict)
{
	const struct fitting *fitting = t->rule->fitting;
	struct agreed agreed;
	const char *wrong = negotiation_check(fitting, w->extensions, &agreed);

	if (wrong)
		return wrong;
	if (fitting && !w->extensions && fitting->answer == ACCEPTED_OR_NOT) {
		*verdict = DECLINED_IT;
		return NULL;
	}
	return converse(t, w, cut, w->extensions ? &agreed : NULL);
}

static const char *open_codec(const struct task *t, struct opened *w)
{
	const struct rule *r = t->rule;
	bool opens = codec_open((enum side)t->subject, r->offer, r->answer, &w->extensions);
	bool may_refuse = r->fitting && (r->fitting->answer == DECLINED_OR_REFUSED ||
	                                    r->fitting->answer == REFUSED);

	w->status = opens ? 101 : 400;
	return opens || may_refuse ? NULL : "it refuses the extensions";
}

static const char *open_wire(const struct task *t, struct opened *w, enum cut cut)
{
	const struct rule *r = t->rule;
	struct opening opening;
	const char *wrong;

	if (r->open)
		r->open(&opening, r);
	else
		opening_default(&opening, r->offer);
	if (r->fitting && r->fitting->answer == DECLINED_OR_REFUSED)
		opening.statuses[1] = 400;
	wrong = wire_open(w, &addresses[t->subject], &opening, r->open ? cut : CUT_NOT,
	    seed_of(r->name), patience());
	opening_free(&opening);
	return wrong;
}

static const char *ask_once(const struct task *t, enum cut cut, enum verdict *verdict)
{
	struct opened w = { 0 };
	const char *wrong;

	conn_init(&w.conn);
	wrong = is_wire(t) ? open_wire(t, &w, cut) : open_codec(t, &w);
	if (!wrong && w.status == 101)
		wrong = settle_and_converse(t, &w, cut, verdict);
	wire_close(&w);
	return wrong;
}

static enum verdict ask(const struct task *t)
{
	int cuts = is_wire(t) ? CUT_BY_PAUSES : CUT_BY_PAUSES + 1;
	enum verdict verdict = PASSED;
	int64_t since = now_ms();
	char took[32];

	for (int cut = CUT_NOT; cut < cuts; cut++) {
		const char *wrong = ask_once(t, (enum cut)cut, &verdict);

		if (wrong) {
			report(t, cut_names[cut], wrong);
			return NOT_PASSED;
		}
	}
	snprintf(took, sizeof(took), "%d ms", (int)(now_ms() - since));
	if (options.verbose)
		report(t, verdict == PASSED ? "passed" : "declined", took);
	return verdict;
}

/* --- all of them, in processes ---------------------------------------------------------- */

static void run_tasks(size_t self)
{
	size_t i;

	while ((i = atomic_fetch_add(&shared->next, 1)) < task_count) {
		shared->current[self] = i + 1;
		alarm((unsigned)(RULE_SECONDS * options.patience));
		switch (ask(&tasks[i])) {
		case PASSED:
			shared->passed++;
			break;
		case NOT_PASSED:
			shared->failed++;
			break;
		case DECLINED_IT:
			shared->declined++;
			break;
		}
		shared->current[self] = 0;
	}
}

static pid_t start_process(size_t self)
{
	pid_t pid = fork();

	if (pid == 0) {
		run_tasks(self);
		exit(0);
	}
	if (pid < 0)
		perror("rules: fork");
	return pid;
}

/* True: it died, and another has to go on in its place. */
static bool process_died(size_t self, pid_t pid)
{
	size_t current;
	int status = 0;

	waitpid(pid, &status, 0);
	current = shared->current[self];
	if (status == 0)
		return false;
	shared->current[self] = 0;
	shared->failed++;
	if (current == 0) { /* its end is when a sanitizer speaks of leaks */
		printf("a process has ended with status %d\n", status);
		return false;
	}
	report(&tasks[current - 1], "", "the process that asked has died");
	return true;
}

static void run_all(void)
{
	pid_t pids[MAX_JOBS];

	fflush(stdout);
	for (unsigned i = 0; i < options.jobs; i++)
		pids[i] = start_process(i);
	for (unsigned i = 0; i < options.jobs; i++)
		while (pids[i] > 0 && process_died(i, pids[i]))
			pids[i] = start_process(i);
}

/* --- the catalogue ---------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct rule *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

/* Two rules of one name could not be told apart when one fails. */
static void refuse_doubles(const struct catalogue *c)
{
	struct rule **sorted = malloc(c->count * sizeof(struct rule *));

	if (!sorted)
		abort();
	memcpy(sorted, c->rules, c->count * sizeof(struct rule *));
	qsort(sorted, c->count, sizeof(struct rule *), by_name);
	for (size_t i = 1; i < c->count; i++)
		if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0) {
			fprintf(stderr, "rules: two rules of one name: %s\n", sorted[i]->name);
			exit(2);
		}
	free(sorted);
}

static void make_catalogue(struct catalogue *c)
{
	add_size_rules(c); /* the longest first */
	add_frame_rules(c);
	add_control_rules(c);
	add_fragment_rules(c);
	add_text_rules(c);
	add_closing_rules(c);
	add_opening_rules(c);
	add_negotiation_rules(c);
	add_compression_rules(c);
	refuse_doubles(c);
}

static bool can_be_asked(const struct rule *r, int subject)
{
	if (!(r->on & subjects[subject].on) || !answers[subject])
		return false;
	if (r->fitting && !compresses[subject]) {
		shared->skipped++;
		return false;
	}
	return subject != WIRE_TAKEOVER || r->fitting;
}

static void make_tasks(const struct catalogue *c)
{
	tasks = calloc(c->count * SUBJECTS, sizeof(*tasks));
	if (!tasks)
		abort();
	for (size_t i = 0; i < c->count; i++)
		for (int subject = 0; subject < SUBJECTS; subject++) {
			if (options.only && !strstr(c->rules[i]->name, options.only))
				continue;
			if (can_be_asked(c->rules[i], subject))
				tasks[task_count++] = (struct task){ c->rules[i], subject };
		}
}

/* --- the servers --------------------------------------------------------------------------- */

/* The endpoint of --demo, but for few fragments, */
#define CONFIG(websocket)                                                                          \
	"{ \"listen\": [\"127.0.0.1:0\"], \"endpoints\": [ { \"prefix\": \"/echo\",\n"             \
	"  \"application\": \"echo\", \"allowed_origins\": [\"*\"],\n"                             \
	"  \"max_message_bytes\": 16777216, \"max_body_bytes\": 16777216,\n"                       \
	"  \"send_buffer_bytes\": 67108864,\n"                                                     \
	"  \"websocket\": { \"max_fragments\": 1024" websocket " } } ] }\n"

static const char plain_config[] = CONFIG("");
/* and for context takeover. */
static const char takeover_config[] =
    CONFIG(", \"compression_context_takeover\": true,\n"
           "  \"compression_min_bytes\": 1, \"compression_level\": 6");

static struct server servers[SUBJECTS];

static void write_config(char *config_file, const char *text)
{
	int fd = mkstemp(config_file);
	ssize_t n = (ssize_t)strlen(text);

	if (fd < 0 || write(fd, text, (size_t)n) != n || close(fd) < 0) {
		perror(config_file);
		exit(2);
	}
}

/* With the program of --server. */
static void start_server(int subject, const char *config)
{
	char config_file[] = "/tmp/rules-config-XXXXXX";
	struct server *s = &servers[subject];
	struct command command = { .count = 0 }, *c = &command;

	write_config(config_file, config);
	command_add(c, options.server);
	command_keep(c, 1);
	command_add(c, "--log-level warn -c");
	command_add(c, config_file);
	answers[subject] =
	    server_begin(s, c, (int64_t)(START_MS * options.patience), subjects[subject].name);
	shared->failed += !answers[subject];
	addresses[subject] = s->address[0];
	unlink(config_file);
}

static void start_servers(void)
{
	start_server(WIRE, plain_config);
	start_server(WIRE_TAKEOVER, takeover_config);
}

static void stop_servers(void)
{
	for (int i = 0; i < SUBJECTS; i++)
		if (servers[i].pid)
			shared->failed += !server_end(
			    &servers[i], (int64_t)(STOP_MS * options.patience), subjects[i].name);
}

/* Whether it knows permessage-deflate at all. */
static bool ask_for_compression(int subject)
{
	struct opening opening;
	struct opened w;
	bool knows;

	opening_default(&opening, "permessage-deflate; client_max_window_bits");
	knows =
	    !wire_open(&w, &addresses[subject], &opening, CUT_NOT, 0, patience()) && w.extensions;
	wire_close(&w);
	opening_free(&opening);
	return knows;
}

static void find_subjects(void)
{
	answers[CODEC_SERVER] = answers[CODEC_CLIENT] = true;
	if (options.server)
		start_servers();
	else
		answers[WIRE] = options.url;
	for (int i = WIRE; i < SUBJECTS; i++) /* of ours nobody asks whether it wants to */
		compresses[i] = options.server || (answers[i] && ask_for_compression(i));
}

/* --- the command line ------------------------------------------------------------------------ */

static const char usage[] =
    "usage: rules [--server CMD | --url URL] [--only TEXT] [-j N] [-p FACTOR] [-v]\n";

static void parse_options(int argc, char **argv)
{
	static const struct argument table[] = {
		{ "url", .text = &options.url },
		{ "server", .text = &options.server },
		{ "only", .text = &options.only },
		{ "j", .count = &options.jobs },
		{ "p", .factor = &options.patience },
		{ "v", .flag = &options.verbose },
		{ NULL },
	};

	if (arguments_read(table, argc, argv, usage) != argc || options.jobs < 1 ||
	    options.jobs > MAX_JOBS)
		arguments_refuse(usage);
	if (options.url && address_parse(&addresses[WIRE], options.url) < 0)
		arguments_refuse(usage);
}

static void tell(void)
{
	if (shared->skipped)
		printf("%u skipped: the server does not negotiate permessage-deflate\n",
		    (unsigned)shared->skipped);
	if (shared->declined)
		printf("%u declined by the server, as it may\n", (unsigned)shared->declined);
	if (shared->compressed)
		printf("%u messages came compressed\n", (unsigned)shared->compressed);
	printf("%u passed, %u failed\n", (unsigned)shared->passed, (unsigned)shared->failed);
}

int main(int argc, char **argv)
{
	static struct catalogue catalogue;

	parse_options(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		abort();
	make_catalogue(&catalogue);
	find_subjects();
	make_tasks(&catalogue);
	run_all();
	stop_servers();
	tell();
	return shared->failed != 0;
}
