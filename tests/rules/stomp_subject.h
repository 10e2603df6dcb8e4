/*
 * tests/rules/stomp_subject.h - who is asked: the codec as a reader and as a writer. A server on a
 * socket is one more subject: a row of the table in stomp_rules.c, and a bit of stomp_rule.on.
 */
#ifndef RULES_STOMP_SUBJECT_H
#define RULES_STOMP_SUBJECT_H

#include "rules/cut.h"
#include "rules/stomp_rule.h"

/* What came of a rule; to be freed. */
void stomp_reader_play(struct octets *got, const struct stomp_rule *r, enum stomp_version version,
    enum cut cut, uint32_t seed);
void stomp_writer_play(struct octets *got, const struct stomp_rule *r, enum stomp_version version,
    enum cut cut, uint32_t seed);

#endif
