/*
 * unruly/records_private.h - between records.c and records_snapshot.c, which tells another process of records; for them
 * alone.
 */
#ifndef UNRULY_RECORDS_PRIVATE_H
#define UNRULY_RECORDS_PRIVATE_H

#include "unruly/records.h"

/* As much of it as is kept; without number and time. NULL when memory is out. */
struct record_message *record_message_copy(const struct sockjs_message *m);
/* The newest of its record, of which the oldest may have to go. */
void record_keep(struct record *record, struct record_message *m);

#endif
