/*
 * tests/rules/stomp_frames.c - frames: commands, line ends, the blank line, bodies, content-length,
 * what stands between frames, and limits.
 */
#include <stdio.h>

#include "rules/stomp_rule.h"

#define N(array) (sizeof(array) / sizeof(*(array)))

struct row {
	const char *name;
	unsigned versions;
	struct bytes sent, expected;
};

#define ROW(name, versions, sent, expected)                                                        \
	{                                                                                          \
		name, versions, { sent, sizeof(sent) - 1 },                                        \
		{                                                                                  \
			expected, sizeof(expected) - 1                                             \
		}                                                                                  \
	}

static const struct row rows[] = {
	/* the head */
	ROW("1.0 frames: a frame is a command, headers, a blank line, a body and NUL", ALWAYS,
	    "SEND\na:b\nc:d\n\nhello\0", "<SEND|a=b|c=d|hello>"),
	ROW("1.0 frames: headers are optional", ALWAYS, "SEND\n\nhello\0", "<SEND|hello>"),
	ROW("1.0 frames: the body is optional", ALWAYS, "SEND\na:b\n\n\0", "<SEND|a=b|>"),
	ROW("1.0 frames: a frame is not over before its NUL", ALWAYS, "SEND\na:b\n\nhello", "..."),
	ROW("1.0 frames: a head is not over before its blank line", ALWAYS, "SEND\na:b\n", "..."),
	ROW("1.0 frames: NUL before the blank line is malformed", ALWAYS, "SEND\na:b\n\0",
	    "!malformed"),
	ROW("1.0 frames: NUL behind the command is malformed", ALWAYS, "SEND\0", "!malformed"),
	ROW("1.0 frames: NUL in a header is malformed", ALWAYS, "SEND\na:b\0c\n\nx\0",
	    "!malformed"),
	ROW("1.0 frames: NUL between frames is malformed", ALWAYS, "SEND\n\n\0\0",
	    "<SEND|>!malformed"),
	ROW("1.2 frames: a line may end in CR LF", WITH_CR, "SEND\r\na:b\r\n\r\nx\0",
	    "<SEND|a=b|x>"),
	ROW("1.2 frames: line ends may be mixed", WITH_CR, "SEND\r\na:b\nc:d\r\n\nx\0",
	    "<SEND|a=b|c=d|x>"),
	ROW("1.2 frames: a command that ends in LF may have headers that end in CR LF", WITH_CR,
	    "SEND\na:b\r\nc:d\n\r\nx\0", "<SEND|a=b|c=d|x>"),
	ROW("1.2 frames: only one CR belongs to the line end", WITH_CR, "SEND\n\r\r\n\nx\0",
	    "!malformed"),
	ROW("1.2 frames: a body begins right behind the blank line", WITH_CR,
	    "SEND\r\n\r\n\r\nx\r\n\0", "<SEND|\r\nx\r\n>"),
	ROW("1.1 frames: a line ends in LF alone: CR belongs to the value", WITHOUT_CR,
	    "SEND\na:b\r\n\n\0", "<SEND|a=b\r|>"),
	ROW("1.1 frames: a line ends in LF alone: CR makes a command another", WITHOUT_CR,
	    "SEND\r\na:b\n\n\0", "!unknown_command"),
	ROW("1.1 frames: a line ends in LF alone: CR is no blank line", WITHOUT_CR,
	    "SEND\na:b\n\r\n\0", "!malformed"),
	/* headers */
	ROW("1.2 BNF: a header has a colon", ALWAYS, "SEND\nab\n\n\0", "!malformed"),
	ROW("1.2 BNF: a header's name has an octet at least", ALWAYS, "SEND\n:b\n\n\0",
	    "!malformed"),
	ROW("1.2 BNF: a header's value may be empty", ALWAYS, "SEND\na:\n\n\0", "<SEND|a=|>"),
	ROW("1.2 BNF: a blank is not a blank line", ALWAYS, "SEND\n \n\n\0", "!malformed"),
	ROW("1.2 BNF: the first colon ends the name", ALWAYS, "SEND\na:b:c\n\n\0", "<SEND|a=b:c|>"),
	ROW("1.1 header padding: blanks are never trimmed", ALWAYS, "SEND\n a : b\t\n\n\0",
	    "<SEND| a = b\t|>"),
	ROW("1.2 repeated headers: the first entry counts, all are read", ALWAYS,
	    "SEND\na:1\na:2\n\n\0", "<SEND|a=1|a=2|>"),
	ROW("1.2 repeated headers: the first content-length counts", ALWAYS,
	    "SEND\ncontent-length:1\ncontent-length:9\n\nx\0",
	    "<SEND|content-length=1|content-length=9|x>"),
	ROW("1.2 frames: header names are case sensitive", ALWAYS, "SEND\nContent-Length:9\n\nx\0",
	    "<SEND|Content-Length=9|x>"),
	/* content-length */
	ROW("1.2 content-length: so many octets are read whatever NUL is among them", ALWAYS,
	    "SEND\ncontent-length:5\n\n\0a\0b\0\0", "<SEND|content-length=5|\0a\0b\0>"),
	ROW("1.2 content-length: it counts octets, not characters", ALWAYS,
	    "SEND\ncontent-length:2\n\n\xc3\xa9\0", "<SEND|content-length=2|\xc3\xa9>"),
	ROW("1.2 content-length: NUL stands behind the body all the same", ALWAYS,
	    "SEND\ncontent-length:1\n\nxy\0", "!malformed"),
	ROW("1.2 content-length: a body that ends early is not over", ALWAYS,
	    "SEND\ncontent-length:3\n\nx\0", "..."),
	ROW("1.2 content-length: it may be 0", ALWAYS, "SEND\ncontent-length:0\n\n\0",
	    "<SEND|content-length=0|>"),
	ROW("1.2 content-length: 0 and a body do not agree", ALWAYS,
	    "SEND\ncontent-length:0\n\nx\0", "!malformed"),
	ROW("1.2 content-length: all frames may have one", ALWAYS,
	    "DISCONNECT\ncontent-length:0\n\n\0", "<DISCONNECT|content-length=0|>"),
	ROW("1.2 content-length: without one the first NUL ends the body", ALWAYS,
	    "SEND\n\na\0SEND\n\nb\0", "<SEND|a><SEND|b>"),
	/* between frames */
	ROW("1.2 frames: line ends may follow a frame", ALWAYS, "SEND\n\n\0\n\n\nSEND\n\n\0\n",
	    "<SEND|><SEND|>"),
	ROW("1.2 frames: no line end need follow a frame", ALWAYS, "SEND\n\n\0SEND\n\n\0",
	    "<SEND|><SEND|>"),
	ROW("1.2 frames: CR LF may follow a frame", WITH_CR, "SEND\n\n\0\r\n\n\r\nSEND\n\n\0\r\n",
	    "<SEND|><SEND|>"),
	ROW("1.1 heart-beating: CR LF is no heart-beat", WITHOUT_CR, "\r\n", "!unknown_command"),
	ROW("1.1 heart-beating: a line feed alone is no frame", ALWAYS, "\n\n\n\n\n\n\n\n\n\n\n",
	    ""),
	ROW("1.2 BNF: other blanks may not stand between frames", ALWAYS, "SEND\n\n\0 \nSEND\n\n\0",
	    "<SEND|>!unknown_command"),
	/* bodies */
	ROW("1.0 frames: a body may hold any octet but NUL", ALWAYS,
	    "SEND\n\n\x01\x7f\x80\xff\xed\xa0\x80\\n\r\n\n\0",
	    "<SEND|\x01\x7f\x80\xff\xed\xa0\x80\\n\r\n\n>"),
	ROW("1.0 frames: what other commands have as a body is not looked at", IN_1_0,
	    "ABORT\n\nx\0ACK\ncontent-length:1\n\n\0\0SEND\n\nx\0",
	    "<ABORT|><ACK|content-length=1|><SEND|x>"),
	ROW("1.0 frames: a head may be in any encoding", IN_1_0, "SEND\na:\xe9\xff\n\n\0",
	    "<SEND|a=\xe9\xff|>"),
	/* binary frames that a client has made text of, since its transport has only that */
	ROW("SockJS: the name of a type in JavaScript is no command", ALWAYS,
	    "[object ArrayBuffer]", "!binary_as_text"),
	ROW("SockJS: the octets of a frame in decimals are no command", ALWAYS, "67,79,78",
	    "!binary_as_text"),
	ROW("SockJS: one number is no list of octets", ALWAYS, "67,\n", "!unknown_command"),
	/* limits */
	ROW("1.2 size limits: at most so many headers", ALWAYS,
	    "SEND\na:\na:\na:\na:\na:\na:\na:\na:\na:\na:\na:\na:\na:\na:\na:\na:\na:\n\n\0",
	    "!too_large"),
	ROW("1.2 size limits: a body's size is refused as it is announced", ALWAYS,
	    "SEND\ncontent-length:4097\n\n", "!too_large"),
	ROW("1.2 size limits: a length beyond all numbers is refused", ALWAYS,
	    "SEND\ncontent-length:18446744073709551616\n\n\0", "!too_large"),
};

static struct stomp_rule *add_reading(
    struct stomp_catalogue *c, unsigned versions, const char *name, struct bytes sent)
{
	struct stomp_rule *r = stomp_rule_add(c, ON_READER, versions, "%s", name);

	stomp_rule_send(r, sent.p, sent.n);
	return r;
}

/* --- commands --------------------------------------------------------------------- */

static bool has_body(enum stomp_command command)
{
	return command == STOMP_SEND || command == STOMP_MESSAGE || command == STOMP_ERROR;
}

static void send_text(struct stomp_rule *r, const char *text)
{
	stomp_rule_send(r, text, strlen(text));
}

static void expect_text(struct stomp_rule *r, const char *text)
{
	stomp_rule_expect(r, text, strlen(text));
}

/* Only SEND, MESSAGE and ERROR may have a body; 1.0 does not say so. */
static void add_body_rules(struct stomp_catalogue *c, enum stomp_command command)
{
	const char *name = stomp_command_name(command);
	bool may = has_body(command);
	unsigned versions = may ? ALWAYS : ALWAYS & ~IN_1_0;
	struct stomp_rule *r = stomp_rule_add(
	    c, ON_READER, versions, "1.1 body: %s %s have a body", name, may ? "may" : "must not");

	send_text(r, name);
	stomp_rule_send(r, "\n\nhello", 8);
	expect_text(r, may ? "<" : "!unexpected_body");
	if (may) {
		expect_text(r, name);
		expect_text(r, "|hello>");
		return;
	}
	r = stomp_rule_add(c, ON_READER, versions, "1.1 body: %s must not announce a body", name);
	send_text(r, name);
	send_text(r, "\ncontent-length:1\n\n");
	expect_text(r, "!unexpected_body");
}

static void expect_empty_frame(struct stomp_rule *r, const char *name)
{
	expect_text(r, "<");
	expect_text(r, name);
	expect_text(r, "|>");
}

static void add_command_rules(struct stomp_catalogue *c, enum stomp_command command)
{
	const char *name = stomp_command_name(command);
	struct stomp_rule *r =
	    stomp_rule_add(c, ON_READER, ALWAYS, "1.2 BNF: %s is a command", name);
	char lower = (char)(name[0] + 'a' - 'A');

	send_text(r, name);
	stomp_rule_send(r, "\n\n", 3);
	expect_empty_frame(r, name);
	r = stomp_rule_add(c, ON_READER, ALWAYS, "1.2 frames: %s is case sensitive", name);
	stomp_rule_send(r, &lower, 1);
	send_text(r, name + 1);
	stomp_rule_send(r, "\n\n", 3);
	expect_text(r, "!unknown_command");
	r = stomp_rule_add(c, ON_READER, ALWAYS, "1.2 BNF: %s and a blank are no command", name);
	send_text(r, name);
	stomp_rule_send(r, " \n\n", 4);
	expect_text(r, "!unknown_command");
	r = stomp_rule_add(c, ON_READER, WITH_CR, "1.2 frames: %s may stand between CR LF", name);
	send_text(r, "\r\n");
	send_text(r, name);
	stomp_rule_send(r, "\r\n\r\n\0\r\n", 7);
	expect_empty_frame(r, name);
	add_body_rules(c, command);
}

/* --- content-length that is no number -------------------------------------------- */

static void add_length_rules(struct stomp_catalogue *c)
{
	static const char *const lengths[] = { "", "+1", "-1", " 1", "1 ", "\t1", "0x1", "1e0",
		"1.0", "1,1", "one", "1\xc2\xb2", "\xd9\xa1" };

	for (size_t i = 0; i < N(lengths); i++) {
		struct stomp_rule *r = stomp_rule_add(c, ON_READER, ALWAYS,
		    "1.2 content-length: it is a number of octets, not '%s'", lengths[i]);

		send_text(r, "SEND\ncontent-length:");
		send_text(r, lengths[i]);
		stomp_rule_send(r, "\n\nx", 4);
		expect_text(r, "!malformed");
	}
}

/* The rest of the frame is there as well. */
static void add_whole_size_rule(struct stomp_catalogue *c, size_t n, bool fits)
{
	struct stomp_rule *r = stomp_rule_add(c, ON_READER, ALWAYS,
	    "1.2 size limits: a header of %zu in a whole frame is %s", n,
	    fits ? "read" : "refused");

	send_text(r, "SEND\na:");
	expect_text(r, fits ? "<SEND|a=" : "!too_large");
	for (size_t i = 2; i < n; i++) {
		send_text(r, "x");
		expect_text(r, fits ? "x" : "");
	}
	stomp_rule_send(r, "\n\n", 3);
	expect_text(r, fits ? "|>" : "");
}

static void add_size_rule(
    struct stomp_catalogue *c, const char *what, const char *head, size_t n, char octet, bool fits)
{
	struct stomp_rule *r = stomp_rule_add(c, ON_READER, ALWAYS, "1.2 size limits: %s of %zu %s",
	    what, n, fits ? "is waited for" : "is refused before it is whole");

	send_text(r, head);
	for (size_t i = 0; i < n; i++)
		stomp_rule_send(r, &octet, 1);
	expect_text(r, fits ? "..." : "!too_large");
}

void add_stomp_frame_rules(struct stomp_catalogue *c)
{
	for (size_t i = 0; i < N(rows); i++) {
		struct stomp_rule *r = add_reading(c, rows[i].versions, rows[i].name, rows[i].sent);

		stomp_rule_expect(r, rows[i].expected.p, rows[i].expected.n);
	}
	for (int command = STOMP_NONE + 1; command < STOMP_COMMANDS; command++)
		add_command_rules(c, (enum stomp_command)command);
	add_length_rules(c);
	add_size_rule(c, "a command", "", 256, 'A', true);
	add_size_rule(c, "a command", "", 257, 'A', false);
	add_size_rule(c, "a header", "SEND\n", 256, 'a', true);
	add_size_rule(c, "a header", "SEND\n", 257, 'a', false);
	add_whole_size_rule(c, 256, true);
	add_whole_size_rule(c, 257, false);
	add_size_rule(c, "a body", "SEND\n\n", 4096, 'a', true);
	add_size_rule(c, "a body", "SEND\n\n", 4097, 'a', false);
}
