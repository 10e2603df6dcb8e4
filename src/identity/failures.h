/*
 * identity/failures.h - who has failed too often of late: a bucket for each of many keys (a login,
 * or an address), shared by threads.
 *
 * A key may fail so many times at once, and as often again over each minute. The table is bounded:
 * when it is full, the key that has not failed for the longest time is forgotten. Its hash is
 * seeded, so nobody can choose where a key goes. It takes a lock, so it is for what begins, not for
 * every message.
 */
#ifndef IDENTITY_FAILURES_H
#define IDENTITY_FAILURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define FAILURES_KEY_MAX 256 /* octets; what a longer key has behind them does not count */

struct failures;

/* `most` keys are remembered at a time. NULL when memory is out. */
struct failures *failures_new(unsigned per_minute, size_t most);
void failures_free(struct failures *f); /* NULL is fine */

/* `now` is clock_now()'s. What memory has no room for is not noted. */
void failures_note(struct failures *f, struct bytes key, uint64_t now);
/* Whether one more failure would be too many, so that the attempt is not worth its work. */
bool failures_too_many(struct failures *f, struct bytes key, uint64_t now);

/* Keys that are remembered, for tests. */
size_t failures_count(struct failures *f);

#endif
