/*
 * bench/instructions_dump.c - reads what callgrind has dumped: instructions and allocations.
 *
 * Where a connection opens by TLS nine tenths are OpenSSL's, in which a change to our code would be
 * lost. So they can be left out, with all that OpenSSL has others do, but for what it calls of ours.
 *
 * The format: "fn=(7) NAME" and "ob=(2) FILE" say whose the following costs are, the name only
 * where a number is new. A line "23 4" is a place and its cost; "cob=(3)" and "cfn=(9)" say
 * who is called from there, "calls=2 17" how often, and the line after it what all those cost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instructions.h"

enum { NAMES_MAX = 100000, LINE = 4096 };

enum object { OBJECT_OTHER, OBJECT_OURS, OBJECT_OPENSSL };

/* Kinds of functions, or of objects, by their numbers; the one that is here, and who is called. */
struct names {
	unsigned char kinds[NAMES_MAX];
	unsigned char here, called;
};

static unsigned char kind_of_function(const char *name)
{
	static const char *const allocators[] = { "malloc", "calloc", "realloc", "posix_memalign",
		"aligned_alloc", "memalign" };

	for (size_t i = 0; i < sizeof(allocators) / sizeof(*allocators); i++)
		if (strcmp(name, allocators[i]) == 0)
			return 1;
	return 0;
}

static unsigned char kind_of_object(const char *path)
{
	if (strstr(path, "/libcrypto.") || strstr(path, "/libssl."))
		return OBJECT_OPENSSL;
	return strstr(path, "sockjs") ? OBJECT_OURS : OBJECT_OTHER;
}

static bool is_key(const char *line, const char *key)
{
	return strncmp(line, key, strlen(key)) == 0;
}

/* The kind of "KEY(12) NAME" or "KEY(12)". */
static unsigned char read_name(
    struct names *n, char *line, const char *key, unsigned char (*kind_of)(const char *))
{
	char *end;
	unsigned long id = strtoul(line + strlen(key) + 1, &end, 10);

	if (id >= NAMES_MAX)
		die("callgrind has dumped more than %d names", NAMES_MAX);
	end[strcspn(end, "\n")] = '\0';
	if (end[0] == ')' && end[1] == ' ')
		n->kinds[id] = kind_of(end + 2);
	return n->kinds[id];
}

/* False: the line is none with a name. */
static bool read_names(struct names *functions, struct names *objects, char *line)
{
	if (is_key(line, "fn="))
		functions->here = read_name(functions, line, "fn=", kind_of_function);
	else if (is_key(line, "cfn="))
		functions->called = read_name(functions, line, "cfn=", kind_of_function);
	else if (is_key(line, "ob="))
		objects->here = objects->called = read_name(objects, line, "ob=", kind_of_object);
	else if (is_key(line, "cob="))
		objects->called = read_name(objects, line, "cob=", kind_of_object);
	else
		return false;
	return true;
}

static double cost_in(const char *line)
{
	const char *cost = strchr(line, ' ');

	return cost ? strtod(cost, NULL) : 0;
}

/* Of calls that cost so much: what is to be added, where they go to OpenSSL or come back from it.
 */
static double crossing(const struct names *objects, double inclusive)
{
	if (objects->here == OBJECT_OURS && objects->called == OBJECT_OPENSSL)
		return -inclusive;
	if (objects->here == OBJECT_OPENSSL && objects->called == OBJECT_OURS)
		return inclusive;
	return 0;
}

static void read_call(
    struct cost *cost, const struct names *objects, double times, FILE *f, bool without_openssl)
{
	char line[LINE];

	if (!without_openssl || objects->here != OBJECT_OPENSSL)
		cost->allocations += times;
	if (!fgets(line, sizeof(line), f))
		die("a dump of callgrind's ends within a call");
	if (without_openssl)
		cost->instructions += crossing(objects, cost_in(line));
}

struct cost dump_read(const char *path, bool without_openssl)
{
	static struct names functions, objects;
	struct cost cost = { 0 };
	char line[LINE];
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (read_names(&functions, &objects, line))
			continue;
		if (is_key(line, "calls=")) {
			read_call(&cost, &objects, functions.called ? strtod(line + 6, NULL) : 0, f,
			    without_openssl);
			objects.called = objects.here; /* unless the next says otherwise */
		} else if (strchr("0123456789+-*", line[0])) {
			cost.instructions += cost_in(line);
		}
	}
	if (f)
		fclose(f);
	if (cost.instructions == 0 || cost.allocations == 0)
		die("callgrind has not counted anything");
	return cost;
}
