/*
 * pubsub/keep.h - the broker's store is a journal for each of its parts: what the files of it
 * share, and what the rest of this folder asks of it.
 *
 *	keep_record.c  records to octets and back
 *	keep.c         while the broker runs: puts, drops, and who waits for them
 *	keep_open.c    what was there before; keep_read.c, keep_move.c: also when there were more
 * parts then, or fewer
 *
 * A part's journal is DIRECTORY/N, and its thread's alone from when the reactors run. The file
 * DIRECTORY/intact says that no journal has failed: else ids of before must not be believed.
 */
#ifndef PUBSUB_KEEP_H
#define PUBSUB_KEEP_H

#include "journal/journal.h"
#include "pubsub/keep_record.h"
#include "pubsub/pubsub.h"
#include "server/options.h"
#include "server/turn.h"

/* What the journal has of a message; freed with it. */
struct keep_entry {
	struct journal_record message;
	struct journal_record *count; /* NULL: it was never delivered in vain */
};

struct keep_part {
	struct server_turn turn;
	struct keeper *keeper;
	struct journal *journal;    /* NULL: it is not open */
	struct journal_record *run; /* the broker's record; NULL: there is none */
	struct list waiting;        /* struct broker_wait: their marks rise */
	struct buf scratch;
	uint64_t reserved; /* as the record says */
	uint64_t errors;   /* what was not written */
	bool has_failed;
	bool has_begun; /* it had a turn */
};

struct keeper {
	struct sockjs_broker *broker;
	char *directory;
	int directory_fd;
	struct journal_options options; /* of each */
	uint64_t room;                  /* octets of each for messages */
	bool is_durable;                /* what is answered outlasts the machine */
	struct broker_identity identity;
	char boot[KEEP_BOOT];
	bool is_open;
	unsigned count;
	struct keep_part parts[];
};

#define KEEP_INTACT "intact"
#define KEEP_BLOCK  (UINT64_C(1) << 32) /* numbers of messages that are reserved at a time */

/* keep_open.c: reads what is there, and gives it to the broker. 0, or -errno and a sentence. */
int keep_open(struct keeper *k, char *why, size_t size);

/* keep.c, for keep_open.c: what is put is not durable yet. 0 or -errno. */
int keep_put_message(struct keep_part *part, const struct published *p, enum keep_kind kind,
    uint64_t before, uint64_t at_ms, struct journal_record *record);
int keep_put_count(
    struct keep_part *part, uint64_t sequence, unsigned deliveries, struct journal_record *record);
/* In place of the one before. */
int keep_put_run(struct keep_part *part, uint64_t reserved, bool in_order);
void keep_use(struct keeper *k, uint64_t first);
uint64_t keep_wall_ms(void);

#endif
