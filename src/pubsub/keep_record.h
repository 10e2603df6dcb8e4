/*
 * pubsub/keep_record.h - the records of a journal: what is kept of messages, and of the broker
 * itself. doc/journal.md has their octets.
 *
 * Pure functions; what is read is views into the record.
 */
#ifndef PUBSUB_KEEP_RECORD_H
#define PUBSUB_KEEP_RECORD_H

#include "base/buf.h"
#include "broker/broker.h"
#include "stomp/stomp_frame.h"

enum keep_kind {
	KEEP_RUN = 1, /* the broker, as it runs, or has ended in good order */
	KEEP_QUEUED,  /* a message of a queue */
	KEEP_HISTORY, /* one of a history */
	KEEP_COUNT,   /* how often one was delivered in vain */
};

#define KEEP_BOOT 40 /* octets, with zeros behind the text */

struct keep_run {
	struct broker_identity identity;
	uint64_t reserved;    /* numbers below it may have been given */
	char boot[KEEP_BOOT]; /* of the machine: which one */
	bool in_order;        /* it has ended, and all is here */
	bool is_durable;      /* all that anybody got outlasts the machine, too */
};

struct keep_message {
	bool lasts;
	uint64_t sequence, before;
	uint64_t at_ms; /* since 1970 */
	struct bytes destination, body;
	size_t header_count;
	struct stomp_header headers[STOMP_HEADERS_MAX];
};

struct keep_count {
	uint64_t sequence;
	uint32_t deliveries;
};

struct keep_record {
	enum keep_kind kind;
	union {
		struct keep_run run;
		struct keep_message message;
		struct keep_count count;
	};
};

/* Appends what stands before the body of a message. 0 or -ENOMEM. */
int keep_write_message(struct buf *out, enum keep_kind kind, const struct keep_message *m);
int keep_write_run(struct buf *out, const struct keep_run *run);
int keep_write_count(struct buf *out, const struct keep_count *count);
/* NULL, or what is wrong with it, as a sentence. */
const char *keep_read(struct bytes in, struct keep_record *out);

#endif
