/*
 * upstream/target.h - one backend: where it is, from its URL, and how it has been doing.
 *
 *	ws://HOST[:PORT][/PATH[?QUERY]]   wss://...   unix:/FILE[:/PATH[?QUERY]]
 */
#ifndef UPSTREAM_TARGET_H
#define UPSTREAM_TARGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/stream.h"

struct target {
	char *url;       /* as configured, for logs */
	char *host;      /* a name or an IP address, without brackets; NULL for a unix socket */
	char *authority; /* what stands in the Host header */
	char *file;      /* of a unix socket; else NULL */
	char *resource;  /* path and query, from '/' on */
	struct tls_context *tls; /* NULL: plain */
	uint16_t port;
	bool is_tls;

	/* Seen by all reactors */
	atomic_uint connections;           /* open, or being opened */
	atomic_uint failures;              /* in a row */
	atomic_uint unavailable;           /* 503s in a row, since it last failed */
	atomic_uint unanswered;            /* attempts in a row that came to no answer */
	atomic_uint_fast64_t failed_at;    /* last time */
	atomic_uint_fast64_t worked_at;    /* likewise */
	atomic_uint_fast64_t rests_until;  /* others are asked before this time; 0: it does well */
	atomic_uint_fast64_t barred_until; /* it is not asked before this time, even if there is no
	                                    * other; 0: it may be */
	atomic_uint_fast64_t trial_until;  /* one session finds out how it does; 0: nobody */
};

/* Whether a URL names a target, for checking a configuration. */
bool target_is_url(const char *url);
/* Reads `url` into zeroed memory. 0, -EINVAL, -ENOMEM. `tls` stays NULL: it is the caller's. */
int target_init(struct target *t, const char *url);
void target_fini(struct target *t);

#endif
