/*
 * tests/wire/play.c - plays one scenario against a server.
 *
 * A table of verbs, one small function each; this file has the table, loops,
 * reports, and the verbs that touch no connection. The language is described
 * at the top of ../wire.c.
 */
#include "wire/player.h"

#include <regex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "wire/stomp_token.h"

/* Seconds of one scenario, and how many more for patience. */
enum { LIMIT = 90, LIMIT_MORE = 30 };

struct player player;

/* --- reports --------------------------------------------------------- */

_Noreturn void fail(const char *fmt, ...)
{
	va_list ap;

	fprintf(player.report, "%s:%d: \"%s\": ", player.scenario->file,
	    player.at ? player.at->line : player.scenario->line, player.scenario->name);
	va_start(ap, fmt);
	vfprintf(player.report, fmt, ap);
	va_end(ap);
	if (player.at)
		fprintf(
		    player.report, " [%s]", text_show(player.at->text, strlen(player.at->text)));
	fputc('\n', player.report);
	if (player.transcript) {
		fflush(player.transcript);
		fwrite(player.transcript_text, 1,
		    player.transcript_size > 30000 ? 30000 : player.transcript_size, player.report);
	}
	fflush(player.report);
	_exit(1);
}

void mistake(const char *what, const char *where)
{
	fail("the scenario is wrong: %s: %s", what, where);
}

static _Noreturn void on_alarm_fail(void)
{
	fail("ran for too long");
}

static void on_alarm(int sig)
{
	(void)sig;
	on_alarm_fail();
}

void note(const struct client *c, char direction, const void *bytes, size_t n)
{
	if (player.transcript)
		fprintf(player.transcript, "\t%s %c %s\n", c->name, direction, text_show(bytes, n));
}

int64_t deadline(void)
{
	return now_ms() + (int64_t)((double)player.now->deadline_ms * player.patience);
}

void keep(struct text *copy, const void *bytes, size_t n)
{
	copy->p = realloc(copy->p, copy->n + n + 1);
	if (!copy->p)
		abort();
	if (n)
		memcpy(copy->p + copy->n, bytes, n);
	copy->n += n;
	copy->p[copy->n] = '\0';
}

void drop(struct text *copy)
{
	free(copy->p);
	memset(copy, 0, sizeof(*copy));
}

bool word_is(struct text word, const char *s)
{
	return !strcmp(word.p, s);
}

long number(const char **p)
{
	struct text word = text_word(p);
	char *end;
	long n = strtol(word.p, &end, 10);

	if (!word.n || *end)
		mistake("number expected", word.p);
	return n;
}

/* --- the rest -------------------------------------------------------- */

static void do_sleep(const char *rest)
{
	usleep((unsigned)number(&rest) * 1000);
}

static void do_mark(const char *rest)
{
	(void)rest;
	player.mark = now_ms();
}

/* elapsed MIN MAX: milliseconds since mark. The upper bound grows with patience. */
static void do_elapsed(const char *rest)
{
	int64_t ms = now_ms() - player.mark;
	long least = number(&rest), most = (long)((double)number(&rest) * player.patience);

	if (ms < least || ms > most)
		fail("took %ld ms instead of %ld to %ld", (long)ms, least, most);
}

static void do_set(const char *rest)
{
	struct text name = text_word(&rest);

	var_set(name.p, text_expression(rest).p);
}

void do_fresh(const char *rest)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	unsigned char random[12];
	char id[13] = { 0 };
	FILE *f = fopen("/dev/urandom", "re");
	size_t i;

	(void)rest;
	if (!f || fread(random, 1, sizeof(random), f) != sizeof(random))
		abort();
	fclose(f);
	for (i = 0; i < sizeof(random); i++)
		id[i] = letters[random[i] % 36];
	var_set("id", id);
}

/* save NAME header Etag | save NAME body REGEX-WITH-A-GROUP */
static void do_save(const char *rest)
{
	struct text name = text_word(&rest), from = text_word(&rest);
	const char *value;
	char *copy;
	regmatch_t m[2];
	regex_t re;

	if (word_is(from, "frame")) {
		save_frame_header(name.p, text_word(&rest).p);
		return;
	}
	need_response();
	if (word_is(from, "header")) {
		value = http_header(&player.now->response, text_word(&rest).p, NULL);
		if (!value)
			fail("no such header");
		var_set(name.p, value);
		return;
	}
	read_body(player.now);
	if (regcomp(&re, text_expression(rest).p, REG_EXTENDED) != 0 || re.re_nsub != 1)
		mistake("regular expression with one group expected", rest);
	if (regexec(&re, player.now->body.p, 2, m, 0) != 0)
		fail("body is %s", text_show(player.now->body.p, player.now->body.n));
	copy = strndup(player.now->body.p + m[1].rm_so, (size_t)(m[1].rm_eo - m[1].rm_so));
	var_set(name.p, copy);
	free(copy);
	regfree(&re);
}

static void do_compare(const char *rest)
{
	struct text a = text_word(&rest), op = text_word(&rest), b = text_word(&rest);
	bool same = a.n == b.n && !memcmp(a.p, b.p, a.n);

	if (!word_is(op, "==") && !word_is(op, "!="))
		mistake("== or != expected", op.p);
	if (same != word_is(op, "=="))
		fail("%s %s %s does not hold", text_show(a.p, a.n), op.p, text_show(b.p, b.n));
}

/* token NAME ALGORITHM SECONDS {CLAIMS}: good for so many; "-": it does not say how long. */
static void do_token(const char *rest)
{
	struct text name = text_word(&rest), algorithm = text_word(&rest);
	struct text seconds = text_word(&rest), claims = text_expand(rest, strlen(rest));
	char text[4096], *token;

	if (*claims.p != '{')
		mistake("claims are an object of JSON", claims.p);
	if (word_is(seconds, "-"))
		snprintf(text, sizeof(text), "%s", claims.p);
	else
		snprintf(text, sizeof(text), "{\"exp\":%ld,%s",
		    (long)time(NULL) + strtol(seconds.p, NULL, 10), claims.p + 1);
	token = token_sign(var_get("tmp"), algorithm.p, text);
	if (!token)
		mistake("no such algorithm", algorithm.p);
	var_set(name.p, token);
	free(token);
}

/* signal HUP|TERM: to a server of ours. */
static void do_signal(const char *rest)
{
	struct text name = text_word(&rest);

	if (!player.server->pid)
		mistake("the server is not ours", name.p);
	kill(player.server->pid, word_is(name, "HUP") ? SIGHUP : SIGTERM);
}

static void run(const struct statement *s);

static void repeat(const struct statement *s, const char *rest)
{
	long i, n = number(&rest);
	char text[24];

	for (i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%ld", i);
		var_set("i", text);
		run(s->body);
	}
}

/* for NAME in WORD... */
static void for_each(const struct statement *s, const char *rest)
{
	char *name = strdup(text_word(&rest).p);
	struct text word;

	if (!word_is(text_word(&rest), "in"))
		mistake("for NAME in WORD...", s->text);
	while (*rest) {
		word = text_word(&rest);
		var_set(name, word.p);
		run(s->body);
		player.at = s;
	}
	free(name);
}

static const struct verb {
	const char *name;
	bool keeps_request; /* does not send the pending request first */
	void (*run)(const char *rest);
} verbs[] = {
	{ ">", true, do_request },
	{ ">>", false, do_raw },
	{ "<", false, do_expect },
	{ "ws", true, do_ws },
	{ "client", false, do_client },
	{ "connect", false, do_connect },
	{ "close", false, do_close },
	{ "reset", false, do_reset },
	{ "shutdown", false, do_shutdown },
	{ "drip", false, do_drip },
	{ "deadline", true, do_deadline },
	{ "slow", true, do_slow },
	{ "receive", false, do_receive },
	{ "sleep", false, do_sleep },
	{ "mark", true, do_mark },
	{ "elapsed", false, do_elapsed },
	{ "set", true, do_set },
	{ "fresh", true, do_fresh },
	{ "save", false, do_save },
	{ "expect", false, do_compare },
	{ "signal", false, do_signal },
	{ "stomp", false, do_stomp },
	{ "token", true, do_token },
};

static void perform(const struct statement *s)
{
	size_t n = strcspn(s->text, " \t"), i;
	const char *rest = s->text + n + strspn(s->text + n, " \t");

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strlen(verbs[i].name) != n || memcmp(verbs[i].name, s->text, n) != 0)
			continue;
		/* A second request line begins another request: the first one goes out. */
		if (!verbs[i].keeps_request ||
		    (verbs[i].run == do_request && is_request_line(rest)))
			request_flush();
		verbs[i].run(rest);
		return;
	}
	mistake("unknown verb", s->text);
}

static void run(const struct statement *s)
{
	for (; s; s = s->next) {
		player.at = s;
		scratch_reset();
		if (s->body) {
			request_flush();
			if (*s->text == 'r')
				repeat(s, s->text + strlen("repeat "));
			else
				for_each(s, s->text + strlen("for "));
		} else {
			perform(s);
		}
	}
}

_Noreturn void play(const struct scenario *scenario, const struct server *server, int report,
    double patience, bool transcript)
{
	char host[300];

	player.scenario = scenario;
	player.server = server;
	player.patience = patience;
	player.report = fdopen(report, "w");
	if (transcript)
		player.transcript =
		    open_memstream(&player.transcript_text, &player.transcript_size);
	text_mistake = mistake;
	signal(SIGALRM, on_alarm);
	alarm(LIMIT + (unsigned)(LIMIT_MORE * patience));
	snprintf(host, sizeof(host), "%s:%s", server->address[0].host, server->address[0].port);
	var_set("host", host);
	var_set("port", server->address[0].port);
	do_fresh("");
	player.now = client_named("a");
	player.mark = now_ms();
	run(scenario->first);
	request_flush();
	_exit(0);
}
