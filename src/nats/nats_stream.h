/*
 * nats/nats_stream.h - streams of JetStream: that there is one as we want it, and what is stored in
 * it, with its acknowledgement.
 *
 * What a stream has stored it gives again in order: nats_fetch.h. Who works on it: nats_work.h.
 */
#ifndef NATS_STREAM_H
#define NATS_STREAM_H

#include "nats/nats_js.h"

/* Borrowed until the call is done. What is 0 or NULL is left to the server, or as it is. */
struct nats_stream_config {
	const char *name;
	const char *const *subjects;
	size_t subject_count;
	const char *republish_from, *republish_to; /* what is stored is then published, too */
	bool in_memory;
	bool is_work_queue; /* a message goes when it was acknowledged */
	unsigned replicas;
	uint64_t max_age_ms, duplicate_window_ms;
	int64_t max_bytes, max_messages, max_messages_per_subject;
};

struct nats_stream_call;
/* `why` is a sentence, "" if all is well. */
typedef void (*nats_stream_fn)(struct nats_stream_call *call, int err, const char *why);

/* Embedded, as a request is. */
struct nats_stream_call {
	struct nats_js js;
	struct nats_client *client;
	const struct nats_stream_config *config;
	unsigned timeout_ms; /* of each of its steps */
	nats_stream_fn done;
	uint64_t sequence; /* of nats_stream_last(): 0: there is no message */
};

/* Asks for the stream; creates it if it is missing, and changes it if it is not as it should be.
 * What `config` does not say stays. 0; -EINVAL: this is no name, or no subject; or another -errno.
 * Then `done` is not called. */
int nats_stream_ensure(struct nats_client *c, struct nats_stream_call *call,
    const struct nats_stream_config *config, unsigned timeout_ms, nats_stream_fn done);
/* The sequence of the last message of a subject, in call->sequence when it is done. Errors as
 * above. */
int nats_stream_last(struct nats_client *c, struct nats_stream_call *call, const char *stream,
    const char *subject, unsigned timeout_ms, nats_stream_fn done);
void nats_stream_cancel(struct nats_stream_call *call);

/* --- publishing --------------------------------------------------------------------- */

struct nats_stored {
	uint64_t sequence;
	bool is_duplicate; /* one with this Nats-Msg-Id was stored before, there */
};

struct nats_store;
/* Err 0: it is stored, as safely as the stream is. -ETIMEDOUT and -ECONNRESET: it may be stored or
 * not; if it is published again with the same Nats-Msg-Id, it is not stored twice. -EHOSTUNREACH:
 * no stream takes that subject. -ESTALE: an expectation (Nats-Expected-...) was not met. Others as
 * nats_js_fn has them. `stored` is NULL then. */
typedef void (*nats_stored_fn)(
    struct nats_store *s, int err, const char *why, const struct nats_stored *stored);

/* Embedded, as a request is. */
struct nats_store {
	struct nats_request request;
	nats_stored_fn done;
};

/* m->reply is ours. 0, or an error of nats_publish(): then `done` is not called. */
int nats_stream_publish(struct nats_client *c, struct nats_store *s, const struct nats_message *m,
    unsigned timeout_ms, nats_stored_fn done);
void nats_store_cancel(struct nats_store *s);

/* The acknowledgement of a message. 0, or an error with a sentence, which is in *answer (to be
 * given back by json_decref()) if it came from there. */
int nats_stored_read(
    struct bytes payload, struct nats_stored *stored, const char **why, json_t **answer);

#endif
