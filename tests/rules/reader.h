/*
 * tests/rules/reader.h - reads what the code under test has sent, and lets nothing
 * pass that RFC 6455 forbids: masks, reserved bits, opcodes, lengths, order, UTF-8.
 */
#ifndef RULES_READER_H
#define RULES_READER_H

#include "rules/octets.h"

struct inflater;

struct reader {
	unsigned char *p; /* unmasked in place */
	size_t n, at;
	bool masked;               /* as frames must be: they come from a client */
	struct inflater *inflater; /* NULL: no permessage-deflate */
	bool compressed;           /* the message under way */
	unsigned opcode;           /* the same; 0: none */
	bool closed;
	unsigned compressed_count; /* messages that came compressed */
	struct octets message, inflated;
};

/* A message, a pong, a ping or a Close. */
struct heard {
	unsigned opcode;
	const unsigned char *p;
	size_t n;
};

void reader_init(struct reader *r, struct octets *got, bool masked, struct inflater *inflater);
void reader_fini(struct reader *r);

/* True: *heard is what came next. False: *wrong says what is wrong, or is NULL at the end. */
bool reader_next(struct reader *r, struct heard *heard, const char **wrong);

#endif
