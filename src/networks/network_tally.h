/*
 * networks/network_tally.h - counters of all networks of an endpoint together, for /metrics: by
 * browser and by what was done, never by address. Any thread; they are touched when a session
 * opens, is heard, or has failed, and never by messages.
 */
#ifndef NETWORKS_NETWORK_TALLY_H
#define NETWORKS_NETWORK_TALLY_H

#include <stdatomic.h>

#include "networks/network_story.h"

/* How a session is served, for where its client comes from. X(NAME, word) */
#define NETWORK_SERVICES(X)                                                                        \
	X(AS_USUAL, "usual")                                                                       \
	X(SHORT_STREAM, "short_stream") /* its responses end after each message */                 \
	X(PROVED, "websocket_proved")   /* it opens with the answer to its first ping */           \
	X(NOT_SERVED, "websocket_refused")

enum network_service {
#define X(name, word) NETWORK_SERVICE_##name,
	NETWORK_SERVICES(X)
#undef X
	    NETWORK_SERVICE_ROWS
};

static inline const char *network_service_word(enum network_service service)
{
	static const char *const words[] = {
#define X(name, word) word,
		NETWORK_SERVICES(X)
#undef X
	};

	return words[service];
}

struct network_tally {
	atomic_uint_fast64_t known; /* networks, now */
	atomic_uint_fast64_t served[NETWORK_SERVICE_ROWS];
	struct {
		atomic_uint_fast64_t reached[NETWORK_TRANSPORTS];
		atomic_uint_fast64_t evidence[NETWORK_EVIDENCE_ROWS];
	} of[NETWORK_BROWSER_ROWS];
};

static inline void network_count(atomic_uint_fast64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static inline uint64_t network_counted(const atomic_uint_fast64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
