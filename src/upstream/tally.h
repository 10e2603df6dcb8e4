/*
 * upstream/tally.h - what is counted of a backend, for /metrics and for operators. Any thread,
 * without locks: each number is true, all together are a moment's.
 */
#ifndef UPSTREAM_TALLY_H
#define UPSTREAM_TALLY_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/histogram.h"

/* Why a session did not come about, or a backend was lost. X(NAME, word) */
#define TALLY_FAILURES(X)                                                                          \
	X(RESOLVE, "resolve")         /* its name has no address */                                \
	X(CONNECT, "connect")         /* no connection */                                          \
	X(TLS, "tls")                 /* no handshake of TLS */                                    \
	X(TIMEOUT, "timeout")         /* not in time, wherever it was then */                      \
	X(HANDSHAKE, "handshake")     /* no answer to what was asked, or a broken one */           \
	X(UNAVAILABLE, "unavailable") /* 503 */                                                    \
	X(REFUSED, "refused")         /* any other status */                                       \
	X(LOST, "lost")               /* an open connection went away, or broke the rules */

enum tally_failure {
#define X(name, word) TALLY_##name,
	TALLY_FAILURES(X)
#undef X
	    TALLY_FAILURE_ROWS
};

struct tally {
	atomic_uint_fast64_t opened;
	atomic_uint_fast64_t failures[TALLY_FAILURE_ROWS];
	atomic_uint_fast64_t checks_passed, checks_failed;
	atomic_uint_fast64_t connects[HISTOGRAM_BUCKETS]; /* by how long it took to the 101 */
	atomic_uint_fast64_t connect_ms; /* of all of them */
};

static inline void tally_add(atomic_uint_fast64_t *count, uint64_t n)
{
	atomic_fetch_add_explicit(count, n, memory_order_relaxed);
}

static inline void tally_failure(struct tally *t, enum tally_failure why)
{
	tally_add(&t->failures[why], 1);
}

/* A session has opened, this long after it was begun with this backend. */
static inline void tally_opened(struct tally *t, uint64_t ms)
{
	tally_add(&t->opened, 1);
	tally_add(&t->connects[histogram_bucket(ms * 1000)], 1);
	tally_add(&t->connect_ms, ms);
}

#endif
