/*
 * tests/rules/frames.c - RFC 6455 section 5.2 to 5.3: opcodes, reserved bits, the
 * length, masks.
 */
#include <stdio.h>
#include <string.h>

#include "rules/rule.h"

enum { COUNT_OF_KINDS = 7 };

/* Frames that are right as far as their first octet and length go. */
static const struct kind {
	const char *name;
	unsigned first;
	const char *payload;
	bool within; /* a message */
} kinds[COUNT_OF_KINDS] = {
	{ "text", FIN | TEXT, "hello", false },
	{ "a first fragment", TEXT, "hello", false },
	{ "binary", FIN | BINARY, "hello", false },
	{ "a continuation", FIN | CONTINUATION, "hello", true },
	{ "ping", FIN | PING, "hello", false },
	{ "pong", FIN | PONG, "hello", false },
	{ "close", FIN | CLOSE, "\x03\xe8", false },
};

static void begin_if_within(struct script *s, const struct kind *kind)
{
	if (kind->within)
		send_frame(s, TEXT, "begun ", 6);
}

/* --- opcodes ------------------------------------------------------------------- */

enum place { ALONE, EMPTY, WITHIN, BEHIND, UNFINISHED };

static void play_opcode(struct script *s, const struct rule *r)
{
	unsigned first = (unsigned)r->a | (r->b == UNFINISHED ? 0 : FIN);

	if (r->b == WITHIN)
		send_frame(s, TEXT, "begun", 5);
	if (r->b == BEHIND)
		echo_text(s, "before");
	send_frame(s, first, "x", r->b == EMPTY ? 0 : 1);
	send_text(s, "never looked at");
	expect_failure(s, 1002);
}

static void add_opcodes(struct catalogue *c)
{
	static const unsigned opcodes[] = { 3, 4, 5, 6, 7, 11, 12, 13, 14, 15 };
	static const char *const places[] = { "fails with 1002", "without payload fails with 1002",
		"within a message fails with 1002", "behind a message fails with 1002",
		"as a fragment fails with 1002" };

	for (size_t i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++)
		for (enum place place = ALONE; place <= UNFINISHED; place++) {
			struct rule *r = rule_add(c, play_opcode, "6455 5.2 reserved opcode %u %s",
			    opcodes[i], places[place]);

			r->a = opcodes[i];
			r->b = place;
		}
}

/* --- reserved bits ---------------------------------------------------------------- */

static void play_reserved(struct script *s, const struct rule *r)
{
	const struct kind *kind = r->data;

	echo_text(s, "before");
	begin_if_within(s, kind);
	send_frame(s, kind->first | (unsigned)r->a, kind->payload, strlen(kind->payload));
	expect_failure(s, 1002);
}

static void add_reserved(struct catalogue *c)
{
	static const char *const names[] = { "RSV3", "RSV2", "RSV2 and RSV3", "RSV1",
		"RSV1 and RSV3", "RSV1 and RSV2", "all reserved bits" };

	for (unsigned bits = 1; bits <= 7; bits++)
		for (size_t k = 0; k < COUNT_OF_KINDS; k++) {
			struct rule *r = rule_add(c, play_reserved,
			    "6455 5.2 %s on %s fails with 1002", names[bits - 1], kinds[k].name);

			r->a = bits << 4;
			r->data = &kinds[k];
		}
}

/* --- the length -------------------------------------------------------------------- */

static void play_long_length(struct script *s, const struct rule *r)
{
	struct oddity odd = { .width = (unsigned)r->b };
	const struct kind *kind = r->data;
	size_t n = (size_t)r->a;

	begin_if_within(s, kind);
	send_odd_frame(s, kind->first, script_text(s, n), n, &odd);
	expect_failure(s, 1002);
}

static void add_long_lengths(struct catalogue *c)
{
	static const struct {
		long n;
		unsigned width;
	} lengths[] = { { 0, 2 }, { 1, 2 }, { 125, 2 }, { 0, 8 }, { 1, 8 }, { 125, 8 }, { 126, 8 },
		{ 65535, 8 } };

	for (size_t k = 0; k < COUNT_OF_KINDS; k++)
		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			struct rule *r = rule_add(c, play_long_length,
			    "6455 5.2 %s: length %ld in %u octets fails with 1002", kinds[k].name,
			    lengths[i].n, lengths[i].width);

			r->a = lengths[i].n;
			r->b = lengths[i].width;
			r->data = &kinds[k];
		}
}

/* The header alone: what it announces never comes. */
static void play_top_bit(struct script *s, const struct rule *r)
{
	const struct kind *kind = r->data;
	struct oddity odd = { .width = 8, .announces = true, .length = (uint64_t)1 << 63 };

	odd.length |= (uint64_t)r->a;
	begin_if_within(s, kind);
	send_odd_frame(s, kind->first, "", 0, &odd);
	expect_failure(s, 1002);
}

static void add_top_bits(struct catalogue *c)
{
	for (size_t k = 0; k < COUNT_OF_KINDS; k++) {
		rule_add(c, play_top_bit, "6455 5.2 %s: length with its top bit set fails at once",
		    kinds[k].name)
		    ->data = &kinds[k];
		struct rule *r = rule_add(
		    c, play_top_bit, "6455 5.2 %s: length of 64 bits fails at once", kinds[k].name);

		r->data = &kinds[k];
		r->a = INT64_MAX;
	}
}

/* --- masks --------------------------------------------------------------------------- */

static void play_wrong_mask(struct script *s, const struct rule *r)
{
	const struct kind *kind = r->data;
	struct oddity odd = { .wrongly_masks = true };

	echo_text(s, "before");
	begin_if_within(s, kind);
	send_odd_frame(s, kind->first, kind->payload, (size_t)r->a, &odd);
	expect_failure(s, 1002);
}

static void add_wrong_masks(struct catalogue *c)
{
	static const char *const empty[] = { "", "empty, " };

	for (size_t k = 0; k < COUNT_OF_KINDS; k++)
		for (int i = 0; i < 2; i++) {
			long n = i ? 0 : (long)strlen(kinds[k].payload);
			struct rule *r = rule_add(c, play_wrong_mask,
			    "6455 5.1 %s from a client, %swithout a mask fails with 1002",
			    kinds[k].name, empty[i]);

			r->on = ON_SERVER | ON_WIRE;
			r->data = &kinds[k];
			r->a = n;
			r = rule_add(c, play_wrong_mask,
			    "6455 5.1 %s from a server, %swith a mask fails with 1002",
			    kinds[k].name, empty[i]);
			r->on = ON_CLIENT;
			r->data = &kinds[k];
			r->a = n;
		}
}

static void play_key(struct script *s, const struct rule *r)
{
	struct oddity odd = { .has_key = true };

	for (unsigned i = 0; i < 4; i++)
		odd.key[i] = (unsigned char)((unsigned long)r->a >> 8 * i);
	for (size_t n = 0; n < 40; n++) {
		const unsigned char *text = script_text(s, n);

		send_odd_frame(s, FIN | TEXT, text, n, &odd);
		expect_message(s, TEXT, text, n);
		send_odd_frame(s, FIN | PING, text, n, &odd);
		expect_pong(s, text, n);
	}
}

/* The key begins anew with each fragment, wherever the one before has ended. */
static void play_keys_in_fragments(struct script *s, const struct rule *r)
{
	const unsigned char *text = script_text(s, 200);

	(void)r;
	for (size_t each = 1; each <= 21; each++) {
		send_in_fragments(s, TEXT, text, 200, each);
		expect_message(s, TEXT, text, 200);
	}
}

static void add_keys(struct catalogue *c)
{
	static const unsigned long keys[] = { 0, 0xffffffff, 0x80, 0x80000000, 0x04030201 };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct rule *r = rule_add(
		    c, play_key, "6455 5.3 masking key %08lx is one like any other", keys[i]);

		r->on = ON_SERVER | ON_WIRE;
		r->a = (long)keys[i];
	}
	rule_add(c, play_keys_in_fragments, "6455 5.3 each fragment has a masking key of its own")
	    ->on = ON_SERVER | ON_WIRE;
}

/* --- many, and headers that never end ---------------------------------------------------- */

static void play_many(struct script *s, const struct rule *r)
{
	char text[32];

	for (long i = 0; i < r->a; i++) {
		snprintf(text, sizeof(text), "message %ld", i);
		echo(s, i % 2 ? BINARY : TEXT, text, strlen(text));
	}
}

static void play_every_octet(struct script *s, const struct rule *r)
{
	unsigned char all[256];

	(void)r;
	for (unsigned i = 0; i < sizeof(all); i++)
		all[i] = (unsigned char)i;
	echo(s, BINARY, all, sizeof(all));
}

void add_frame_rules(struct catalogue *c)
{
	add_opcodes(c);
	add_reserved(c);
	add_long_lengths(c);
	add_top_bits(c);
	add_wrong_masks(c);
	add_keys(c);
	rule_add(c, play_many, "6455 5.4 messages that come together are echoed in their order")
	    ->a = 300;
	rule_add(c, play_every_octet, "6455 5.6 binary may hold every octet");
}
