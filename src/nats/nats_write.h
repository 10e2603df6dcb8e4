/*
 * nats/nats_write.h - what a client says to a NATS server, into a buffer. No I/O.
 *
 * Returns are 0; -EINVAL for what would make the line say something else than was meant; -ENOMEM.
 * On error the buffer is as it was.
 */
#ifndef NATS_WRITE_H
#define NATS_WRITE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "nats/nats_headers.h"

struct nats_message {
	struct bytes subject;
	struct bytes reply; /* empty: none is wanted */
	const struct nats_header *headers;
	size_t header_count;
	struct bytes payload;
};

/* Octets of headers and payload, as a server's max_payload counts them. */
size_t nats_message_size(const struct nats_message *m);

/* PUB, or HPUB with headers. A name is not empty and has no colon, blank or control character; a
 * value has no CR, LF or NUL. */
int nats_write_publish(struct buf *out, const struct nats_message *m);
/* `queue` is the group; empty: none. */
int nats_write_subscribe(struct buf *out, struct bytes subject, struct bytes queue, uint64_t sid);
/* After so many messages in all; 0: now. */
int nats_write_unsubscribe(struct buf *out, uint64_t sid, uint64_t max);
int nats_write_ping(struct buf *out);
int nats_write_pong(struct buf *out);
/* `json` is an object. */
int nats_write_connect(struct buf *out, struct bytes json);

#endif
