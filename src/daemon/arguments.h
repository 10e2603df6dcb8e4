/*
 * daemon/arguments.h - the command line of a command of ours ("sockjsd publish", "sockjsd ctl"):
 * options with values, flags and words, in any order; "--" ends the options.
 */
#ifndef DAEMON_ARGUMENTS_H
#define DAEMON_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

/* An option with a value: "-c FILE", "-cFILE", "--config FILE" or "--config=FILE". */
struct argument {
	const char *letter, *word; /* with their dashes; a letter may be NULL */
	size_t offset;             /* the command's own */
};

struct arguments {
	const char *command; /* its name, for what is wrong */
	const struct argument *options;
	size_t count;
	/* Whether it is one without a value, which is noted then. */
	bool (*flag)(void *to, const char *word);
	/* These say what is wrong themselves, and give an error. */
	int (*option)(void *to, const struct argument *a, const char *value);
	int (*word)(void *to, const char *word);
};

/* 0, or the first error; what is wrong is on standard error then. argv[0] is passed over. */
int arguments_read(const struct arguments *a, int argc, char **argv, void *to);
/* "sockjsd: COMMAND: " and a sentence, on standard error; returns `err`. */
int arguments_complain(const char *command, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
