/*
 * nats/nats_js.c - calls of JetStream's API; see nats_js.h.
 */
#include "nats/nats_js.h"

#include <errno.h>
#include <stdio.h>

#include "nats/nats_client_private.h"
#include "nats/nats_subject.h"

/* --- subjects ----------------------------------------------------------------------- */

/* One token. */
static bool is_name(const char *name)
{
	return name && !strchr(name, '.') && nats_subject_is_valid(bytes_of(name));
}

int nats_js_subject(const struct nats_client *c, char *subject, size_t size, const char *verb,
    const char *stream, const char *consumer)
{
	int n;

	if (!is_name(stream) || (consumer && !is_name(consumer)))
		return -EINVAL;
	n = snprintf(subject, size, "%s.%s.%s%s%s", c->options.js_prefix, verb, stream,
	    consumer ? "." : "", consumer ? consumer : "");
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* --- answers ------------------------------------------------------------------------ */

static int errno_of(const json_t *error)
{
	json_int_t number = json_integer_value(json_object_get(error, "err_code"));

	if (number == NATS_JS_WRONG_SEQUENCE || number == NATS_JS_WRONG_MSG_ID)
		return -ESTALE;
	if (json_integer_value(json_object_get(error, "code")) == 404)
		return -ENOENT;
	return -EREMOTEIO;
}

int nats_js_verdict(const json_t *answer, const char **why)
{
	const json_t *error = json_object_get(answer, "error");
	const char *text = json_string_value(json_object_get(error, "description"));

	*why = "";
	if (!json_is_object(answer)) {
		*why = "JetStream's answer makes no sense";
		return -EBADMSG;
	}
	if (!error)
		return 0;
	*why = text ? text : "JetStream says no";
	return errno_of(error);
}

const char *nats_js_why(int err)
{
	switch (err) {
	case -EHOSTUNREACH:
		return "nobody answers there: is there no JetStream, or no such stream?";
	case -ETIMEDOUT:
		return "JetStream did not answer in time";
	case -ECONNRESET:
		return "the connection broke";
	case -EACCES:
		return "we are not permitted to ask JetStream that";
	default:
		return strerror(-err);
	}
}

static void on_answer(struct nats_request *r, int err, const struct nats_event *reply)
{
	struct nats_js *j = container_of(r, struct nats_js, request);
	const char *why = "";
	json_t *answer = NULL;
	json_error_t error;

	if (err < 0) {
		why = nats_js_why(err);
	} else {
		answer = json_loadb(
		    reply->payload.p ? reply->payload.p : "", reply->payload.n, 0, &error);
		err = nats_js_verdict(answer, &why);
	}
	j->done(j, err, why, err < 0 ? NULL : answer);
	json_decref(answer);
}

/* --- calls -------------------------------------------------------------------------- */

static int say(struct nats_client *c, struct nats_js *j, const char *subject, const char *json,
    unsigned timeout_ms)
{
	struct nats_message m = { .subject = bytes_of(subject), .payload = bytes_of(json) };

	return nats_request(c, &j->request, &m, timeout_ms, on_answer);
}

int nats_js_call(struct nats_client *c, struct nats_js *j, const char *verb, const char *stream,
    const char *consumer, json_t *body, unsigned timeout_ms, nats_js_fn done)
{
	char subject[NATS_SUBJECT_MAX + 1];
	char *json = body ? json_dumps(body, JSON_COMPACT) : NULL;
	int err = body && !json ? -ENOMEM : 0;

	json_decref(body);
	if (err == 0)
		err = nats_js_subject(c, subject, sizeof(subject), verb, stream, consumer);
	if (err == 0) {
		j->done = done;
		err = say(c, j, subject, json, timeout_ms);
	}
	free(json);
	return err;
}

int nats_js_send(struct nats_client *c, const char *verb, const char *stream, const char *consumer)
{
	char subject[NATS_SUBJECT_MAX + 1];
	struct nats_message m = { .headers = NULL };
	int err = nats_js_subject(c, subject, sizeof(subject), verb, stream, consumer);

	m.subject = bytes_of(subject);
	return err < 0 ? err : nats_publish(c, &m);
}

void nats_js_cancel(struct nats_js *j)
{
	nats_request_cancel(&j->request);
}
