/*
 * nats/nats_js.h - calls of JetStream's API: a JSON object to a subject, a JSON object back.
 */
#ifndef NATS_JS_H
#define NATS_JS_H

#include <jansson.h>

#include "nats/nats_client.h"

/* Numbers of errors that mean something to us, as JetStream has them. */
enum {
	NATS_JS_NO_MESSAGE = 10037,
	NATS_JS_WRONG_MSG_ID = 10070,
	NATS_JS_WRONG_SEQUENCE = 10071,
};

struct nats_js;
/* Err 0: `answer` is an object that is no error; borrowed for the call. Else as nats_replied_fn has
 * it, or -ENOENT (there is no such stream or consumer), -ENODATA (no such message), -ESTALE (what
 * was expected is not so), -EREMOTEIO (JetStream says no), -EBADMSG (it makes no sense), -EMSGSIZE
 * (it says too much), -ENOMEM; `why` is a sentence. */
typedef void (*nats_js_fn)(struct nats_js *j, int err, const char *why, json_t *answer);

/* Embedded, as a request is. */
struct nats_js {
	struct nats_request request;
	struct nats_client *client;
	nats_js_fn done;
	size_t answer_max; /* octets */
};

/* What an answer may be long. Who asks for a message raises that of his own. */
#define NATS_JS_ANSWER_MAX (256 * 1024)

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
/* One token, and a subject or a pattern, that JSON can say. */
bool nats_js_is_name(const char *name);
bool nats_js_is_pattern(const char *pattern);
/* What an answer says: 0, or an error with a sentence, which may lie in *answer. That is to be
 * given back by json_decref() in any case. */
int nats_js_read(json_t **answer, struct bytes text, const char **why);
/* A sentence for an error of nats_replied_fn. */
const char *nats_js_why(int err);

#endif
