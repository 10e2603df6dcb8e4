/*
 * hostile/cmdline.c - reads argv, the scenario and the rules; see cmdline.h.
 */
#include "hostile/cmdline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "net/server_address.h"

struct argument {
	const char *letter, *word;
	bool is_flag;
	size_t offset;
};

#define FIELD(f) offsetof(struct cmdline, f)

static const struct argument arguments[] = {
	{ "-t", "--target", false, FIELD(target) },
	{ "-l", "--listen", false, FIELD(listen) },
	{ "", "--control", false, FIELD(control) },
	{ "", "--scenario", false, FIELD(scenario) },
	{ "", "--seed", false, FIELD(seed) },
	{ "", "--connections", false, FIELD(connections) },
	{ "", "--log-level", false, FIELD(log_level) },
	{ "", "--log-format", false, FIELD(log_format) },
	{ "", "--anywhere", true, FIELD(anywhere) },
	{ "", "--check", true, FIELD(check) },
	{ "-V", "--version", true, FIELD(version) },
	{ "-h", "--help", true, FIELD(help) },
};

static bool complain(const char *text, const char *about)
{
	fprintf(stderr, "sockjs-hostile: %s'%s'; try 'sockjs-hostile --help'\n", text, about);
	return false;
}

/* --- parsing --------------------------------------------------------------------------- */

static bool store(struct cmdline *cmd, const struct argument *a, const char *value)
{
	char *field = (char *)cmd + a->offset;

	if (a->is_flag)
		*(bool *)field = true;
	else
		*(const char **)field = value;
	return true;
}

/* --word=VALUE is one argument. */
static bool parse_option(struct cmdline *cmd, char **argv, int *i)
{
	const char *arg = argv[*i];

	for (size_t k = 0; k < sizeof(arguments) / sizeof(*arguments); k++) {
		const struct argument *a = &arguments[k];
		size_t n = strlen(a->word);

		if (strncmp(arg, a->word, n) == 0 && arg[n] == '=')
			return a->is_flag ? complain("this option takes no value: ", arg)
			                  : store(cmd, a, arg + n + 1);
		if (strcmp(arg, a->word) != 0 && strcmp(arg, a->letter) != 0)
			continue;
		if (!a->is_flag && !argv[*i + 1])
			return complain("a value is missing after ", arg);
		return store(cmd, a, a->is_flag ? NULL : argv[++*i]);
	}
	return complain("unknown option ", arg);
}

bool cmdline_parse(struct cmdline *cmd, int argc, char **argv)
{
	memset(cmd, 0, sizeof(*cmd));
	cmd->rules = argv + 1;
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] != '-')
			cmd->rules[cmd->rule_count++] = argv[i];
		else if (!parse_option(cmd, argv, &i))
			return false;
	}
	if (cmd->help || cmd->version || cmd->check)
		return true;
	if (!cmd->target) {
		fputs("sockjs-hostile: which server is behind it? 'sockjs-hostile --target "
		      "HOST:PORT'; "
		      "try 'sockjs-hostile --help'\n",
		    stderr);
		return false;
	}
	return true;
}

/* --- applying ---------------------------------------------------------------------------- */

static bool apply_target(const char *text, struct proxy_settings *s)
{
	struct server_address address;

	if (!text)
		return true;
	if (!server_address_read(text, &address) || address.path || address.port == 0)
		return complain("--target must be HOST:PORT, not ", text);
	memcpy(s->target_host, address.host, sizeof(s->target_host));
	s->target_port = address.port;
	return true;
}

static bool apply_settings(const struct cmdline *cmd, struct proxy_settings *s)
{
	uint64_t connections = 1024;

	s->anywhere = cmd->anywhere;
	s->seed = 1;
	if (cmd->seed && !word_number(bytes_of(cmd->seed), &s->seed))
		return complain("--seed must be a number, not ", cmd->seed);
	if (cmd->connections && (!word_number(bytes_of(cmd->connections), &connections) ||
	                            connections < 1 || connections > 60000))
		return complain("--connections must be 1 to 60000, not ", cmd->connections);
	s->connections = (unsigned)connections;
	if (cmd->log_level && log_level_by_name(cmd->log_level) < 0)
		return complain(
		    "--log-level must be debug, info, warn, error or silent, not ", cmd->log_level);
	if (cmd->log_format && log_format_by_name(cmd->log_format) < 0)
		return complain("--log-format must be text or json, not ", cmd->log_format);
	if (cmd->log_level)
		log_set_level((enum log_level)log_level_by_name(cmd->log_level));
	if (cmd->log_format)
		log_set_format((enum log_format)log_format_by_name(cmd->log_format));
	return apply_target(cmd->target, s);
}

static enum exit_code read_file(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = fd < 0 ? errno : 0;
	ssize_t n = 1;

	while (!err && n > 0 && buf_len(out) <= RULES_TEXT_MOST) {
		char *room = buf_reserve(out, 4096);

		n = room ? read(fd, room, 4096) : -1;
		err = n < 0 ? (room ? errno : ENOMEM) : 0;
		if (n > 0)
			buf_commit(out, (size_t)n);
	}
	if (fd >= 0)
		close(fd);
	if (!err)
		return EXIT_STOPPED;
	fprintf(stderr, "sockjs-hostile: cannot read '%s': %s\n", path, strerror(err));
	return err == ENOENT || err == EISDIR ? EXIT_USAGE : EXIT_RUNNING;
}

static enum exit_code apply_scenario(const char *path, struct proxy *p)
{
	struct buf text = BUF_INIT;
	struct rule_error error;
	enum exit_code code = path ? read_file(path, &text) : EXIT_STOPPED;
	int err = 0;

	if (path && code == EXIT_STOPPED)
		err =
		    rules_add(&p->rules, (struct bytes){ buf_data(&text), buf_len(&text) }, &error);
	buf_fini(&text);
	if (err == 0)
		return code;
	fprintf(stderr, "sockjs-hostile: %s:%u:%u: %s\n", path, error.line, error.column,
	    error.sentence);
	return err == -ENOMEM ? EXIT_RUNNING : EXIT_USAGE;
}

/* With the rule below it, and a mark under the place. */
static enum exit_code apply_rule(const char *text, int number, struct proxy *p)
{
	struct rule_error error;
	int err = rules_add(&p->rules, bytes_of(text), &error);

	if (err == 0)
		return EXIT_STOPPED;
	fprintf(stderr, "sockjs-hostile: rule %d, column %u: %s\n", number, error.column,
	    error.sentence);
	if (!strchr(text, '\n') && error.column)
		fprintf(stderr, "    %s\n    %*s\n", text, (int)error.column, "^");
	return err == -ENOMEM ? EXIT_RUNNING : EXIT_USAGE;
}

enum exit_code cmdline_apply(const struct cmdline *cmd, struct proxy *p)
{
	enum exit_code code = EXIT_STOPPED;

	if (!apply_settings(cmd, &p->settings))
		return EXIT_USAGE;
	code = apply_scenario(cmd->scenario, p);
	for (int i = 0; i < cmd->rule_count && code == EXIT_STOPPED; i++)
		code = apply_rule(cmd->rules[i], i + 1, p);
	return code;
}
