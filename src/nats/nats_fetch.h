/*
 * nats/nats_fetch.h - the messages of one subject that a stream has, from a sequence on: for who
 * has missed some.
 *
 *	CONSUMER.CREATE (ephemeral) --> MSG.NEXT --> messages --> CONSUMER.DELETE
 */
#ifndef NATS_FETCH_H
#define NATS_FETCH_H

#include "nats/nats_delivery.h"
#include "nats/nats_js.h"

/* Borrowed while the fetch begins. */
struct nats_fetch_options {
	const char *stream;
	const char *subject;            /* may be a pattern; NULL: all that there are */
	uint64_t from;                  /* the first sequence that is wanted; 0 is as 1 */
	size_t max_messages, max_bytes; /* at least 1 each */
	unsigned timeout_ms;            /* for each step, and for the whole of what comes */
};

struct nats_fetch;

struct nats_fetch_events {
	/* In order; d->sequence is its place. */
	void (*message)(
	    struct nats_fetch *f, const struct nats_event *m, const struct nats_delivery *d);
	/* Once. Err 0: `left` messages are beyond the bounds, or have not come in time. -EMSGSIZE: the first one alone is,
	 * with its max_bytes. -EAGAIN: what came next was lost. Else it is as nats_js_fn has it.
	 * What came before is good. */
	void (*done)(struct nats_fetch *f, int err, const char *why, uint64_t left);
};

#define NATS_CONSUMER_MAX 64

/* Embedded, zeroed before the first use, in memory that stays until the end of the turn in which it
 * was cancelled. All fields but the last are its own. */
struct nats_fetch {
	struct nats_client *client;
	struct nats_user user;
	const struct nats_fetch_events *on;
	struct nats_js js;
	struct nats_request pull;
	char *stream;                     /* NULL: nothing is under way */
	char consumer[NATS_CONSUMER_MAX]; /* "": not yet */
	size_t max_messages, max_bytes;
	unsigned timeout_ms;
	uint64_t wanted; /* messages that are still to come */
	uint64_t taken;  /* that have come */
	uint64_t left;   /* these, and those beyond */
	bool has_some;
	bool was_late; /* not all of them came in time; for who asks for the next ones */
};

/* 0; -EINVAL: this is no name, or no subject; or another -errno. Then nothing is called. */
int nats_fetch_start(struct nats_client *c, struct nats_fetch *f,
    const struct nats_fetch_options *options, const struct nats_fetch_events *on);
/* Harmless on one that is zeroed or done. One that is under way when the client is freed is
 * cancelled, and nothing is called. */
void nats_fetch_cancel(struct nats_fetch *f);

#endif
