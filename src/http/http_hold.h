/*
 * http/http_hold.h - puts a request off: how it is answered is not known yet, and somebody else is asked. It stays
 * as it is meanwhile, and its client waits.
 */
#ifndef HTTP_HOLD_H
#define HTTP_HOLD_H

#include "http/http_request.h"

/* Embedded in what its owner knows of it, zeroed. */
struct http_hold {
	struct http_request *request; /* NULL: none is held */
	/* Its connection has ended: it may still be looked at within this call. Never from within
	 * http_hold() or http_hold_resume(). */
	void (*gone)(struct http_hold *h);
};

/* Within the handler's serve(), in place of an answer. */
void http_hold(struct http_request *r, struct http_hold *h, void (*gone)(struct http_hold *h));
/* It is served again, by the handler, later in this turn or in the next; with a sentence (constant) if all that is
 * left to say is that it came to nothing. Harmless on one that holds none. */
void http_hold_resume(struct http_hold *h, const char *in_vain);
/* That sentence; NULL: there is none. */
const char *http_hold_was_in_vain(const struct http_request *r);
/* It is answered or detached now, by who has held it, before he comes back to the loop. */
struct http_request *http_hold_take(struct http_hold *h);

#endif
