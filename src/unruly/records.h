/*
 * unruly/records.h - what sessions with a name have received, and how they ended: kept for whoever
 * asks by that name, also when they are over.
 *
 * Bounded: so many sessions, of which one that is over makes room for a new one, and so much of each,
 * of which the oldest is forgotten first. Whoever looks at a record holds the lock.
 */
#ifndef UNRULY_RECORDS_H
#define UNRULY_RECORDS_H

#include <pthread.h>

#include "base/list.h"
#include "sockjs.h"
#include "unruly/wishes.h"

#define RECORDS_MOST       128
#define RECORD_MESSAGES    1000           /* of each */
#define RECORD_BYTES       (256 * 1024)   /* likewise, with what each message costs */
#define RECORD_MESSAGE_MAX (64 * 1024)    /* octets that are kept of one message */
#define RECORD_TRANSPORT_MAX 23

struct record_message {
	struct list node;
	uint64_t number; /* from 1 */
	uint64_t at_ms;  /* since the session has opened */
	size_t len;      /* as it came */
	size_t kept;     /* octets of it */
	bool is_binary;
	char data[];
};

struct record {
	struct list node; /* records->all */
	char name[WISHES_NAME_MAX + 1];
	uint64_t session; /* its number */
	char transport[RECORD_TRANSPORT_MAX + 1];
	uint64_t opened; /* by the clock */
	uint64_t count;  /* messages that came */
	struct list messages;
	unsigned kept; /* of them */
	size_t bytes;
	bool is_over;
	unsigned code; /* once it is over */
	char reason[WISHES_REASON_MAX + 1];
};

struct records {
	pthread_mutex_t lock;
	struct list all; /* in the order in which they came */
	unsigned count;
};

void records_init(struct records *r);
void records_fini(struct records *r);

/* A session opens. 0; -EBUSY: there are as many as there may be, and all are open; -ENOMEM. */
int record_begin(struct records *r, struct record **out, const char *name, uint64_t session,
    const char *transport);
/* A message came. What there is no memory for counts, and is forgotten. */
void record_add(struct records *r, struct record *record, const struct sockjs_message *m);
/* It is over: from now on it may make room for another. */
void record_end(struct records *r, struct record *record, unsigned code, const char *reason);

/* Writes the record of a session that is open down; what is read is added to one that has just begun. */
struct snapshot;
void record_snapshot(struct records *r, struct record *record, struct snapshot *s);
/* Likewise, those that are over. */
void records_snapshot(struct records *r, struct snapshot *s);

/* With the lock held: the newest of this name (NULL: any) and number (0: any) that has a higher
 * number than `newer_than`; or NULL. */
const struct record *records_find(
    const struct records *r, const char *name, uint64_t session, uint64_t newer_than);

#endif
