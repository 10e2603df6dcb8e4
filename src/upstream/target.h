/*
 * upstream/target.h - one backend: where it is and what it is for, from a configuration, and how it
 * has been doing.
 *
 *	ws://HOST[:PORT][/PATH[?QUERY]]   wss://...   unix:/FILE[:/PATH[?QUERY]]
 */
#ifndef UPSTREAM_TARGET_H
#define UPSTREAM_TARGET_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/stream.h"
#include "upstream/tally.h"

#define TARGET_WHY_MAX 127

/* What operators want. Sessions that are there stay in each case. */
enum target_mode {
	TARGET_READY,
	TARGET_DRAIN, /* nothing new */
	TARGET_DOWN,  /* likewise, and it is not checked */
};

/* What checks have found. */
enum target_health { TARGET_UNCHECKED, TARGET_PASSES, TARGET_FAILS };

struct target {
	char *url;       /* as configured, for logs */
	char *name;      /* as it is shown: without what is not for everybody; no two are alike */
	char *host;      /* a name or an IP address, without brackets; NULL for a unix socket */
	char *authority; /* what stands in the Host header */
	char *file;      /* of a unix socket; else NULL */
	char *resource;  /* path and query, from '/' on */
	struct tls_context *tls; /* NULL: plain */
	uint64_t key;            /* made from the URL */
	unsigned own_weight;     /* of the configuration */
	unsigned max_sessions;   /* at a time; 0: as many as come */
	uint16_t port;
	bool is_tls;
	bool is_backup; /* takes sessions while no other can */

	/* Seen by all reactors */
	atomic_uint weight;                 /* its share of the sessions; 0: nothing new */
	atomic_int mode;                    /* enum target_mode */
	atomic_int health;                  /* enum target_health */
	atomic_uint connections;            /* open, or being opened */
	atomic_uint failures;               /* in a row */
	atomic_uint unavailable;            /* 503s in a row, since it last failed */
	atomic_uint unanswered;             /* attempts in a row that came to no answer */
	atomic_uint_fast64_t due;           /* its next session, on the balancer's clock */
	atomic_uint_fast64_t failed_at;     /* last time */
	atomic_uint_fast64_t worked_at;     /* likewise */
	atomic_uint_fast64_t rests_until;   /* others are asked before this time; 0: it does well */
	atomic_uint_fast64_t barred_until;  /* it is not asked before this time, even if there is no
	                                     * other; 0: it may be */
	atomic_uint_fast64_t trial_until;   /* one session finds out how it does; 0: nobody */
	atomic_uint_fast64_t parting_until; /* until then its sessions are to be gone, if it takes
	                                     * none; 0: they may stay */
	struct tally tally;

	pthread_mutex_t lock; /* for what follows */
	uint64_t changed_at;  /* last time its state did; 0: never */
	char why[TARGET_WHY_MAX + 1];
};

/* Whether a URL names a target, for checking a configuration. */
bool target_is_url(const char *url);
/* Reads `url` into zeroed memory; its weight is 1. 0, -EINVAL, -ENOMEM. `tls` stays NULL: it is the
 * caller's. So does `name`, which is allocated, and freed with the target. */
int target_init(struct target *t, const char *url);
void target_fini(struct target *t);

/* Its state has changed, and why; for operators. */
void target_note(struct target *t, uint64_t now, const char *why);
/* Copies the reason, "" if there is none; returns when that was. */
uint64_t target_noted(struct target *t, char why[TARGET_WHY_MAX + 1]);

static inline uint64_t target_load(const atomic_uint_fast64_t *p)
{
	return atomic_load_explicit((atomic_uint_fast64_t *)(uintptr_t)p, memory_order_relaxed);
}

static inline unsigned target_load_count(const atomic_uint *p)
{
	return atomic_load_explicit((atomic_uint *)(uintptr_t)p, memory_order_relaxed);
}

static inline int target_load_word(const atomic_int *p)
{
	return atomic_load_explicit((atomic_int *)(uintptr_t)p, memory_order_relaxed);
}

/* Whether it may get sessions at all, as far as operators and checks have a say. */
static inline bool target_takes(const struct target *t)
{
	return target_load_count(&t->weight) > 0 && target_load_word(&t->mode) == TARGET_READY &&
	       target_load_word(&t->health) != TARGET_FAILS;
}

#endif
