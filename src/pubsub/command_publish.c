/*
 * pubsub/command_publish.c - POST /api/publish: one message, or many, and how many subscriptions
 * each has come to.
 *
 * All of them are looked at before the first is published, so a request that is refused has done
 * nothing. Then they go out a few at a time, and the next few when those have come to everybody:
 * a thousand messages to a thousand subscribers must not keep all others waiting.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "pubsub/commands.h"
#include "pubsub/relayed.h"
#include "pubsub/joined.h"
#include "server/api_keys.h"
#include "server/command.h"

#define MESSAGES_MOST 1000
#define KEY_MAX       (API_KEY_LEN + 6)
#define AT_A_TIME     FAN_RUN_MOST /* messages */
#define RUN_OCTETS    16384 /* beside what stands before each: no client's buffer is much smaller */
/* At a time, as far as can be foreseen: some 10 ms. Fewer would cost more each, since all that a
 * subscriber gets in a turn is one send. */
#define DELIVERIES_MOST 131072

struct entry {
	struct job *job;
	struct published *message; /* NULL once it is published */
	bool is_relayed;
	bool is_kept; /* by the engine that joins gateways */
	char key[KEY_MAX];
	size_t received;
	int verdict; /* of a queue, or of an outside broker */
};

struct job {
	struct sockjs_server *server;
	struct sockjs_broker *broker; /* not when the server has ended: it may be gone by then */
	struct sockjs_command *command;
	struct buf scratch;
	bool is_many;
	int err;
	size_t count, next;
	atomic_uint under_way; /* messages, and one for who sends them out */
	struct entry entries[];
};

static void job_free(struct job *j)
{
	for (size_t i = 0; i < j->count; i++)
		if (j->entries[i].message)
			broker_message_unref(&j->entries[i].message->base);
	buf_fini(&j->scratch);
	mem_free(j);
}

/* --- what is asked ------------------------------------------------------------ */

/* The object of one message, and its path for who has made a mistake in it. */
struct text {
	const json_t *object;
	struct job *job;
	char path[32]; /* "messages[7]." */
};

static int refuse(const struct text *t, const char *name, const char *sentence)
{
	char field[128];

	snprintf(field, sizeof(field), "%s%.90s", t->path, name);
	command_refuse_argument(t->job->command, field, "%s", sentence);
	return -EINVAL;
}

static int check_members(const struct text *t)
{
	static const char *const known[] = { "destination", "headers", "body", "body_base64",
		"endpoint", "idempotency_key" };
	size_t most = t->job->is_many ? 4 : 6, i;
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)t->object, name, value) {
		for (i = 0; i < most && strcmp(known[i], name) != 0;)
			i++;
		if (i == most)
			return refuse(t, name, "is not known here");
	}
	return 0;
}

static int read_destination(const struct text *t, struct sockjs_publication *p)
{
	const json_t *value = json_object_get(t->object, "destination");

	p->destination = json_string_value(value);
	if (!p->destination)
		return refuse(t, "destination", value ? "must be a string" : "is missing");
	if (presence_is_said(t->job->broker, bytes_of(p->destination)))
		return refuse(
		    t, "destination", "says who is present, which the broker does itself");
	if (!broker_destination_is_valid(t->job->broker->topics, bytes_of(p->destination)) ||
	    relayed_is_between(t->job->broker, bytes_of(p->destination)))
		return refuse(t, "destination",
		    "is no destination: \"/topic/...\" without * or empty segments, or "
		    "\"/user/NAME/...\"");
	if (joined_lacks(t->job->broker, bytes_of(p->destination)))
		return refuse(t, "destination", "is a queue: gateways that are joined have none");
	return 0;
}

static int read_headers(const struct text *t, struct sockjs_publication *p,
    struct sockjs_header headers[STOMP_HEADERS_MAX])
{
	json_t *all = json_object_get(t->object, "headers"), *value;
	const char *name;

	p->headers = headers;
	p->header_count = 0;
	if (all && !json_is_object(all))
		return refuse(t, "headers", "must be an object of strings");
	if (json_object_size(all) > STOMP_HEADERS_MAX)
		return refuse(t, "headers", "are too many");
	json_object_foreach (all, name, value) {
		if (!*name || !json_is_string(value))
			return refuse(t, "headers", "have names, and strings as values");
		headers[p->header_count++] =
		    (struct sockjs_header){ name, json_string_value(value) };
	}
	return 0;
}

/* Decoded into `scratch`. */
static int read_base64(const struct text *t, struct sockjs_publication *p, const json_t *value)
{
	struct buf *scratch = &t->job->scratch;
	size_t n = json_string_length(value);
	ssize_t len;
	char *to;

	buf_clear(scratch);
	to = buf_reserve(scratch, n / 4 * 3 + 1);
	if (!to)
		return -ENOMEM;
	len = base64_decode(to, json_string_value(value), n);
	if (len < 0)
		return refuse(t, "body_base64", "is not base64 (RFC 4648 section 4)");
	p->body = to;
	p->len = (size_t)len;
	return 0;
}

static int read_body(const struct text *t, struct sockjs_publication *p)
{
	const json_t *plain = json_object_get(t->object, "body"),
	             *coded = json_object_get(t->object, "body_base64");

	p->body = "";
	p->len = 0;
	if (plain && coded)
		return refuse(t, "body_base64", "and body exclude each other");
	if ((plain && !json_is_string(plain)) || (coded && !json_is_string(coded)))
		return refuse(t, plain ? "body" : "body_base64", "must be a string");
	if (coded)
		return read_base64(t, p, coded);
	if (plain) {
		p->body = json_string_value(plain);
		p->len = json_string_length(plain);
	}
	return 0;
}

/* What clients may send, and so what subscribers have room for. */
static bool is_within(const struct sockjs_publication *p, const struct stomp_limits *limits)
{
	size_t head = strlen(p->destination);

	for (size_t i = 0; i < p->header_count; i++)
		head += strlen(p->headers[i].name) + strlen(p->headers[i].value) + 2;
	return p->len <= limits->max_body_bytes && head <= limits->max_head_bytes;
}

static int too_large(const struct text *t)
{
	char sentence[120];

	snprintf(sentence, sizeof(sentence),
	    "%sbody or headers are longer than stomp.max_body_bytes or max_head_bytes.", t->path);
	sockjs_command_refuse(
	    t->job->command, 413, "too_large", *t->path ? "messages" : "body", sentence);
	return -EINVAL;
}

static int away(const struct text *t)
{
	sockjs_command_refuse(t->job->command, 503, "broker_unavailable", "destination",
	    "The broker of this destination cannot be reached, or takes nothing now.");
	return -EINVAL;
}

/* Whether the broker that has it could take it now. */
static int check_relayed(const struct text *t, struct entry *e)
{
	const char *why = NULL;
	int err = relayed_check(pubsub_here(t->job->broker)->relayed, e->message, &why);

	e->is_relayed = true;
	return err == -EHOSTUNREACH ? away(t) : err == -EINVAL ? refuse(t, "destination", why) : err;
}

static int read_message(const struct text *t, struct entry *e)
{
	struct sockjs_header headers[STOMP_HEADERS_MAX];
	struct buf scratch = BUF_INIT;
	struct sockjs_publication p;
	int err = check_members(t);

	if (err < 0 || (err = read_destination(t, &p)) < 0 ||
	    (err = read_headers(t, &p, headers)) < 0 || (err = read_body(t, &p)) < 0)
		return err;
	if (!is_within(&p, &t->job->broker->settings.limits))
		return too_large(t);
	e->job = t->job;
	e->message = published_from(&scratch, &p);
	buf_fini(&scratch);
	if (!e->message)
		return -ENOMEM;
	if (joined_is_refused(t->job->broker, bytes_of(p.destination)))
		return away(t);
	return relayed_has(t->job->broker, bytes_of(p.destination)) ? check_relayed(t, e) : 0;
}

static int read_all(struct job *j, const json_t *list)
{
	struct text t = { .job = j };
	int err = 0;

	for (size_t i = 0; i < j->count && err == 0; i++) {
		snprintf(t.path, sizeof(t.path), "messages[%zu].", i);
		t.object = json_array_get(list, i);
		err = json_is_object(t.object) ? read_message(&t, &j->entries[i])
		                               : refuse(&t, "", "must be an object");
	}
	return err;
}

/* --- what is answered ----------------------------------------------------------- */

/* Why a queue has not taken it: it is full, or its journal is, or that has failed. */
static const char *error_of(const struct entry *e)
{
	return e->is_relayed || (e->is_kept && e->verdict != -ENOMEM) ? "broker_unavailable" : e->verdict == -ENOSPC ? "queue_full" : "not_kept";
}

static json_t *list_received(const struct job *j)
{
	json_t *list = json_array();

	for (size_t i = 0; i < j->count; i++) {
		const struct entry *e = &j->entries[i];
		json_int_t received = (json_int_t)e->received;

		if (json_array_append_new(list,
		        e->verdict < 0
		            ? json_pack("{s:I,s:s}", "received", received, "error", error_of(e))
		            : json_pack("{s:I}", "received", received)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static void answer(struct job *j)
{
	json_int_t received = 0;
	json_t *list;

	for (size_t i = 0; i < j->count; i++)
		received += (json_int_t)j->entries[i].received;
	if (!j->is_many && j->entries[0].verdict == -ENOSPC) {
		sockjs_command_refuse(
		    j->command, 409, "queue_full", "destination", "The queue is full.");
		return;
	}
	if (!j->is_many && j->entries[0].verdict < 0 && j->entries[0].is_relayed) {
		sockjs_command_refuse(j->command, 503, "broker_unavailable", "destination",
		    "The broker of this destination has refused it, or has gone before it had answered.");
		return;
	}
	if (!j->is_many && j->entries[0].verdict < 0 && j->entries[0].is_kept) {
		sockjs_command_refuse(j->command, 503, "broker_unavailable", "destination",
		    "The engine that joins the gateways has refused it, or has gone before it had answered.");
		return;
	}
	if (!j->is_many && j->entries[0].verdict < 0) {
		sockjs_command_refuse(j->command, 503, "not_kept", "destination",
		    "The queue's journal is full, or its disk has failed.");
		return;
	}
	if (!j->is_many) {
		command_answer(j->command, json_pack("{s:I}", "received", received));
		return;
	}
	list = list_received(j);
	command_answer(j->command,
	    list ? json_pack("{s:I,s:o}", "received", received, "messages", list) : NULL);
}

static void finish(struct job *j)
{
	char sentence[100];

	snprintf(sentence, sizeof(sentence), "%s; %zu of %zu messages were published.",
	    j->err == -EPIPE ? "The server has stopped" : "Out of memory", j->next, j->count);
	if (j->err < 0)
		sockjs_command_refuse(j->command, 503, "incomplete", NULL, sentence);
	else
		answer(j);
	job_free(j);
}

/* --- publishing ------------------------------------------------------------------ */

static void go_on(struct job *j);

struct call {
	struct job *job;
	bool has_run;
};

static void on_call(void *arg)
{
	struct call *call = arg;

	call->has_run = true;
	go_on(call->job);
}

/* The server may end while the call is on its way. */
static void call_done(void *arg)
{
	const struct call *call = arg;

	if (call->has_run)
		return;
	call->job->err = -EPIPE;
	finish(call->job);
}

/* In the next turn, and where the command came from. */
static void go_on_later(struct job *j)
{
	struct call call = { j, false };
	int err = -EPIPE;

	if (sockjs_reactor(j->server) >= 0)
		err = sockjs_reactor_call(j->server, 0, on_call, call_done, &call, sizeof(call));
	if (err == 0) /* and there the job may be over by now */
		return;
	j->err = err;
	finish(j);
}

static void end_one(struct job *j)
{
	if (atomic_fetch_sub_explicit(&j->under_way, 1, memory_order_acq_rel) > 1)
		return;
	if (j->err < 0 || j->next == j->count)
		finish(j);
	else
		go_on_later(j);
}

/* It has come to all reactors. */
static void on_delivered(struct published *p)
{
	struct entry *e = p->delivered_arg;

	e->received = atomic_load_explicit(&p->base.received, memory_order_relaxed);
	end_one(e->job);
}

/* Its queue has taken it, or not; the consumer that gets it is nobody's affair here. */
static void on_queued(struct broker_message *m, int verdict)
{
	struct entry *e = container_of(m, struct published, base)->delivered_arg;

	e->received = verdict == 0;
	e->verdict = verdict;
	end_one(e->job);
}

/* The outside broker has it, or not; whom it brings it to is not known here. */
static void on_relayed(void *arg, const char *why)
{
	struct entry *e = arg;

	e->verdict = why ? -EHOSTUNREACH : 0;
	end_one(e->job);
}

/* How many of what is next are a run: to one destination, and not too long. At least one. */
static size_t length_of_run(const struct job *j, size_t most)
{
	const struct entry *first = &j->entries[j->next];
	struct bytes destination = first->message->base.destination;
	size_t n = 0, octets = 0;

	/* Where each subscriber gets something of his own, a message at a time is cheaper */
	if (first->is_relayed || !broker_takes_runs(j->broker->topics, destination) || j->broker->hooks.outgoing ||
	    pubsub_is_conflated(j->broker, destination))
		return 1;
	while (n < most && octets <= RUN_OCTETS && !first[n].message->is_binary &&
	       bytes_equal(first[n].message->base.destination, destination))
		octets += first[n++].message->tails[2].n;
	n -= octets > RUN_OCTETS;
	return n > 0 ? n : 1;
}

/* Those that are next, linked. */
static struct broker_message *link_run(struct job *j, size_t n)
{
	struct broker_message *next = NULL;

	while (n-- > 0) {
		struct entry *e = &j->entries[j->next + n];

		e->message->delivered_arg = e;
		e->message->delivered = on_delivered;
		e->message->base.next = next;
		next = &e->message->base;
	}
	return next;
}

/* That it was away is the message's misfortune, not the job's. */
static int publish_relayed(struct job *j, struct entry *e)
{
	int err = relayed_publish(pubsub_here(j->broker)->relayed, e->message, on_relayed, e);

	if (err == -ENOMEM)
		return err;
	if (err < 0) {
		e->verdict = err;
		atomic_fetch_sub_explicit(&j->under_way, 1, memory_order_relaxed);
	}
	return 0;
}

/* With the same one the engine keeps it once, whichever gateway is asked. NULL: none is given. */
static const char *key_of(struct entry *e)
{
	const struct job *j = e->job;
	const char *key =
	    json_string_value(json_object_get(command_arguments(j->command), "idempotency_key"));

	if (!key)
		return NULL;
	if (j->is_many)
		snprintf(e->key, sizeof(e->key), "%s.%zu", key, (size_t)(e - j->entries));
	else
		snprintf(e->key, sizeof(e->key), "%s", key);
	return e->key;
}

static int publish_one(struct job *j)
{
	struct entry *e = &j->entries[j->next];
	struct published *p = e->message;

	p->delivered_arg = e;
	if (e->is_relayed)
		return publish_relayed(j, e);
	e->is_kept = joined_keeps(j->broker, p->base.destination);
	p->key = e->is_kept ? key_of(e) : NULL;
	if (e->is_kept || broker_is_queue(j->broker->topics, p->base.destination))
		p->base.settled = on_queued;
	else
		p->delivered = on_delivered;
	return broker_publish(j->broker->topics, &p->base);
}

/* One, or a run of up to so many. */
static void publish_next(struct job *j, size_t most)
{
	size_t n = length_of_run(j, most);

	atomic_fetch_add_explicit(&j->under_way, (unsigned)n, memory_order_relaxed);
	j->err = n > 1 ? broker_publish_run(j->broker->topics, link_run(j, n)) : publish_one(j);
	if (j->err < 0) {
		atomic_fetch_sub_explicit(&j->under_way, (unsigned)n, memory_order_relaxed);
		return;
	}
	for (; n > 0; n--, j->next++) {
		broker_message_unref(&j->entries[j->next].message->base);
		j->entries[j->next].message = NULL;
	}
}

/* Subscribers of the next one in all reactors, if those here are as many as elsewhere. */
static size_t guess(const struct job *j)
{
	const struct pubsub_part *here = pubsub_here(j->broker);

	if (!here)
		return DELIVERIES_MOST;
	return broker_count(here->topics, j->entries[j->next].message->base.destination) *
	       j->broker->part_count;
}

/* By how many those had who were before. */
static size_t how_many(const struct job *j)
{
	size_t each = 0, most;

	for (size_t i = 0; i < j->next; i++)
		each += j->entries[i].received;
	each = j->next ? each / j->next : guess(j);
	most = DELIVERIES_MOST / (each + 1);
	return most < 1 ? 1 : most > AT_A_TIME ? AT_A_TIME : most;
}

static void go_on(struct job *j)
{
	size_t most = j->next + how_many(j);

	atomic_store_explicit(&j->under_way, 1, memory_order_relaxed);
	if (most > j->count)
		most = j->count;
	while (j->err == 0 && j->next < most)
		publish_next(j, most - j->next);
	end_one(j);
}

/* --- the command -------------------------------------------------------------------- */

static bool check_list(struct sockjs_command *c, const json_t *list)
{
	static const char *const known[] = { "messages", NULL };

	if (!command_has_only(c, known))
		return false;
	if (json_is_array(list) && json_array_size(list) > 0 &&
	    json_array_size(list) <= MESSAGES_MOST)
		return true;
	command_refuse_argument(c, "messages", "must be a list of 1 to %d messages", MESSAGES_MOST);
	return false;
}

static int read_job(struct job *j, const json_t *list)
{
	struct text t = { command_arguments(j->command), j, "" };

	return j->is_many ? read_all(j, list) : read_message(&t, &j->entries[0]);
}

void command_publish(struct sockjs_command *c, void *broker)
{
	const json_t *list = json_object_get(command_arguments(c), "messages");
	size_t count = 1;
	struct job *j;
	int err;

	if (list && !check_list(c, list))
		return;
	if (list)
		count = json_array_size(list);
	j = mem_zalloc(sizeof(*j) + count * sizeof(struct entry));
	if (!j) {
		command_no_memory(c);
		return;
	}
	*j = (struct job){ .broker = broker, .command = c, .is_many = list, .count = count };
	j->server = j->broker->server;
	err = read_job(j, list);
	if (err == 0) {
		go_on(j);
		return;
	}
	if (err == -ENOMEM)
		command_no_memory(c);
	job_free(j);
}
