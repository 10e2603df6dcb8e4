/*
 * nats/nats_stream.c - that there is a stream as we want it; see nats_stream.h.
 *
 * What exists is read, overlaid with what we want, and written back only if that changed something:
 * so what operators have set beside our own settings stays, and several gateways that start at once
 * say the same.
 */
#include "nats/nats_stream.h"

#include <errno.h>

#include "nats/nats_json.h"

enum { NS_PER_MS = 1000000 };

/* --- what we want, as JSON ---------------------------------------------------------- */

static int set(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value) == 0 ? 0 : -ENOMEM;
}

/* 0: is left to the server. */
static int set_number(json_t *object, const char *key, json_int_t value)
{
	return value == 0 ? 0 : set(object, key, json_integer(value));
}

static int set_subjects(json_t *object, const struct nats_stream_config *config)
{
	json_t *list = json_array();
	int err = list ? 0 : -ENOMEM;

	for (size_t i = 0; i < config->subject_count && err == 0; i++)
		err = json_array_append_new(list, json_string(config->subjects[i])) == 0 ? 0
		                                                                         : -ENOMEM;
	if (err == 0 && config->subject_count > 0)
		return set(object, "subjects", list);
	json_decref(list);
	return err;
}

/* Whether headers alone are republished is as it was. */
static int set_republish(json_t *object, const struct nats_stream_config *config)
{
	json_t *before = json_object_get(object, "republish"), *republish;
	int err;

	if (!config->republish_to)
		return 0;
	republish = json_is_object(before) ? json_copy(before) : json_object();
	err = republish ? set(republish, "src",
	                      json_string(config->republish_from ? config->republish_from : ">"))
	                : -ENOMEM;
	if (err == 0)
		err = set(republish, "dest", json_string(config->republish_to));
	if (err == 0)
		return set(object, "republish", republish);
	json_decref(republish);
	return err;
}

static int set_limits(json_t *object, const struct nats_stream_config *config)
{
	int err = set_number(object, "num_replicas", config->replicas);

	if (err == 0)
		err = set_number(object, "max_age", (json_int_t)config->max_age_ms * NS_PER_MS);
	if (err == 0)
		err = set_number(object, "duplicate_window",
		    (json_int_t)config->duplicate_window_ms * NS_PER_MS);
	if (err == 0)
		err = set_number(object, "max_bytes", config->max_bytes);
	if (err == 0)
		err = set_number(object, "max_msgs", config->max_messages);
	if (err == 0)
		err = set_number(object, "max_msgs_per_subject", config->max_messages_per_subject);
	return err;
}

/* Whether it is in memory, and a work queue, can only be said when it is created. */
static int overlay(json_t *object, const struct nats_stream_config *config)
{
	int err = set_subjects(object, config);

	if (err == 0)
		err = set_republish(object, config);
	return err < 0 ? err : set_limits(object, config);
}

static json_t *new_config(const struct nats_stream_config *config)
{
	json_t *object = json_pack("{s:s, s:s, s:s, s:s}", "name", config->name, "storage",
	    config->in_memory ? "memory" : "file", "retention",
	    config->is_work_queue ? "workqueue" : "limits", "discard", "old");

	if (object && overlay(object, config) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

/* --- ensure ------------------------------------------------------------------------- */

static void finish(struct nats_stream_call *call, int err, const char *why)
{
	call->done(call, err, why);
}

static struct nats_stream_call *call_of(struct nats_js *j)
{
	return container_of(j, struct nats_stream_call, js);
}

static void on_changed(struct nats_js *j, int err, const char *why, json_t *answer)
{
	(void)answer;
	finish(call_of(j), err, why);
}

/* `body` is taken. */
static void change(struct nats_stream_call *call, const char *verb, json_t *body)
{
	int err = body ? nats_js_call(call->client, &call->js, verb, call->config->name, NULL, body,
	                     call->timeout_ms, on_changed)
	               : -ENOMEM;

	if (err < 0)
		finish(call, err, strerror(-err));
}

/* `present` as we want it; NULL: memory is out. */
static json_t *overlaid(const json_t *present, const struct nats_stream_config *config)
{
	json_t *wanted = json_deep_copy(present);

	if (wanted && overlay(wanted, config) < 0) {
		json_decref(wanted);
		return NULL;
	}
	return wanted;
}

static void compare(struct nats_stream_call *call, const json_t *present)
{
	json_t *wanted = overlaid(present, call->config);

	if (wanted && json_equal(wanted, present)) {
		json_decref(wanted);
		finish(call, 0, "");
		return;
	}
	change(call, "STREAM.UPDATE", wanted);
}

static void on_info(struct nats_js *j, int err, const char *why, json_t *answer)
{
	struct nats_stream_call *call = call_of(j);
	const json_t *present = json_object_get(answer, "config");

	if (err == -ENOENT)
		change(call, "STREAM.CREATE", new_config(call->config));
	else if (err < 0)
		finish(call, err, why);
	else if (!json_is_object(present))
		finish(call, -EBADMSG, "JetStream says nothing of the stream's configuration");
	else
		compare(call, present);
}

static bool is_valid(const struct nats_stream_config *config)
{
	for (size_t i = 0; i < config->subject_count; i++)
		if (!nats_js_is_pattern(config->subjects[i]))
			return false;
	return nats_js_is_name(config->name) && nats_json_can_say(config->republish_from) &&
	       nats_json_can_say(config->republish_to);
}

int nats_stream_ensure(struct nats_client *c, struct nats_stream_call *call,
    const struct nats_stream_config *config, unsigned timeout_ms, nats_stream_fn done)
{
	if (!is_valid(config))
		return -EINVAL;
	call->client = c;
	call->config = config;
	call->timeout_ms = timeout_ms;
	call->done = done;
	return nats_js_call(
	    c, &call->js, "STREAM.INFO", config->name, NULL, NULL, timeout_ms, on_info);
}

void nats_stream_cancel(struct nats_stream_call *call)
{
	nats_js_cancel(&call->js);
}

/* --- the last of a subject ---------------------------------------------------------- */

static void on_last(struct nats_js *j, int err, const char *why, json_t *answer)
{
	struct nats_stream_call *call = call_of(j);
	json_int_t sequence =
	    json_integer_value(json_object_get(json_object_get(answer, "message"), "seq"));

	call->sequence = err == 0 && sequence > 0 ? (uint64_t)sequence : 0;
	if (err == 0 && call->sequence == 0)
		finish(call, -EBADMSG, "JetStream's answer has no message");
	else
		finish(call, err, why);
}

/* There is no such message, which is an answer; there is no such stream, which is none. */
static void on_last_or_none(struct nats_js *j, int err, const char *why, json_t *answer)
{
	if (err == -ENODATA) {
		call_of(j)->sequence = 0;
		finish(call_of(j), 0, "");
	} else {
		on_last(j, err, why, answer);
	}
}

int nats_stream_last(struct nats_client *c, struct nats_stream_call *call, const char *stream,
    const char *subject, unsigned timeout_ms, nats_stream_fn done)
{
	json_t *body;
	int err;

	if (!nats_js_is_name(stream) || !nats_js_is_pattern(subject))
		return -EINVAL;
	body = json_pack("{s:s}", "last_by_subj", subject);
	if (!body)
		return -ENOMEM;
	call->client = c;
	call->done = done;
	err = nats_js_call(
	    c, &call->js, "STREAM.MSG.GET", stream, NULL, body, timeout_ms, on_last_or_none);
	if (err == 0) /* the message is in it, as base64 */
		call->js.answer_max += nats_client_max_payload(c) / 3 * 4;
	return err;
}
