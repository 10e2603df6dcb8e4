/*
 * pubsub/frames.c - what the frames of a client do, once it is connected: SEND, SUBSCRIBE and
 * UNSUBSCRIBE; queues.c and transactions.c have the others.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "pubsub/relayed.h"
#include "pubsub/joined.h"
#include "pubsub/waiters.h"

#define REFRESH_DESTINATION "/session/token" /* a SEND to it brings a new token */

/* --- SEND ------------------------------------------------------------------------ */

static enum stomp_error publish(
    struct sockjs_client *c, struct published *p, const struct stomp_frame *f)
{
	const struct sockjs_broker *b = c->part->broker;
	bool has_word = broker_is_queue(b->topics, p->base.destination) || joined_keeps(b, p->base.destination);
	int err = has_word ? queues_await_word(c, p, stomp_header_get(f, "receipt")) : 0;

	if (err == 0)
		err = pace_publish(c->part, p);
	broker_message_unref(&p->base);
	if (c->is_connected && pace_is_crowded(c->part))
		c->must_wait = true;
	if (err < 0)
		return err == -EINVAL ? STOMP_E_BAD_DESTINATION : STOMP_E_INTERNAL;
	return has_word ? STOMP_PENDING : STOMP_OK;
}

/* What an application has said of a frame, unless it wants to think; `message` is held with it. */
static enum stomp_error verdict(struct sockjs_client *c, enum ask what, int status,
    const struct stomp_frame *f, struct published *message, const char **why)
{
	if (status == SOCKJS_LATER)
		return held_keep(c, what, held_new(f, message));
	if (!c->is_connected) /* the application has ended it */
		return STOMP_E_DISCONNECTED;
	return decision_verdict(&(struct decision){ .status = status }, why);
}

/* Takes the reference to `p`. */
static enum stomp_error route(struct sockjs_client *c, struct published *p, struct transaction *t,
    const struct stomp_frame *f, const char **why)
{
	struct sockjs_broker *b = c->part->broker;
	const struct handler *handler = hooks_handler(b, p->base.destination);
	enum stomp_error err;

	if (handler)
		err = verdict(c, ASK_HANDLER, hooks_handle(c, handler, p), f, NULL, why);
	else if (relayed_has(b, p->base.destination))
		err = relayed_send(c, p, t, f, why);
	else if (joined_is_refused(b, p->base.destination)) {
		*why = joined_away;
		err = STOMP_E_BROKER;
	} else if (!t)
		return publish(c, p, f); /* the interceptor's destination is looked at there */
	else if (!broker_destination_is_valid(b->topics, p->base.destination))
		err = STOMP_E_BAD_DESTINATION;
	else if ((err = transaction_hold(c, t, p)) == STOMP_OK)
		return STOMP_OK;
	if (err == STOMP_E_LIMIT && t)
		*why = "The transaction is too large.";
	broker_message_unref(&p->base);
	return err;
}

/* What an interceptor has made of it goes on in its place. Takes the reference to `p`. */
static enum stomp_error replace(struct sockjs_client *c, struct published *p,
    const struct sockjs_publication *by, struct transaction *t, const struct stomp_frame *f,
    const char **why)
{
	struct sockjs_publication whole = *by;
	struct published *changed;

	if (!whole.destination)
		whole.destination = p->base.destination.p;
	changed = published_from(&c->part->scratch, &whole);
	broker_message_unref(&p->base);
	return changed ? route(c, changed, t, f, why) : STOMP_E_INTERNAL;
}

/* Takes the reference to `p`. */
static enum stomp_error intercept(struct sockjs_client *c, struct published *p,
    struct transaction *t, const struct stomp_frame *f, const char **why)
{
	struct sockjs_broker *b = c->part->broker;
	struct sockjs_publication view = published_view(p);
	int status = b->hooks.incoming(c, &view, b->hooks_arg);
	enum stomp_error err = verdict(c, ASK_INCOMING, status, f, p, why);

	if (err == STOMP_OK)
		return replace(c, p, &view, t, f, why);
	broker_message_unref(&p->base);
	return err;
}

/* The same, once it is decided. */
static enum stomp_error go_on_with_send(struct sockjs_client *c, struct published *p,
    const struct stomp_frame *f, const struct decision *d, const char **why)
{
	struct bytes in = stomp_header_get(f, "transaction");
	struct transaction *t = in.p ? transaction_find(c, in) : NULL;

	broker_message_ref(&p->base);
	return d->instead ? replace(c, p, d->instead, t, f, why) : route(c, p, t, f, why);
}

static bool is_known_kind(
    const struct sockjs_broker *b, enum access_verb verb, struct bytes destination)
{
	if (verb == ACCESS_SUBSCRIBE && presence_is_said(b, destination))
		return true;
	return bytes_begin(destination, "/topic/") || bytes_begin(destination, "/user/") ||
	       bytes_begin(destination, "/queue/") || relayed_has(b, destination) ||
	       hooks_handler(b, destination) || hooks_answerer(b, destination);
}

static enum stomp_error unknown_kind(const struct sockjs_broker *b, enum access_verb verb,
    struct bytes destination, const char **why)
{
	if (b->presence_count == 0 || !bytes_begin(destination, BROKER_PRESENCE "/")) {
		*why = "Destinations here begin with /topic/, /queue/ or /user/.";
		return STOMP_E_NO_DESTINATION;
	}
	if (verb == ACCESS_SUBSCRIBE && memchr(destination.p, '*', destination.n)) {
		*why = "Presence is of one destination: \"*\" may not be in it.";
		return STOMP_E_BAD_DESTINATION;
	}
	*why = verb == ACCESS_SEND ? "Only the broker says who is present."
	                           : "No presence is kept of this destination.";
	return STOMP_E_NO_DESTINATION;
}

/* Whether a client may have anything to do with a destination. */
static enum stomp_error check_destination(
    struct sockjs_client *c, enum access_verb verb, struct bytes destination, const char **why)
{
	struct sockjs_broker *b = c->part->broker;
	bool valid = verb == ACCESS_SEND ? broker_destination_is_valid(b->topics, destination)
	                                 : broker_pattern_is_valid(b->topics, destination);

	if (!valid) {
		*why = verb == ACCESS_SEND ? "A destination is a path such as /topic/news, without "
		                             "empty segments, \"*\" and control "
		                             "characters; behind /user/ stand a name and a rest."
		                           : "A destination to subscribe to is a path such as "
		                             "/topic/news; \"*\" may be a segment "
		                             "of it, and \"**\" the last.";
		return STOMP_E_BAD_DESTINATION;
	}
	if (!access_allows(c->part->rules->access, verb, destination, c->who)) {
		*why = verb == ACCESS_SEND ? "You may not send to this destination."
		                           : "You may not subscribe to this destination.";
		return STOMP_E_FORBIDDEN;
	}
	if (relayed_is_between(b, destination)) {
		*why = "This is both of the broker here and of one that others are relayed to, or of "
		       "neither: name them apart.";
		return STOMP_E_BAD_DESTINATION;
	}
	if (joined_lacks(b, destination)) {
		*why = "Gateways that are joined to one broker have no queues: use a topic, or a relay to a broker.";
		return STOMP_E_UNSUPPORTED;
	}
	if (is_known_kind(b, verb, destination))
		return STOMP_OK;
	return unknown_kind(b, verb, destination, why);
}

static enum stomp_error take_send(
    struct sockjs_client *c, const struct stomp_frame *f, const char **why)
{
	struct bytes destination = stomp_header_get(f, "destination");
	struct bytes in = stomp_header_get(f, "transaction");
	struct transaction *t = in.p ? transaction_find(c, in) : NULL;
	struct published *p;
	enum stomp_error err;

	sockjs_spend(PUBSUB_COST_OF_SEND + f->body.n / 4);
	client_charge(c, f->body.n);
	if (bytes_equal(destination, BYTES(REFRESH_DESTINATION)))
		return credentials_refresh(c, f->body, why);
	if (in.p && !t) {
		*why = "No transaction of this name has begun.";
		return STOMP_E_NO_TRANSACTION;
	}
	err = check_destination(c, ACCESS_SEND, destination, why);
	if (err != STOMP_OK)
		return err;
	p = published_sent(&c->part->scratch, destination, f);
	if (!p)
		return STOMP_E_INTERNAL;
	c->part->counters.messages_in++;
	return c->part->broker->hooks.incoming ? intercept(c, p, t, f, why)
	                                       : route(c, p, t, f, why);
}

/* --- SUBSCRIBE and UNSUBSCRIBE ----------------------------------------------------- */

/* Where the pointer to it is kept; where it would be if there is none. */
static struct subscription **find_subscription(struct sockjs_client *c, struct bytes id)
{
	struct subscription **at = &c->subscriptions;

	while (*at && !bytes_equal((struct bytes){ (*at)->id, (*at)->id_len }, id))
		at = &(*at)->next;
	return at;
}

static void forget_receiver(struct subscription *s)
{
	if (s->is_own) {
		mem_free(s->destination);
		return;
	}
	if (s->label && label_has(s->label, LABEL_GATED)) {
		if (s->gate)
			gate_forget(s->gate);
		return;
	}
	if (s->label && label_has(s->label, LABEL_TOLD)) {
		mem_free(s->told);
		return;
	}
	if (s->conflated && s->conflated->latest)
		broker_message_unref(&s->conflated->latest->base);
	mem_free(s->conflated);
}

static void subscription_free(struct sockjs_client *c, struct subscription **at)
{
	struct subscription *s = *at;

	waiters_forget(c, s);
	if (s->is_relayed)
		relayed_unsubscribe(c, s);
	if (s->topic)
		broker_unsubscribe(s->topic);
	forget_receiver(s);
	if (s->label)
		label_drop(c->part, s->label);
	*at = s->next;
	c->subscription_count--;
	mem_free(s);
}

void frames_end_subscription(struct sockjs_client *c, struct subscription *s)
{
	for (struct subscription **at = &c->subscriptions; *at; at = &(*at)->next)
		if (*at == s) {
			subscription_free(c, at);
			return;
		}
}

bool pubsub_is_conflated(const struct sockjs_broker *b, struct bytes pattern)
{
	for (char *const *p = b->conflated; *p; p++)
		if (broker_pattern_matches(b->topics, bytes_of(*p), pattern))
			return true;
	return false;
}

static unsigned label_flags(
    const struct sockjs_client *c, const struct stomp_frame *f, struct bytes destination)
{
	struct bytes ack = stomp_header_get(f, "ack");
	unsigned flags = 0;

	if (c->conn.version == STOMP_1_2 && ack.p && !bytes_equal(ack, BYTES("auto")))
		flags |= LABEL_WANTS_ACK;
	if (!relayed_has(c->part->broker, destination) &&
	    (recover_is_wanted(c, f, destination) || presence_is_said(c->part->broker, destination)))
		flags |= LABEL_GATED;
	else if (pubsub_is_conflated(c->part->broker, destination))
		flags |= LABEL_CONFLATED;
	return flags;
}

/* The first of the client's. */
static struct subscription *subscription_new(struct sockjs_client *c, struct bytes id)
{
	struct subscription *s = mem_zalloc(offsetof(struct subscription, id) + id.n);

	if (!s)
		return NULL;
	s->id_len = (unsigned)id.n & SUBSCRIPTION_ID_MAX;
	bytes_put(s->id, id);
	s->next = c->subscriptions;
	c->subscriptions = s;
	c->subscription_count++;
	return s;
}

/* From here on messages may come. */
static int connect_plain(struct sockjs_client *c, struct subscription *s,
    const struct stomp_frame *f, unsigned flags, struct bytes destination)
{
	void *receiver = c->session;

	if (broker_is_queue(c->part->broker->topics, destination))
		return queues_consume(c, f, destination, s->label, &s->topic);
	if (flags & LABEL_CONFLATED) {
		receiver = s->conflated = mem_zalloc(sizeof(*s->conflated));
		if (!receiver)
			return -ENOMEM;
		*s->conflated = (struct conflated){ c, s->label, NULL };
	}
	return broker_subscribe(c->member, destination, receiver, (uintptr_t)s->label, &s->topic);
}

static enum stomp_error error_of(int err)
{
	switch (err) {
	case 0:
		return STOMP_OK;
	case -ENOSPC:
		return STOMP_E_LIMIT;
	case -EINVAL:
		return STOMP_E_BAD_DESTINATION;
	default:
		return STOMP_E_INTERNAL;
	}
}

/* Here under its key, and then at the broker that has it. */
static enum stomp_error connect_relayed(struct sockjs_client *c, struct subscription *s,
    const struct stomp_frame *f, unsigned flags, struct bytes destination, const char **why)
{
	struct buf key = BUF_INIT;
	enum relayed_way way = c->part->broker->relayed->way;
	enum stomp_error err;

	if (way == RELAYED_PER_CLIENT || (way == RELAYED_MIXED && !relayed_is_plain_subscribe(f, destination)))
		return relayed_own_subscribe(c, s, f, destination, why);
	err = relayed_check_subscribe(c, f, destination, why);
	if (err == STOMP_OK && relayed_key(destination, &key) < 0)
		err = STOMP_E_INTERNAL;
	if (err == STOMP_OK)
		err = error_of(connect_plain(
		    c, s, f, flags, (struct bytes){ buf_data(&key), buf_len(&key) }));
	buf_fini(&key);
	return err == STOMP_OK ? relayed_subscribe(c, s, f, why) : err;
}

static enum stomp_error connect_subscription(struct sockjs_client *c, struct subscription *s,
    const struct stomp_frame *f, unsigned flags, struct bytes destination, const char **why)
{
	enum stomp_error err;

	if (relayed_has(c->part->broker, destination))
		return connect_relayed(c, s, f, flags, destination, why);
	if (!(flags & LABEL_GATED))
		err = error_of(connect_plain(c, s, f, flags, destination));
	else if (presence_is_said(c->part->broker, destination))
		err = presence_subscribe(c, s, f, destination);
	else
		err = recover_subscribe(c, s, f, destination);
	if (err == STOMP_OK && c->part->joined)
		err = joined_part_await(c, s, f);
	if (c->part->broker->presence_count > 0 && (err == STOMP_OK || err == STOMP_PENDING) &&
	    presence_attend(c, s) < 0)
		return STOMP_E_INTERNAL;
	return err;
}

static enum stomp_error add_subscription(struct sockjs_client *c, const struct stomp_frame *f,
    struct bytes id, struct bytes destination, const char **why)
{
	struct subscription *s = subscription_new(c, id);
	unsigned flags = label_flags(c, f, destination);
	enum stomp_error err = STOMP_E_INTERNAL;

	if (s)
		s->label = label_get(
		    c->part, (enum stomp_version)c->conn.version, flags, stomp_header_get(f, "id"));
	if (s && s->label)
		err = connect_subscription(c, s, f, flags, destination, why);
	if (s && err != STOMP_OK && err != STOMP_PENDING)
		subscription_free(c, &c->subscriptions);
	return err;
}

static enum stomp_error check_subscribe(struct sockjs_client *c, const struct stomp_frame *f,
    struct bytes id, struct bytes destination, const char **why)
{
	if (stomp_header_get(f, "selector").p) {
		*why = "Selectors are not supported: subscribe to a narrower destination.";
		return STOMP_E_UNSUPPORTED;
	}
	if (!queues_prefetch_is_number(f)) {
		*why = "prefetch-count is a number.";
		return STOMP_E_BAD_HEADER;
	}
	if (*find_subscription(c, id)) {
		*why = "A subscription with this id exists already.";
		return STOMP_E_DUPLICATE_ID;
	}
	if (id.n > SUBSCRIPTION_ID_MAX || c->subscription_count >= c->part->broker->max_subscriptions) {
		*why = "Too many subscriptions.";
		return STOMP_E_LIMIT;
	}
	return check_destination(c, ACCESS_SUBSCRIBE, destination, why);
}

/* The id of a subscription; 1.0 knows it by its destination if it has none. */
static struct bytes id_of(const struct stomp_frame *f)
{
	struct bytes id = stomp_header_get(f, "id");

	return id.p ? id : stomp_header_get(f, "destination");
}

/* Calls an application with what it knows as strings. */
static int tell(struct sockjs_client *c,
    int (*fn)(struct sockjs_client *c, const char *destination, const char *id, void *arg),
    struct bytes destination, struct bytes id)
{
	char *texts = mem_alloc(destination.n + id.n + 2);
	int status;

	if (!texts)
		return -ENOMEM;
	bytes_put(texts, destination);
	texts[destination.n] = '\0';
	bytes_put(texts + destination.n + 1, id);
	texts[destination.n + 1 + id.n] = '\0';
	status = fn(c, texts, texts + destination.n + 1, c->part->broker->hooks_arg);
	mem_free(texts);
	return status;
}

/* One message, and that was its subscription. */
static enum stomp_error send_answer(
    struct sockjs_client *c, const struct stomp_frame *f, struct published *answer)
{
	struct label *l =
	    label_get(c->part, (enum stomp_version)c->conn.version, 0, stomp_header_get(f, "id"));

	if (!l)
		return STOMP_E_INTERNAL;
	/* Its id is none that a message of any part has */
	answer->base.owner = c->part->broker->part_count;
	answer->base.sequence = ++c->part->answers;
	fan_send_one(c->session, l, answer);
	label_drop(c->part, l);
	c->answered++;
	return STOMP_OK;
}

static enum stomp_error answer_subscriber(
    struct sockjs_client *c, const struct stomp_frame *f, const struct handler *h, const char **why)
{
	struct published *p = published_new(&c->part->scratch, stomp_header_get(f, "destination"),
	    f->headers, f->header_count, (struct bytes){ 0 });
	struct published *answer = NULL;
	enum stomp_error err = STOMP_E_INTERNAL;

	if (p)
		err = verdict(c, ASK_ANSWER, hooks_answer(c, h, p, &answer), f, NULL, why);
	if (err == STOMP_OK)
		err = send_answer(c, f, answer);
	if (p)
		broker_message_unref(&p->base);
	if (answer)
		broker_message_unref(&answer->base);
	return err;
}

/* The same, once it is decided. */
static enum stomp_error answer_later(
    struct sockjs_client *c, const struct stomp_frame *f, const struct sockjs_publication *p)
{
	struct sockjs_publication said = p ? *p : (struct sockjs_publication){ 0 };
	struct published *answer;
	enum stomp_error err;

	said.destination = stomp_header_get(f, "destination").p; /* a string: it was held */
	answer = published_from(&c->part->scratch, &said);
	if (!answer)
		return STOMP_E_INTERNAL;
	err = send_answer(c, f, answer);
	broker_message_unref(&answer->base);
	return err;
}

/* Nobody has anything against it. */
static enum stomp_error subscribe(
    struct sockjs_client *c, const struct stomp_frame *f, const char **why)
{
	struct bytes destination = stomp_header_get(f, "destination");
	const struct handler *answerer = hooks_answerer(c->part->broker, destination);

	return answerer ? answer_subscriber(c, f, answerer, why)
	                : add_subscription(c, f, id_of(f), destination, why);
}

static enum stomp_error take_subscribe(
    struct sockjs_client *c, const struct stomp_frame *f, const char **why)
{
	struct sockjs_broker *b = c->part->broker;
	struct bytes id = id_of(f), destination = stomp_header_get(f, "destination");
	enum stomp_error err = check_subscribe(c, f, id, destination, why);

	sockjs_spend(PUBSUB_COST_OF_SEND);
	if (err == STOMP_OK && b->hooks.subscribe)
		err = verdict(
		    c, ASK_SUBSCRIBE, tell(c, b->hooks.subscribe, destination, id), f, NULL, why);
	return err == STOMP_OK ? subscribe(c, f, why) : err;
}

static int on_unsubscribe(
    struct sockjs_client *c, const char *destination, const char *id, void *arg)
{
	c->part->broker->hooks.unsubscribe(c, destination, id, arg);
	return 0;
}

/* As the application knows it. */
static void tell_of_end(struct sockjs_client *c, const struct subscription *s)
{
	struct bytes id = { s->id, s->id_len };
	struct bytes pattern = s->is_own ? bytes_of(s->destination) : broker_subscription_pattern(s->topic);
	struct buf of_key = BUF_INIT;

	if (s->is_relayed && relayed_pattern(pattern, &of_key) == 0)
		pattern = (struct bytes){ buf_data(&of_key), buf_len(&of_key) };
	tell(c, on_unsubscribe, pattern, id);
	buf_fini(&of_key);
}

static enum stomp_error take_unsubscribe(
    struct sockjs_client *c, const struct stomp_frame *f, const char **why)
{
	struct subscription **at = find_subscription(c, id_of(f)), *s = *at;
	enum stomp_error err = STOMP_OK;

	/* Of subscriptions that were answered the ids are not kept, but a library may well end
	 * them. */
	if (!s && c->answered > 0) {
		c->answered--;
		return STOMP_OK;
	}
	if (!s) {
		*why = "There is no subscription with this id.";
		return STOMP_E_NO_SUBSCRIPTION;
	}
	if (c->part->broker->hooks.unsubscribe)
		tell_of_end(c, s);
	if (!c->is_connected)
		return STOMP_OK;
	if (s->is_own)
		err = relayed_own_pass(c, NULL, f, why);
	subscription_free(c, at);
	return err;
}

/* Of what an outside broker has of it, that says what has become of it. */
static enum stomp_error take_end_of_transaction(
    struct sockjs_client *c, const struct stomp_frame *f, const char **why)
{
	const struct transaction *t = transaction_find(c, stomp_header_get(f, "transaction"));
	bool is_there = t && transaction_is_there(t);
	enum stomp_error err =
	    f->command == STOMP_COMMIT ? transaction_commit(c, f, why) : transaction_abort(c, f, why);

	return err == STOMP_OK && is_there ? relayed_own_pass(c, NULL, f, why) : err;
}

/* --- all of them ----------------------------------------------------------------------- */

enum stomp_error frames_take(struct sockjs_client *c, const struct stomp_frame *f, const char **why)
{
	switch (f->command) {
	case STOMP_SEND:
		return take_send(c, f, why);
	case STOMP_SUBSCRIBE:
		return take_subscribe(c, f, why);
	case STOMP_UNSUBSCRIBE:
		return take_unsubscribe(c, f, why);
	case STOMP_ACK:
	case STOMP_NACK:
		return queues_answer(c, f, why);
	case STOMP_BEGIN:
		return transaction_begin(c, f, why);
	case STOMP_COMMIT:
	case STOMP_ABORT:
		return take_end_of_transaction(c, f, why);
	default:
		return STOMP_E_UNKNOWN_COMMAND;
	}
}

enum stomp_error frames_decided(struct sockjs_client *c, enum ask what, const struct stomp_frame *f,
    struct published *p, const struct decision *d, const char **why)
{
	enum stomp_error err = decision_verdict(d, why);

	if (err != STOMP_OK || what == ASK_HANDLER)
		return err;
	if (what == ASK_INCOMING)
		return go_on_with_send(c, p, f, d, why);
	return what == ASK_ANSWER ? answer_later(c, f, d->instead) : subscribe(c, f, why);
}

void frames_forget(struct sockjs_client *c)
{
	while (c->subscriptions)
		subscription_free(c, &c->subscriptions);
	transactions_forget(c);
	relayed_forget(c);
}
