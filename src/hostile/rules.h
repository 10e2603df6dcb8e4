/*
 * hostile/rules.h - the rules of a scenario, in their order: read from text, added to, replaced.
 * No I/O.
 *
 * Lines that are empty, and what stands behind a '#' at the beginning of a line, are passed over; a
 * semicolon parts rules on one line. Of several rules that say the same thing about a request or a
 * direction the first counts.
 */
#ifndef HOSTILE_RULES_H
#define HOSTILE_RULES_H

#include <stddef.h>

#include "hostile/rule.h"

#define RULES_MOST      256
#define RULES_TEXT_MOST 65536

struct rules {
	struct rule *rule[RULES_MOST];
	size_t count;
	uint64_t given_ms;   /* since when they are in force */
	uint64_t generation; /* rises when some were taken away */
};

/* Zeroed is empty. */
void rules_fini(struct rules *rules);
/* Adds those of the text: all, or none. 0; -EINVAL, and *error says where; -ENOMEM; -E2BIG: there
 * are too many (said in *error, too). */
int rules_add(struct rules *rules, struct bytes text, struct rule_error *error);
/* Those of the text are in the place of all others; on an error nothing changes. */
int rules_replace(struct rules *rules, struct bytes text, uint64_t now, struct rule_error *error);
void rules_clear(struct rules *rules, uint64_t now);

#endif
