/*
 * tests/rules/stomp_rule.h - the catalogue: every rule of STOMP 1.0, 1.1 and 1.2 that can be seen
 * from outside, as a case of its own. Its name is a sentence that can be false, behind the version
 * and the section that says so.
 *
 * A rule is asked of a subject (stomp_subject.h). What a reader makes of octets, and what a writer
 * is to write, is put down as text: "<SEND|a=b|hello>" for each frame, "!malformed" for a failure.
 */
#ifndef RULES_STOMP_RULE_H
#define RULES_STOMP_RULE_H

#include "base/bytes.h"
#include "rules/octets.h"
#include "stomp/stomp_frame.h"

/* Who has to keep a rule. */
enum {
	ON_READER = 1, /* octets to frames */
	ON_WRITER = 2, /* frames to octets */
};

/* In which versions it holds. */
enum {
	AT_FIRST = 1 << STOMP_UNDECIDED, /* before one is agreed on */
	IN_1_0 = 1 << STOMP_1_0,
	IN_1_1 = 1 << STOMP_1_1,
	IN_1_2 = 1 << STOMP_1_2,
	WITH_ESCAPES = IN_1_1 | IN_1_2,
	WITH_CR = IN_1_2 | AT_FIRST,
	WITHOUT_CR = IN_1_0 | IN_1_1,
	AGREED = IN_1_0 | IN_1_1 | IN_1_2,
	ALWAYS = AGREED | AT_FIRST,
};

struct stomp_rule {
	char name[160];
	unsigned on, versions;
	struct octets sent;     /* to a reader */
	struct octets expected; /* of a reader text, of a writer octets */
	/* for a writer */
	enum stomp_command command;
	struct stomp_header header; /* name.p NULL: none */
	struct bytes body;
};

struct stomp_catalogue {
	struct stomp_rule **rules;
	size_t count, capacity;
};

/* Adds a rule; lives as long as the program. */
struct stomp_rule *stomp_rule_add(struct stomp_catalogue *c, unsigned on, unsigned versions,
    const char *name, ...) __attribute__((format(printf, 4, 5)));

/* More of what is sent, and of what is expected. */
void stomp_rule_send(struct stomp_rule *r, const void *p, size_t n);
void stomp_rule_expect(struct stomp_rule *r, const void *p, size_t n);

/* --- the families, one a file ------------------------------------------------- */

void add_stomp_frame_rules(struct stomp_catalogue *c);  /* stomp_frames.c: lines, bodies, ends */
void add_stomp_header_rules(struct stomp_catalogue *c); /* stomp_headers.c: escapes, UTF-8 */
void add_stomp_writer_rules(struct stomp_catalogue *c); /* stomp_writing.c */

#endif
