/*
 * daemon/doctor_command.c - the command line around a check-up; see doctor_command.h.
 */
#include "daemon/doctor_command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkup/checkup.h"
#include "checkup/progress.h"
#include "checkup/report.h"
#include "daemon/arguments.h"
#include "net/stream.h"

#define TIMEOUT_S   10
#define TIMEOUT_MAX 120
#define IDLE_MAX    600 /* as long as an endpoint is quiet when it is asked to */

struct visit {
	const char *url, *proxy, *ca, *timeout, *idle;
	bool json, insecure, help;
	struct checkup_settings settings;
};

static const char help[] =
    "Usage: sockjsd doctor URL [OPTION]...\n"
    "Connects to a SockJS endpoint by every transport, as a browser would, and says what the "
    "network\n"
    "on the way does to it: which transports work, how fast, what is held, lost or cut, and why.\n"
    "\n"
    "URL is the endpoint's base, without /info: https://example.com/echo. Any SockJS server will "
    "do\n"
    "whose service is an echo; the application \"doctor\" of sockjsd also tells what the server "
    "saw.\n"
    "\n"
    "      --proxy URL        go by the forward proxy at http://HOST:PORT\n"
    "      --idle SECONDS     then find out how long silence is survived, up to so many (600 at "
    "most)\n"
    "      --timeout SECONDS  how long the network may take for one step (10)\n"
    "      --ca FILE          PEM file of those who may sign the server's certificate\n"
    "      --insecure         take any certificate\n"
    "      --report           then tell the gateway, so that its operator can read it; for "
    "\"doctor\"\n"
    "      --json             all facts, the cause and the advice as JSON, without a display\n"
    "  -h, --help             print this\n"
    "\n"
    "It ends with one word for the cause, such as ok, upgrade_refused, upgrade_hangs, "
    "websocket_silent,\n"
    "websocket_black, streams_held, streams_late or idle_cut, a line of advice for whoever sits "
    "in\n"
    "this network, and one for whoever runs it. sockjsd-doctor(8) explains all of them.\n"
    "\n"
    "Examples:\n"
    "  sockjsd doctor https://example.com/echo\n"
    "  sockjsd doctor http://gateway.internal:8080/doctor --proxy http://proxy.internal:3128\n"
    "  sockjsd doctor https://example.com/doctor --idle 60 --json | jq -r .cause\n"
    "\n"
    "Exit status: 0 every transport works, 1 something is wrong, and the cause says what, 2 the "
    "command\n"
    "line is wrong.\n";

/* --- the command line ---------------------------------------------------------------------- */

/* Offsets are of texts in struct visit. */
static const struct argument options[] = {
	{ NULL, "--proxy", offsetof(struct visit, proxy) },
	{ NULL, "--ca", offsetof(struct visit, ca) },
	{ NULL, "--timeout", offsetof(struct visit, timeout) },
	{ NULL, "--idle", offsetof(struct visit, idle) },
};

static int take_option(void *to, const struct argument *a, const char *value)
{
	*(const char **)(void *)((char *)to + a->offset) = value;
	return 0;
}

static bool take_flag(void *to, const char *word)
{
	struct visit *v = to;

	if (strcmp(word, "--json") == 0)
		v->json = true;
	else if (strcmp(word, "--report") == 0)
		v->settings.tells = true;
	else if (strcmp(word, "--insecure") == 0)
		v->insecure = true;
	else if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)
		v->help = true;
	else
		return false;
	return true;
}

static int take_word(void *to, const char *word)
{
	struct visit *v = to;

	if (v->url)
		return arguments_complain("doctor", -EINVAL, "unexpected argument '%s'", word);
	v->url = word;
	return 0;
}

static int take_seconds(const char *option, const char *text, long most, unsigned *out)
{
	char *end;
	long n;

	if (!text)
		return 0;
	n = strtol(text, &end, 10);
	if (*end || n < 1 || n > most)
		return arguments_complain("doctor", -EINVAL, "%s is 1 to %ld seconds, not '%s'", option, most, text);
	*out = (unsigned)n;
	return 0;
}

static int take_places(struct visit *v)
{
	struct checkup_settings *s = &v->settings;

	if (!v->url)
		return arguments_complain("doctor", -EINVAL, "of which endpoint? try 'sockjsd doctor --help'");
	if (place_parse(&s->place, v->url) < 0)
		return arguments_complain("doctor", -EINVAL,
		    "'%s' is no endpoint; allowed: http://HOST[:PORT][/PREFIX] or https://...",
		    v->url);
	if (v->proxy && place_parse_proxy(&s->proxy, v->proxy) < 0)
		return arguments_complain("doctor", -EINVAL, "'%s' is no proxy; allowed: http://HOST:PORT", v->proxy);
	s->has_proxy = v->proxy != NULL;
	return 0;
}

static int take_tls(struct visit *v)
{
	struct tls_client_options tls = { .ca_file = v->ca, .insecure = v->insecure };
	char why[300];

	if (!v->settings.place.is_tls && (v->ca || v->insecure))
		return arguments_complain("doctor", -EINVAL, "--ca and --insecure are for https://");
	if (!v->settings.place.is_tls)
		return 0;
	v->settings.tls = tls_client_context_new(&tls, why, sizeof(why));
	return v->settings.tls ? 0 : arguments_complain("doctor", -EINVAL, "%s", why);
}

static int parse(struct visit *v, int argc, char **argv)
{
	static const struct arguments arguments = { "doctor", options,
		sizeof(options) / sizeof(*options), take_flag, take_option, take_word };
	unsigned timeout_s = TIMEOUT_S;
	int err = arguments_read(&arguments, argc, argv, v);

	if (err < 0 || v->help)
		return err;
	if ((err = take_seconds("--timeout", v->timeout, TIMEOUT_MAX, &timeout_s)) < 0 ||
	    (err = take_seconds("--idle", v->idle, IDLE_MAX, &v->settings.idle_s)) < 0 ||
	    (err = take_places(v)) < 0)
		return err;
	v->settings.timeout_ms = timeout_s * 1000;
	return take_tls(v);
}

/* --- the visit ----------------------------------------------------------------------------- */

static int print_json(const struct visit *v, const struct facts *f, const struct diagnosis *d)
{
	json_t *o = report_json(v->url, f, d);
	int err = json_dumpf(o, stdout, JSON_INDENT(2));

	json_decref(o);
	putchar('\n');
	return err;
}

static enum exit_code examine(struct visit *v)
{
	struct facts facts;
	struct progress progress;
	struct checkup_watcher watcher = { progress_show, &progress };
	struct diagnosis d;
	int err;

	progress_init(&progress, stderr);
	err = checkup_run(&v->settings, &facts, v->json ? NULL : &watcher);
	progress_end(&progress);
	if (err < 0) {
		arguments_complain("doctor", err, "%s", strerror(-err));
		return EXIT_RUNNING;
	}
	d = diagnose(&facts);
	if (v->json)
		err = print_json(v, &facts, &d);
	else
		report_print(stdout, &facts, &d);
	if (fflush(stdout) != 0 || err < 0)
		arguments_complain("doctor", -EIO, "cannot write");
	return err == 0 && d.causes[0] == CAUSE_OK ? EXIT_STOPPED : EXIT_RUNNING;
}

enum exit_code doctor_command(int argc, char **argv)
{
	struct visit v = { 0 };
	enum exit_code code = EXIT_USAGE;

	log_set_level(LOG_SILENT);
	if (parse(&v, argc, argv) < 0)
		code = EXIT_USAGE;
	else if (v.help)
		code = fputs(help, stdout) < 0 ? EXIT_RUNNING : EXIT_STOPPED;
	else
		code = examine(&v);
	tls_context_free(v.settings.tls);
	return code;
}
