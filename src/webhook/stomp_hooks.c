/*
 * webhook/stomp_hooks.c - see stomp_hooks.h.
 *
 * Each client has one question under way at most, for what it sends behind waits for the answer.
 */
#include "webhook/stomp_hooks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "webhook/stomp_json.h"
#include "webhook/webhook_event.h"

#define REPLIES     "/queue/replies" /* where a sender gets what is not said otherwise */
#define LAST_SECOND 1000000000000ULL /* since 1970, that something can be good until */

struct stomp_hooks {
	struct webhook *webhook;
	struct sockjs_broker *broker;
	struct sockjs_options options; /* a copy */
};

/* What is kept of a client, and asked about it. */
struct asker {
	struct stomp_hooks *hooks;
	struct sockjs_client *client;
	struct webhook_call call;
	json_t *handshake;  /* until it is connected */
	json_t *attributes; /* as the backend has said; or NULL */
	char *prefix;
};

static bool wants(const struct stomp_hooks *h, enum webhook_event event)
{
	return webhook_wants(h->webhook, event, 1u << WEBHOOK_CONNECT);
}

/* --- what the backend is told ------------------------------------------------------------ */

/* The members that all events of a connected client have. */
static json_t *event_of_client(const struct asker *a)
{
	const struct sockjs_client *c = a->client;
	json_t *e = event_of_session(sockjs_client_session(c), a->prefix);
	char name[32];

	e = event_with_text(e, "name", sockjs_client_name(c, name));
	if (*sockjs_client_user(c))
		e = event_with_text(e, "user", sockjs_client_user(c));
	return a->attributes ? event_with(e, "attributes", json_incref(a->attributes)) : e;
}

static json_t *event_of_publication(const struct asker *a, const struct sockjs_publication *p)
{
	json_t *e = event_of_client(a);

	e = event_with_text(e, "destination", p->destination);
	e = event_with(e, "headers", stomp_json_headers(p));
	if (p->variable_count)
		e = event_with(e, "variables", stomp_json_pairs(p->variables, p->variable_count));
	return e;
}

static json_t *event_of_send(const struct asker *a, const struct sockjs_publication *p)
{
	return event_with(event_of_publication(a, p), "body",
	    event_text((struct bytes){ p->body, p->len }, false));
}

/* SOCKJS_LATER, or why it could not be asked. */
static int ask(struct asker *a, enum webhook_event event, json_t *e, webhook_answered_fn answered)
{
	return webhook_ask(a->hooks->webhook, &a->call, event, e, answered) < 0 ? -ENOMEM
	                                                                        : SOCKJS_LATER;
}

/* --- what it has answered ------------------------------------------------------------------- */

static struct asker *asker_of(struct webhook_call *call)
{
	return container_of(call, struct asker, call);
}

/* A no, or none: the client hears why. `denial` is what a no means here. */
static void refuse(struct asker *a, const struct webhook_answer *answer)
{
	int status = -EHOSTUNREACH;

	if (answer->verdict == WEBHOOK_NO)
		status = answer->status == 404                            ? -ENOENT
		         : answer->status == 401 || answer->status == 403 ? -EACCES
		                                                          : -EPERM;
	sockjs_client_refuse(a->client, status, answer->verdict == WEBHOOK_NO ? answer->why : NULL);
}

/* The answer is no use. */
static void give_up(struct asker *a, const char *what)
{
	webhook_senseless(a->hooks->webhook, a->prefix, what);
	sockjs_client_refuse(a->client, -EHOSTUNREACH, NULL);
}

/* --- CONNECT ---------------------------------------------------------------------------------- */

/* The time that an answer names, or a lot of it; 0: none. What is over or no number must not pass
 * for "never". False: it is no number. */
static bool read_time(const json_t *value, double since, unsigned long long *at)
{
	double end = since + json_number_value(value);

	if (!value || json_is_null(value))
		return true;
	*at = end < 1 ? 1 : end > LAST_SECOND ? LAST_SECOND : (unsigned long long)end;
	return json_is_number(value);
}

static bool read_end(const json_t *answer, unsigned long long *at)
{
	return read_time(json_object_get(answer, "expires_at"), 0, at) &&
	       read_time(json_object_get(answer, "expires_in"), (double)time(NULL), at);
}

/* Who the backend says it is; 0 if it does not say. */
static int identify(struct asker *a, const json_t *answer)
{
	const char *roles[STOMP_JSON_ROLES_MAX];
	const json_t *claims = json_object_get(answer, "claims");
	struct sockjs_identity who = {
		.user = event_string(json_object_get(answer, "user")),
		.roles = roles,
	};
	char *text = NULL;
	int err;

	if (!json_object_get(answer, "user"))
		return 0;
	if (!who.user || !read_end(answer, &who.expires_at) ||
	    !stomp_json_roles(json_object_get(answer, "roles"), roles, &who.role_count))
		return -EINVAL;
	if (claims && !(text = json_dumps(claims, JSON_COMPACT | JSON_ENCODE_ANY)))
		return -ENOMEM;
	who.claims = text;
	err = sockjs_client_set_identity(a->client, &who);
	free(text); /* jansson's */
	return err;
}

static void on_connect_answer(struct webhook_call *call, const struct webhook_answer *answer)
{
	struct asker *a = asker_of(call);
	int err;

	json_decref(a->handshake);
	a->handshake = NULL;
	if (answer->verdict != WEBHOOK_YES) {
		refuse(a, answer);
		return;
	}
	a->attributes = json_incref(json_object_get(answer->json, "attributes"));
	err = identify(a, answer->json);
	if (err == -ENOMEM)
		sockjs_client_decide(a->client, -ENOMEM, NULL);
	else if (err < 0)
		give_up(a, "user, roles, claims or expires");
	else
		sockjs_client_decide(a->client, 0, NULL);
}

static int on_authenticate(
    struct sockjs_client *c, const struct sockjs_publication *connect, void *arg)
{
	struct asker *a = sockjs_client_data(c);
	json_t *e = a->handshake;

	(void)arg;
	e = event_with(e, "session", json_integer((json_int_t)sockjs_id(sockjs_client_session(c))));
	e = event_with(e, "connect", stomp_json_headers(connect));
	a->handshake = NULL;
	return ask(a, WEBHOOK_CONNECT, e, on_connect_answer);
}

static void asker_free(struct asker *a)
{
	json_decref(a->handshake);
	json_decref(a->attributes);
	mem_free(a->prefix);
	mem_free(a);
}

static int on_handshake(struct sockjs_handshake *h, struct sockjs_client *c, void *arg)
{
	struct stomp_hooks *hooks = arg;
	struct asker *a = mem_zalloc(sizeof(*a));

	if (!a)
		return 503;
	a->hooks = hooks;
	a->client = c;
	a->prefix = mem_strdup(sockjs_handshake_prefix(h));
	if (wants(hooks, WEBHOOK_CONNECT))
		a->handshake = event_of_handshake(h);
	if (!a->prefix || (!a->handshake && wants(hooks, WEBHOOK_CONNECT))) {
		asker_free(a);
		return 503;
	}
	sockjs_client_set_data(c, a);
	return 0;
}

/* --- SUBSCRIBE -----------------------------------------------------------------------------------
 */

/* Decides without more. */
static void on_plain_answer(struct webhook_call *call, const struct webhook_answer *answer)
{
	struct asker *a = asker_of(call);

	if (answer->verdict == WEBHOOK_YES)
		sockjs_client_decide(a->client, 0, NULL);
	else
		refuse(a, answer);
}

static int on_subscribe(struct sockjs_client *c, const char *destination, const char *id, void *arg)
{
	const struct stomp_hooks *h = arg;
	struct asker *a = sockjs_client_data(c);
	json_t *e;

	if (sockjs_broker_is_handled(h->broker, destination))
		return 0; /* it is asked about once, by whoever answers */
	e = event_with_text(event_of_client(a), "destination", destination);
	return ask(a, WEBHOOK_SUBSCRIBE, event_with_text(e, "subscription", id), on_plain_answer);
}

/* A one-shot answer: the member `reply`, or an empty one. */
static void on_reply(struct webhook_call *call, const struct webhook_answer *answer)
{
	struct asker *a = asker_of(call);
	const json_t *reply = json_object_get(answer->json, "reply");
	struct stomp_json_message m;

	if (answer->verdict != WEBHOOK_YES) {
		refuse(a, answer);
		return;
	}
	if (!stomp_json_read(&m, event_is_nothing(reply) ? NULL : reply) ||
	    sockjs_client_decide(a->client, 0, &m.publication) == -EINVAL)
		give_up(a, "reply");
	stomp_json_free(&m);
}

static int on_answerer(struct sockjs_client *c, const struct sockjs_publication *p,
    struct sockjs_publication *answer, void *arg)
{
	struct asker *a = sockjs_client_data(c);

	(void)answer, (void)arg;
	return ask(a, WEBHOOK_SUBSCRIBE, event_of_publication(a, p), on_reply);
}

/* --- SEND
 * ------------------------------------------------------------------------------------------ */

/* The member `message`, or what the client has sent. */
static void on_publish_answer(struct webhook_call *call, const struct webhook_answer *answer)
{
	struct asker *a = asker_of(call);
	const json_t *message = json_object_get(answer->json, "message");
	struct stomp_json_message m;

	if (answer->verdict != WEBHOOK_YES || !message) {
		on_plain_answer(call, answer);
		return;
	}
	if (!stomp_json_read(&m, message) ||
	    sockjs_client_decide(a->client, 0, &m.publication) == -EINVAL)
		give_up(a, "message");
	stomp_json_free(&m);
}

static int on_incoming(struct sockjs_client *c, struct sockjs_publication *p, void *arg)
{
	const struct stomp_hooks *h = arg;
	struct asker *a = sockjs_client_data(c);

	if (sockjs_broker_is_handled(h->broker, p->destination))
		return 0;
	return ask(a, WEBHOOK_PUBLISH, event_of_send(a, p), on_publish_answer);
}

static bool is_message(const json_t *message, bool needs_destination)
{
	struct stomp_json_message m;
	bool ok = stomp_json_read(&m, message) && (m.publication.destination || !needs_destination);

	stomp_json_free(&m);
	return ok;
}

/* Before any of it is done: what is not there; NULL: all of it can be read. */
static const char *trouble_with(const json_t *messages, const json_t *reply)
{
	if (!event_is_nothing(messages) && !json_is_array(messages))
		return "messages";
	for (size_t i = 0; i < json_array_size(messages); i++)
		if (!is_message(json_array_get(messages, i), true))
			return "messages";
	return event_is_nothing(reply) || is_message(reply, false) ? NULL : "reply";
}

static bool publish(struct asker *a, const json_t *message)
{
	struct stomp_json_message m;
	bool ok = stomp_json_read(&m, message) &&
	          sockjs_broker_publish(a->hooks->broker, &m.publication) == 0;

	stomp_json_free(&m);
	return ok;
}

/* To its sender alone. */
static bool publish_reply(struct asker *a, const json_t *reply)
{
	struct stomp_json_message m;
	struct buf destination = BUF_INIT;
	char name[32];
	bool ok = stomp_json_read(&m, reply) &&
	          buf_printf(&destination, "/user/%s%s%c", sockjs_client_name(a->client, name),
	              m.publication.destination ? m.publication.destination : REPLIES, 0) == 0;

	if (ok) {
		m.publication.destination = buf_data(&destination);
		ok = sockjs_broker_publish(a->hooks->broker, &m.publication) == 0;
	}
	buf_fini(&destination);
	stomp_json_free(&m);
	return ok;
}

static void on_message_answer(struct webhook_call *call, const struct webhook_answer *answer)
{
	struct asker *a = asker_of(call);
	const json_t *messages = json_object_get(answer->json, "messages");
	const json_t *reply = json_object_get(answer->json, "reply");
	const char *trouble = trouble_with(messages, reply);

	if (answer->verdict != WEBHOOK_YES) {
		refuse(a, answer);
		return;
	}
	for (size_t i = 0; !trouble && i < json_array_size(messages); i++)
		if (!publish(a, json_array_get(messages, i)))
			trouble = "messages";
	if (!trouble && !event_is_nothing(reply) && !publish_reply(a, reply))
		trouble = "reply";
	if (trouble)
		give_up(a, trouble);
	else
		sockjs_client_decide(a->client, 0, NULL);
}

static int on_handler(struct sockjs_client *c, const struct sockjs_publication *p, void *arg)
{
	struct asker *a = sockjs_client_data(c);

	(void)arg;
	return ask(a, WEBHOOK_MESSAGE, event_of_send(a, p), on_message_answer);
}

/* --- the end
 * ------------------------------------------------------------------------------------------ */

/* It outlives its client. */
struct farewell {
	struct webhook_call call;
};

static void on_farewell(struct webhook_call *call, const struct webhook_answer *answer)
{
	(void)answer;
	mem_free(container_of(call, struct farewell, call));
}

static void on_disconnected(struct sockjs_client *c, void *arg)
{
	struct stomp_hooks *h = arg;
	struct asker *a = sockjs_client_data(c);
	struct farewell *f = mem_zalloc(sizeof(*f));
	json_t *e = event_of_client(a);
	unsigned code;
	const char *reason = sockjs_client_end(c, &code);

	e = event_with(e, "code", json_integer((json_int_t)code));
	e = event_with_text(e, "reason", reason);
	if (!f)
		json_decref(e);
	else if (webhook_ask(h->webhook, &f->call, WEBHOOK_DISCONNECT, e, on_farewell) < 0)
		mem_free(f);
}

static void on_gone(struct sockjs_client *c, void *arg)
{
	struct asker *a = sockjs_client_data(c);

	(void)arg;
	if (!a)
		return;
	webhook_cancel(&a->call);
	sockjs_client_set_data(c, NULL);
	asker_free(a);
}

/* --- life
 * ------------------------------------------------------------------------------------------------
 */

static void set_hooks(struct stomp_hooks *h)
{
	struct sockjs_broker_hooks hooks = { .handshake = on_handshake, .gone = on_gone };

	if (wants(h, WEBHOOK_CONNECT))
		hooks.authenticate = on_authenticate;
	if (wants(h, WEBHOOK_SUBSCRIBE))
		hooks.subscribe = on_subscribe;
	if (wants(h, WEBHOOK_PUBLISH))
		hooks.incoming = on_incoming;
	if (wants(h, WEBHOOK_DISCONNECT))
		hooks.disconnected = on_disconnected;
	sockjs_broker_set_hooks(h->broker, &hooks, h);
}

static int add_handlers(struct stomp_hooks *h, char *why, size_t why_size)
{
	const struct string_list *own = &h->options.hooks.destinations;
	int err = 0;

	for (size_t i = 0; i < own->count && err == 0; i++) {
		err = sockjs_broker_handle(h->broker, own->items[i], on_handler, h);
		if (err == 0)
			err = sockjs_broker_answer(h->broker, own->items[i], on_answerer, h);
		if (err == -EINVAL)
			snprintf(why, why_size, "hooks.destinations[%zu]: \"%s\" is no pattern", i,
			    own->items[i]);
	}
	return err;
}

int stomp_hooks_new(struct stomp_hooks **out, struct sockjs_broker *b, struct webhook *w,
    const struct sockjs_options *o, char *why, size_t why_size)
{
	struct stomp_hooks *h = mem_zalloc(sizeof(*h));
	int err;

	snprintf(why, why_size, "out of memory");
	if (!h)
		return -ENOMEM;
	h->webhook = w;
	h->broker = b;
	err = options_copy(&h->options, o);
	if (err == 0)
		err = add_handlers(h, why, why_size);
	if (err < 0) {
		stomp_hooks_free(h);
		return err;
	}
	set_hooks(h);
	*out = h;
	return 0;
}

void stomp_hooks_free(struct stomp_hooks *h)
{
	options_fini(&h->options);
	mem_free(h);
}
