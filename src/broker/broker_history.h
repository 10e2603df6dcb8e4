/*
 * broker/broker_history.h - what was published lately, kept by the owner of its destination; for
 * the files of this folder alone.
 */
#ifndef BROKER_BROKER_HISTORY_H
#define BROKER_BROKER_HISTORY_H

#include "broker/broker_private.h"

void broker_history_init(struct broker_part *part);
void broker_history_fini(struct broker_part *part);
/* A message has got its place; it is kept if a rule says so. */
void broker_history_keep(struct broker_part *part, struct broker_message *m);
/* The rule that a destination for all has; NULL: nothing is kept of it. */
const struct broker_history_rule *broker_history_rule(
    const struct broker *b, struct bytes destination);

/* broker_loads.c */
void broker_loads_init(struct broker_part *part);
void broker_loads_fini(struct broker_part *part);
/* Puts `waiter` behind who waits for this destination, of which peers are asked if they are not already;
 * *number is that of the question, which part->load_number counts. 0 or -ENOMEM. */
int broker_loads_wait(struct broker_part *part, struct bytes destination, uint64_t since,
    struct list *waiter, uint64_t *number);
/* Who waits is put behind `waiting`. */
void broker_loads_take(struct broker_part *part, struct bytes destination, struct list *waiting);
void broker_loads_take_all(struct broker_part *part, struct list *waiting);

/* With a store. */
/* A message gets its place, and will be kept in a while: the sequence of the one before it, of the
 * same destination. */
uint64_t broker_history_follow(struct broker_part *part, struct broker_message *m);
/* The store lacks a message of this destination: what it has of those before must not be taken for
 * all there was. */
void broker_history_break(struct broker_part *part, struct bytes destination);
/* As broker_restore(). */
int broker_history_restore(struct broker_part *part, const struct broker_kept *kept);

#endif
