/*
 * checkup/answer.h - an answer of HTTP/1.x as it comes: its head, then what it carries, then its
 * end. No I/O.
 */
#ifndef CHECKUP_ANSWER_H
#define CHECKUP_ANSWER_H

#include "base/bytes.h"
#include "checkup/facts.h"
#include "http/http_frame.h"
#include "ws/ws_answer.h"

struct answer {
	struct ws_answer head;
	struct fact_answer facts;
	struct http_chunks chunks;
	enum { BODY_TO_CLOSE, BODY_COUNTED, BODY_CHUNKS, BODY_DONE } body;
	uint64_t left;
	unsigned interim;
	bool has_head, is_granted; /* Access-Control-Allow-Origin stands there */
	bool is_gzip;              /* what it carries is compressed */
	const char *wrong;         /* it can be none */
};

void answer_init(struct answer *a);
void answer_fini(struct answer *a);
/* Takes octets from the front of `in`, and gives what they carry in `data`. True: there may be more
 * in what is left of `in`; call again. */
bool answer_next(struct answer *a, struct bytes *in, struct bytes *data);

static inline bool answer_is_whole(const struct answer *a)
{
	return a->has_head && a->body == BODY_DONE;
}

/* What a head says of those on the way: HTTP version, status, and the headers that they write.
 * Headers of a complete one. */
void answer_note(struct fact_answer *facts, const struct ws_answer *head);

#endif
