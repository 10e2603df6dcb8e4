/*
 * tests/wire/arguments.h - the command lines of the programs under tests/, by a table.
 */
#ifndef WIRE_ARGUMENTS_H
#define WIRE_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

/* A name of one letter is -x, a longer one --name. One of the pointers says where its value goes,
 * and so what it is. A row without a name ends the table. */
struct argument {
	const char *name;
	bool *flag; /* has no value */
	const char **text;
	unsigned *count;
	uint64_t *number;
	double *factor; /* more than 0 */
};

/* Returns the index of the first word that is no option. -h and --help print the usage; what is
 * not understood does as well, and the program ends with status 2. */
int arguments_read(const struct argument *table, int argc, char **argv, const char *usage);
void arguments_refuse(const char *usage) __attribute__((noreturn));

#endif
