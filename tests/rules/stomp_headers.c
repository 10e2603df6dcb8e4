/*
 * tests/rules/stomp_headers.c - what headers are made of: escapes, and UTF-8.
 */
#include <stdio.h>

#include "rules/stomp_rule.h"

#define N(array) (sizeof(array) / sizeof(*(array)))

static void send_bytes(struct stomp_rule *r, struct bytes b)
{
	stomp_rule_send(r, b.p, b.n);
}

static void expect_bytes(struct stomp_rule *r, struct bytes b)
{
	stomp_rule_expect(r, b.p, b.n);
}

/* A frame with one header, of which neither name nor value is plain. */
static void send_header(struct stomp_rule *r, const char *command, struct bytes odd, bool in_name)
{
	send_bytes(r, bytes_of(command));
	send_bytes(r, BYTES("\na"));
	if (in_name)
		send_bytes(r, odd);
	send_bytes(r, BYTES("b:c"));
	if (!in_name)
		send_bytes(r, odd);
	send_bytes(r, BYTES("d\n\n\0"));
}

static void expect_header(
    struct stomp_rule *r, const char *command, struct bytes read, bool in_name)
{
	expect_bytes(r, BYTES("<"));
	expect_bytes(r, bytes_of(command));
	expect_bytes(r, BYTES("|a"));
	if (in_name)
		expect_bytes(r, read);
	expect_bytes(r, BYTES("b=c"));
	if (!in_name)
		expect_bytes(r, read);
	expect_bytes(r, BYTES("d|>"));
}

static const char *place(bool in_name)
{
	return in_name ? "name" : "value";
}

/* --- escapes ------------------------------------------------------------------------ */

static const struct escape {
	char letter, octet;
	unsigned versions;
	const char *name;
} escapes[] = {
	{ 'n', '\n', WITH_ESCAPES, "a line feed" },
	{ 'c', ':', WITH_ESCAPES, "a colon" },
	{ '\\', '\\', WITH_ESCAPES, "a backslash" },
	{ 'r', '\r', IN_1_2, "a carriage return" },
};

static void add_escapes(struct stomp_catalogue *c, bool in_name)
{
	for (size_t i = 0; i < N(escapes); i++) {
		const struct escape *e = &escapes[i];
		char odd[] = { '\\', e->letter };
		struct stomp_rule *r = stomp_rule_add(c, ON_READER, e->versions,
		    "%s value encoding: \\%c is %s in a %s", e->versions == IN_1_2 ? "1.2" : "1.1",
		    e->letter, e->name, place(in_name));

		send_header(r, "SEND", (struct bytes){ odd, 2 }, in_name);
		expect_header(r, "SEND", (struct bytes){ &e->octet, 1 }, in_name);
		r = stomp_rule_add(c, ON_READER, IN_1_0, "1.0 frames: \\%c is no escape in a %s",
		    e->letter, place(in_name));
		send_header(r, "SEND", (struct bytes){ odd, 2 }, in_name);
		expect_header(r, "SEND", (struct bytes){ odd, 2 }, in_name);
	}
}

static unsigned versions_of(int letter)
{
	for (size_t i = 0; i < N(escapes); i++)
		if (escapes[i].letter == letter)
			return escapes[i].versions;
	return 0;
}

/* Every octet that may stand in a line. */
static void add_undefined_escapes(struct stomp_catalogue *c, bool in_name)
{
	for (int octet = 1; octet < 256; octet++) {
		unsigned versions = WITH_ESCAPES & ~versions_of(octet);
		char odd[] = { '\\', (char)octet };
		struct stomp_rule *r;

		if (octet == '\n' || (octet == ':' && in_name) || !versions)
			continue;
		r = stomp_rule_add(c, ON_READER, versions,
		    "1.2 value encoding: a backslash and octet %d in a %s are fatal", octet,
		    place(in_name));
		send_header(r, "SEND", (struct bytes){ odd, 2 }, in_name);
		expect_bytes(r, BYTES("!malformed"));
	}
}

static void add_ends(struct stomp_catalogue *c)
{
	struct stomp_rule *r;

	r = stomp_rule_add(c, ON_READER, WITH_ESCAPES,
	    "1.2 value encoding: a backslash that ends a value is fatal");
	send_bytes(r, BYTES("SEND\na:b\\\n\n\0"));
	expect_bytes(r, BYTES("!malformed"));
	r = stomp_rule_add(c, ON_READER, WITH_ESCAPES,
	    "1.2 value encoding: a backslash that ends a name is fatal");
	send_bytes(r, BYTES("SEND\na\\:b\n\n\0"));
	expect_bytes(r, BYTES("!malformed"));
	r = stomp_rule_add(c, ON_READER, WITH_ESCAPES,
	    "1.1 value encoding: escapes are read from left to right, once");
	send_bytes(r, BYTES("SEND\na:\\\\n\\\\\\n\\\\c\n\n\0"));
	expect_bytes(r, BYTES("<SEND|a=\\n\\\n\\c|>"));
	r = stomp_rule_add(c, ON_READER, ALWAYS, "1.2 value encoding: a body has no escapes");
	send_bytes(r, BYTES("SEND\n\n\\n\\t\\\0"));
	expect_bytes(r, BYTES("<SEND|\\n\\t\\>"));
	r = stomp_rule_add(
	    c, ON_READER, IN_1_2, "1.2 frames: an escaped carriage return does not end a line");
	send_bytes(r, BYTES("SEND\r\na:b\\r\r\n\r\n\0"));
	expect_bytes(r, BYTES("<SEND|a=b\r|>"));
}

/* As all the world did before there was a version to agree on. */
static void add_unescaped_commands(struct stomp_catalogue *c)
{
	static const char *const commands[] = { "CONNECT", "STOMP", "CONNECTED" };
	static const char *const odd[] = { "\\n", "\\c", "\\\\", "\\r", "\\t", "\\" };

	for (size_t i = 0; i < N(commands); i++)
		for (size_t k = 0; k < N(odd); k++) {
			struct stomp_rule *r = stomp_rule_add(c, ON_READER, ALWAYS,
			    "1.2 value encoding: %s is as it is in %s", odd[k], commands[i]);

			send_header(r, commands[i], bytes_of(odd[k]), false);
			expect_header(r, commands[i], bytes_of(odd[k]), false);
		}
}

/* --- UTF-8 --------------------------------------------------------------------------- */

static const struct text {
	const char *name, *octets;
	bool good;
} texts[] = {
	{ "two octets", "\xc3\xa9", true },
	{ "three octets", "\xe2\x82\xac", true },
	{ "four octets", "\xf0\x9f\x98\x80", true },
	{ "the last character", "\xf4\x8f\xbf\xbf", true },
	{ "DEL and controls", "\x01\x1f\x7f", true },
	{ "a lone tail", "\x80", false },
	{ "a cut sequence", "\xe2\x82", false },
	{ "an overlong slash", "\xc0\xaf", false },
	{ "an overlong NUL", "\xc0\x80", false },
	{ "a high surrogate", "\xed\xa0\xbd", false },
	{ "a low surrogate", "\xed\xb8\x80", false },
	{ "a pair of surrogates", "\xed\xa0\xbd\xed\xb8\x80", false },
	{ "what is beyond the last character", "\xf4\x90\x80\x80", false },
	{ "octet 255", "\xff", false },
};

static void add_utf8(struct stomp_catalogue *c, bool in_name)
{
	for (size_t i = 0; i < N(texts); i++) {
		struct bytes octets = bytes_of(texts[i].octets);
		struct stomp_rule *r = stomp_rule_add(c, ON_READER, WITH_ESCAPES,
		    "1.1 value encoding: %s in a %s %s UTF-8", texts[i].name, place(in_name),
		    texts[i].good ? "is" : "is not");

		send_header(r, "SEND", octets, in_name);
		if (texts[i].good)
			expect_header(r, "SEND", octets, in_name);
		else
			expect_bytes(r, BYTES("!malformed"));
	}
}

void add_stomp_header_rules(struct stomp_catalogue *c)
{
	for (int in_name = 0; in_name <= 1; in_name++) {
		add_escapes(c, in_name);
		add_undefined_escapes(c, in_name);
		add_utf8(c, in_name);
	}
	add_ends(c);
	add_unescaped_commands(c);
}
