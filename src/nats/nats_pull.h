/*
 * nats/nats_pull.h - what a consumer says to who has asked it for messages (CONSUMER.MSG.NEXT): a
 * message, or in its stead a status in the headers, which says why none comes.
 */
#ifndef NATS_PULL_H
#define NATS_PULL_H

#include "nats/nats_client.h"
#include "nats/nats_delivery.h"

enum nats_pull_status {
	NATS_PULL_MESSAGE,
	NATS_PULL_BEAT,     /* it is alive, and that is all */
	NATS_PULL_NONE,     /* there is no message */
	NATS_PULL_LATE,     /* the time of the question is over */
	NATS_PULL_LARGE,    /* the next message is larger than what is left of max_bytes */
	NATS_PULL_REFUSED,  /* any other status */
	NATS_PULL_NONSENSE, /* it is neither */
};

/* Of a message `d` is where it stands; of all others `why` is a sentence. */
enum nats_pull_status nats_pull_status(
    const struct nats_event *m, struct nats_delivery *d, char why[NATS_WHY_BYTES]);

#endif
