/*
 * checkup/advice.h - a line or two for each cause.
 */
#ifndef CHECKUP_ADVICE_H
#define CHECKUP_ADVICE_H

#include "checkup/diagnosis.h"

/* `best` as struct diagnosis has it. */
const char *advice_for_user(enum cause cause, int best);
const char *advice_for_administrator(enum cause cause);

#endif
