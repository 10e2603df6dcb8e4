/*
 * webhook/webhook.h - questions to a backend in any language: a POST of JSON, and its answer.
 *
 * What is asked, and what becomes of the answer, is the affair of who asks; here is what all have
 * in common: the signature, what is repeated and when, the bounds, what counts as a yes, a no and a
 * failure, and the figures. doc/hooks.md has it for those who write backends.
 *
 * A webhook is shared by all reactors; whoever asks is answered in his own.
 */
#ifndef WEBHOOK_WEBHOOK_H
#define WEBHOOK_WEBHOOK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/options.h"
#include "sockjs.h"
#include "webhook/http_client.h"

struct webhook;
struct webhook_call;

/* X(name, text, is a question: asking twice does no harm) */
#define WEBHOOK_EVENTS(X)                                                                          \
	X(CONNECT, "connect", true)                                                                \
	X(SUBSCRIBE, "subscribe", true)                                                            \
	X(PUBLISH, "publish", true)                                                                \
	X(MESSAGE, "message", false)                                                               \
	X(DISCONNECT, "disconnect", false)

enum webhook_event {
#define X(name, text, safe) WEBHOOK_##name,
	WEBHOOK_EVENTS(X)
#undef X
	    WEBHOOK_EVENT_ROWS
};

/* "connect" */
const char *webhook_event_name(enum webhook_event event);

/* Reads hooks.* of a set of options, which is not kept. 0, or -errno and a sentence that begins
 * with the name of the option to blame. */
int webhook_new(struct webhook **out, const struct hooks_options *o, char *why, size_t why_size);
/* After the reactors have stopped. What is still under way fails now, and nothing can be asked any
 * more. NULL is fine. */
void webhook_free(struct webhook *w);
/* Whether its backend wants to hear of such; what it has not said depends on `otherwise`, a set of
 * 1 << event. */
bool webhook_wants(const struct webhook *w, enum webhook_event event, unsigned otherwise);
/* The text in hooks.events that is none of `known`, a set of 1 << event; NULL: there is none. */
const char *webhook_strange_event(const struct hooks_options *o, unsigned known);

enum webhook_verdict {
	WEBHOOK_YES,
	WEBHOOK_NO,     /* an answer with status 400 to 499 */
	WEBHOOK_FAILED, /* no answer, or none that says anything */
};

struct webhook_answer {
	enum webhook_verdict verdict;
	unsigned status; /* of a no: 403 */
	json_t *json;    /* the object that was answered, until `answered` returns; or NULL */
	const char
	    *why; /* of a no: its member "reason", or NULL; of a failure, a sentence for a log */
};

typedef void (*webhook_answered_fn)(struct webhook_call *call, const struct webhook_answer *a);

/* A question; embedded in its owner, zeroed. All fields are the webhook's. */
struct webhook_call {
	struct http_call http;
	struct list node;          /* part->calls */
	struct webhook_part *part; /* NULL: it is not under way */
	webhook_answered_fn answered;
	enum webhook_event event;
	char *text;         /* the request's body */
	struct timer timer; /* until it is repeated */
	uint64_t begun, deadline;
	unsigned tries;
};

/* Asks, with these members beside those that all have (event and id); takes the reference to
 * `members`, which may be NULL: memory was out. `answered` is called exactly once unless it is
 * cancelled, in this reactor, never from within. 0; -ENOMEM, or -ESHUTDOWN: it is not called at
 * all. */
int webhook_ask(struct webhook *w, struct webhook_call *call, enum webhook_event event,
    json_t *members, webhook_answered_fn answered);
/* Harmless if it is not under way. */
void webhook_cancel(struct webhook_call *call);
/* A yes makes no sense to who has asked, who takes it for a failure: so it is counted, and logged with what
 * does not; `endpoint` is a prefix. */
void webhook_senseless(struct webhook *w, const char *endpoint, const char *what);
/* Nothing is under way in this reactor, and nobody will ask there any more: frees what it has there. */
void webhook_leave(struct webhook *w);
/* Whether something of this reactor is under way. */
bool webhook_is_busy(struct webhook *w);
/* A question, in another process: if it was under way it is asked again there, with the same number, in the first turn; else
 * the call stays as it is (zeroed). `answered` as for webhook_ask(). */
struct snapshot;
void webhook_call_snapshot(struct webhook *w, struct webhook_call *call, struct snapshot *s,
    webhook_answered_fn answered);
/* Likewise, all in this reactor that tell of an end: nobody waits for their answers. */
void webhook_farewells_snapshot(struct webhook *w, struct snapshot *s);
/* For the metrics callback of an application. */
void webhook_metrics(struct webhook *w, struct sockjs_metrics *m);

#endif
