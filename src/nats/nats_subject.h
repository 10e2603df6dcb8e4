/*
 * nats/nats_subject.h - subjects of NATS: tokens between dots, and patterns that match them.
 *
 * In a pattern the token "*" stands for any one token, and ">", which is the last, for one or more.
 * A subject has neither as a token. Both are octets without blanks and control characters.
 */
#ifndef NATS_SUBJECT_H
#define NATS_SUBJECT_H

#include <stdbool.h>

#include "base/bytes.h"

#define NATS_SUBJECT_MAX 1024 /* octets: a line of the protocol has 4096, for several things */

/* What can be published to. */
bool nats_subject_is_valid(struct bytes subject);
/* What can be subscribed to; subjects are patterns, too. */
bool nats_pattern_is_valid(struct bytes pattern);
/* Of a valid pattern and a valid subject. */
bool nats_subject_matches(struct bytes pattern, struct bytes subject);

#endif
