/*
 * tests/rules/stomp_writing.c - what a writer owes its reader: escapes that the reader's version
 * knows, a content-length in octets, and NUL at the end.
 */
#include <stdio.h>

#include "rules/stomp_rule.h"

#define N(array) (sizeof(array) / sizeof(*(array)))

/* An octet of a header, and how it is written. */
static const struct row {
	const char *version;
	unsigned versions;
	char octet;
	const char *what, *in_name, *in_value;
} rows[] = {
	{ "1.1", WITH_ESCAPES, '\n', "a line feed", "\\n", "\\n" },
	{ "1.1", WITH_ESCAPES, ':', "a colon", "\\c", "\\c" },
	{ "1.1", WITH_ESCAPES, '\\', "a backslash", "\\\\", "\\\\" },
	{ "1.2", IN_1_2, '\r', "a carriage return", "\\r", "\\r" },
	{ "1.1", IN_1_1, '\r', "a carriage return", " ", " " },
	{ "1.0", IN_1_0 | AT_FIRST, '\n', "a line feed", " ", " " },
	{ "1.0", IN_1_0 | AT_FIRST, '\r', "a carriage return", " ", " " },
	{ "1.0", IN_1_0 | AT_FIRST, ':', "a colon", " ", ":" },
	{ "1.0", IN_1_0 | AT_FIRST, '\\', "a backslash", "\\", "\\" },
	{ "1.0", ALWAYS, '\0', "NUL", " ", " " },
	{ "1.0", ALWAYS, '\t', "a tab", "\t", "\t" },
	{ "1.0", ALWAYS, ' ', "a blank", " ", " " },
	{ "1.0", ALWAYS, '\x7f', "DEL", "\x7f", "\x7f" },
};

/* Long enough that what is plain is copied many octets at a time, on both sides. */
#define PLAIN "0123456789abcdefghijklmnopqrstuvwxyz"

static void expect_text(struct stomp_rule *r, const char *text)
{
	stomp_rule_expect(r, text, strlen(text));
}

static void expect_header(struct stomp_rule *r, const char *name, const char *value)
{
	expect_text(r, "MESSAGE\n" PLAIN);
	expect_text(r, name);
	expect_text(r, PLAIN ":" PLAIN);
	expect_text(r, value);
	expect_text(r, PLAIN "\n");
	stomp_rule_expect(r, "\n", 2);
}

/* Text with the octet in its middle; lives as long as the program. */
static struct bytes around(char octet)
{
	static char texts[N(rows)][sizeof(PLAIN PLAIN)];
	static size_t count;
	char *text = texts[count++];

	memcpy(text, PLAIN, sizeof(PLAIN) - 1);
	text[sizeof(PLAIN) - 1] = octet;
	memcpy(text + sizeof(PLAIN), PLAIN, sizeof(PLAIN) - 1);
	return (struct bytes){ text, 2 * (sizeof(PLAIN) - 1) + 1 };
}

static void add_octets(struct stomp_catalogue *c)
{
	for (size_t i = 0; i < N(rows); i++) {
		struct bytes text = around(rows[i].octet);
		struct stomp_rule *r = stomp_rule_add(c, ON_WRITER, rows[i].versions,
		    "%s value encoding: %s is written as '%s' in a name, '%s' in a value",
		    rows[i].version, rows[i].what, rows[i].in_name, rows[i].in_value);

		r->command = STOMP_MESSAGE;
		r->header = (struct stomp_header){ text, text };
		expect_header(r, rows[i].in_name, rows[i].in_value);
	}
}

static const struct {
	const char *name;
	struct bytes body, expected;
} bodies[] = {
#define TEXT(literal)                                                                              \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}
	{ "a body has its content-length", TEXT("hello"), TEXT("content-length:5\n\nhello\0") },
	{ "it counts octets", TEXT("\xe2\x82\xac"), TEXT("content-length:3\n\n\xe2\x82\xac\0") },
	{ "a body may hold NUL", TEXT("\0\0"), TEXT("content-length:2\n\n\0\0\0") },
	{ "without a body there is none", TEXT(""), TEXT("\n\0") },
	{ "a body is not escaped", TEXT("a:\\\r\n"), TEXT("content-length:5\n\na:\\\r\n\0") },
};

static void add_bodies(struct stomp_catalogue *c)
{
	for (size_t i = 0; i < N(bodies); i++) {
		struct stomp_rule *r = stomp_rule_add(
		    c, ON_WRITER, ALWAYS, "1.2 content-length, written: %s", bodies[i].name);

		r->command = STOMP_SEND;
		r->body = bodies[i].body;
		expect_text(r, "SEND\n");
		stomp_rule_expect(r, bodies[i].expected.p, bodies[i].expected.n);
	}
}

static void add_commands(struct stomp_catalogue *c)
{
	for (int command = STOMP_NONE + 1; command < STOMP_COMMANDS; command++) {
		const char *name = stomp_command_name((enum stomp_command)command);
		struct stomp_rule *r = stomp_rule_add(
		    c, ON_WRITER, ALWAYS, "1.2 frames, written: %s ends in LF, LF and NUL", name);

		r->command = (enum stomp_command)command;
		expect_text(r, name);
		stomp_rule_expect(r, "\n\n", 3);
	}
}

void add_stomp_writer_rules(struct stomp_catalogue *c)
{
	add_octets(c);
	add_bodies(c);
	add_commands(c);
}
