/*
 * tests/rules/opening.h - an opening handshake, and the answers to it that are right.
 */
#ifndef RULES_OPENING_H
#define RULES_OPENING_H

#include "rules/octets.h"

enum { STATUSES_MAX = 4 };

struct opening {
	struct octets request;
	const char *key;                 /* whose accept key must come with 101 */
	unsigned statuses[STATUSES_MAX]; /* that are right, ended by 0; none: all but 101 */
};

/* As it should be, with an offer of extensions: '\n' between lines, NULL: none. */
void opening_default(struct opening *o, const char *offer);
void opening_free(struct opening *o);

#endif
