/*
 * tests/rules/judge.h - whether what came is what had to come.
 */
#ifndef RULES_JUDGE_H
#define RULES_JUDGE_H

#include "rules/subject.h"

/* NULL: all is well; else what differs, in words that live until the next call. `in_order`: pongs
 * come where their pings stood among the messages (a server that gathers messages need not).
 * *compressed: messages that came compressed. */
const char *judge(struct outcome *o, const struct script *s, bool in_order, unsigned *compressed);

#endif
