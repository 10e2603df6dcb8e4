/*
 * tests/wire.c - plays scenarios written in the language of the wire.
 *
 *	wire [OPTIONS] FILE.wire...
 *
 *	--url URL       the server to talk to (default http://127.0.0.1:8081)
 *	--server "CMD"  start CMD instead; it must print "listening on URL" and is
 *	                stopped by SIGTERM at the end, when it must exit with 0.
 *	                Its first word also serves the groups that need arguments
 *	                or a configuration of their own; without it they are skipped
 *	--only TEXT     only the scenarios whose name or file contains TEXT
 *	--production    that server has no such settings as --demo makes: what needs them
 *	                is skipped, and so are the groups that have servers of their own
 *	-j N            so many at once (default 8); each is a process of its own
 *	-p FACTOR       patience: multiply deadlines (sanitizers, slow machines)
 *	--must-fail     a scenario passes if its last line fails: tries the player
 *	-v              name every scenario, show the bytes of those that fail
 *
 * Prints a line per failed scenario (where, what was expected, what came) and
 * at the end "N passed, N failed". Exits with 1 if any failed.
 *
 * Files (wire/): script.c reads scenarios, play.c performs them, text.c holds
 * strings, http.c and websocket.c are strict clients, sockjs.c peels frames,
 * stomp_link.c carries STOMP by any of them, stomp_token.c makes tokens,
 * conn.c is a connection, server.c a child process. None uses the code under
 * test, so that both sides cannot share a mistake.
 *
 * THE LANGUAGE. A file is read by lines; blank lines and lines that begin
 * with '#' are comments.
 *
 *	scenario "a session opens with o and echoes"
 *		> POST /echo/000/$id/xhr
 *		< 200
 *		< Content-Type: application/javascript; charset=UTF-8
 *		< body "o\n"
 *
 * Strings: "escapes \r \n \t \0 \" \\ \x41 \u20ac", 'no escapes', hex"81 00",
 * and STRING * N; items behind each other are joined. $name is a variable in
 * all of them, in paths and in headers; $$ is a dollar. Given: $id, a random
 * session id per scenario; $host and $port of the server; $i in loops; $ping,
 * the payload of the last Ping.
 *
 * Groups: these lines choose the server of the scenarios that follow.
 *	shared                the one of --url or --server (as at the top of a file)
 *	demo                  likewise, but it must have the settings of --demo
 *	args --demo -t 2      one started with these arguments and -l 127.0.0.1:0
 *	config {              one started with -c and this JSON text, which ends with
 *	  ...                 the first line that begins with '}'; "listen" is given as
 *	}                       "127.0.0.1:0"; $certificate, $key and $tmp are files
 *	                      and a folder of this run; where they are named there are
 *	                      $tmp/RS256.pem, ES256.pem and EdDSA.pem, keys of tokens;
 *	                      $secret, that of HS256; and $hash, what --hash-password
 *	                      makes of "secret"
 *
 * Clients: each name is one connection, made when first used, and again when
 * the response before announced its end. Its first use is "a".
 *	client b [@2]         go on as b [to the 2nd address of the server; @internal: to
 *	                      where its metrics are]
 *	connect | close | reset | shutdown
 *	                      new connection; close; close by RST; half-close
 *	deadline MS           patience of this client (default 3000)
 *	slow RATE             it reads so many octets a second, through a small buffer;
 *	                      before it connects
 *
 * Sending. Consecutive '>' lines are one request, sent in one piece before the
 * next other line. Host is added; Content-Length too, to POST or with a body.
 *	> POST /path [HTTP/1.0]
 *	> Name: value
 *	> without Host | without Content-Length
 *	> body STRING
 *	> chunked "chunk" "chunk"
 *	>> STRING             these bytes, nothing added
 *	drip MS STRING        byte by byte with pauses
 *	ws open /path         the handshake; '>' lines may add headers; checks the 101
 *	ws text|binary|ping|pong STRING
 *	ws close [CODE [STRING]]
 *	ws frame [fin=0] [op=N] [rsv=N] [width=2|8] [unmasked] STRING
 *
 * Expecting. RULE is a STRING, "~ STRING" (extended regular expression),
 * "contains STRING", "length N", or nothing for empty.
 *	< 200 | 4xx | 400|404 the next response; the rest of the one before is skipped
 *	< Name: value         a header; also "Name: ~regex" and "Name:" for any value
 *	< no Name             its absence
 *	< body RULE           the whole body
 *	< chunk RULE          exactly one HTTP chunk
 *	< end                 the end of a chunked or unframed body
 *	< raw STRING          the next bytes, however they are framed
 *	< nothing MS          silence
 *	< eof | reset | gone  the connection ends in order; by RST; either
 *	< ended               it ends, whatever comes before
 *	< text|binary|pong RULE, < ping [RULE], < close [CODE|CODE [RULE]]
 *	                      the next WebSocket message; "< close empty" has no code
 *	receive N TRANSPORT /path STRING
 *	                      N SockJS messages, in order, the $i-th is STRING; goes on
 *	                      with the open response and asks again when it ends; 0 asks
 *	                      only, which opens a session.
 *	                      TRANSPORT is the last segment of the path; "websocket" and
 *	                      "raw" go on with the open WebSocket and take no path
 *
 * STOMP. One client over any of tcp (of the server's 2nd address), websocket, sockjs (its
 * websocket) or xhr_streaming. Commands and their names are upper case.
 *	stomp open CARRIER /endpoint[?query]
 *	                      connects; '>' lines behind it may add headers of HTTP
 *	stomp join CARRIER /endpoint [HEADER...]
 *	                      likewise, and CONNECT with accept-version:1.2, heart-beat:0,0
 *	                      behind these headers; expects CONNECTED
 *	stomp COMMAND [HEADER...] [body STRING]
 *	                      a frame in one message; HEADER is name:value, or a STRING
 *	stomp octets STRING   these octets in one message
 *	< frame COMMAND [HEADER...] [no NAME]... [only] [binary|text] [body RULE]
 *	                      the next frame, but for heart-beats: it has these headers
 *	                      (first of their names, not unescaped; name:~regex), not
 *	                      those, no others; as a binary or text message. Whatever comes
 *	                      by message is checked to be one frame or one heart-beat
 *	< last COMMAND body STRING
 *	                      whatever comes before the frame with this body is skipped
 *	< beat                a heart-beat and no frame before it
 *	< silence MS          neither a frame nor the end
 *	< ends [CODE]         the end, and its code where the carrier tells it
 *	save NAME frame HEADER
 *	token NAME ALGORITHM SECONDS {CLAIMS}
 *	                      $NAME is a token that ends in so many seconds ("-": never)
 *
 * Else.
 *	repeat N {  ...  }    with $i = 0, 1, ...
 *	for NAME in A B {  ...  }
 *	sleep MS | mark | elapsed MIN MAX
 *	set NAME STRING | fresh (a new $id) | expect A == B | expect A != B
 *	save NAME header X | save NAME body "regex with one (group)"
 *	signal HUP|TERM       to the server of the group
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire/arguments.h"
#include "certificate.h"
#include "wire/play.h"
#include "wire/script.h"
#include "wire/server.h"
#include "wire/stomp_token.h"
#include "wire/text.h"

enum { MAX_JOBS = 64, START_MS = 10000, STOP_MS = 10000 };

static struct {
	const char *url, *server, *only;
	unsigned jobs;
	double patience;
	bool verbose, must_fail, production;
	char folder[32];
} options = { .url = "http://127.0.0.1:8081", .jobs = 8, .patience = 1 };

struct job {
	pid_t pid;
	int report;
	int64_t since;
	const struct scenario *scenario;
};

static struct job jobs[MAX_JOBS];
static unsigned running, passed, failed, skipped;

static const char usage[] =
    "usage: wire [--url URL | --server CMD] [--only TEXT] [--production] [-j N] [-p FACTOR] "
    "[--must-fail] [-v] FILE.wire...\n";

static void __attribute__((noreturn)) bad_text(const char *what, const char *where)
{
	fprintf(stderr, "wire: %s: %s\n", what, where);
	exit(2);
}

/* --- servers --------------------------------------------------------- */

static void path_of(char out[64], const char *name)
{
	snprintf(out, 64, "%s/%s", options.folder, name);
}

static void make_folder(void)
{
	char certificate[64], key[64];

	snprintf(options.folder, sizeof(options.folder), "/tmp/wire-XXXXXX");
	if (!mkdtemp(options.folder))
		bad_text("cannot make a folder", strerror(errno));
	path_of(certificate, "certificate.pem");
	path_of(key, "key.pem");
	if (!certificate_write(certificate, key))
		bad_text("cannot write", certificate);
	var_set("tmp", options.folder);
	var_set("certificate", certificate);
	var_set("key", key);
}

static bool is_named(const struct script *script, const char *what)
{
	for (const struct group *g = script->groups; g; g = g->next)
		if (strstr(g->text, what))
			return true;
	return false;
}

/* What the program makes of a password. */
static void make_hash(void)
{
	struct command c = { .count = 0 };
	char line[256], hash[256];
	FILE *f;

	command_add(&c, options.server);
	snprintf(line, sizeof(line), "echo secret | %s --hash-password", c.words[0]);
	f = popen(line, "re");
	if (!f || !fgets(hash, sizeof(hash), f) || pclose(f) != 0)
		bad_text("no hash came of", line);
	hash[strcspn(hash, "\n")] = '\0';
	var_set("hash", hash);
}

/* These take a while, and few need them. */
static void make_secrets(const struct script *script)
{
	var_set("secret", TOKEN_SECRET);
	if (options.server && is_named(script, "$hash"))
		make_hash();
	if (is_named(script, "256.pem") && !token_write_keys(options.folder))
		bad_text("cannot write keys into", options.folder);
}

static void remove_folder(int groups)
{
	char path[64], name[32];
	int i;

	for (i = 0; i <= groups; i++) {
		snprintf(name, sizeof(name), "config-%d.json", i);
		path_of(path, name);
		unlink(path);
	}
	unlink(var_get("certificate"));
	unlink(var_get("key"));
	token_remove_keys(options.folder);
	rmdir(options.folder);
}

static void write_config(const char *path, const char *json)
{
	struct text t = text_expand(json, strlen(json));
	FILE *f = fopen(path, "we");

	if (!f || fwrite(t.p, 1, t.n, f) != t.n || fclose(f))
		bad_text("cannot write", path);
	scratch_reset();
}

static const char *group_name(const struct group *g)
{
	return g->kind == GROUP_SHARED ? options.server : g->where;
}

static struct server *start_group(const struct group *g, int number)
{
	struct server *s = calloc(1, sizeof(*s));
	struct command c = { .count = 0 };
	char path[64], name[32];

	if (!s)
		abort();
	command_add(&c, options.server);
	if (g->kind != GROUP_SHARED)
		command_keep(&c, 1);
	if (g->kind == GROUP_ARGS) {
		command_add(&c, g->text);
		command_add(&c, "-l 127.0.0.1:0");
	} else if (g->kind == GROUP_CONFIG) {
		snprintf(name, sizeof(name), "config-%d.json", number);
		path_of(path, name);
		write_config(path, g->text);
		command_add(&c, "-c");
		command_add(&c, path);
	}
	failed += !server_begin(s, &c, (int64_t)(START_MS * options.patience), group_name(g));
	s->may_end = g->ends;
	return s;
}

static struct server *known_server(void)
{
	struct server *s = calloc(1, sizeof(*s));

	if (!s || address_parse(&s->address[0], options.url) < 0)
		bad_text("not an address", options.url);
	s->addresses = 1;
	return s;
}

static bool is_wanted(const struct scenario *s)
{
	if (options.production && (s->needs_demo || s->group->kind != GROUP_SHARED))
		return false;
	return !options.only || strstr(s->name, options.only) || strstr(s->file, options.only);
}

/* All at once, so that the scenarios of all groups can run side by side. */
static int start_servers(const struct script *script)
{
	struct group *g;
	struct scenario *s;
	int n = 0;

	for (s = script->first; s; s = s->next) {
		g = s->group;
		if (g->server || !is_wanted(s))
			continue;
		if (options.server)
			g->server = start_group(g, n++);
		else if (g->kind == GROUP_SHARED)
			g->server = known_server();
	}
	return n;
}

static void stop_servers(const struct script *script)
{
	for (const struct group *g = script->groups; g; g = g->next) {
		struct server *s = g->server;

		if (s && s->pid)
			failed +=
			    !server_end(s, (int64_t)(STOP_MS * options.patience), group_name(g));
	}
}

/* --- scenarios ------------------------------------------------------- */

static void start_job(const struct scenario *scenario)
{
	struct job *j = jobs;
	int fd[2];

	while (j->pid)
		j++;
	if (pipe2(fd, O_CLOEXEC) < 0)
		bad_text("pipe", strerror(errno));
	fflush(stdout);
	j->pid = fork();
	if (j->pid < 0)
		bad_text("fork", strerror(errno));
	if (!j->pid)
		play(scenario, scenario->group->server, fd[1], options.patience, options.verbose);
	close(fd[1]);
	j->report = fd[0];
	j->since = now_ms();
	j->scenario = scenario;
	running++;
}

/* With --must-fail: did it fail in its last line, and nowhere else? */
static bool failed_at_the_end(const struct scenario *s, int status, const char *report)
{
	const struct statement *last = s->first;
	char where[300];

	while (last && last->next)
		last = last->next;
	snprintf(where, sizeof(where), "%s:%d: ", s->file, last ? last->line : s->line);
	return status != 0 && !strncmp(report, where, strlen(where));
}

static void finish_job(struct job *j, int status)
{
	char text[40000];
	size_t all = 0;
	ssize_t n;
	bool well;

	while ((n = read(j->report, text + all, sizeof(text) - 1 - all)) > 0)
		all += (size_t)n;
	text[all] = '\0';
	close(j->report);
	well = options.must_fail ? failed_at_the_end(j->scenario, status, text) : status == 0;
	if (well)
		passed++;
	else
		failed++;
	if (!well)
		fputs(text, stdout);
	if (!well && !all)
		printf("%s:%d: \"%s\": %s (status %d)\n", j->scenario->file, j->scenario->line,
		    j->scenario->name,
		    options.must_fail ? "did not fail" : "the player itself failed", status);
	if (options.verbose)
		printf("%s \"%s\" (%d ms)\n", well ? "passed" : "FAILED", j->scenario->name,
		    (int)(now_ms() - j->since));
	fflush(stdout);
	j->pid = 0;
	running--;
}

/* Servers are children too, so each job is asked after by its own id. */
static void wait_for_a_job(void)
{
	unsigned before = running;
	int status;

	while (running == before) {
		for (unsigned i = 0; i < options.jobs; i++)
			if (jobs[i].pid && waitpid(jobs[i].pid, &status, WNOHANG) > 0)
				finish_job(&jobs[i], status);
		if (running == before)
			usleep(2000);
	}
}

static void run_all(const struct script *script)
{
	const struct scenario *s;
	const struct server *server;

	for (s = script->first; s; s = s->next) {
		if (!is_wanted(s))
			continue;
		server = s->group->server;
		if (!server || !server->addresses) {
			skipped++;
			continue;
		}
		while (running == options.jobs)
			wait_for_a_job();
		start_job(s);
	}
	while (running)
		wait_for_a_job();
}

static int parse_options(int argc, char **argv)
{
	static const struct argument table[] = {
		{ "url", .text = &options.url },
		{ "server", .text = &options.server },
		{ "only", .text = &options.only },
		{ "must-fail", .flag = &options.must_fail },
		{ "production", .flag = &options.production },
		{ "j", .count = &options.jobs },
		{ "p", .factor = &options.patience },
		{ "v", .flag = &options.verbose },
		{ NULL },
	};
	int first = arguments_read(table, argc, argv, usage);

	if (first == argc || options.jobs < 1 || options.jobs > MAX_JOBS)
		arguments_refuse(usage);
	return first;
}

int main(int argc, char **argv)
{
	static struct script script;
	int first = parse_options(argc, argv), servers;

	signal(SIGPIPE, SIG_IGN);
	text_mistake = bad_text;
	for (int i = first; i < argc; i++)
		script_load(&script, argv[i]);
	make_folder();
	make_secrets(&script);
	servers = start_servers(&script);
	run_all(&script);
	stop_servers(&script);
	remove_folder(servers);
	if (skipped)
		printf("%u skipped (no server for their group)\n", skipped);
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
