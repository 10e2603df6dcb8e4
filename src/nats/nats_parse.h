/*
 * nats/nats_parse.h - octets of a NATS server to what they say. No I/O.
 *
 *	INFO {json}                                       MSG subject sid [reply] size
 *	PING, PONG, +OK, -ERR 'text'                      HMSG subject sid [reply] headers size
 *
 * Each line ends with CR LF, and so does the payload behind the line of MSG and HMSG. Whoever owns
 * a parser feeds it what came, cut wherever it was cut, and gets one event at a time. What lies
 * whole in what was fed is not copied. Memory is taken for what has come, never for what is
 * announced.
 */
#ifndef NATS_PARSE_H
#define NATS_PARSE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/bytes.h"

#define NATS_LINE_MAX 4096        /* with its CR LF */
#define NATS_INFO_MAX (64 * 1024) /* the line of INFO, which names a whole cluster */

enum nats_op { NATS_NONE, NATS_INFO, NATS_MSG, NATS_PING, NATS_PONG, NATS_OK, NATS_ERR };

/* Views into what was fed or into the parser, until it is called again. */
struct nats_event {
	enum nats_op op;
	/* MSG, of HMSG too */
	uint64_t sid;
	struct bytes subject;
	struct bytes reply;   /* empty: none is wanted */
	struct bytes headers; /* the whole block, for nats_headers.h; empty: there are none */
	struct bytes payload;
	/* INFO: the JSON. ERR: without its quotation marks */
	struct bytes text;
};

struct nats_parser {
	size_t max_payload; /* octets of a message, its headers included */
	const char *why;    /* after a failure: a sentence */
	struct buf partial; /* an event that is cut, from its first octet */
	size_t line;        /* of that, the line; 0: its end has not come */
	size_t body;        /* and what belongs behind it */
	bool is_told;       /* `partial` is the last event */
};

void nats_parser_init(struct nats_parser *p, size_t max_payload);
/* Frees what it holds; it can be fed the beginning of another connection. */
void nats_parser_reset(struct nats_parser *p);

/* Takes octets, and returns how many; then either e->op is an event, and the rest is to be fed
 * again, or it is NATS_NONE and all were taken. -EBADMSG or -EMSGSIZE: p->why says what is wrong;
 * -ENOMEM. Nothing may be fed after a failure but to a parser that was reset. */
ssize_t nats_parse(struct nats_parser *p, const char *data, size_t n, struct nats_event *e);

/* Strict: digits alone, and no more than a uint64_t can say. */
bool nats_parse_number(struct bytes text, uint64_t *number);

#endif
