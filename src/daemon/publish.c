/*
 * daemon/publish.c - one message from the command line to POST /api/publish; see publish.h.
 */
#include "daemon/publish.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "daemon/api_login.h"
#include "daemon/arguments.h"
#include "server/command.h"
#include "server/json_text.h"

#define BODY_MAX ((size_t)64 << 20)
#define A_HEADER SIZE_MAX

struct order {
	struct api_login login;
	const char *endpoint, *key;
	const char *destination, *text; /* NULL: from standard input */
	json_t *headers;
	bool help;
	/* And what became of it */
	struct buf body; /* as it is published */
};

static const char help[] =
    "Usage: sockjsd publish {-c FILE | --api URL} [OPTION]... DESTINATION [BODY]\n"
    "Publishes one message by a server's internal address, and prints how many have received it.\n"
    "Without BODY it is read from standard input.\n"
    "\n"
    API_LOGIN_HELP
    "  -H, --header 'NAME: VALUE'\n"
    "                         a header of the message; may be repeated\n"
    "      --endpoint PREFIX  of the broker, if the server has several\n"
    "      --key KEY          idempotency key: with the same one it is published once\n"
    "  -h, --help             print this\n"
    "\n"
    "Examples:\n"
    "  sockjsd publish -c /etc/sockjsd.json /topic/news 'We are back.'\n"
    "  date | sockjsd publish --api unix:/run/sockjsd/internal.sock --token-file token \\\n"
    "      -H 'content-type: text/plain' /topic/time\n"
    "\n"
    "Exit status: 0 published, 1 the server could not be asked or has refused, 2 the command line\n"
    "or the configuration is wrong.\n";

__attribute__((format(printf, 2, 3))) static int complain(int err, const char *format, ...)
{
	va_list ap;

	fputs("sockjsd: publish: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	return err;
}

static int no_memory(void)
{
	return complain(-ENOMEM, "out of memory");
}

/* --- the command line ------------------------------------------------------- */

static int take_header(struct order *o, const char *line)
{
	const char *colon = strchr(line, ':');
	char name[256];

	if (!colon || colon == line || (size_t)(colon - line) >= sizeof(name))
		return complain(-EINVAL, "a header is 'NAME: VALUE', not '%s'", line);
	snprintf(name, sizeof(name), "%.*s", (int)(colon - line), line);
	colon++;
	if (json_object_get(o->headers, name))
		return complain(-EINVAL, "the header '%s' is given twice", name);
	if (json_object_set_new(o->headers, name, json_string(colon + strspn(colon, " "))) < 0)
		return complain(-EINVAL, "the header '%s' is not UTF-8", name);
	return 0;
}

/* Offsets are of texts in struct order, or A_HEADER. */
static const struct argument options[] = {
	API_LOGIN_ARGUMENTS(struct order),
	{ "-H", "--header", A_HEADER },
	{ NULL, "--endpoint", offsetof(struct order, endpoint) },
	{ NULL, "--key", offsetof(struct order, key) },
};

static int take_option(void *to, const struct argument *a, const char *value)
{
	if (a->offset == A_HEADER)
		return take_header(to, value);
	*(const char **)(void *)((char *)to + a->offset) = value;
	return 0;
}

static bool take_flag(void *to, const char *word)
{
	struct order *o = to;
	bool is_help = strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0;

	o->help |= is_help;
	return is_help;
}

static int take_word(void *to, const char *word)
{
	struct order *o = to;

	if (!o->destination)
		o->destination = word;
	else if (!o->text)
		o->text = word;
	else
		return complain(-EINVAL, "unexpected argument '%s'", word);
	return 0;
}

static int parse(struct order *o, int argc, char **argv)
{
	static const struct arguments arguments = { "publish", options,
		sizeof(options) / sizeof(*options), take_flag, take_option, take_word };
	int err = arguments_read(&arguments, argc, argv, o);

	if (err < 0 || o->help)
		return err;
	if (!o->destination)
		return complain(-EINVAL, "to which destination? try 'sockjsd publish --help'");
	return 0;
}

/* --- the message --------------------------------------------------------------------- */

static int read_input(struct buf *in)
{
	size_t n;

	do {
		char *to = buf_reserve(in, 65536);

		if (!to)
			return no_memory();
		n = fread(to, 1, 65536, stdin);
		buf_commit(in, n);
		if (buf_len(in) > BODY_MAX)
			return complain(-EINVAL, "standard input has more than 64 MiB");
	} while (n > 0);
	return ferror(stdin) ? complain(-EIO, "cannot read standard input") : 0;
}

static int add_body(const struct order *o, json_t *message)
{
	const char *p = o->text ? o->text : buf_len(&o->body) ? buf_data(&o->body) : "";
	size_t n = o->text ? strlen(o->text) : buf_len(&o->body);

	return command_set_body(message, p, n);
}

static int compose(struct order *o, struct buf *out)
{
	json_t *message = json_pack("{s:s,s:O,s:s*,s:s*}", "destination", o->destination, "headers",
	    o->headers, "endpoint", o->endpoint, "idempotency_key", o->key);
	int err = -EINVAL;

	if (!message)
		return complain(err, "the arguments are not UTF-8");
	if (add_body(o, message) < 0 || json_text_dump(message, JSON_COMPACT, out) < 0)
		err = no_memory();
	else
		err = 0;
	json_decref(message);
	return err;
}

/* --- the answer -------------------------------------------------------------------------- */

/* What the server says in words, if it does. */
static int tell_refusal(int status, const json_t *answer)
{
	return complain(-EACCES, "refused with %d: %s", status,
	    api_refusal(
	        status, answer, "the message is longer than internal.max_body_bytes allows."));
}

static int tell(int status, const struct buf *text)
{
	json_t *answer = json_loadb(buf_len(text) ? buf_data(text) : "", buf_len(text), 0, NULL);
	const json_t *received = json_object_get(answer, "received");
	int err = 0;

	if (status != 200 || !json_is_integer(received))
		err = tell_refusal(status, answer);
	else if (printf("%lld\n", (long long)json_integer_value(received)) < 0 ||
	         fflush(stdout) != 0)
		err = complain(-errno, "cannot write: %s", strerror(errno));
	json_decref(answer);
	return err;
}

static int send_it(struct order *o)
{
	struct buf request = BUF_INIT, answer = BUF_INIT;
	char why[400];
	int status = compose(o, &request);

	if (status == 0) {
		status = api_post(&o->login.target, "/api/publish", o->login.token, &request,
		    &answer, why, sizeof(why));
		status = status < 0 ? complain(-EIO, "%s", why) : tell(status, &answer);
	}
	buf_fini(&request);
	buf_fini(&answer);
	return status;
}

/* --- all ------------------------------------------------------------------------------------ */

static enum exit_code obey(struct order *o)
{
	char why[1200];
	int err;

	if (o->help) {
		fputs(help, stdout);
		return EXIT_STOPPED;
	}
	if (api_login_find(&o->login, why, sizeof(why)) < 0) {
		complain(-EINVAL, "%s", why);
		return EXIT_USAGE;
	}
	err = o->text ? 0 : read_input(&o->body);
	if (err == 0)
		err = send_it(o);
	return err == 0 ? EXIT_STOPPED : err == -EINVAL ? EXIT_USAGE : EXIT_RUNNING;
}

enum exit_code publish(int argc, char **argv)
{
	struct order o = { .headers = json_object() };
	enum exit_code code = EXIT_USAGE;

	if (!o.headers)
		return EXIT_RUNNING;
	if (parse(&o, argc, argv) == 0)
		code = obey(&o);
	api_login_forget(&o.login);
	buf_fini(&o.body);
	json_decref(o.headers);
	return code;
}
