/*
 * journal/journal.h - a write-ahead journal: what is put into it is there again after a restart,
 * until it is dropped.
 *
 * A journal is a directory of segments, which are only ever written at their end. It holds records
 * of any octets; live are those that were put and not dropped. journal_open() tells all live ones,
 * in the order in which they were put. A record that was put is lost in a crash until it is
 * durable, and it is durable when journal_durable() has come up to the mark that journal_mark()
 * showed right after it; the same is true of drops. What a crash leaves is always the state after
 * some put or drop: nothing is there that was put later than something that is missing.
 *
 * Puts and drops are collected, and journal_flush(), at the end of each turn of a loop, writes and
 * syncs all of them at once. With io_uring it does not wait: the loop watches journal_fd() and
 * calls journal_poll(). Without, it blocks in write(2) and fdatasync(2).
 *
 * A journal belongs to one thread, and to one process: the directory is locked. doc/journal.md has
 * the format of the files, and what is lost when.
 */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/bytes.h"
#include "base/list.h"

struct journal;
struct journal_segment;

#define JOURNAL_RECORD_MAX (UINT32_C(1) << 30) /* octets */

/* Where a live record is; the owner embeds it in what the record stands for, and leaves the memory
 * where it is until the record is dropped or the journal closed. */
struct journal_record {
	struct list link;                /* the journal's */
	struct journal_segment *segment; /* likewise */
	uint64_t number;                 /* of this record alone, rising, also over restarts */
	uint32_t offset, length;
};

enum journal_sync {
	JOURNAL_SYNC_ALWAYS,   /* with each flush */
	JOURNAL_SYNC_INTERVAL, /* every interval_ms, if there is something */
	JOURNAL_SYNC_NEVER,    /* the kernel writes when it likes */
};

/* A live record, while the journal opens. Sets *record to where the journal may keep what it knows
 * of it, or to NULL: then the record is dropped. `body` is gone after the call. Nothing may be put
 * or dropped from within. 0, or -errno, which ends journal_open(). */
typedef int (*journal_recovered_fn)(
    void *arg, uint64_t number, struct bytes body, struct journal_record **record);

struct journal_options {
	enum journal_sync sync;
	uint32_t interval_ms;           /* 0: 1000 */
	uint32_t segment_bytes;         /* 1 KiB to 1 GiB; 0: 16 MiB. A longer record has its own */
	uint64_t max_bytes;             /* of all files, at least 4 segments; 0: no limit */
	size_t max_pending_bytes;       /* waiting for a slow disk; 0: 16 MiB */
	bool blocking;                  /* do without io_uring */
	bool repair;                    /* skip what is damaged, instead of refusing to open */
	journal_recovered_fn recovered; /* NULL: records are dropped */
	void *arg;
};

/* Creates the directory if need be, locks it, verifies all segments, and tells what is live. The
 * end of the last segment may be torn by a crash: that is cut off. Any other damage is an error
 * (-EBADMSG) that names file and offset; with `repair` it is skipped and counted, and what is left
 * is written anew. 0 or -errno; `why` is then a sentence. -EBUSY: another process has it. */
int journal_open(struct journal **out, const char *directory, const struct journal_options *options,
    char *why, size_t size);
/* Flushes and syncs, and waits for it. 0, or -errno if something that was put has not become
 * durable. NULL is fine. */
int journal_close(struct journal *j);

/* Appends a record that consists of these pieces, and fills in `record`. 0; -ENOSPC: max_bytes
 * would be exceeded; -EAGAIN: the disk is slow, and max_pending_bytes wait for it; -EMSGSIZE;
 * -ENOMEM; or the error of the disk, for ever (journal_error()). Only then is it not put. */
int journal_put(
    struct journal *j, struct journal_record *record, const struct iovec *pieces, unsigned count);
/* The record is not live any more, and its memory the owner's, whatever is returned. Not 0: nothing
 * was written about it (-ENOMEM, or the error of the disk), so it may be told after a restart. */
int journal_drop(struct journal *j, struct journal_record *record);

/* Begins to write what was put and dropped so far, and to sync it where the policy says so; and
 * compacts, by a bounded amount. 0 or the error of the disk. */
int journal_flush(struct journal *j);
/* Goes on with what has ended meanwhile; does not block. 0 or the error of the disk. */
int journal_poll(struct journal *j);
/* As journal_flush(), with a sync whatever the policy, and waits until everything is durable. */
int journal_wait(struct journal *j);
/* Readable when journal_poll() has something to do; -1 if everything blocks. */
int journal_fd(const struct journal *j);
/* When journal_flush() should be called if nothing is put or dropped before (a time of
 * clock_now()); UINT64_MAX: not at all. */
uint64_t journal_due_ms(const struct journal *j);

/* The mark of the last put or drop. Marks rise, and begin anew with each journal_open(). */
uint64_t journal_mark(const struct journal *j);
/* Up to this mark everything survives the end of the process. */
uint64_t journal_written(const struct journal *j);
/* Up to this mark everything survives a crash of the machine. With JOURNAL_SYNC_NEVER nobody knows,
 * and it is as journal_written(). */
uint64_t journal_durable(const struct journal *j);

/* The error that has ended all writing, or 0. `sentence`, if not NULL, becomes what to tell an
 * operator. What was not durable then may be lost. */
int journal_error(const struct journal *j, const char **sentence);

struct journal_counters {
	uint64_t live_records, live_bytes;
	uint64_t file_bytes, segments; /* with what is not written yet */
	uint64_t puts, drops, writes, syncs;
	uint64_t copied_bytes;         /* by compaction */
	uint64_t recovered, cut_bytes; /* by journal_open() */
	uint64_t damaged;              /* places that `repair` has skipped */
};
const struct journal_counters *journal_counters(const struct journal *j);

#endif
