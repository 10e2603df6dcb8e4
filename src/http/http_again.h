/*
 * http/http_again.h - a connection that was detached and answered, and now waits for its next
 * request, which may well be the last one again.
 *
 * Polls and messages come thousands of times with one and the same head. So an answered connection
 * stays with its owner, who knows what the head means. If the head of the next request is the one
 * remembered (http_memo.h) and the request is all there, it is the owner's. Anything else is
 * given back with the connection, and read like any other.
 *
 * What depends on more than the head (is there such a session, is its body sound)
 * is asked each time anew, by the owner.
 */
#ifndef HTTP_AGAIN_H
#define HTTP_AGAIN_H

#include "http/http_access.h"
#include "http/http_memo.h"
#include "http/http_server.h"

struct http_again;

/* Called in LOOP_STAGE_HTTP, as all requests are. */
struct http_again_ops {
	/* The head has come again, with this query, and a copy of this body (it may be changed, and
	 * not be kept). The owner calls http_again_take() and answers, or says false and the connection
	 * is given back. */
	bool (*serve)(struct http_again *a, struct bytes query, char *body, size_t n);
	/* The connection is not the owner's any more. */
	void (*gone)(struct http_again *a);
};

/* A member of who answers the connection's requests. */
struct http_again {
	struct stream stream; /* the events are the owner's, also while it waits */
	struct addr peer;
	uint8_t misses; /* requests in a row that were not the one remembered */
	bool keep_alive;
	bool is_ready; /* it waits for its turn to read */
	struct http_access *access; /* of the last request; NULL: nobody wants to know */
	struct http_memo memo;
	union {
		struct timer timer;       /* the owner's, while nothing is waited for */
		struct deferred deferred; /* the owner's, for its end */
	};
	struct http_turn turn;
	struct http_server *server; /* NULL: nothing is waited for */
	const struct http_again_ops *ops;
};

/* Detaches the connection of a request, to live in `loop`, or (NULL) to be sent to another one.
 * The events are for as long as the owner answers. `repeats`: its head is worth remembering.
 * a->keep_alive: after a complete response http_again_wait() is welcome. 0 or -ENOMEM. */
int http_again_detach(struct http_again *a, struct http_request *r, struct loop *loop,
    const struct stream_events *on, const struct http_again_ops *ops, bool repeats);

/* Whether it may be worth taking a request out only to have the next one this way. */
bool http_again_is_worthwhile(const struct http_request *r);

/* An answer has left whole. True: the owner is called, at the latest when the idle deadline has
 * passed. False: this connection does not qualify; it was given back, and the stream is empty. */
bool http_again_wait(struct http_again *a, struct http_server *server);
static inline bool http_again_is_waiting(const struct http_again *a)
{
	return a->server != NULL;
}
/* While it waits, the owner passes on the events of its stream. */
void http_again_readable(struct http_again *a);
void http_again_hangup(struct http_again *a);

/* In serve(): the request is the owner's, and the wait is over. */
void http_again_take(struct http_again *a);

#endif
