/*
 * tests/wire/arguments.c - the command lines of the programs under tests/, by a table;
 * see arguments.h.
 */
#include "wire/arguments.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ROWS_MAX = 16,
	LONG = 256 /* what getopt_long() returns for the first row, if it is long */
};

void arguments_refuse(const char *usage)
{
	fputs(usage, stderr);
	exit(2);
}

/* Digits alone: strtoull() would take signs and blanks. */
static bool read_number(const char *text, uint64_t most, uint64_t *out)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return *end == '\0' && errno == 0 && *out <= most;
}

static bool read_factor(const char *text, double *out)
{
	char *end;

	*out = strtod(text, &end);
	return end != text && *end == '\0' && *out > 0;
}

static bool set(const struct argument *row, const char *value)
{
	uint64_t n;

	if (row->flag)
		return *row->flag = true;
	if (row->factor)
		return read_factor(value, row->factor);
	if (row->text) {
		*row->text = value;
		return true;
	}
	if (!read_number(value, row->count ? UINT_MAX : UINT64_MAX, &n))
		return false;
	if (row->count)
		*row->count = (unsigned)n;
	else
		*row->number = n;
	return true;
}

static bool is_short(const struct argument *row)
{
	return row->name[1] == '\0';
}

static const struct argument *find(const struct argument *table, int c)
{
	if (c >= LONG)
		return &table[c - LONG];
	for (; table->name; table++)
		if (is_short(table) && table->name[0] == c)
			return table;
	return NULL;
}

int arguments_read(const struct argument *table, int argc, char **argv, const char *usage)
{
	struct option longs[ROWS_MAX + 2] = { { "help", no_argument, NULL, 'h' } };
	char shorts[2 * ROWS_MAX + 2] = "h";
	struct option *next = longs + 1;
	int c;

	for (int i = 0; table[i].name; i++) {
		const struct argument *row = &table[i];

		if (i == ROWS_MAX)
			abort();
		if (is_short(row))
			strcat(strcat(shorts, row->name), row->flag ? "" : ":");
		else
			*next++ = (struct option){ row->name,
				row->flag ? no_argument : required_argument, NULL, LONG + i };
	}
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct argument *row = find(table, c);

		if (c == 'h') {
			fputs(usage, stdout);
			exit(0);
		}
		if (!row || !set(row, optarg))
			arguments_refuse(usage);
	}
	return optind;
}
