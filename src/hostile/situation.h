/*
 * hostile/situation.h - whether a rule holds, as a connection stands now. No I/O.
 */
#ifndef HOSTILE_SITUATION_H
#define HOSTILE_SITUATION_H

#include "hostile/rule.h"

/* What a request is, to rules. */
struct request_facts {
	char method[20];
	char
	    transport[20]; /* the last segment of its path; "websocket" if it asks for an upgrade */
	char path[512];    /* cut if it is longer; without the query */
};

/* Counted since `began_ms`. */
struct counts {
	uint64_t began_ms;
	uint64_t bytes[WAYS], frames[WAYS];
};

struct situation {
	uint64_t now, rules_ms;
	uint64_t connection, requests;       /* from 1 */
	const struct request_facts *request; /* NULL: none is under way */
	struct counts total, here; /* of the connection; of the request that is under way */
	uint64_t heard_ms;         /* when octets came last */
	bool upgraded;
};

#define NEVER UINT64_MAX

/* Reads method, path and transport. */
void request_facts_read(
    struct request_facts *f, struct bytes method, struct bytes path, bool asks_upgrade);

/* Whether it is about this connection and the request under way. */
bool rule_is_about(const struct rule *r, const struct situation *s);
/* Whether, besides, its time has come. If that is a matter of time alone, *wait becomes the
 * milliseconds until then, unless it is less already. */
bool rule_is_due(const struct rule *r, const struct situation *s, uint64_t *wait);
/* How many octets may pass in this direction before it may become due; NEVER. */
uint64_t rule_edge(const struct rule *r, const struct situation *s, enum way way);
/* What it counts: with `on` those of the request. */
const struct counts *rule_counts(const struct rule *r, const struct situation *s);

#endif
