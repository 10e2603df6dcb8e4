/*
 * daemon/arguments.c - the command line of a command; see arguments.h.
 */
#include "daemon/arguments.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int arguments_complain(const char *command, int err, const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "sockjsd: %s: ", command);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	return err;
}

/* The value of this option at argv[*i], which it may be glued to; NULL: it is not this option. */
static const char *value_at(const struct argument *a, char **argv, int *i)
{
	const char *arg = argv[*i];
	size_t n = strlen(a->word);

	if (strncmp(arg, a->word, n) == 0 && arg[n] == '=')
		return arg + n + 1;
	if (strcmp(arg, a->word) == 0 || (a->letter && strcmp(arg, a->letter) == 0))
		return argv[++*i] ? argv[*i] : "";
	return a->letter && strncmp(arg, a->letter, 2) == 0 ? arg + 2 : NULL;
}

static int take_option(const struct arguments *a, char **argv, int *i, void *to)
{
	const char *option = argv[*i];

	for (size_t k = 0; k < a->count; k++) {
		const char *value = value_at(&a->options[k], argv, i);

		if (value && *value)
			return a->option(to, &a->options[k], value);
		if (!value)
			continue;
		return arguments_complain(
		    a->command, -EINVAL, "a value is missing after '%s'", option);
	}
	return arguments_complain(a->command, -EINVAL,
	    "unknown option '%s'; try 'sockjsd %s --help'", option, a->command);
}

int arguments_read(const struct arguments *a, int argc, char **argv, void *to)
{
	bool words_only = false;
	int err = 0;

	for (int i = 1; i < argc && err == 0; i++) {
		const char *arg = argv[i];

		if (words_only || arg[0] != '-' || !arg[1])
			err = a->word(to, arg);
		else if (strcmp(arg, "--") == 0)
			words_only = true;
		else if (!a->flag(to, arg))
			err = take_option(a, argv, &i, to);
	}
	return err;
}
