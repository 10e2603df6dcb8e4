/*
 * pubsub/relayed_own_frames.c - what a client says to the broker over its own link, and hears; see relayed.h.
 *
 * Frames go as they are, but for the names of destinations, and secrets. What the broker does not like costs this
 * client its link, and nobody else anything.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "pubsub/relayed.h"

static bool is_secret(struct bytes name)
{
	static const char *const secrets[] = { "login", "passcode", "token", "authorization" };

	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++)
		if (bytes_equal_nocase(name, bytes_of(secrets[i])))
			return true;
	return false;
}

/* --- names ------------------------------------------------------------------------------------------ */

/* Others, such as /temp-queue/x or /exchange/x, are the broker's own. */
static bool has_our_names(struct bytes destination)
{
	return bytes_begin(destination, "/topic/") || bytes_begin(destination, "/queue/");
}

/* What a broker has made for somebody's answers can be sent to, and not be read: at RabbitMQ /reply-queue/NAME
 * is /queue/NAME, and only names that it has made are nobody else's. */
static const char *trouble_with_theirs(const struct relayed *r, struct bytes here, bool is_subscribed)
{
	bool is_made = bytes_begin(here, "/reply-queue/") || bytes_begin(here, "/remote-temp-queue/") ||
	               bytes_begin(here, "/remote-temp-topic/");

	if (is_made && is_subscribed)
		return "What another client gets its answers by can only be sent to.";
	if (bytes_begin(here, "/reply-queue/") && !bytes_begin(here, "/reply-queue/amq.gen-"))
		return "An answer goes to what stands in the reply-to header of the message.";
	for (size_t i = 0; i < here.n; i++)
		if (strchr(r->names.kind == RELAY_ACTIVEMQ ? ">*,?" : "%#*", here.p[i]))
			return "Signs that mean something to the broker may not be in a name.";
	return NULL;
}

/* Streams of ours (relayed_hubs.c), and queues that RabbitMQ makes for durable subscriptions and for answers. */
static bool is_reserved(const struct relayed *r, struct bytes there)
{
	return r->names.kind == RELAY_RABBITMQ &&
	       (bytes_begin(there, "/queue/sockjsd.") || bytes_begin(there, "/queue/stomp-subscription-") ||
	           bytes_begin(there, "/queue/amq."));
}

/* Appended. 0; -EINVAL, and *why; -ENOMEM. */
static int name_there(
    const struct relayed *r, struct bytes here, bool is_pattern, struct buf *out, const char **why)
{
	bool patterns = is_pattern && (bytes_begin(here, "/topic/") || r->names.kind == RELAY_ACTIVEMQ);
	size_t before = buf_len(out);
	int err;

	if (!has_our_names(here)) {
		*why = trouble_with_theirs(r, here, is_pattern);
		return *why ? -EINVAL : buf_add(out, here.p, here.n);
	}
	err = relay_name_there(&r->names, here, patterns, out, why);
	if (err == 0 && is_reserved(r, (struct bytes){ buf_data(out) + before, buf_len(out) - before })) {
		*why = "Queues of this name are the gateway's or the broker's own.";
		return -EINVAL;
	}
	return err;
}

/* A name that no client could say here is as the broker says it. */
static int name_here(const struct relayed *r, struct bytes there, struct buf *out)
{
	size_t before = buf_len(out);
	int err = has_our_names(there) ? relay_name_here(&r->names, there, out) : -EINVAL;

	if (err != -EINVAL)
		return err;
	buf_cut(out, before);
	return buf_add(out, there.p, there.n);
}

/* --- to the broker ------------------------------------------------------------------------------------- */

static enum stomp_version version_of(const struct relayed_own *own)
{
	return own->login.version;
}

static int add_name(struct relayed_own *own, struct buf *out, const char *header, struct bytes here,
    bool is_pattern, const char **why)
{
	struct buf there = BUF_INIT;
	int err = name_there(own->share->relayed, here, is_pattern, &there, why);

	if (err == 0)
		err = stomp_write_header(out, version_of(own), bytes_of(header),
		    (struct bytes){ buf_data(&there), buf_len(&there) });
	buf_fini(&there);
	return err;
}

/* All but its destination as it is. */
static int compose(
    struct relayed_own *own, const struct stomp_frame *f, struct buf *out, const char **why)
{
	int err = stomp_write_begin(out, f->command);

	for (size_t i = 0; i < f->header_count && err == 0; i++) {
		const struct stomp_header *h = &f->headers[i];

		if (bytes_equal(h->name, BYTES("destination")))
			err = add_name(own, out, "destination", h->value, true, why);
		else if (!is_secret(h->name) && h->name.n > 0)
			err = stomp_write_header(out, version_of(own), h->name, h->value);
	}
	return err ? err : stomp_write_end(out, (struct bytes){ 0 });
}

static int add_header_of(
    const struct relayed_own *own, struct buf *out, const struct stomp_frame *f, const char *name)
{
	struct bytes value = stomp_header_get(f, name);

	return value.p ? stomp_write_header(out, version_of(own), bytes_of(name), value) : 0;
}

static int add_headers(
    struct relayed_own *own, struct buf *out, const struct published *p, const char **why)
{
	int err = 0;

	for (size_t i = 1; i < p->header_count && err == 0; i++) {
		struct bytes name = bytes_of(p->headers[i].name), value = bytes_of(p->headers[i].value);

		if (bytes_equal(name, BYTES("reply-to")) && has_our_names(value))
			err = add_name(own, out, "reply-to", value, false, why);
		else if (name.n > 0)
			err = stomp_write_header(out, version_of(own), name, value);
	}
	return err;
}

static int compose_send(struct relayed_own *own, const struct published *p, const struct stomp_frame *f,
    struct buf *out, const char **why)
{
	int err = stomp_write_begin(out, STOMP_SEND);

	if (err == 0)
		err = add_name(own, out, "destination", p->base.destination, false, why);
	if (err == 0)
		err = add_header_of(own, out, f, "receipt");
	if (err == 0)
		err = add_header_of(own, out, f, "transaction");
	if (err == 0)
		err = add_headers(own, out, p, why);
	return err ? err
	           : relayed_add_body(own->share->relayed, out, p->body,
	                 stomp_header_get(f, "content-length").p != NULL);
}

/* It has begun here; there, as soon as something of it goes there. */
static int begin_there(struct relayed_own *own, struct transaction *t, const struct stomp_frame *f)
{
	struct buf *out = &own->scratch;
	int err;

	if (!t || transaction_is_there(t))
		return 0;
	buf_clear(out);
	err = stomp_write_begin(out, STOMP_BEGIN);
	if (err == 0)
		err = add_header_of(own, out, f, "transaction");
	if (err == 0)
		err = stomp_write_end(out, (struct bytes){ 0 });
	if (err == 0)
		err = relayed_own_say(own, out);
	if (err == 0)
		transaction_set_there(t);
	return err;
}

static enum stomp_error verdict_of(int err)
{
	return err == 0 ? STOMP_PENDING : err == -EINVAL ? STOMP_E_BAD_DESTINATION : STOMP_E_INTERNAL;
}

/* The broker answers its receipt. */
static enum stomp_error say(struct sockjs_client *c, struct relayed_own *own, int err)
{
	if (err == 0)
		err = relayed_own_say(own, &own->scratch);
	buf_clear(&own->scratch);
	if (err == 0)
		relayed_slow_down(c);
	return verdict_of(err);
}

/* While nothing can be reached, a link would be lost at once. */
static enum stomp_error get(struct sockjs_client *c, struct relayed_own **own, const char **why)
{
	const struct relayed *r = c->part->relayed->relayed;

	if (c->conn.version == STOMP_1_0) { /* which brokers do not escape alike */
		*why = "This needs STOMP 1.1 or 1.2.";
		return STOMP_E_UNSUPPORTED;
	}
	if (r->passes_login && !(c->extra && relayed_own_has_login(c))) {
		*why = "The broker wants a login: there was none in CONNECT.";
		return STOMP_E_UNAUTHENTICATED;
	}
	if (!c->extra || !c->extra->own)
		if (r->closes && !relayed_is_up(r)) {
			*why = "The broker of this destination cannot be reached.";
			return STOMP_E_BROKER;
		}
	return relayed_own_get(c, own, why);
}

enum stomp_error relayed_own_send(struct sockjs_client *c, const struct published *p,
    struct transaction *t, const struct stomp_frame *f, const char **why)
{
	struct relayed_own *own;
	enum stomp_error err = get(c, &own, why);
	int status;

	if (err != STOMP_OK)
		return err;
	status = begin_there(own, t, f);
	buf_clear(&own->scratch);
	if (status == 0)
		status = compose_send(own, p, f, &own->scratch, why);
	return say(c, own, status);
}

/* By others a client could read another queue than the one that was looked at, or make one that sends elsewhere. */
static enum stomp_error check_subscribe(
    const struct relayed *r, const struct stomp_frame *f, const char **why)
{
	static const char *const allowed[] = { "x-priority", "x-queue-type", "x-stream-offset" };

	for (size_t i = 0; i < f->header_count && r->names.kind == RELAY_RABBITMQ; i++) {
		struct bytes name = f->headers[i].name;
		bool is_allowed = name.n < 2 || strncasecmp(name.p, "x-", 2) != 0;

		for (size_t j = 0; j < sizeof(allowed) / sizeof(*allowed); j++)
			is_allowed = is_allowed || bytes_equal(name, bytes_of(allowed[j]));
		if (is_allowed)
			continue;
		*why = "Of headers that begin with x- only x-priority, x-queue-type and x-stream-offset are relayed.";
		return STOMP_E_UNSUPPORTED;
	}
	return STOMP_OK;
}

enum stomp_error relayed_own_subscribe(struct sockjs_client *c, struct subscription *s,
    const struct stomp_frame *f, struct bytes destination, const char **why)
{
	struct relayed_own *own;
	enum stomp_error err = get(c, &own, why);

	if (err == STOMP_OK)
		err = check_subscribe(c->part->relayed->relayed, f, why);
	if (err != STOMP_OK)
		return err;
	s->is_own = true;
	s->destination = mem_strndup(destination.p, destination.n);
	if (!s->destination)
		return STOMP_E_INTERNAL;
	buf_clear(&own->scratch);
	return say(c, own, compose(own, f, &own->scratch, why));
}

enum stomp_error relayed_own_pass(
    struct sockjs_client *c, struct transaction *t, const struct stomp_frame *f, const char **why)
{
	struct relayed_own *own = c->extra->own;
	int err;

	if (!own)
		return STOMP_E_BROKER;
	err = begin_there(own, t, f);
	buf_clear(&own->scratch);
	if (err == 0)
		err = compose(own, f, &own->scratch, why);
	return say(c, own, err);
}

/* --- to the client ---------------------------------------------------------------------------------------- */

/* Names in the values of some headers are ours, too. `names` keeps them. */
static size_t copy_headers(const struct relayed *r, struct stomp_header to[STOMP_HEADERS_MAX],
    const struct stomp_frame *f, struct buf *names)
{
	for (size_t i = 0; i < f->header_count; i++) {
		to[i] = f->headers[i];
		if (bytes_equal(to[i].name, BYTES("reply-to")) && buf_len(names) == 0 &&
		    name_here(r, to[i].value, names) == 0)
			to[i].value = (struct bytes){ buf_data(names), buf_len(names) };
	}
	return f->header_count;
}

static struct published *published_of(struct relayed_own *own, const struct stomp_frame *f)
{
	const struct relayed *r = own->share->relayed;
	struct stomp_header headers[STOMP_HEADERS_MAX];
	struct buf shown = BUF_INIT, names = BUF_INIT;
	struct published *p = NULL;

	if (name_here(r, stomp_header_get(f, "destination"), &shown) == 0) {
		struct bytes name = { buf_data(&shown), buf_len(&shown) };

		p = published_relayed(
		    &own->scratch, name, name, headers, copy_headers(r, headers, f, &names), f->body);
	}
	buf_fini(&shown);
	buf_fini(&names);
	return p;
}

/* What the application makes of it. NULL: nothing, or memory is out. Takes the reference. */
static struct published *intercept(struct relayed_own *own, struct published *p)
{
	struct sockjs_broker *b = own->share->part->broker;
	struct sockjs_publication view = published_view(p);
	struct published *changed = NULL;

	if (!b->hooks.outgoing)
		return p;
	if (b->hooks.outgoing(own->client, &view, b->hooks_arg) == 0)
		changed = published_from(&own->scratch, &view);
	else
		own->share->part->counters.dropped[DROP_VETOED]++;
	broker_message_unref(&p->base);
	return changed;
}

/* The headers by which its client tells it, and answers it, are the broker's. */
static int compose_message(
    struct relayed_own *own, const struct published *p, const struct stomp_frame *f, struct buf *out)
{
	static const char *const own_headers[] = { "subscription", "message-id", "ack", "redelivered" };
	struct bytes tail = p->tails[version_of(own) - STOMP_1_0];
	int err = stomp_write_begin(out, STOMP_MESSAGE);

	for (size_t i = 0; i < sizeof(own_headers) / sizeof(*own_headers) && err == 0; i++)
		err = add_header_of(own, out, f, own_headers[i]);
	return err ? err : buf_add(out, tail.p, tail.n);
}

static void pass_message(struct relayed_own *own, const struct stomp_frame *f)
{
	struct sockjs_client *c = own->client;
	struct published *p = published_of(own, f);
	struct buf *out = &own->scratch;

	if (p)
		p = intercept(own, p);
	if (!p)
		return;
	buf_clear(out);
	if (compose_message(own, p, f, out) == 0)
		fan_pass(c, buf_data(out), buf_len(out), p->is_binary);
	else
		client_fail(c, STOMP_E_INTERNAL, "Out of memory.");
	broker_message_unref(&p->base);
	/* RabbitMQ keeps what its client has no room for. ActiveMQ would stop all who send, so there a client
	 * that is too slow is closed when its buffer is full */
	if (own->client && c->is_full && own->share->relayed->names.kind == RELAY_RABBITMQ)
		relay_link_pause(&own->link, true);
}

#define SENTENCE_MOST 200

/* What it says in words may name our login. */
static const char *sentence_of(
    const struct relayed_own *own, const struct stomp_frame *f, char text[SENTENCE_MOST])
{
	struct bytes said = stomp_header_get(f, "message");

	if (!own->share->relayed->passes_login || said.n == 0)
		return "The broker refuses it.";
	if (said.n > SENTENCE_MOST - 1)
		said.n = SENTENCE_MOST - 1;
	bytes_put(text, said);
	text[said.n] = '\0';
	return text;
}

static void pass_error(struct relayed_own *own, const struct stomp_frame *f)
{
	struct bytes receipt = stomp_header_get(f, "receipt-id");
	char text[SENTENCE_MOST];
	const char *sentence = sentence_of(own, f, text);

	if (receipt.p)
		stomp_conn_settle(&own->client->conn, STOMP_E_BROKER, receipt, sentence);
	else
		client_fail(own->client, STOMP_E_BROKER, sentence);
}

void relayed_own_take(struct relayed_own *own, const struct stomp_frame *f)
{
	if (f->command == STOMP_MESSAGE)
		pass_message(own, f);
	else if (f->command == STOMP_RECEIPT)
		stomp_conn_receipt(&own->client->conn, stomp_header_get(f, "receipt-id"), NULL, 0);
	else if (f->command == STOMP_ERROR)
		pass_error(own, f);
}
