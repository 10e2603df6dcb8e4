/*
 * tests/rules/closing.c - RFC 6455 sections 5.5.1 and 7: the closing handshake.
 */
#include <string.h>

#include "rules/rule.h"
#include "rules/text.h"

/* --- codes --------------------------------------------------------------------------- */

static void play_code(struct script *s, const struct rule *r)
{
	echo_text(s, "before");
	send_close(s, (unsigned)r->a, r->data);
	expect_close(s, (unsigned)r->a);
}

static void play_bad_code(struct script *s, const struct rule *r)
{
	const char *reason = r->data;
	size_t n = strlen(reason);
	unsigned char payload[64];

	payload[0] = (unsigned char)(r->a >> 8);
	payload[1] = (unsigned char)r->a;
	memcpy(payload + 2, reason, n);
	send_frame(s, FIN | CLOSE, payload, 2 + n);
	expect_failure(s, 1002);
}

static void add_codes(struct catalogue *c)
{
	static const long good[] = { 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012,
		1013, 1014, 3000, 3001, 3500, 3999, 4000, 4001, 4500, 4999 };
	static const long bad[] = { 0, 1, 10, 255, 256, 999, 1004, 1005, 1006, 1015, 1016, 1017,
		1100, 1999, 2000, 2999, 5000, 5001, 9999, 32768, 65535 };
	static const char *const with[] = { "", " with a reason" };
	static const char *const reasons[] = { "", "gr\u00fc\u00dfe" };
	struct rule *r;

	for (int k = 0; k < 2; k++) {
		for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
			r = rule_add(
			    c, play_code, "6455 7.4 Close %ld%s is answered", good[i], with[k]);
			r->a = good[i];
			r->data = reasons[k];
		}
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			r = rule_add(c, play_bad_code, "6455 7.4 Close %ld%s fails with 1002",
			    bad[i], with[k]);
			r->a = bad[i];
			r->data = reasons[k];
		}
	}
	r = rule_add(c, play_code, "6455 5.5.1 Close without a code is answered by one without");
	r->a = NO_STATUS;
	r->data = "";
}

/* --- what a Close carries ---------------------------------------------------------------- */

static void play_one_octet(struct script *s, const struct rule *r)
{
	unsigned char octet = (unsigned char)r->a;

	send_frame(s, FIN | CLOSE, &octet, 1);
	expect_failure(s, 1002);
}

static void play_reason(struct script *s, const struct rule *r)
{
	size_t n = (size_t)r->a;
	char *reason = script_room(s, n + 1);

	memcpy(reason, script_text(s, n), n);
	reason[n] = '\0';
	send_close(s, 1000, reason);
	expect_close(s, 1000);
}

static void play_bad_reason(struct script *s, const struct rule *r)
{
	unsigned char payload[32] = "\x03\xe8"
	                            "bad:";

	memcpy(payload + 6, r->data, r->n);
	send_frame(s, FIN | CLOSE, payload, 6 + r->n);
	expect_failure(s, 1007);
}

static void add_payloads(struct catalogue *c)
{
	static const long octets[] = { 0x03, 0x00, 0xff };
	static const long lengths[] = { 1, 2, 61, 62, 122, 123 };
	struct rule *r;

	for (size_t i = 0; i < sizeof(octets) / sizeof(octets[0]); i++)
		rule_add(c, play_one_octet, "6455 5.5.1 Close of one octet, %02lx, fails with 1002",
		    octets[i])
		    ->a = octets[i];
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		rule_add(c, play_reason, "6455 5.5.1 Close with a reason of %ld octets is answered",
		    lengths[i])
		    ->a = lengths[i];
	for (size_t i = 0; i < bad_sequence_count; i++) {
		r = rule_add(c, play_bad_reason,
		    "6455 8.1 Close whose reason has %s fails with 1007", bad_sequences[i].name);
		r->data = bad_sequences[i].octets;
		r->n = bad_sequences[i].n;
	}
	r = rule_add(
	    c, play_bad_reason, "6455 8.1 Close whose reason is cut in a code point fails");
	r->data = "\xe2\x82";
	r->n = 2;
}

/* --- behind a Close ---------------------------------------------------------------------- */

static void behind_text(struct script *s)
{
	send_text(s, "never looked at");
}

static void behind_ping(struct script *s)
{
	send_frame(s, FIN | PING, "ping", 4);
}

static void behind_close(struct script *s)
{
	send_close(s, 1001, "another");
}

static void behind_same_close(struct script *s)
{
	send_close(s, 1000, "");
}

static void behind_reserved(struct script *s)
{
	send_frame(s, FIN | RSV3 | 11, "x", 1);
}

static void behind_bad_text(struct script *s)
{
	send_text(s, "\xff");
}

static void behind_bad_close(struct script *s)
{
	send_close(s, 999, "");
}

static void behind_half_header(struct script *s)
{
	send_octets(s, "\x81", 1);
}

static void behind_garbage(struct script *s)
{
	send_octets(s, "GET / HTTP/1.1\r\n\r\n", 18);
}

static void behind_noise(struct script *s)
{
	send_octets(s, script_noise(s, 300000), 300000);
}

static void behind_many(struct script *s)
{
	for (int i = 0; i < 500; i++)
		send_text(s, "never looked at");
}

static const struct behind {
	const char *name;
	void (*send)(struct script *s);
} behinds[] = {
	{ "a message", behind_text },
	{ "500 messages", behind_many },
	{ "a ping", behind_ping },
	{ "another Close", behind_close },
	{ "the same Close", behind_same_close },
	{ "a reserved opcode", behind_reserved },
	{ "a text that is not UTF-8", behind_bad_text },
	{ "a Close that is wrong", behind_bad_close },
	{ "half a header", behind_half_header },
	{ "an HTTP request", behind_garbage },
	{ "300000 octets of noise", behind_noise },
};

static void play_behind_close(struct script *s, const struct rule *r)
{
	const struct behind *behind = r->data;

	send_close(s, 1000, "");
	behind->send(s);
	expect_close(s, 1000);
}

static void play_behind_failure(struct script *s, const struct rule *r)
{
	const struct behind *behind = r->data;

	send_frame(s, FIN | 3, "", 0);
	behind->send(s);
	expect_failure(s, 1002);
}

static void add_behind(struct catalogue *c)
{
	for (size_t i = 0; i < sizeof(behinds) / sizeof(behinds[0]); i++) {
		rule_add(c, play_behind_close, "6455 5.5.1 behind a Close %s is ignored",
		    behinds[i].name)
		    ->data = &behinds[i];
		rule_add(c, play_behind_failure, "6455 7.1.7 behind a failure %s is ignored",
		    behinds[i].name)
		    ->data = &behinds[i];
	}
}

/* --- before a Close ------------------------------------------------------------------------ */

static void play_messages_before(struct script *s, const struct rule *r)
{
	for (long i = 0; i < r->a; i++)
		echo_text(s, "said in time");
	send_close(s, 1000, "");
	expect_close(s, 1000);
}

static void play_large_before(struct script *s, const struct rule *r)
{
	echo(s, BINARY, script_noise(s, (size_t)r->a), (size_t)r->a);
	send_close(s, 1001, "going");
	expect_close(s, 1001);
}

static void play_ping_before(struct script *s, const struct rule *r)
{
	(void)r;
	send_frame(s, FIN | PING, "in time", 7);
	expect_pong(s, "in time", 7);
	send_close(s, 1000, "");
	expect_close(s, 1000);
}

static void play_within_message(struct script *s, const struct rule *r)
{
	(void)r;
	send_frame(s, TEXT, "begun", 5);
	send_close(s, 1000, "");
	send_frame(s, FIN | CONTINUATION, "never looked at", 15);
	expect_close(s, 1000);
}

static void play_failure_behind_messages(struct script *s, const struct rule *r)
{
	echo(s, TEXT, script_text(s, (size_t)r->a), (size_t)r->a);
	send_frame(s, FIN | PING, "in time", 7);
	expect_pong(s, "in time", 7);
	send_text(s, "\xff");
	expect_failure(s, 1007);
}

static void add_before(struct catalogue *c)
{
	rule_add(c, play_messages_before, "6455 5.5.1 message before a Close is delivered")->a = 1;
	rule_add(c, play_messages_before, "6455 5.5.1 500 messages before a Close are delivered")
	    ->a = 500;
	rule_add(c, play_large_before, "6455 5.5.1 binary of 1 MiB before a Close is delivered")
	    ->a = 1 << 20;
	rule_add(c, play_ping_before, "6455 5.5.2 ping before a Close is answered");
	rule_add(c, play_within_message, "6455 5.4 Close within a message ends it");
	rule_add(
	    c, play_failure_behind_messages, "6455 7.1.7 message before a failure is delivered")
	    ->a = 10;
	rule_add(c, play_failure_behind_messages,
	    "6455 7.1.7 text of 1 MiB before a failure is delivered")
	    ->a = 1 << 20;
}

/* --- no Close -------------------------------------------------------------------------------- */

static void play_nothing(struct script *s, const struct rule *r)
{
	(void)r;
	expect_break(s);
}

static void play_break(struct script *s, const struct rule *r)
{
	struct oddity odd = { .announces = true, .length = 100 };

	echo_text(s, "before");
	switch (r->a) {
	case 1:
		send_octets(s, "\x81", 1);
		break;
	case 2:
		send_odd_frame(s, FIN | TEXT, "cut", 3, &odd);
		break;
	case 3:
		send_frame(s, TEXT, "not the last fragment", 21);
		break;
	case 4:
		odd.length = 2;
		send_odd_frame(s, FIN | CLOSE, "\x03", 1, &odd);
		break;
	default:
		break;
	}
	expect_break(s);
}

static void add_breaks(struct catalogue *c)
{
	static const char *const where[] = { "behind a message", "in a header", "in a payload",
		"between fragments", "in a Close" };

	rule_add(
	    c, play_nothing, "6455 7.1.5 end of the connection at its beginning is not answered");
	for (long i = 0; i < 5; i++)
		rule_add(
		    c, play_break, "6455 7.1.5 end of the connection %s is not answered", where[i])
		    ->a = i;
}

void add_closing_rules(struct catalogue *c)
{
	add_codes(c);
	add_payloads(c);
	add_behind(c);
	add_before(c);
	add_breaks(c);
}
