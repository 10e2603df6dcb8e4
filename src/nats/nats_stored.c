/*
 * nats/nats_stored.c - publishing into a stream, and its acknowledgement; see nats_stream.h.
 *
 *	{"stream":"NAME","seq":42}     {"stream":"NAME", "seq":42,"duplicate":true} {"error":{...}}
 *
 * One comes for each message, so that of the first form is read without making objects of it.
 * Anything else is JSON.
 */
#include <errno.h>

#include "nats/nats_stream.h"

#define STREAM BYTES("{\"stream\":\"")

static bool skip(struct bytes *in, struct bytes text)
{
	if (in->n < text.n || memcmp(in->p, text.p, text.n) != 0)
		return false;
	in->p += text.n;
	in->n -= text.n;
	return true;
}

/* Of the plainest form; else false, which means nothing. */
static bool read_plain(struct bytes in, struct nats_stored *stored)
{
	if (!skip(&in, STREAM))
		return false;
	while (in.n > 0 && in.p[0] != '"' && in.p[0] != '\\')
		in.p++, in.n--;
	if (!skip(&in, BYTES("\",")))
		return false;
	skip(&in, BYTES(" "));
	if (!skip(&in, BYTES("\"seq\":")) || in.n < 2 || in.p[in.n - 1] != '}')
		return false;
	stored->is_duplicate = false;
	return nats_parse_number((struct bytes){ in.p, in.n - 1 }, &stored->sequence) &&
	       stored->sequence > 0;
}

static int read_object(const json_t *answer, struct nats_stored *stored, const char **why)
{
	json_int_t sequence = json_integer_value(json_object_get(answer, "seq"));

	if (sequence <= 0) {
		*why = "an acknowledgement has no sequence";
		return -EBADMSG;
	}
	stored->sequence = (uint64_t)sequence;
	stored->is_duplicate = json_is_true(json_object_get(answer, "duplicate"));
	return 0;
}

int nats_stored_read(
    struct bytes payload, struct nats_stored *stored, const char **why, json_t **answer)
{
	int err;

	*answer = NULL;
	*why = "";
	if (read_plain(payload, stored))
		return 0;
	err = nats_js_read(answer, payload, why);
	return err < 0 ? err : read_object(*answer, stored, why);
}

static void on_reply(struct nats_request *r, int err, const struct nats_event *reply)
{
	struct nats_store *s = container_of(r, struct nats_store, request);
	struct nats_stored stored;
	json_t *answer = NULL;
	const char *why;

	if (err < 0)
		why = err == -EHOSTUNREACH ? "no stream takes this subject" : nats_js_why(err);
	else
		err = nats_stored_read(reply->payload, &stored, &why, &answer);
	s->done(s, err, why, err < 0 ? NULL : &stored);
	json_decref(answer);
}

int nats_stream_publish(struct nats_client *c, struct nats_store *s, const struct nats_message *m,
    unsigned timeout_ms, nats_stored_fn done)
{
	s->done = done;
	return nats_request(c, &s->request, m, timeout_ms, on_reply);
}

void nats_store_cancel(struct nats_store *s)
{
	nats_request_cancel(&s->request);
}
