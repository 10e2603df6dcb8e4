/*
 * pubsub/keep_opening.h - journals that are being opened, and what was found in them; for the files
 * that do it alone.
 *
 *	keep_open.c  the directory, who the broker is, and the order of it all
 *	keep_read.c  records that are found
 *	keep_move.c  what belongs to another part now
 */
#ifndef PUBSUB_KEEP_OPENING_H
#define PUBSUB_KEEP_OPENING_H

#include "pubsub/keep.h"

#define JOURNALS_MOST 1024 /* as there are threads at most */

/* A message, or a count, that some journal has. */
struct found {
	uint64_t sequence;
	unsigned journal;
	bool is_count;
	bool is_queued;
	struct published *message; /* NULL: a count */
	struct keep_entry *entry;  /* of the message */
	struct journal_record *record;
	uint64_t before, at_ms;
	uint32_t deliveries;
};

/* A broker that has run. */
struct former {
	struct journal_record *record;
	unsigned journal;
	struct keep_run run;
};

/* What is to be dropped once all else is durable. */
struct leftover {
	unsigned journal;
	struct journal_record *record;
	struct keep_entry *entry; /* that it is in; NULL: it stands for itself */
};

struct opening {
	struct keeper *keeper;
	struct journal *journals[JOURNALS_MOST]; /* NULL: there is none */
	unsigned at;                             /* that is being read */
	bool was_intact;
	uint64_t now_ms, last; /* the highest sequence */
	struct buf found, formers, leftovers, scratch;
	struct keep_record record; /* scratch too: it is large */
	char *why;
	size_t size;
};

/* Says what keeps it from opening, in the journal that it is at; returns err. */
int opening_refuse(struct opening *o, int err, const char *key, const char *what);
int opening_no_memory(struct opening *o);

/* All of it, as an array. */
static inline struct found *opening_found(struct opening *o, size_t *count)
{
	*count = buf_len(&o->found) / sizeof(struct found);
	return (void *)buf_data(&o->found);
}

static inline const struct former *opening_formers(const struct opening *o, size_t *count)
{
	*count = buf_len(&o->formers) / sizeof(struct former);
	return (const void *)buf_data(&o->formers);
}

/* keep_read.c: a journal tells a record. */
int opening_on_recovered(
    void *opening, uint64_t number, struct bytes body, struct journal_record **record);

/* keep_move.c: puts what belongs to another part there. Afterwards each message is once in `found`,
 * in the order of sequences. */
int opening_move(struct opening *o);
/* When that is durable: drops what was there before. */
void opening_drop_leftovers(struct opening *o);

#endif
