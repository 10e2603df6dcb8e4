/*
 * tests/rules/fragments.c - RFC 6455 section 5.4: messages in fragments.
 */
#include <string.h>

#include "rules/rule.h"

/* --- messages made of these fragments ---------------------------------------------- */

struct split {
	const char *name;
	const char *fragments[6]; /* up to NULL */
};

static const struct split splits[] = {
	{ "two fragments", { "Hel", "lo" } },
	{ "three fragments", { "H", "ell", "o" } },
	{ "an empty first fragment", { "", "hello" } },
	{ "an empty fragment in the middle", { "hel", "", "lo" } },
	{ "an empty last fragment", { "hello", "" } },
	{ "empty fragments around one", { "", "", "hello", "", "" } },
	{ "two empty fragments", { "", "" } },
	{ "five empty fragments", { "", "", "", "", "" } },
};

static void play_split(struct script *s, const struct rule *r)
{
	const struct split *split = r->data;
	unsigned opcode = r->a ? BINARY : TEXT;

	for (int twice = 0; twice < 2; twice++) {
		char whole[64] = "";

		for (size_t i = 0; split->fragments[i]; i++) {
			const char *fragment = split->fragments[i];

			strcat(whole, fragment);
			send_frame(s,
			    (split->fragments[i + 1] ? 0 : FIN) | (i ? CONTINUATION : opcode),
			    fragment, strlen(fragment));
		}
		expect_message(s, opcode, whole, strlen(whole));
	}
}

static void add_splits(struct catalogue *c)
{
	static const char *const types[] = { "text", "binary" };

	for (long type = 0; type < 2; type++)
		for (size_t i = 0; i < sizeof(splits) / sizeof(splits[0]); i++) {
			struct rule *r = rule_add(c, play_split, "6455 5.4 %s of %s is one message",
			    types[type], splits[i].name);

			r->data = &splits[i];
			r->a = type;
		}
}

/* --- many fragments ------------------------------------------------------------------- */

/* A: fragments, B: octets of each, or pings behind each if negative */
static void play_many(struct script *s, const struct rule *r)
{
	size_t n = (size_t)(r->b > 0 ? r->b : 1), count = (size_t)r->a;
	const unsigned char *text = script_text(s, count * n);

	for (size_t i = 0; i < count; i++) {
		send_frame(
		    s, (i == count - 1 ? FIN : 0) | (i ? CONTINUATION : TEXT), text + i * n, n);
		if (r->b < 0 && i < count - 1) {
			send_frame(s, FIN | PING, "p", 1);
			expect_pong(s, "p", 1);
		}
	}
	if (count > FRAGMENTS_MAX)
		expect_failure(s, 1009);
	else
		expect_message(s, TEXT, text, count * n);
}

static void play_many_empty(struct script *s, const struct rule *r)
{
	for (long i = 0; i < r->a; i++)
		send_frame(s, i ? CONTINUATION : BINARY, "", 0);
	if (r->a > FRAGMENTS_MAX) {
		expect_failure(s, 1009);
		return;
	}
	send_frame(s, FIN | CONTINUATION, "", 0);
	expect_message(s, BINARY, "", 0);
}

/* The count begins anew with each message. */
static void play_again_and_again(struct script *s, const struct rule *r)
{
	(void)r;
	for (int i = 0; i < 4; i++) {
		const unsigned char *text = script_text(s, 600);

		send_in_fragments(s, TEXT, text, 600, 1);
		expect_message(s, TEXT, text, 600);
		echo_text(s, "whole");
	}
}

static void add_many(struct catalogue *c)
{
	static const struct {
		const char *name;
		long count, each;
	} many[] = {
		{ "6455 5.4 10 fragments of 1000 octets", 10, 1000 },
		{ "6455 5.4 100 fragments of an octet", 100, 1 },
		{ "6455 5.4 16 fragments of 64 KiB", 16, 65536 },
		{ "6455 5.4 1023 fragments", 1023, 1 },
		{ "6455 10.4 1024 fragments, which is the limit", 1024, 1 },
		{ "6455 10.4 1024 fragments of 1 KiB", 1024, 1024 },
		{ "6455 10.4 1024 fragments with pings between them, which do not count", 1024,
		    -1 },
		{ "6455 10.4 1025 fragments fail with 1009", 1025, 1 },
		{ "6455 10.4 1025 fragments with pings between them fail with 1009", 1025, -1 },
	};

	for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
		struct rule *r = rule_add(c, play_many, "%s", many[i].name);

		r->a = many[i].count;
		r->b = many[i].each;
	}
	rule_add(c, play_many_empty, "6455 10.4 1024 empty fragments are an empty message")->a =
	    1023;
	rule_add(c, play_many_empty, "6455 10.4 1025 empty fragments fail with 1009")->a = 1025;
	rule_add(c, play_again_and_again, "6455 10.4 fragments are counted by message");
}

/* --- wrong order ----------------------------------------------------------------------- */

/* A: first octet of the continuation */
static void play_continuation(struct script *s, const struct rule *r)
{
	const char *payload = r->b ? "hello" : "";

	send_frame(s, (unsigned)r->a, payload, strlen(payload));
	send_text(s, "never looked at");
	expect_failure(s, 1002);
}

static void play_continuation_behind_message(struct script *s, const struct rule *r)
{
	if (r->b) {
		send_frame(s, TEXT, "be", 2);
		send_frame(s, FIN | CONTINUATION, "fore", 4);
		expect_text(s, "before");
	} else {
		echo_text(s, "before");
	}
	send_frame(s, (unsigned)r->a, "hello", 5);
	send_frame(s, FIN | TEXT, "never looked at", 15);
	expect_failure(s, 1002);
}

static void play_continuation_behind_control(struct script *s, const struct rule *r)
{
	send_frame(s, FIN | PING, "before", 6);
	expect_pong(s, "before", 6);
	send_frame(s, (unsigned)r->a, "hello", 5);
	expect_failure(s, 1002);
}

/* A: first octet of the message under way, B: of the one within it */
static void play_message_within(struct script *s, const struct rule *r)
{
	const char *payload = r->n ? "hello" : "";

	send_frame(s, (unsigned)r->a, "begun", 5);
	send_frame(s, (unsigned)r->b, payload, strlen(payload));
	send_frame(s, FIN | CONTINUATION, "never looked at", 15);
	expect_failure(s, 1002);
}

/* It is the same in the third frame. */
static void play_message_within_continued(struct script *s, const struct rule *r)
{
	send_frame(s, (unsigned)r->a, "begun", 5);
	send_frame(s, CONTINUATION, "and continued", 13);
	send_frame(s, (unsigned)r->b, "hello", 5);
	expect_failure(s, 1002);
}

static void add_orders(struct catalogue *c)
{
	static const struct {
		const char *name;
		unsigned first;
	} lasts[] = { { "last", FIN | CONTINUATION }, { "not last", CONTINUATION } },
	  firsts[] = { { "text", TEXT }, { "binary", BINARY } },
	  intruders[] = { { "a text", FIN | TEXT }, { "a binary", FIN | BINARY },
		  { "a text's first fragment", TEXT }, { "a binary's first fragment", BINARY } };
	static const char *const empty[] = { "empty ", "" };
	struct rule *r;

	for (size_t i = 0; i < 2; i++) {
		for (long full = 0; full < 2; full++) {
			r = rule_add(c, play_continuation,
			    "6455 5.4 %scontinuation (%s) without a message fails with 1002",
			    empty[full], lasts[i].name);
			r->a = lasts[i].first;
			r->b = full;
			r = rule_add(c, play_continuation_behind_message,
			    "6455 5.4 continuation (%s) behind a message%s fails with 1002",
			    lasts[i].name, full ? " in fragments" : "");
			r->a = lasts[i].first;
			r->b = full;
		}
		rule_add(c, play_continuation_behind_control,
		    "6455 5.4 continuation (%s) of a ping fails with 1002", lasts[i].name)
		    ->a = lasts[i].first;
	}
	for (size_t i = 0; i < 2; i++)
		for (size_t k = 0; k < 4; k++) {
			for (size_t full = 0; full < 2; full++) {
				r = rule_add(c, play_message_within,
				    "6455 5.4 %s%s within a %s fails with 1002", intruders[k].name,
				    full ? "" : ", empty,", firsts[i].name);
				r->a = firsts[i].first;
				r->b = intruders[k].first;
				r->n = full;
			}
			r = rule_add(c, play_message_within_continued,
			    "6455 5.4 %s within a %s that was continued fails with 1002",
			    intruders[k].name, firsts[i].name);
			r->a = firsts[i].first;
			r->b = intruders[k].first;
		}
}

/* --- interleaved with whole messages -------------------------------------------------------- */

static void play_whole_and_fragments(struct script *s, const struct rule *r)
{
	(void)r;
	for (int i = 0; i < 20; i++) {
		echo_text(s, "whole");
		send_in_fragments(s, BINARY, "in some pieces", 14, (size_t)i % 7 + 1);
		expect_message(s, BINARY, "in some pieces", 14);
	}
}

static void play_unfinished(struct script *s, const struct rule *r)
{
	(void)r;
	echo_text(s, "before");
	send_frame(s, TEXT, "this never", 10);
	send_frame(s, CONTINUATION, " ends", 5);
}

void add_fragment_rules(struct catalogue *c)
{
	add_splits(c);
	add_many(c);
	add_orders(c);
	rule_add(c, play_whole_and_fragments, "6455 5.4 whole messages and fragments by turns");
	rule_add(c, play_unfinished, "6455 5.4 message without its last fragment is not delivered");
}
