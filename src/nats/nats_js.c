/*
 * nats/nats_js.c - calls of JetStream's API; see nats_js.h.
 */
#include "nats/nats_js.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "nats/nats_json.h"
#include "nats/nats_subject.h"

/* --- subjects ----------------------------------------------------------------------- */

bool nats_js_is_name(const char *name)
{
	return name && !strchr(name, '.') && nats_subject_is_valid(bytes_of(name)) &&
	       nats_json_can_say(name);
}

bool nats_js_is_pattern(const char *pattern)
{
	return pattern && nats_pattern_is_valid(bytes_of(pattern)) && nats_json_can_say(pattern);
}

int nats_js_subject(const struct nats_client *c, char *subject, size_t size, const char *verb,
    const char *stream, const char *consumer)
{
	int n;

	if (!nats_js_is_name(stream) || (consumer && !nats_js_is_name(consumer)))
		return -EINVAL;
	n = snprintf(subject, size, "%s.%s.%s%s%s", nats_client_js_prefix(c), verb, stream,
	    consumer ? "." : "", consumer ? consumer : "");
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* --- answers ------------------------------------------------------------------------ */

static int errno_of(const json_t *error)
{
	json_int_t number = json_integer_value(json_object_get(error, "err_code"));

	if (number == NATS_JS_WRONG_SEQUENCE || number == NATS_JS_WRONG_MSG_ID)
		return -ESTALE;
	if (number == NATS_JS_NO_MESSAGE)
		return -ENODATA;
	if (json_integer_value(json_object_get(error, "code")) == 404)
		return -ENOENT;
	return -EREMOTEIO;
}

static int verdict(const json_t *answer, const char **why)
{
	const json_t *error = json_object_get(answer, "error");
	const char *text = json_string_value(json_object_get(error, "description"));

	if (!json_is_object(answer)) {
		*why = "JetStream's answer makes no sense";
		return -EBADMSG;
	}
	if (!error)
		return 0;
	*why = text ? text : "JetStream says no";
	return errno_of(error);
}

int nats_js_read(json_t **answer, struct bytes text, const char **why)
{
	int err = nats_json_read(answer, text);

	*why = "";
	if (err == -ENOMEM) {
		*why = "out of memory";
		return err;
	}
	return verdict(*answer, why);
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
	const char *why;
	json_t *answer = NULL;

	if (err < 0) {
		why = nats_js_why(err);
	} else if (reply->payload.n > j->answer_max) {
		why = "JetStream's answer is too large";
		err = -EMSGSIZE;
	} else {
		budget_spend(
		    loop_budget(nats_client_loop(j->client)), cost_of_json(reply->payload.n));
		err = nats_js_read(&answer, reply->payload, &why);
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
	char *json = body ? nats_json_write(body) : NULL;
	int err = body && !json ? -ENOMEM : 0;

	json_decref(body);
	if (err == 0)
		err = nats_js_subject(c, subject, sizeof(subject), verb, stream, consumer);
	if (err == 0) {
		j->done = done;
		j->client = c;
		j->answer_max = NATS_JS_ANSWER_MAX;
		err = say(c, j, subject, json, timeout_ms);
	}
	mem_free(json);
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
