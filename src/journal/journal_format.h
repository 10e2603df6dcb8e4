/*
 * journal/journal_format.h - the octets of a segment: a header, then entries one after the other.
 *
 * All numbers are little-endian. An entry is a head and a body, filled up with zeros to a multiple
 * of 8. The checksum of a head covers, besides the head, the segment's epoch and the place in the
 * file, so an entry is one only where it was written; and the head has the checksum of the body.
 * Pure functions: no I/O, no memory.
 */
#ifndef JOURNAL_FORMAT_H
#define JOURNAL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum { JOURNAL_HEADER = 64, JOURNAL_HEAD = 24, JOURNAL_VERSION = 1 };

struct journal_header {
	uint64_t sequence; /* of the segment; the name of the file */
	uint64_t epoch;    /* random */
	uint64_t oldest;   /* segment that was not gone when this one began */
	uint64_t next;     /* number that no record had then */
	uint64_t previous; /* size of the segment before; 0: there was none */
};

enum journal_type {
	JOURNAL_PUT = 1, /* `number` and the octets of a record */
	JOURNAL_COPY,    /* the same again, by compaction */
	JOURNAL_DROP,    /* `number` is not live any more */
	JOURNAL_TRIM,    /* segments before `number` are gone */
	JOURNAL_MARK,    /* everything before offset `number` was durable when this was written */
};

struct journal_entry {
	enum journal_type type;
	uint32_t length; /* of the body */
	uint32_t body_crc;
	uint64_t number;
};

/* What an entry takes in the file. */
static inline uint64_t journal_entry_size(uint32_t length)
{
	return JOURNAL_HEAD + (((uint64_t)length + 7) & ~UINT64_C(7));
}

void journal_header_write(char out[JOURNAL_HEADER], const struct journal_header *h);
bool journal_header_read(struct bytes file, struct journal_header *h);

void journal_head_write(
    char out[JOURNAL_HEAD], uint64_t epoch, uint64_t offset, const struct journal_entry *e);
bool journal_head_read(
    const char in[JOURNAL_HEAD], uint64_t epoch, uint64_t offset, struct journal_entry *e);

/* A walk over the entries of a segment. */
struct journal_scan {
	struct bytes file;
	uint64_t epoch;
	size_t at; /* the next entry */
};

enum journal_found {
	JOURNAL_END,     /* no octet is left */
	JOURNAL_ENTRY,   /* `at` stands behind it */
	JOURNAL_DAMAGED, /* there is something else at `at` */
};

enum journal_found journal_scan_next(
    struct journal_scan *s, struct journal_entry *e, struct bytes *body);
/* Goes to where entries begin again, or to the end. */
void journal_scan_skip(struct journal_scan *s);
/* Up to where the entries behind `at` say that all was durable once. What is damaged before that
 * was not torn by a crash. */
uint64_t journal_scan_durable(const struct journal_scan *s);

#endif
