/*
 * server/attempts.h - what clients have tried before what works: a SockJS client takes a new
 * session for each transport that it tries, and only who looks at all of them sees that it falls
 * back.
 *
 * A client is told by its address, its program (User-Agent) and the endpoint. Several behind one
 * address with the same program are one, the table is small and forgets: what it says is what is
 * known, no more. It is kept where sessions have records (session_notes.h).
 */
#ifndef SERVER_ATTEMPTS_H
#define SERVER_ATTEMPTS_H

#include <stdint.h>

#include "base/bytes.h"
#include "session/session_record.h"

struct addr;
struct attempts;

/* How an attempt came to nothing. X(NAME, word) */
#define ATTEMPT_FAILURES(X)                                                                        \
	X(UNOPENED, "unopened") /* it ended before it was open: refused, or its client left */     \
	X(UNHEARD, "unheard")   /* it opened, and its client never showed that it heard of it */

enum attempt_failure {
#define X(name, word) ATTEMPT_##name,
	ATTEMPT_FAILURES(X)
#undef X
	    ATTEMPT_FAILURE_ROWS
};
const char *attempt_failure_word(enum attempt_failure failure);

/* NULL when memory is out. */
struct attempts *attempts_new(void);
void attempts_free(struct attempts *a); /* NULL is fine */

/* Who somebody is here. `agent`: empty if it is not known. */
uint64_t attempts_key(
    const struct attempts *a, const struct addr *client, const void *endpoint, struct bytes agent);
/* A transport (its place) failed him. Any thread; so with all that follow. */
void attempts_failed(struct attempts *a, uint64_t key, unsigned transport,
    enum attempt_failure failure, uint64_t now_ms);
/* Those that failed him of late, as bits; not this one, by which he comes now. Falls back that were
 * not in `known` are counted. */
uint8_t attempts_before(
    struct attempts *a, uint64_t key, unsigned transport, uint8_t known, uint64_t now_ms);

uint64_t attempts_fallbacks(
    const struct attempts *a, unsigned from, unsigned to, enum attempt_failure failure);

#endif
