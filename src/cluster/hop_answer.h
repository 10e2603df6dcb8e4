/*
 * cluster/hop_answer.h - the answer of another gateway, as octets: its head, and where it ends (RFC 9112 sections 4
 * to 7). No I/O.
 *
 * What belongs to the connection between the two gateways is left out of the head; all else passes as it is.
 */
#ifndef CLUSTER_HOP_ANSWER_H
#define CLUSTER_HOP_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/http_frame.h"

#define HOP_HEAD_MOST 65536

enum hop_answer_state { HOP_ANSWER_HEAD, HOP_ANSWER_BODY, HOP_ANSWER_OVER, HOP_ANSWER_BAD };

/* Zeroed at the beginning. */
struct hop_answer {
	uint8_t state; /* enum hop_answer_state */
	struct buf head;
	unsigned status;
	enum { HOP_BODY_LENGTH, HOP_BODY_CHUNKED, HOP_BODY_CLOSE } body;
	bool keeps_alive; /* the connection may have another one */
	bool is_1_1;
	uint64_t left; /* of a body of known length */
	struct http_chunks chunks;
};

void hop_answer_fini(struct hop_answer *a);
/* Takes what belongs to the head off the front; how many octets. It is whole when the state is another. */
size_t hop_answer_feed_head(struct hop_answer *a, struct bytes in);
/* The head for the client, once it is whole. `keep_alive`: it may send another request. 0 or -ENOMEM. */
int hop_answer_add_head(const struct hop_answer *a, bool keep_alive, struct buf *out);
/* How many of these octets belong to the body; they pass as they are. */
size_t hop_answer_feed_body(struct hop_answer *a, struct bytes in);
/* The connection has ended. Whether that was the end of the answer. */
bool hop_answer_ends_here(const struct hop_answer *a);

#endif
