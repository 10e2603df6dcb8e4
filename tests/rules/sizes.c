/*
 * tests/rules/sizes.c - RFC 6455 section 5.2 and 10.4: messages of every class of size,
 * up to the limit and beyond.
 */
#include "rules/rule.h"

static unsigned opcode_of(const struct rule *r)
{
	return r->b ? BINARY : TEXT;
}

static const unsigned char *payload_of(struct script *s, const struct rule *r, size_t n)
{
	return r->b ? script_noise(s, n) : script_text(s, n);
}

static const char *const types[] = { "text", "binary" };

static void play_size(struct script *s, const struct rule *r)
{
	size_t n = (size_t)r->a;

	echo(s, opcode_of(r), payload_of(s, r, n), n);
	if (n <= 65537) /* the next one begins where this has ended */
		echo(s, opcode_of(r), payload_of(s, r, n), n);
}

static void play_two_fragments(struct script *s, const struct rule *r)
{
	size_t n = (size_t)r->a;
	const unsigned char *p = payload_of(s, r, n);

	send_in_fragments(s, opcode_of(r), p, n, (n + 1) / 2);
	expect_message(s, opcode_of(r), p, n);
	echo_text(s, "behind");
}

static void add_sizes(struct catalogue *c)
{
	static const long sizes[] = { 0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 124, 125, 126, 127, 128, 129,
		255, 256, 257, 511, 512, 513, 1024, 4096, 16384, 32768, 65534, 65535, 65536, 65537,
		131072, 262144, 1 << 20 };

	for (long type = 0; type < 2; type++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			struct rule *r = rule_add(c, play_size,
			    "6455 5.2 %s of %ld octets comes back", types[type], sizes[i]);

			r->a = sizes[i];
			r->b = type;
			if (sizes[i] < 2)
				continue;
			r = rule_add(c, play_two_fragments,
			    "6455 5.4 %s of %ld octets in halves comes back", types[type],
			    sizes[i]);
			r->a = sizes[i];
			r->b = type;
		}
}

/* --- the limit ------------------------------------------------------------------- */

static void play_limit(struct script *s, const struct rule *r)
{
	echo(s, opcode_of(r), payload_of(s, r, MESSAGE_MAX), MESSAGE_MAX);
}

/* The header alone is enough: nothing of what it announces is sent. */
static void play_announced(struct script *s, const struct rule *r)
{
	struct oddity odd = { .announces = true, .length = (uint64_t)r->a, .width = 8 };

	echo_text(s, "before");
	send_odd_frame(s, FIN | opcode_of(r), "", 0, &odd);
	expect_failure(s, 1009);
}

static void play_limit_in_fragments(struct script *s, const struct rule *r)
{
	size_t n = MESSAGE_MAX + (size_t)r->a;
	const unsigned char *p = payload_of(s, r, n);

	send_in_fragments(s, opcode_of(r), p, n, MESSAGE_MAX / 16);
	if (r->a)
		expect_failure(s, 1009);
	else
		expect_message(s, opcode_of(r), p, n);
}

/* Every frame is small enough; their sum wraps around. */
static void play_sum_that_wraps(struct script *s, const struct rule *r)
{
	struct oddity odd = { .announces = true, .length = INT64_MAX, .width = 8 };

	send_frame(s, opcode_of(r), "ab", 2);
	send_odd_frame(s, FIN | CONTINUATION, "", 0, &odd);
	expect_failure(s, 1009);
}

static void add_limits(struct catalogue *c)
{
	static const struct {
		long n;
		const char *name;
	} announced[] = { { MESSAGE_MAX + 1L, "one octet over 16 MiB" }, { 0x7fffffff, "2^31-1" },
		{ 0x80000000, "2^31" }, { 0xffffffff, "2^32-1" }, { 0x100000000, "2^32" },
		{ 0x100000001, "2^32+1" }, { INT64_MAX, "2^63-1" } };

	for (long type = 0; type < 2; type++) {
		rule_add(c, play_limit, "6455 10.4 %s of 16 MiB comes back", types[type])->b = type;
		rule_add(c, play_limit_in_fragments,
		    "6455 10.4 %s of 16 MiB in fragments comes back", types[type])
		    ->b = type;
		struct rule *r = rule_add(c, play_limit_in_fragments,
		    "6455 10.4 %s of 16 MiB and an octet in fragments fails with 1009",
		    types[type]);
		r->a = 1;
		r->b = type;
		rule_add(c, play_sum_that_wraps,
		    "6455 10.4 %s: a sum of 2^63+1 octets fails with 1009", types[type])
		    ->b = type;
		for (size_t i = 0; i < sizeof(announced) / sizeof(announced[0]); i++) {
			r = rule_add(c, play_announced,
			    "6455 10.4 %s: a header that announces %s fails with 1009", types[type],
			    announced[i].name);
			r->a = announced[i].n;
			r->b = type;
		}
	}
}

void add_size_rules(struct catalogue *c)
{
	add_limits(c);
	add_sizes(c);
}
