/*
 * tests/rules/control.c - RFC 6455 section 5.5: pings, pongs, and what holds for every
 * control frame.
 */
#include <stdio.h>
#include <string.h>

#include "rules/rule.h"

static void ping(struct script *s, const void *p, size_t n)
{
	send_frame(s, FIN | PING, p, n);
	expect_pong(s, p, n);
}

/* --- what every control frame must be --------------------------------------------- */

struct control {
	const char *name;
	unsigned opcode;
};

static const struct control controls[] = { { "close", CLOSE }, { "ping", PING }, { "pong", PONG } };

/* A Close has to begin with a code to be wrong for its length alone. */
static unsigned char *payload_for(struct script *s, const struct control *control, size_t n)
{
	unsigned char *p = script_text(s, n);

	if (control->opcode == CLOSE && n >= 2)
		memcpy(p, "\x03\xe8", 2);
	return p;
}

static void play_too_long(struct script *s, const struct rule *r)
{
	const struct control *control = r->data;
	size_t n = (size_t)r->a;

	echo_text(s, "before");
	send_frame(s, FIN | control->opcode, payload_for(s, control, n), n);
	expect_failure(s, 1002);
}

static void play_header_too_long(struct script *s, const struct rule *r)
{
	const struct control *control = r->data;
	struct oddity odd = { .announces = true, .length = 126 };

	send_odd_frame(s, FIN | control->opcode, "", 0, &odd);
	expect_failure(s, 1002);
}

/* A: octets; B: within a message */
static void play_fragmented(struct script *s, const struct rule *r)
{
	const struct control *control = r->data;
	size_t n = (size_t)r->a;

	if (r->b)
		send_frame(s, TEXT, "begun", 5);
	send_frame(s, control->opcode, payload_for(s, control, n), n);
	send_frame(s, FIN | CONTINUATION, "rest", 4);
	expect_failure(s, 1002);
}

static void add_for_all(struct catalogue *c)
{
	static const long lengths[] = { 126, 127, 128, 65535, 65536 };
	static const char *const within[] = { "", " within a message" };

	for (size_t k = 0; k < 3; k++) {
		const struct control *control = &controls[k];
		struct rule *r;

		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			r = rule_add(c, play_too_long, "6455 5.5 %s of %ld octets fails with 1002",
			    control->name, lengths[i]);
			r->a = lengths[i];
			r->data = control;
		}
		rule_add(c, play_header_too_long,
		    "6455 5.5 %s of 126 octets fails before they come", control->name)
		    ->data = control;
		for (long i = 0; i < 4; i++) {
			r = rule_add(c, play_fragmented,
			    "6455 5.5 fragmented %s%s%s fails with 1002", i & 1 ? "" : "empty ",
			    control->name, within[i / 2]);
			r->a = i & 1 ? 2 : 0;
			r->b = i / 2;
			r->data = control;
		}
	}
}

/* --- pings --------------------------------------------------------------------------- */

static void play_ping(struct script *s, const struct rule *r)
{
	ping(s, script_text(s, (size_t)r->a), (size_t)r->a);
}

static void play_pings_of_every_length(struct script *s, const struct rule *r)
{
	(void)r;
	for (size_t n = 0; n <= 125; n++)
		ping(s, script_text(s, n), n);
}

/* What a ping carries is not text. */
static void play_ping_of_any_octets(struct script *s, const struct rule *r)
{
	unsigned char all[256];

	(void)r;
	for (unsigned i = 0; i < sizeof(all); i++)
		all[i] = (unsigned char)i;
	ping(s, all, 125);
	ping(s, all + 125, 125);
	ping(s, "\xff\xfe\x00\xed\xa0\x80", 6);
}

static void play_many_pings(struct script *s, const struct rule *r)
{
	char text[32];

	for (long i = 0; i < r->a; i++) {
		snprintf(text, sizeof(text), "ping %ld", i);
		ping(s, text, strlen(text));
	}
}

static void play_same_pings(struct script *s, const struct rule *r)
{
	for (long i = 0; i < r->a; i++)
		ping(s, "again", 5);
}

static void play_pings_and_messages(struct script *s, const struct rule *r)
{
	char text[32];

	(void)r;
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "number %d", i);
		ping(s, text, strlen(text));
		echo_text(s, text);
	}
}

static void play_unfinished_ping(struct script *s, const struct rule *r)
{
	struct oddity odd = { .announces = true, .length = 5 };

	echo_text(s, "before");
	send_odd_frame(s, FIN | PING, "hell", (size_t)r->a, &odd);
	expect_break(s);
}

static void add_pings(struct catalogue *c)
{
	static const long lengths[] = { 0, 1, 2, 3, 4, 5, 16, 64, 124, 125 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		rule_add(
		    c, play_ping, "6455 5.5.2 ping of %ld octets is answered with them", lengths[i])
		    ->a = lengths[i];
	rule_add(c, play_pings_of_every_length,
	    "6455 5.5.2 pings of 0 to 125 octets are answered in order");
	rule_add(c, play_ping_of_any_octets, "6455 5.5.2 ping may carry what is not UTF-8");
	rule_add(c, play_many_pings, "6455 5.5.3 10 pings at once are answered in order")->a = 10;
	rule_add(c, play_many_pings,
	    "6455 5.5.3 of 1000 pings at once some are answered, in order, and the last")
	    ->a = 1000;
	rule_add(c, play_same_pings, "6455 5.5.2 equal pings are answered one by one")->a = 50;
	rule_add(c, play_pings_and_messages, "6455 5.5.2 pings between messages are answered");
	for (long n = 0; n <= 4; n += 4)
		rule_add(c, play_unfinished_ping,
		    "6455 5.5.2 ping of which %ld of 5 octets came is not answered", n)
		    ->a = n;
}

/* --- pongs ---------------------------------------------------------------------------- */

static void play_pong(struct script *s, const struct rule *r)
{
	send_frame(s, FIN | PONG, script_text(s, (size_t)r->a), (size_t)r->a);
	ping(s, "fence", 5);
	send_frame(s, FIN | PONG, "fence", 5);
	echo_text(s, "behind");
}

static void play_many_pongs(struct script *s, const struct rule *r)
{
	(void)r;
	for (int i = 0; i < 200; i++)
		send_frame(s, FIN | PONG, "\xff unasked", 9);
	echo_text(s, "behind");
}

static void add_pongs(struct catalogue *c)
{
	static const long lengths[] = { 0, 1, 124, 125 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		rule_add(c, play_pong,
		    "6455 5.5.3 pong of %ld octets that nobody asked for is ignored", lengths[i])
		    ->a = lengths[i];
	rule_add(c, play_many_pongs, "6455 5.5.3 200 pongs that nobody asked for are ignored");
}

/* --- control frames within messages ------------------------------------------------------ */

static void play_between(struct script *s, const struct rule *r)
{
	unsigned opcode = r->a ? BINARY : TEXT;

	send_frame(s, opcode, "one,", 4);
	ping(s, "1", 1);
	send_frame(s, CONTINUATION, "two,", 4);
	send_frame(s, FIN | PONG, "unasked", 7);
	ping(s, "", 0);
	ping(s, script_text(s, 125), 125);
	send_frame(s, FIN | CONTINUATION, "three", 5);
	expect_message(s, opcode, "one,two,three", 13);
}

/* A text whose code points are cut by fragments of one octet, a ping behind each. */
static void play_between_octets(struct script *s, const struct rule *r)
{
	size_t n = 120;
	const unsigned char *text = script_text(s, n);

	(void)r;
	for (size_t i = 0; i < n; i++) {
		bool last = i == n - 1;

		send_frame(s, (last ? FIN : 0) | (i == 0 ? TEXT : CONTINUATION), text + i, 1);
		if (last)
			expect_message(s, TEXT, text, n);
		ping(s, text + i, n - i);
	}
}

static void add_within(struct catalogue *c)
{
	rule_add(c, play_between, "6455 5.4 pings and pongs between fragments of text")->a = 0;
	rule_add(c, play_between, "6455 5.4 pings and pongs between fragments of binary")->a = 1;
	rule_add(c, play_between_octets, "6455 5.4 pings behind every octet of a text");
}

void add_control_rules(struct catalogue *c)
{
	add_for_all(c);
	add_pings(c);
	add_pongs(c);
	add_within(c);
}
