/*
 * nats/nats_js.h - calls of JetStream's API: a JSON object to a subject, a JSON object back.
 */
#ifndef NATS_JS_H
#define NATS_JS_H

#include <jansson.h>

#include "nats/nats_client.h"

/* Numbers of errors that mean something to us, as JetStream has them. */
enum {
	NATS_JS_WRONG_MSG_ID = 10070,
	NATS_JS_WRONG_SEQUENCE = 10071,
};

struct nats_js;
/* Err 0: `answer` is an object that is no error; borrowed for the call. Else as nats_replied_fn has
 * it, or -ENOENT, -ESTALE (what was expected is not so), -EREMOTEIO (JetStream says no), -EBADMSG
 * (it makes no sense); `why` is a sentence. */
typedef void (*nats_js_fn)(struct nats_js *j, int err, const char *why, json_t *answer);

/* Embedded, as a request is. */
struct nats_js {
	struct nats_request request;
	nats_js_fn done;
};

/* Calls `verb` ("STREAM.INFO") for a stream, and a consumer (or NULL). `body` is the caller's
 * reference, which is taken; NULL: nothing is said. 0: `done` will be called; -EINVAL: a name is
 * not one; -ENOMEM; and those of nats_request(). */
int nats_js_call(struct nats_client *c, struct nats_js *j, const char *verb, const char *stream,
    const char *consumer, json_t *body, unsigned timeout_ms, nats_js_fn done);
/* Nothing is waited for: what becomes of it nobody hears. */
int nats_js_send(struct nats_client *c, const char *verb, const char *stream, const char *consumer);
void nats_js_cancel(struct nats_js *j);

/* The subject of a call. 0, -EINVAL or -ENAMETOOLONG. */
int nats_js_subject(const struct nats_client *c, char *subject, size_t size, const char *verb,
    const char *stream, const char *consumer);
/* What an answer says: 0, or an error with a sentence. */
int nats_js_verdict(const json_t *answer, const char **why);
/* A sentence for an error of nats_replied_fn. */
const char *nats_js_why(int err);

#endif
