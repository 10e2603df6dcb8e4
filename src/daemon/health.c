/*
 * daemon/health.c - asks /readyz or /healthz of the internal address, prints what was answered, and
 * ends with a status that says it; see health.h.
 *
 * Neither needs a token, so none is looked for: whoever asks may be unable to read it.
 */
#include "daemon/health.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "daemon/api_login.h"
#include "daemon/arguments.h"

#define WAIT_S   5
#define WAIT_MAX 300
#define LINE_MAX 400 /* of an answer that is printed: it may be anybody's */

struct question {
	struct api_login login;
	const char *timeout;
	int wait_s;
	bool live, help;
};

static const char help[] =
    "Usage: sockjsd health {-c FILE | --api URL} [OPTION]...\n"
    "Asks a server that runs, by its internal address, whether it is ready for clients.\n"
    "\n"
    "  -c, --config FILE      the server's configuration: its internal.listen\n"
    "      --api URL          its internal address: http://HOST:PORT or unix:PATH\n"
    "      --live             ask whether the process works (/healthz), not whether it is ready\n"
    "                         (/readyz): a server that drains works\n"
    "      --timeout SECONDS  how long it may take to answer (5)\n"
    "  -h, --help             print this\n"
    "\n"
    "Examples:\n"
    "  sockjsd health -c /etc/sockjsd.json\n"
    "  HEALTHCHECK CMD [\"sockjsd\", \"health\", \"-c\", \"/etc/sockjsd.json\"]\n"
    "\n"
    "Exit status: 0 yes, 1 no, or it could not be asked, 2 the command line or the configuration\n"
    "is wrong.\n";

/* --- the command line ------------------------------------------------------- */

/* Offsets are of texts in struct question. */
static const struct argument options[] = {
	{ "-c", "--config", offsetof(struct question, login.config) },
	{ NULL, "--api", offsetof(struct question, login.api) },
	{ NULL, "--timeout", offsetof(struct question, timeout) },
};

static int take_option(void *to, const struct argument *a, const char *value)
{
	*(const char **)(void *)((char *)to + a->offset) = value;
	return 0;
}

static bool take_flag(void *to, const char *word)
{
	struct question *q = to;
	bool is_help = strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0;
	bool is_live = strcmp(word, "--live") == 0;

	q->help |= is_help;
	q->live |= is_live;
	return is_help || is_live;
}

static int take_word(void *to, const char *word)
{
	(void)to;
	return arguments_complain("health", -EINVAL, "unexpected argument '%s'", word);
}

static int take_timeout(struct question *q)
{
	char *end;
	long n = strtol(q->timeout, &end, 10);

	if (*end || n < 1 || n > WAIT_MAX)
		return arguments_complain("health", -EINVAL, "--timeout is 1 to %d seconds, not '%s'", WAIT_MAX,
		    q->timeout);
	q->wait_s = (int)n;
	return 0;
}

static int parse(struct question *q, int argc, char **argv)
{
	static const struct arguments arguments = { "health", options,
		sizeof(options) / sizeof(*options), take_flag, take_option, take_word };
	int err = arguments_read(&arguments, argc, argv, q);

	return err < 0 || !q->timeout ? err : take_timeout(q);
}

/* --- the answer ---------------------------------------------------------------- */

/* Its first line, without what a terminal might obey. */
static void print_line(FILE *to, const struct buf *answer)
{
	const char *p = buf_len(answer) ? buf_data(answer) : "";

	for (size_t i = 0; i < buf_len(answer) && i < LINE_MAX && p[i] != '\n'; i++)
		fputc(p[i] >= ' ' && p[i] <= '~' ? p[i] : '?', to);
	fputc('\n', to);
}

static enum exit_code tell(int status, const struct buf *answer)
{
	if (status == 200) {
		print_line(stdout, answer);
		return EXIT_STOPPED;
	}
	fprintf(stderr, "sockjsd: health: %d: ", status);
	print_line(stderr, answer);
	return EXIT_RUNNING;
}

static enum exit_code ask(struct question *q)
{
	struct buf answer = BUF_INIT;
	enum exit_code code = EXIT_RUNNING;
	char why[400];
	int status;

	q->login.target.wait_s = q->wait_s;
	status = api_get(
	    &q->login.target, q->live ? "/healthz" : "/readyz", &answer, why, sizeof(why));
	if (status < 0)
		arguments_complain("health", status, "%s", why);
	else
		code = tell(status, &answer);
	buf_fini(&answer);
	return code;
}

enum exit_code health(int argc, char **argv)
{
	struct question q = { .login.is_public = true, .wait_s = WAIT_S };
	enum exit_code code = EXIT_USAGE;
	char why[1200];

	if (parse(&q, argc, argv) < 0)
		return EXIT_USAGE;
	if (q.help) {
		fputs(help, stdout);
		return EXIT_STOPPED;
	}
	if (api_login_find(&q.login, why, sizeof(why)) < 0)
		arguments_complain("health", -EINVAL, "%s", why);
	else
		code = ask(&q);
	api_login_forget(&q.login);
	return code;
}
