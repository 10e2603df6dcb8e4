/*
 * hostile/rule.h - one rule: what is to be done, and when. No I/O.
 *
 *	[CONDITION...:] ACTION [CONDITION...]
 *
 *	after 10 frames: black          hold 4096 on xhr_streaming       cut idle 20s silent
 *	connection 2: delay 800         drop first client frame once     502 on POST xhr_send 10%
 *
 * A line is read by rule_parse(); doc/sockjs-hostile.1 has the whole language.
 */
#ifndef HOSTILE_RULE_H
#define HOSTILE_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "hostile/words.h"

enum way { FROM_CLIENT, FROM_SERVER, WAYS };

enum rule_kind {
	/* Decided once for each request, by its head */
	RULE_STATUS,
	RULE_HANG,
	RULE_STRIP_UPGRADE,
	RULE_HTTP_1_0,
	RULE_DUPLICATE,
	RULE_CONNECT_ONLY,
	RULE_HEADER,
	RULE_CLOSE_DELIMITED,
	/* For each frame of a WebSocket */
	RULE_DROP,
	/* For as long as it holds */
	RULE_BLACK,
	RULE_STALL,
	RULE_DELAY,
	RULE_RATE,
	RULE_PIECES,
	RULE_COALESCE,
	RULE_HOLD,
	/* Once */
	RULE_CORRUPT,
	RULE_CUT,
	/* Of the address where clients come in */
	RULE_ACCEPT_NOTHING,
};

enum cut_how { CUT_FIN, CUT_RST, CUT_SILENT };

enum header_how { HEADER_ADD, HEADER_SET, HEADER_REMOVE };

#define RULE_TARGETS_MOST 8
#define RULE_PORTS_MOST   8
#define RULE_TEXT_MAX     1024

/* What requests it is about: all that is given must fit. */
struct rule_target {
	char method[20];    /* "": any */
	char transport[20]; /* "": any; "websocket": whoever asks for an upgrade */
	char path[160];     /* "": any */
};

struct rule_after {
	uint64_t ms, bytes, frames, requests; /* 0: at once */
	bool frames_from[WAYS], bytes_from[WAYS];
	bool upgraded;
};

struct rule {
	enum rule_kind kind;
	bool ways[WAYS]; /* which directions; at least one */
	bool has_way;    /* it was said */
	uint64_t id;     /* its place among the rules, from 1 on */

	/* when */
	struct rule_target targets[RULE_TARGETS_MOST];
	unsigned target_count;
	uint64_t connection_from, connection_to, connection_every; /* 0: any */
	struct rule_after after;
	uint64_t at_ms, idle_ms, for_ms; /* 0: none */
	bool has_at;
	uint64_t times;  /* 0: without end */
	uint32_t chance; /* millionths; 1000000: always */

	/* what */
	uint64_t n;     /* octets, or a frame's number; 0: all of them, until the end */
	uint64_t every; /* each so manieth frame; ms between pieces */
	uint64_t ms, jitter_ms;
	unsigned status;
	enum cut_how how;
	enum header_how header;
	bool of_response; /* the header */
	char name[64], value[256];
	uint16_t ports[RULE_PORTS_MOST];
	unsigned port_count;

	uint64_t used;            /* how often it has acted */
	char text[RULE_TEXT_MAX]; /* as it was written */
};

struct rule_error {
	unsigned line, column; /* from 1; 0: there is none */
	char sentence[240];
};

/* Reads one rule. 0; -EINVAL, and *error says what is wrong and in which column. */
int rule_parse(struct rule *out, struct bytes line, struct rule_error *error);

/* What the kind is called, for logs and errors. */
const char *rule_name(enum rule_kind kind);

/* Whether it is decided by the head of a request. */
static inline bool rule_is_of_request(const struct rule *r)
{
	return r->kind < RULE_DROP;
}

#endif
