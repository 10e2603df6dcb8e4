/*
 * nats/nats_work.h - working on what a stream has: a durable consumer, which several gateways may
 * share, and of which each gets as many messages as it says that it can take.
 *
 * A message is answered by nats_answer(): done, again, never again, or still at it. One that is not
 * answered within ack_wait_ms comes again, to whoever takes it. What is answered while there is no
 * connection comes again, too.
 */
#ifndef NATS_WORK_H
#define NATS_WORK_H

#include "nats/nats_delivery.h"
#include "nats/nats_js.h"

/* Borrowed for as long as the work goes on. */
struct nats_work_options {
	const char *stream;
	const char *consumer; /* its name, the same for all who share it */
	const char *subject;  /* what of the stream; NULL: all */
	unsigned ack_wait_ms; /* 0: 30000 */
	unsigned max_deliver; /* times that a message comes; 0: for ever */
	unsigned max_pending; /* messages that all together may have unanswered; 0: 1000 */
	unsigned pull_ms;     /* how long the server may wait for messages; 0: 5000 */
};

struct nats_work;

struct nats_work_events {
	/* `m` is to be answered at m->reply. */
	void (*message)(
	    struct nats_work *w, const struct nats_event *m, const struct nats_delivery *d);
	/* For a log: there is no work at present, and why (there is no such stream, say); it is
	 * tried again, less and less often. */
	void (*trouble)(struct nats_work *w, const char *why);
};

enum { NATS_PULLS = 2 };

struct nats_pull {
	struct nats_request request;
	struct nats_work *work;
	unsigned left; /* messages that are still to come */
};

enum nats_work_state {
	NATS_WORK_STOPPED,
	NATS_WORK_WAITING, /* until it is tried again */
	NATS_WORK_OPENING, /* the consumer is asked for */
	NATS_WORK_PULLING,
};

/* Embedded, zeroed before the first use, in memory that stays until the end of the turn in which it
 * was stopped. All fields are its own. */
struct nats_work {
	struct nats_client *client;
	struct nats_user user;
	const struct nats_work_options *options;
	const struct nats_work_events *on;
	enum nats_work_state state;
	struct nats_js js;
	struct nats_pull pulls[NATS_PULLS];
	struct timer timer;
	unsigned credit; /* messages that it can take and has not asked for */
	unsigned retry_ms;
};

/* Begins with no credit: nothing comes before nats_work_take(). 0; -EINVAL: this is no name, or no
 * subject. */
int nats_work_start(struct nats_client *c, struct nats_work *w,
    const struct nats_work_options *options, const struct nats_work_events *on);
/* n messages more than before can be taken. */
void nats_work_take(struct nats_work *w, unsigned n);
/* Harmless on one that is zeroed or stopped. What has come can still be answered. It is stopped
 * when the client is freed, too, and nothing is called. */
void nats_work_stop(struct nats_work *w);

#endif
