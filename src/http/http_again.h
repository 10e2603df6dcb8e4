/*
 * http/http_again.h - a connection that left libmicrohttpd, was answered, and now
 * waits for its next request, which may well be the last one again.
 *
 * Polls and messages come thousands of times with one and the same head. Going through
 * libmicrohttpd each time costs a connection object, 24 KB of memory to clear and twenty
 * system calls. So an answered connection stays with its owner, which knows what the head
 * means, and the next request is looked at before it is read (MSG_PEEK). If its head is
 * the one remembered (http_memo.h) and the request is all there, it is the owner's. Anything else
 * stays in the socket for libmicrohttpd, which gets the connection back; under TLS, where nothing
 * can be looked at without being read, it gets what was read, too.
 *
 * What depends on more than the head (is there such a session, is its body sound)
 * is asked each time anew, by the owner.
 */
#ifndef HTTP_AGAIN_H
#define HTTP_AGAIN_H

#include "http/http_detach.h"

struct http_again;

/* Called in LOOP_STAGE_HTTP, as all requests are. */
struct http_again_ops {
	/* The head has come again, with this body (it may be changed, and not be kept). The
	 * owner calls http_again_take() and answers, or says false and libmicrohttpd will. */
	bool (*serve)(struct http_again *a, char *body, size_t n);
	/* The connection is not the owner's any more. */
	void (*gone)(struct http_again *a);
};

/* A member of who answers the connection's requests. */
struct http_again {
	struct stream stream; /* the events are the owner's, also while it waits */
	struct addr peer;
	uint8_t misses; /* requests in a row that were not the one remembered */
	struct http_memo memo;
	struct timer timer; /* the owner's, while nothing is waited for */
	struct list node;
	struct http_server *server; /* NULL: nothing is waited for */
	const struct http_again_ops *ops;
};

/* Takes what http_detach_*() has handed out. The events are for as long as the owner answers. */
void http_again_init(struct http_again *a, struct http_detached *d, struct loop *loop,
    const struct stream_events *on, const struct http_again_ops *ops);

/* Whether it may be worth taking a request out only to have the next one this way. */
bool http_again_is_worthwhile(const struct http_request *r);

/* An answer has left whole. True: the owner is called, at the latest when the idle deadline has
 * passed. False: this connection does not qualify; libmicrohttpd has it back, and the stream is
 * empty. */
bool http_again_wait(struct http_again *a, struct http_server *server);
static inline bool http_again_is_waiting(const struct http_again *a)
{
	return a->server != NULL;
}
/* While it waits, the owner passes on the events of its stream. */
void http_again_readable(struct http_again *a);
void http_again_hangup(struct http_again *a);

/* In serve(): the request leaves the socket, and the wait is over. */
void http_again_take(struct http_again *a);

#endif
