/*
 * webhook/http_client.h - POST requests to one URL, by libcurl in a reactor's loop.
 *
 * Connections are kept alive and bounded in number; what is beyond them waits in order, bounded
 * too. Names are resolved by our resolver, for libcurl's own would block or need threads; what it
 * says holds as long as DNS lets it. No redirect is followed, no proxy asked, and an answer is read
 * up to a length.
 *
 * All functions belong to the loop's own thread.
 */
#ifndef WEBHOOK_HTTP_CLIENT_H
#define WEBHOOK_HTTP_CLIENT_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/list.h"
#include "net/loop.h"
#include "net/timer.h"
#include "webhook/http_target.h"

struct http_client;
struct http_call;
struct known_host;

int http_client_new(struct http_client **out, struct loop *loop, const struct http_target *target);
/* What is under way is dropped, and no `done` is called any more. The loop has stopped, or this is
 * its thread. NULL is fine. */
void http_client_free(struct http_client *client);

struct http_outcome {
	int err;            /* 0: there is an answer, with a status */
	const char *why;    /* a sentence, if err is not 0 */
	unsigned status;    /* 200 */
	struct bytes body;  /* until `done` returns */
	bool may_have_come; /* some of the request has left, so it may have been acted upon */
};

/* Exactly once, unless the call is cancelled; never from within http_call_start(). The call is its
 * owner's again. */
typedef void (*http_done_fn)(struct http_call *call, const struct http_outcome *outcome);

/* One request; embedded in its owner, zeroed. */
struct http_call {
	/* To be filled in, and kept until it is done */
	struct bytes body;
	struct curl_slist *headers;
	http_done_fn done;
	bool is_once; /* not to be sent again, even if a kept connection has broken */
	/* The client's own */
	struct list node;
	struct http_client *client; /* NULL: it is not under way */
	CURL *easy;                 /* NULL: it has not begun */
	struct known_host *host;
	struct timer timer;
	struct buf answer;
	unsigned sendings; /* times it was sent, or began to be */
	int err;           /* what it is to be told soon */
	const char *why;
};

/* Ends with -ETIMEDOUT after `timeout_ms`, wherever it is then. */
void http_call_start(struct http_client *client, struct http_call *call, unsigned timeout_ms);
/* Harmless if it is not under way. */
void http_call_cancel(struct http_call *call);

/* Requests under way, and those that wait to begin. */
unsigned http_client_active(const struct http_client *client);
unsigned http_client_waiting(const struct http_client *client);

#endif
