/*
 * checkup/exchange.h - one request of HTTP/1.1 on a line of its own, as a page would send it, and
 * the answer as it comes.
 */
#ifndef CHECKUP_EXCHANGE_H
#define CHECKUP_EXCHANGE_H

#include "base/buf.h"
#include "checkup/answer.h"
#include "checkup/gunzip.h"
#include "checkup/line.h"

struct exchange;

struct exchange_events {
	void (*head)(struct exchange *x); /* may be NULL */
	void (*data)(struct exchange *x, struct bytes data);
	/* Once: the answer is whole (of whatever status), or what went wrong. It is gone
	 * afterwards. */
	void (*done)(struct exchange *x, const struct failure *failure);
};

struct exchange_request {
	const char *method, *path; /* behind the prefix: "/info" */
	const char *type;          /* of the body; NULL: there is none */
	struct bytes body;
	bool is_anonymous;    /* without Origin and Referer, as no page is */
	unsigned patience_ms; /* until all of it is here; 0: for ever */
};

struct exchange {
	const struct exchange_events *on;
	void *owner;
	struct line line;
	struct answer answer;
	struct gunzip *gunzip; /* NULL: it is not compressed */
	struct buf request, in;
	struct timer timer;
	struct deferred deferred;
	struct failure failure;
	uint64_t asked; /* when the request went out, ms */
	int head_ms;    /* from the beginning to the head */
	bool is_over;
};

/* NULL: memory is out. */
struct exchange *exchange_start(const struct net *net, const struct exchange_request *request,
    const struct exchange_events *on, void *owner);
/* So long from now on; 0: for ever. */
void exchange_wait(struct exchange *x, unsigned patience_ms);
/* Its `done` is not called any more, and it is gone. NULL is fine. */
void exchange_stop(struct exchange *x);

#endif
