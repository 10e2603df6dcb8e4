/*
 * base/quotas.h - how much each of many may have at a time, and begin in a second: one
 * table for all threads.
 *
 * Who they are is said by a key of octets, such as the address of a client; something else (a
 * user) may be one as well, if its first octet is another. What they have is of several kinds,
 * each with a limit of its own.
 *
 * A key has a row as long as it holds something, so there are no more of these than of what is
 * held; and for about a second after that, if its bucket is not full. Of rows that hold nothing
 * there are QUOTAS_IDLE_MOST at most: then the oldest is forgotten, and begins with a full
 * bucket when it comes again. The hash is seeded, so nobody can choose where a key goes.
 *
 * It takes a lock (one of several), so it is for what begins and ends, not for every message.
 */
#ifndef BASE_QUOTAS_H
#define BASE_QUOTAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define QUOTA_KINDS_MAX  4
#define QUOTA_KEY_MAX    24
#define QUOTAS_IDLE_MOST 65536

struct quotas;
struct quota_row;

struct quota {
	uint64_t most;       /* held at a time; 0: any number */
	uint64_t per_second; /* begun; 0: any number */
};

enum quota_verdict { QUOTA_GRANTED, QUOTA_TOO_MANY, QUOTA_TOO_FAST, QUOTA_NO_MEMORY };

/* NULL when memory is out. `kinds` is copied. */
struct quotas *quotas_new(const struct quota *kinds, unsigned count);
/* Other limits of the same kinds, from now on; what is held stays so. Nothing was counted for a kind
 * that had no limit. Any thread. */
void quotas_set_limits(struct quotas *q, const struct quota *kinds);
/* Nothing is held any more. NULL is fine. */
void quotas_free(struct quotas *q);

/* One more of a kind. QUOTA_GRANTED: *row is where it is held, until quota_release(); NULL if this
 * kind has no limit. A key of no octets stands for nobody, whom nothing is counted for. */
enum quota_verdict quota_take(
    struct quotas *q, struct bytes key, unsigned kind, struct quota_row **row);
/* From any thread. NULL is fine. */
void quota_release(struct quota_row *row, unsigned kind);

/* Where something is held (NULL: nowhere). Read, it is held again in snapshot->quotas, whatever the limits are. */
struct snapshot;
struct quota_row *quota_row_snapshot(struct quota_row *row, struct snapshot *s, unsigned kind);

/* What one of them has. */
struct quota_use {
	struct bytes key;
	uint32_t held[QUOTA_KINDS_MAX];
	bool is_at_most[QUOTA_KINDS_MAX];  /* one more would be too many now, */
	bool is_too_fast[QUOTA_KINDS_MAX]; /* or too soon */
	uint32_t refused;                  /* of any kind, since it was last forgotten */
};

/* Calls `fn` for each that is at a limit now, or was refused, of one of QUOTAS_PARTS parts of the
 * table. In no order, until it returns false, and under the lock of that part: it is to be quick.
 * Returns how many rows were looked at. */
#define QUOTAS_PARTS 16
size_t quotas_each_limited(
    struct quotas *q, unsigned part, bool (*fn)(const struct quota_use *use, void *arg), void *arg);

/* Rows there are, for tests. */
uint64_t quotas_count(struct quotas *q);

#endif
