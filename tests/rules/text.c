/*
 * tests/rules/text.c - RFC 6455 section 8.1: text is UTF-8, and what is not fails the
 * connection, at the very octet that shows it: when nothing that may follow could make
 * it right, nothing more is waited for.
 */
#include "rules/text.h"

#include <stdio.h>
#include <string.h>

#include "rules/rule.h"

#define OCTETS(literal) literal, sizeof(literal) - 1

const struct sequence bad_sequences[] = {
	{ "lone continuation 80", OCTETS("\x80"), 0 },
	{ "lone continuation 8f", OCTETS("\x8f"), 0 },
	{ "lone continuation 90", OCTETS("\x90"), 0 },
	{ "lone continuation a0", OCTETS("\xa0"), 0 },
	{ "lone continuation bf", OCTETS("\xbf"), 0 },
	{ "two continuations", OCTETS("\x80\xbf"), 0 },
	{ "continuation behind a whole sequence", OCTETS("\xe2\x82\xac\x80"), 3 },
	{ "overlong slash in 2 octets", OCTETS("\xc0\xaf"), 0 },
	{ "overlong NUL in 2 octets", OCTETS("\xc0\x80"), 0 },
	{ "overlong U+7F in 2 octets", OCTETS("\xc1\xbf"), 0 },
	{ "overlong NUL in 3 octets", OCTETS("\xe0\x80\x80"), 1 },
	{ "overlong slash in 3 octets", OCTETS("\xe0\x80\xaf"), 1 },
	{ "overlong U+7FF in 3 octets", OCTETS("\xe0\x9f\xbf"), 1 },
	{ "overlong NUL in 4 octets", OCTETS("\xf0\x80\x80\x80"), 1 },
	{ "overlong slash in 4 octets", OCTETS("\xf0\x80\x80\xaf"), 1 },
	{ "overlong U+FFFF in 4 octets", OCTETS("\xf0\x8f\xbf\xbf"), 1 },
	{ "5 octets, overlong NUL", OCTETS("\xf8\x80\x80\x80\x80"), 0 },
	{ "5 octets", OCTETS("\xf8\x88\x80\x80\x80"), 0 },
	{ "5 octets, the last", OCTETS("\xfb\xbf\xbf\xbf\xbf"), 0 },
	{ "6 octets", OCTETS("\xfc\x84\x80\x80\x80\x80"), 0 },
	{ "6 octets, the last", OCTETS("\xfd\xbf\xbf\xbf\xbf\xbf"), 0 },
	{ "octet fe", OCTETS("\xfe"), 0 },
	{ "octet ff", OCTETS("\xff"), 0 },
	{ "octets fe ff", OCTETS("\xfe\xff"), 0 },
	{ "surrogate U+D800", OCTETS("\xed\xa0\x80"), 1 },
	{ "surrogate U+DB7F", OCTETS("\xed\xad\xbf"), 1 },
	{ "surrogate U+DB80", OCTETS("\xed\xae\x80"), 1 },
	{ "surrogate U+DBFF", OCTETS("\xed\xaf\xbf"), 1 },
	{ "surrogate U+DC00", OCTETS("\xed\xb0\x80"), 1 },
	{ "surrogate U+DF80", OCTETS("\xed\xbe\x80"), 1 },
	{ "surrogate U+DFFF", OCTETS("\xed\xbf\xbf"), 1 },
	{ "surrogates as a pair", OCTETS("\xed\xa0\xbd\xed\xb8\x80"), 1 },
	{ "U+110000", OCTETS("\xf4\x90\x80\x80"), 1 },
	{ "U+13FFFF", OCTETS("\xf4\xbf\xbf\xbf"), 1 },
	{ "U+140000", OCTETS("\xf5\x80\x80\x80"), 0 },
	{ "U+1FFFFF", OCTETS("\xf7\xbf\xbf\xbf"), 0 },
	{ "2 octets, the second ASCII", OCTETS("\xc3("), 1 },
	{ "3 octets, the second ASCII", OCTETS("\xe2(\xa1"), 1 },
	{ "3 octets, the third ASCII", OCTETS("\xe2\x82("), 2 },
	{ "6455 4 octets, the second ASCII", OCTETS("\xf0(\x8c\xbc"), 1 },
	{ "6455 4 octets, the third ASCII", OCTETS("\xf0\x90(\xbc"), 2 },
	{ "6455 4 octets, the fourth ASCII", OCTETS("\xf0\x90\x8c("), 3 },
	{ "2 octets, the second a beginning", OCTETS("\xc3\xc3\xa9"), 1 },
	{ "3 octets, the second a beginning", OCTETS("\xe2\xe2\x82\xac"), 1 },
	{ "3 octets, the third a beginning", OCTETS("\xe2\x82\xc3\xa9"), 2 },
	{ "6455 4 octets, the fourth a beginning", OCTETS("\xf0\x9f\x98\xf0\x9f\x98\x80"), 3 },
	{ "NUL behind a beginning", OCTETS("\xc3\0"), 1 },
};

const size_t bad_sequence_count = sizeof(bad_sequences) / sizeof(bad_sequences[0]);

/* Right so far, and not whole. */
static const struct sequence beginnings[] = {
	{ "c2", OCTETS("\xc2"), 1 },
	{ "df", OCTETS("\xdf"), 1 },
	{ "e0", OCTETS("\xe0"), 1 },
	{ "e0 a0", OCTETS("\xe0\xa0"), 2 },
	{ "e2", OCTETS("\xe2"), 1 },
	{ "e2 82", OCTETS("\xe2\x82"), 2 },
	{ "ed", OCTETS("\xed"), 1 },
	{ "ed 9f", OCTETS("\xed\x9f"), 2 },
	{ "ef bf", OCTETS("\xef\xbf"), 2 },
	{ "f0", OCTETS("\xf0"), 1 },
	{ "f0 90", OCTETS("\xf0\x90"), 2 },
	{ "f0 9f 98", OCTETS("\xf0\x9f\x98"), 3 },
	{ "f3 bf bf", OCTETS("\xf3\xbf\xbf"), 3 },
	{ "f4", OCTETS("\xf4"), 1 },
	{ "f4 8f", OCTETS("\xf4\x8f"), 2 },
	{ "f4 8f bf", OCTETS("\xf4\x8f\xbf"), 3 },
};

/* --- what is UTF-8 -------------------------------------------------------------- */

size_t utf8_put(unsigned char to[4], unsigned long c)
{
	static const unsigned char lead[] = { 0, 0xc0, 0xe0, 0xf0 };
	size_t more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

	to[0] = (unsigned char)(lead[more] | c >> 6 * more);
	for (size_t i = 1; i <= more; i++)
		to[i] = (unsigned char)(0x80 | (c >> 6 * (more - i) & 0x3f));
	return more + 1;
}

/* Alone; between others; cut by fragments in every place. */
static void play_code_point(struct script *s, const struct rule *r)
{
	unsigned char text[8] = "<";
	size_t n = utf8_put(text + 1, (unsigned long)r->a);

	text[1 + n] = '>';
	echo(s, TEXT, text + 1, n);
	echo(s, TEXT, text, n + 2);
	for (size_t cut = 1; cut <= n + 1; cut++) {
		send_frame(s, TEXT, text, cut);
		send_frame(s, FIN | CONTINUATION, text + cut, n + 2 - cut);
		expect_message(s, TEXT, text, n + 2);
	}
	send_in_fragments(s, TEXT, text + 1, n, 1);
	expect_message(s, TEXT, text + 1, n);
}

static void play_all_code_points(struct script *s, const struct rule *r)
{
	unsigned char *text = script_room(s, (size_t)4 * 0x110000);
	size_t n = 0;

	for (unsigned long c = 0; c < 0x110000; c++)
		if (c < 0xd800 || c >= 0xe000)
			n += utf8_put(text + n, c);
	if (r->a)
		send_in_fragments(s, TEXT, text, n, 65521);
	else
		send_frame(s, FIN | TEXT, text, n);
	expect_message(s, TEXT, text, n);
}

static void add_code_points(struct catalogue *c)
{
	static const long points[] = { 0, 1, 0x7f, 0x80, 0x7ff, 0x800, 0xfff, 0x1000, 0xcfff,
		0xd000, 0xd7ff, 0xe000, 0xfdd0, 0xfdef, 0xfeff, 0xfffd, 0xfffe, 0xffff, 0x10000,
		0x1f600, 0x3ffff, 0x40000, 0xfffff, 0x100000, 0x10ffff };

	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		rule_add(c, play_code_point, "6455 8.1 U+%04lX, cut anywhere", points[i])->a =
		    points[i];
	for (long plane = 1; plane <= 16; plane++)
		rule_add(c, play_code_point, "6455 8.1 noncharacter U+%lXFFFE, cut anywhere", plane)
		    ->a = plane << 16 | 0xfffe;
	rule_add(c, play_all_code_points, "6455 8.1 a text of all code points");
	rule_add(c, play_all_code_points, "6455 8.1 a text of all code points in fragments")->a = 1;
}

/* --- what is not ------------------------------------------------------------------ */

static void play_bad_alone(struct script *s, const struct rule *r)
{
	echo_text(s, "before");
	send_frame(s, FIN | TEXT, r->data, r->n);
	send_text(s, "never looked at");
	expect_failure(s, 1007);
}

/* Far inside a long text, where whoever checks many octets at once has to look closely. */
static void play_bad_inside(struct script *s, const struct rule *r)
{
	unsigned char *text = script_room(s, 300);

	memset(text, 'x', 300);
	memcpy(text + r->a, r->data, r->n);
	send_frame(s, FIN | TEXT, text, 300);
	expect_failure(s, 1007);
}

static void play_bad_cut(struct script *s, const struct rule *r)
{
	size_t cut = (size_t)r->a;

	send_frame(s, TEXT, r->data, cut);
	send_frame(s, FIN | CONTINUATION, (const char *)r->data + cut, r->n - cut);
	expect_failure(s, 1007);
}

/* A: octets of the sequence up to the wrong one. Nothing comes behind it. */
static void play_bad_within_frame(struct script *s, const struct rule *r)
{
	struct oddity odd = { .announces = true, .length = 1000 };
	unsigned char *text = script_room(s, 2 + r->n);

	memcpy(text, "ab", 2);
	memcpy(text + 2, r->data, r->n);
	send_odd_frame(s, FIN | TEXT, text, 2 + (size_t)r->a, &odd);
	expect_failure(s, 1007);
}

static void play_bad_within_message(struct script *s, const struct rule *r)
{
	send_frame(s, TEXT, "ab", 2);
	send_frame(s, CONTINUATION, r->data, (size_t)r->a);
	expect_failure(s, 1007);
}

static void add_bad(struct catalogue *c, const struct sequence *bad)
{
	struct rule *r = rule_add(c, play_bad_alone, "6455 8.1 %s fails with 1007", bad->name);

	r->data = bad->octets;
	r->n = bad->n;
	for (long at = 97; at <= 292; at += 39) {
		r = rule_add(c, play_bad_inside,
		    "6455 8.1 %s as octet %ld of a text fails with 1007", bad->name, at);
		r->data = bad->octets;
		r->n = bad->n;
		r->a = at;
	}
	for (size_t cut = 1; cut < bad->n; cut++) {
		r = rule_add(c, play_bad_cut,
		    "6455 8.1 %s in fragments of %zu and %zu octets fails with 1007", bad->name,
		    cut, bad->n - cut);
		r->data = bad->octets;
		r->n = bad->n;
		r->a = (long)cut;
	}
	r = rule_add(
	    c, play_bad_within_frame, "6455 8.1 %s fails before its frame has ended", bad->name);
	r->data = bad->octets;
	r->n = bad->n;
	r->a = (long)bad->bad + 1;
	r = rule_add(c, play_bad_within_message, "6455 8.1 %s fails before its message has ended",
	    bad->name);
	r->data = bad->octets;
	r->n = bad->n;
	r->a = (long)bad->bad + 1;
}

/* --- what is not whole ----------------------------------------------------------------- */

static void play_ends_early(struct script *s, const struct rule *r)
{
	unsigned char text[8] = "ab";

	memcpy(text + 2, r->data, r->n);
	if (r->a) { /* its end is the end of an empty fragment */
		send_frame(s, TEXT, text, 2 + r->n);
		send_frame(s, FIN | CONTINUATION, "", 0);
	} else {
		send_frame(s, FIN | TEXT, text, 2 + r->n);
	}
	send_text(s, "\x80\x80\x80");
	expect_failure(s, 1007);
}

/* What may still become right is waited for. */
static void play_may_go_on(struct script *s, const struct rule *r)
{
	send_frame(s, TEXT, "ab", 2);
	send_frame(s, CONTINUATION, r->data, r->n);
	send_frame(s, FIN | PING, "still there?", 12);
	expect_pong(s, "still there?", 12);
}

/* Each message begins anew: what one lacks the next does not provide. */
static void play_next_message(struct script *s, const struct rule *r)
{
	(void)r;
	echo_text(s, "\xe2\x82\xac");
	send_frame(s, FIN | BINARY, "\xe2\x82", 2);
	expect_message(s, BINARY, "\xe2\x82", 2);
	echo_text(s, "behind");
	send_frame(s, FIN | TEXT, "\xe2\x82", 2);
	expect_failure(s, 1007);
}

static void add_beginnings(struct catalogue *c)
{
	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
		const struct sequence *b = &beginnings[i];
		struct rule *r = rule_add(
		    c, play_ends_early, "6455 8.1 text that ends with %s fails with 1007", b->name);

		r->data = b->octets;
		r->n = b->n;
		r = rule_add(c, play_ends_early,
		    "6455 8.1 text that ends with %s and an empty fragment fails with 1007",
		    b->name);
		r->data = b->octets;
		r->n = b->n;
		r->a = 1;
		r = rule_add(
		    c, play_may_go_on, "6455 8.1 fragment that ends with %s may go on", b->name);
		r->data = b->octets;
		r->n = b->n;
	}
}

/* --- where UTF-8 is not asked for ---------------------------------------------------------- */

static void play_binary(struct script *s, const struct rule *r)
{
	(void)r;
	for (size_t i = 0; i < bad_sequence_count; i++) {
		const struct sequence *bad = &bad_sequences[i];

		echo(s, BINARY, bad->octets, bad->n);
		send_in_fragments(s, BINARY, bad->octets, bad->n, 1);
		expect_message(s, BINARY, bad->octets, bad->n);
	}
}

void add_text_rules(struct catalogue *c)
{
	add_code_points(c);
	for (size_t i = 0; i < bad_sequence_count; i++)
		add_bad(c, &bad_sequences[i]);
	add_beginnings(c);
	rule_add(c, play_next_message, "6455 8.1 each text is UTF-8 by itself");
	rule_add(c, play_binary, "6455 8.1 binary need not be UTF-8");
}
