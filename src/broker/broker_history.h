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

#endif
