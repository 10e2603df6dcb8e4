/*
 * checkup/trial_private.h - what the two files of a trial share: trial.c is its course,
 * trial_load.c what it sends in masses.
 */
#ifndef CHECKUP_TRIAL_PRIVATE_H
#define CHECKUP_TRIAL_PRIVATE_H

#include "checkup/trial.h"

#define FILL_MOST ((size_t)256 << 10) /* octets that are sent into what is held */

/* --- trial.c ----------------------------------------------------------------------------- */

void trial_wait(struct trial *t, unsigned ms);
/* How long an answer may take. */
unsigned trial_patience(const struct trial *t);
void trial_say(
    struct trial *t, int (*compose)(struct buf *, unsigned, unsigned), unsigned a, unsigned b);
void trial_finish(struct trial *t);

/* --- trial_load.c ------------------------------------------------------------------------ */

/* More of it, until something is let go. */
void trial_fill(struct trial *t);
void trial_let_go(struct trial *t);
/* More frames and octets than many a network lets pass before it has had enough. */
void trial_load(struct trial *t);
void trial_load_came(struct trial *t);
void trial_load_is_late(struct trial *t);
/* What the server says by itself, if it is one that can be asked to. */
void trial_pushed(struct trial *t, long long at_ms);

#endif
