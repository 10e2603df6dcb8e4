/*
 * tests/rules/negotiation.h - whether the answer to an offer of permessage-deflate fits
 * it (RFC 7692 sections 5 and 7.1).
 */
#ifndef RULES_NEGOTIATION_H
#define RULES_NEGOTIATION_H

#include "rules/deflate.h"
#include "rules/rule.h"

/* EXTENSIONS: the value of the response's header; NULL: none. FITTING NULL: nothing was offered.
 * NULL, or what is wrong; *agreed is set if there are extensions. */
const char *negotiation_check(
    const struct fitting *fitting, const char *extensions, struct agreed *agreed);

#endif
