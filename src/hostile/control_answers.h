/*
 * hostile/control_answers.h - what is answered at the control address. No I/O.
 */
#ifndef HOSTILE_CONTROL_ANSWERS_H
#define HOSTILE_CONTROL_ANSWERS_H

#include "hostile/proxy.h"

struct control_request {
	struct bytes method, path, query, body;
};

struct control_answer {
	unsigned status;
	const char *type;
	struct buf body;
};

/* 0, or -ENOMEM. */
int control_answer(
    struct proxy *p, const struct control_request *request, struct control_answer *answer);
/* Text as a string of JSON. */
int control_add_string(struct buf *out, struct bytes text);

#endif
