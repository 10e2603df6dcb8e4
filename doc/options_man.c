/*
 * doc/options_man.c - makes sockjsd.conf(5) from its frame and the tables of
 * options and applications.
 *
 *	options_man FRAME
 *
 * Copies the frame to standard output; a line @SERVER@, @LISTENER@, @ENDPOINT@,
 * @UPSTREAM@ or @STOMP@ becomes the options of that scope, in mdoc.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "server/options.h"

static const char *type_name(const struct option *opt)
{
	static const char *const names[] = {
		[OPTION_BOOL] = "boolean",
		[OPTION_INT] = "number",
		[OPTION_STRING] = "string",
		[OPTION_LIST] = "list",
		[OPTION_MODE] = "string",
		[OPTION_PAIR] = "list",
		[OPTION_JSON] = "JSON",
	};

	return names[opt->type];
}

/* Whether the next sentence begins behind this blank: it gets a line of its own. */
static bool is_between_sentences(const char *text, const char *blank)
{
	return *blank == ' ' && blank > text && blank[-1] == '.' && blank[1] >= 'A' && blank[1] <= 'Z';
}

/* Text that roff takes as it is. */
static void put(const char *whole)
{
	for (const char *text = whole; *text; text++) {
		if (is_between_sentences(whole, text))
			putchar('\n');
		else if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else if (*text == '\'')
			fputs("\\(aq", stdout);
		else if (*text == '^')
			fputs("\\(ha", stdout);
		else if (*text == '`')
			fputs("\\(ga", stdout);
		else if (*text == '~')
			fputs("\\(ti", stdout);
		else
			putchar(*text);
	}
}

static void put_default(const struct option *opt)
{
	if (opt->default_value && opt->type == OPTION_LIST && !opt->valid)
		put("all");
	else if (opt->default_value && (opt->type == OPTION_PAIR || opt->type == OPTION_LIST))
		printf("[%s]", opt->default_value);
	else if (opt->default_value)
		put(opt->default_value);
	else
		put(opt->type == OPTION_LIST ? "[]" : "null");
}

static void put_option(const struct option *opt)
{
	static const char *const reloads[] = {
		[RELOAD_AT_ONCE] = "at once",
		[RELOAD_NEW] = "for new sessions",
		[RELOAD_NEVER] = "no, a restart",
	};
	char allowed[512];

	options_describe(opt, allowed, sizeof(allowed));
	fputs(".It Cm ", stdout);
	put(opt->key);
	printf(" Pq %s\n\\&", type_name(opt));
	put(opt->sentence);
	fputs("\n.br\nAllowed: ", stdout);
	put(allowed);
	fputs(".\nDefault: ", stdout);
	put_default(opt);
	printf(".\nReload: %s.\n", reloads[options_reload(opt)]);
}

static void put_scope(enum option_scope scope)
{
	size_t count;
	const struct option *table = options_table(&count);

	puts(".Bl -tag -width Ds");
	for (size_t i = 0; i < count; i++)
		if (table[i].scope == scope)
			put_option(&table[i]);
	puts(".El");
}

int main(int argc, char **argv)
{
	static const char *const marks[] = {
		[OPTION_SERVER] = "@SERVER@\n",
		[OPTION_LISTENER] = "@LISTENER@\n",
		[OPTION_ENDPOINT] = "@ENDPOINT@\n",
		[OPTION_UPSTREAM] = "@UPSTREAM@\n",
		[OPTION_STOMP] = "@STOMP@\n",
		[OPTION_HOOKS] = "@HOOKS@\n",
	};
	char line[1024];
	FILE *frame = argc == 2 ? fopen(argv[1], "r") : NULL;

	if (!frame) {
		fputs("usage: options_man FRAME\n", stderr);
		return 1;
	}
	while (fgets(line, sizeof(line), frame)) {
		size_t scope = 0;

		while (scope < OPTION_SCOPES && strcmp(line, marks[scope]) != 0)
			scope++;
		if (scope < OPTION_SCOPES)
			put_scope((enum option_scope)scope);
		else
			fputs(line, stdout);
	}
	fclose(frame);
	return ferror(stdout) ? 1 : 0;
}
