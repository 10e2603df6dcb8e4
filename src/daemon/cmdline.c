/*
 * daemon/cmdline.c - reads argv, and lays it over the configuration; see
 * cmdline.h. A table says what options there are.
 */
#include "daemon/cmdline.h"

#include <errno.h>
#include <jansson.h>
#include <microhttpd.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "daemon/config_error.h"

enum kind { FLAG, TEXT, ADDRESSES };

struct argument {
	const char *letter, *word; /* NULL: none */
	enum kind kind;
	size_t offset; /* in struct cmdline */
};

#define FIELD(f) offsetof(struct cmdline, f)

static const struct argument arguments[] = {
	{ "-c", "--config", TEXT, FIELD(file) },
	{ NULL, "--upstream", TEXT, FIELD(upstream) },
	{ NULL, "--demo", FLAG, FIELD(demo) },
	{ "-l", "--listen", ADDRESSES, FIELD(addresses) },
	{ NULL, "--internal", TEXT, FIELD(internal) },
	{ "-t", "--threads", TEXT, FIELD(threads) },
	{ NULL, "--www", TEXT, FIELD(www) },
	{ NULL, "--allowed-origins", TEXT, FIELD(allowed_origins) },
	{ NULL, "--check-config", FLAG, FIELD(check_config) },
	{ NULL, "--print-config", FLAG, FIELD(print_config) },
	{ NULL, "--hash-password", FLAG, FIELD(hash_password) },
	{ NULL, "--log-level", TEXT, FIELD(log_level) },
	{ NULL, "--log-format", TEXT, FIELD(log_format) },
	{ "-V", "--version", FLAG, FIELD(version) },
	{ "-h", "--help", FLAG, FIELD(help) },
};

static const char help[] =
    "Usage: sockjsd -c FILE [OPTION]...\n"
    "       sockjsd --upstream URL [OPTION]...\n"
    "       sockjsd --demo [OPTION]...\n"
    "       sockjsd publish [OPTION]... DESTINATION [BODY]\n"
    "       sockjsd ctl [OPTION]... COMMAND\n"
    "       sockjsd health [OPTION]...\n"
    "       sockjsd doctor URL [OPTION]...\n"
    "A gateway that gives browsers a two-way connection, by WebSocket or any SockJS transport.\n"
    "\n"
    "  -c, --config FILE     read the configuration, a JSON file; see sockjsd.conf(5)\n"
    "      --upstream URL    pass every session at /app on to the WebSocket application at URL\n"
    "      --demo            serve the SockJS test services, STOMP and pages on 127.0.0.1:8081\n"
    "  -l, --listen ADDR     listen here instead of where the configuration says; may be repeated\n"
    "      --internal ADDR   listen here for /healthz, /readyz, /metrics, /api, /dashboard/\n"
    "  -t, --threads N       reactor threads; 0: one for each processor\n"
    "      --www DIR         serve the files of this directory at /\n"
    "      --allowed-origins LIST\n"
    "                        let pages connect that come from here, such as http://localhost:3000\n"
    "      --check-config    check whether the configuration can be run, then exit\n"
    "      --print-config    print the whole configuration with every default, then exit\n"
    "      --hash-password   read a password, print its hash for stomp.users, then exit\n"
    "      --log-level LEVEL debug, info, warn, error or silent\n"
    "      --log-format FMT  text or json\n"
    "  -V, --version         print the version\n"
    "  -h, --help            print this\n"
    "\n"
    "ADDR is HOST:PORT, [V6]:PORT, unix:PATH, or fd:NAME for a socket that is inherited; port 0\n"
    "picks a free one. Without -l and a FILE it is 127.0.0.1:8081.\n"
    "'sockjsd publish --help' tells of messages from the command line,\n"
    "'sockjsd ctl --help' of how a server that runs is asked and told,\n"
    "'sockjsd health --help' of whether it works, for containers,\n"
    "'sockjsd doctor --help' of what a network does to its clients.\n"
    "\n"
    "Examples:\n"
    "  sockjsd --demo                                    try it: http://127.0.0.1:8081/\n"
    "  sockjsd --demo -l 127.0.0.1:0 -l unix:/tmp/s.sock  on a free port and a local socket\n"
    "  sockjsd --upstream ws://127.0.0.1:9000/socket --allowed-origins http://localhost:3000\n"
    "                                                    in front of an application of yours\n"
    "  sockjsd --upstream ws://127.0.0.1:9000/socket --print-config > sockjsd.json\n"
    "                                                    a configuration to begin with\n"
    "  sockjsd -c sockjsd.json --check-config            is it right?\n"
    "  sockjsd -c sockjsd.json                           run it\n"
    "\n"
    "SIGTERM and SIGINT stop in order, a second one at once. Exit status: 0 stopped as asked,\n"
    "1 failed to start or while running, the next time may be better, 2 the command line or the\n"
    "configuration is wrong.\n";

void cmdline_print_help(void)
{
	fputs(help, stdout);
}

void cmdline_print_version(void)
{
	printf("sockjsd %s (libmicrohttpd %s, %s, jansson %s)\n", sockjs_version(),
	    MHD_get_version(), OpenSSL_version(OPENSSL_VERSION), jansson_version_str());
}

/* --- parsing --------------------------------------------------------------------------------- */

static bool complain(const char *text, const char *about)
{
	fprintf(stderr, "sockjsd: %s'%s'; try 'sockjsd --help'\n", text, about);
	return false;
}

static bool store(struct cmdline *cmd, const struct argument *a, const char *value)
{
	char *field = (char *)cmd + a->offset;

	if (a->kind == FLAG) {
		*(bool *)field = true;
	} else if (a->kind == TEXT) {
		*(const char **)field = value;
	} else {
		if (cmd->address_count == CMDLINE_MAX_ADDRESSES)
			return complain("too many addresses: ", value);
		cmd->addresses[cmd->address_count++] = value;
	}
	return true;
}

/* --word=VALUE and -lVALUE are one argument: returns the value in it, or NULL. */
static const char *glued_value(const struct argument *a, const char *arg)
{
	size_t n = a->word ? strlen(a->word) : 0;

	if (n > 0 && strncmp(arg, a->word, n) == 0 && arg[n] == '=')
		return arg + n + 1;
	if (a->letter && a->kind != FLAG && strncmp(arg, a->letter, 2) == 0 && arg[2] != '\0')
		return arg + 2;
	return NULL;
}

static bool names(const struct argument *a, const char *arg)
{
	return (a->letter && strcmp(arg, a->letter) == 0) || (a->word && strcmp(arg, a->word) == 0);
}

/* Takes argv[*i], and argv[*i + 1] if that is its value. */
static bool parse_one(struct cmdline *cmd, char **argv, int *i)
{
	const char *arg = argv[*i], *value;

	for (size_t k = 0; k < sizeof(arguments) / sizeof(*arguments); k++) {
		const struct argument *a = &arguments[k];

		if ((value = glued_value(a, arg)) != NULL)
			return a->kind == FLAG ? complain("this option takes no value: ", arg)
			                       : store(cmd, a, value);
		if (!names(a, arg))
			continue;
		if (a->kind != FLAG && !(value = argv[++*i]))
			return complain("a value is missing after ", arg);
		return store(cmd, a, value);
	}
	return complain(*arg == '-' ? "unknown option " : "unexpected argument ", arg);
}

static bool check_words(const struct cmdline *cmd)
{
	if (cmd->log_level && log_level_by_name(cmd->log_level) < 0)
		return complain(
		    "--log-level must be debug, info, warn, error or silent, not ", cmd->log_level);
	if (cmd->log_format && log_format_by_name(cmd->log_format) < 0)
		return complain("--log-format must be text or json, not ", cmd->log_format);
	return true;
}

bool cmdline_parse(struct cmdline *cmd, int argc, char **argv)
{
	memset(cmd, 0, sizeof(*cmd));
	for (int i = 1; i < argc; i++)
		if (!parse_one(cmd, argv, &i))
			return false;
	if (cmd->help || cmd->version || cmd->hash_password)
		return true;
	if (!!cmd->file + !!cmd->upstream + cmd->demo > 1)
		return complain("a configuration, --upstream or --demo, not two of them: ",
		    cmd->file ? cmd->file : cmd->upstream);
	if (!cmd->file && !cmd->upstream && !cmd->demo) {
		fputs("sockjsd: what to serve? 'sockjsd -c FILE' reads a configuration, "
		      "'sockjsd --upstream URL' stands in front of an application, "
		      "'sockjsd --demo' serves a demonstration; try 'sockjsd --help'\n",
		    stderr);
		return false;
	}
	return check_words(cmd);
}

/* --- applying -------------------------------------------------------------------------------- */

/* Puts the option before the sentence in c->error. */
static int blame(struct config *c, int err, const char *argument, const char *sentence)
{
	char copy[sizeof(c->error)];

	snprintf(copy, sizeof(copy), "%s", sentence);
	return config_fail(c, err, "%s: %s", argument, copy);
}

static int apply_addresses(const struct cmdline *cmd, struct config *c)
{
	int err;

	if (cmd->address_count > 0) {
		config_clear_listeners(c);
		c->listeners_given = true;
	}
	c->internal_given = cmd->internal != NULL;
	for (size_t i = 0; i < cmd->address_count; i++)
		if ((err = config_add_listener(c, cmd->addresses[i])) < 0)
			return blame(c, err, "-l", c->error);
	if (cmd->internal && (err = config_set_internal(c, cmd->internal)) < 0)
		return blame(c, err, "--internal", c->error);
	return 0;
}

static int apply_option(struct config *c, const char *argument, const char *key, const char *value)
{
	int err = value ? sockjs_options_set(&c->options, key, value) : 0;

	return err < 0 ? blame(c, err, argument, c->options.error) : 0;
}

/* Pages from elsewhere come to an application that may compare Origin and Host. */
static int apply_origins(const struct cmdline *cmd, struct config *c)
{
	for (size_t i = 0; cmd->allowed_origins && i < c->endpoint_count; i++) {
		struct sockjs_options *o = &c->endpoints[i].options;
		int err = sockjs_options_set(o, "allowed_origins", cmd->allowed_origins);

		if (err == 0 && cmd->upstream)
			err = sockjs_options_set(o, "upstream.origin", "own");
		if (err < 0)
			return blame(c, err, "--allowed-origins", o->error);
	}
	return 0;
}

int cmdline_apply(const struct cmdline *cmd, struct config *c)
{
	int err;

	if ((err = apply_addresses(cmd, c)) < 0 ||
	    (err = apply_option(c, "-t", "threads", cmd->threads)) < 0 ||
	    (err = apply_option(c, "--www", "www", cmd->www)) < 0 ||
	    (err = apply_origins(cmd, c)) < 0)
		return err;
	if (cmd->log_level)
		c->log_level = (enum log_level)log_level_by_name(cmd->log_level);
	if (cmd->log_format)
		c->log_format = (enum log_format)log_format_by_name(cmd->log_format);
	return 0;
}
