/*
 * journal/journal_private.h - a journal from within.
 *
 * Reading order: journal_format (the octets), journal_disk (one write at a time), journal.c (put
 * and drop), journal_flush.c (from memory to disk), journal_compact.c (old segments go),
 * journal_open.c, journal_recover.c and journal_finds.c (what was there before).
 *
 * Segments are a queue. Entries are appended to the last one, the tail; the first ones go, and no
 * other does. So when a segment goes that says what was dropped, the segments in which that was
 * put have gone before, and nothing that was dropped can come back.
 */
#ifndef JOURNAL_JOURNAL_PRIVATE_H
#define JOURNAL_JOURNAL_PRIVATE_H

#include "base/buf.h"
#include "journal/journal.h"
#include "journal/journal_disk.h"
#include "journal/journal_format.h"

/* "0123456789abcdef.segment" */
enum { JOURNAL_NAME = 32, JOURNAL_WHY = 512 };

struct journal_segment {
	struct list link;    /* journal.segments */
	struct list records; /* live ones */
	uint64_t sequence, epoch;
	uint64_t size;    /* with `pending` */
	uint64_t written; /* of that */
	uint64_t synced;
	uint64_t told;      /* by the last JOURNAL_MARK in it, of what was synced */
	uint64_t mark;      /* of its last entry */
	uint64_t trim_mark; /* when this is durable, the file may go; 0: it may not */
	struct buf pending; /* what is not written; nor under way */
	int fd;             /* only from when it is the tail until all of it is synced */
	bool created;
};

/* What the disk is at. */
enum journal_flight { FLIGHT_NONE, FLIGHT_CREATE, FLIGHT_WRITE };

/* Reads records of one segment after the other. */
struct journal_reader {
	int fd;
	uint64_t sequence; /* of the segment, 0: none */
	char *window;
	size_t cap;
	uint64_t start, end; /* what of the segment the window shows */
};

struct journal {
	struct journal_options options;
	char *directory;
	int directory_fd, lock_fd;
	struct list segments;            /* the oldest first, the tail last */
	struct journal_segment *writing; /* all segments before it are durable */
	struct journal_disk *disk;
	struct journal_reader reader;

	uint64_t next; /* number */
	uint64_t mark, written, synced;
	uint64_t flush_to, sync_to; /* marks: asked for */
	uint64_t synced_at;         /* time of the last sync, for the interval */
	size_t pending_bytes;
	uint64_t appended;        /* since the last step of compaction */
	uint64_t compact_through; /* segments up to here must go, however full */
	unsigned trims;           /* segments that wait for their trim_mark */

	enum journal_flight flight;
	struct buf flying;
	uint64_t flight_mark;
	bool flight_syncs;
	char header[JOURNAL_HEADER];

	int err;
	char why[JOURNAL_WHY];
	struct journal_counters counters;
};

static inline struct journal_segment *journal_tail(const struct journal *j)
{
	return container_of(j->segments.prev, struct journal_segment, link);
}

static inline struct journal_segment *journal_oldest(const struct journal *j)
{
	return container_of(j->segments.next, struct journal_segment, link);
}

static inline struct journal_segment *journal_after(const struct journal_segment *s)
{
	return container_of(s->link.next, struct journal_segment, link);
}

/* --- journal.c: in memory ------------------------------------------------- */

struct journal_segment *journal_segment_new(uint64_t sequence);
void journal_segment_free(struct journal *j, struct journal_segment *s);
void journal_segment_add(struct journal *j, struct journal_segment *s); /* as the tail */
/* Appends to the tail, of which there is a new one if it is full. 0 or -ENOMEM. */
int journal_append(struct journal *j, struct journal_entry *e, const struct iovec *pieces,
    unsigned count, uint64_t *offset);
/* Says what is durable in front of a segment's end. Best effort. */
void journal_tell_synced(struct journal *j, struct journal_segment *s);
void journal_record_add(struct journal *j, struct journal_segment *s, struct journal_record *r);
void journal_record_remove(struct journal *j, struct journal_record *r);
/* The first error ends all writing, and is told once. Returns it. */
int journal_fail(struct journal *j, int err, const char *what, uint64_t sequence);
/* Forgets all that was not written. */
void journal_give_up_pending(struct journal *j);
void journal_name(uint64_t sequence, char name[JOURNAL_NAME]);
/* Says in j->why what keeps it from opening; returns err. */
int journal_refuse(struct journal *j, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int journal_refuse_segment(struct journal *j, int err, uint64_t sequence, const char *what);

/* --- journal_compact.c ------------------------------------------------------ */

/* Some of it; what it appends is to be flushed. */
void journal_compact(struct journal *j);
bool journal_wants_compaction(const struct journal *j);
/* Removes files of segments that are gone and durably so. */
void journal_remove_trimmed(struct journal *j);

/* --- journal_reader.c --------------------------------------------------------- */

/* The body of a record, verified; until the next call. 0 or -errno, -EBADMSG: it is damaged. */
int journal_reader_get(struct journal *j, const struct journal_segment *s, uint64_t offset,
    uint32_t length, struct bytes *body);
void journal_reader_close(struct journal_reader *reader);

/* --- journal_finds.c ---------------------------------------------------------- */

struct journal_finds {
	struct buf puts, drops;
};

int journal_finds_put(struct journal_finds *f, uint64_t number, struct journal_segment *s,
    uint64_t offset, uint32_t length);
int journal_finds_drop(struct journal_finds *f, uint64_t number);
/* Tells what is live in the order of numbers. 0, or -errno and j->why says it. */
int journal_finds_tell(struct journal_finds *f, struct journal *j);
void journal_finds_fini(struct journal_finds *f);
void journal_sort_numbers(struct buf *numbers); /* of 64 bits */

/* --- journal_recover.c -------------------------------------------------------- */

/* Reads what is in the directory: segments, records, the next number. 0, or -errno and j->why says
 * it. */
int journal_recover(struct journal *j);

#endif
