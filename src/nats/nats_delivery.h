/*
 * nats/nats_delivery.h - what the reply subject of a message from a consumer says, and what is
 * answered there.
 */
#ifndef NATS_DELIVERY_H
#define NATS_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct nats_client;

struct nats_delivery {
	struct bytes stream, consumer; /* views into the subject */
	uint64_t delivered;            /* how often, this time included */
	uint64_t sequence;             /* in the stream */
	uint64_t consumer_sequence;
	uint64_t time_ns; /* when it was stored, since 1970 */
	uint64_t pending; /* what the consumer has behind it */
};

/* $JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<consumer sequence>.<time>.<pending>, or with
 * <domain>.<account> before the stream, and perhaps a token behind. False: it is none. */
bool nats_delivery_read(struct bytes reply, struct nats_delivery *d);

enum nats_answer {
	NATS_ACK,      /* done */
	NATS_NAK,      /* again, after a delay */
	NATS_TERM,     /* never again */
	NATS_PROGRESS, /* not done yet: its time begins anew */
};

/* Errors are those of nats_publish(): the message will come again then, in its time. */
int nats_answer(
    struct nats_client *c, struct bytes reply, enum nats_answer answer, uint64_t delay_ms);

#endif
