/*
 * tests/wire/sockjs.h - SockJS frames as a client decodes them; see sockjs.c.
 */
#ifndef WIRE_SOCKJS_H
#define WIRE_SOCKJS_H

#include <stdbool.h>

#include "wire/text.h"

/* A transport by its last path segment: how to ask for it and what it wraps frames in. */
struct sockjs_transport {
	const char *name, *method, *query;
	bool streams;
	/* The frame in one piece of a response body; empty for a prelude. False: malformed. */
	bool (*unwrap)(struct text piece, struct text *frame);
};

const struct sockjs_transport *sockjs_transport(const char *name);

/* The next string of an array at *P ("..." then ',' or ']'). False: malformed or the end. */
bool sockjs_next_message(const char **p, const char *end, struct text *message);

#endif
