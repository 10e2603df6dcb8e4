/*
 * pubsub/relayed_send.c - what clients and applications send to destinations that are relayed, and the broker's
 * word of it; see relayed.h.
 *
 * A link that all share is closed for all by one frame that the broker does not like. So what it might not
 * like is found out here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "pubsub/relayed.h"

#define NAME_MOST   255   /* octets of a header's name (AMQP 0-9-1, a short string) */
#define LINE_MOST   10000 /* octets of a header, escaped (ActiveMQ: 10,240) */
#define AWAITED_MOST 1000 /* receipts of one client */
#define HEADERS_MOST 100 /* a broker adds some */

static const char AWAY[] = "The broker of this destination cannot be reached.";

/* --- headers --------------------------------------------------------------------------------------- */

/* What a broker makes something of. */
enum manner {
	IS_PLAIN,
	IS_NUMBER, /* nothing else will do, and none above `most` */
	IS_OWN,    /* means something for a sender's own link */
};

static const struct rule {
	const char *name;
	enum relay_kind kind;
	enum manner manner;
	unsigned long most;
} rules[] = {
	{ "priority", RELAY_RABBITMQ, IS_NUMBER, 255 },
	{ "timestamp", RELAY_RABBITMQ, IS_NUMBER, 999999999999999999 },
	{ "expiration", RELAY_RABBITMQ, IS_NUMBER, 4294967295 },
	{ "reply-to", RELAY_RABBITMQ, IS_OWN, 0 },
	{ "user-id", RELAY_RABBITMQ, IS_OWN, 0 },
	{ "priority", RELAY_ACTIVEMQ, IS_NUMBER, 9 },
	{ "expires", RELAY_ACTIVEMQ, IS_NUMBER, 999999999999999999 },
	{ "timestamp", RELAY_ACTIVEMQ, IS_NUMBER, 999999999999999999 },
	{ "reply-to", RELAY_ACTIVEMQ, IS_OWN, 0 },
	{ "transformation", RELAY_ACTIVEMQ, IS_OWN, 0 },
	{ "AMQ_SCHEDULED_DELAY", RELAY_ACTIVEMQ, IS_OWN, 0 },
	{ "AMQ_SCHEDULED_PERIOD", RELAY_ACTIVEMQ, IS_OWN, 0 },
	{ "AMQ_SCHEDULED_REPEAT", RELAY_ACTIVEMQ, IS_OWN, 0 },
	{ "AMQ_SCHEDULED_CRON", RELAY_ACTIVEMQ, IS_OWN, 0 },
};

/* Says where else a message goes, or what the queue is that it makes: what nobody has looked at. */
static bool is_forbidden(const struct relayed *r, struct bytes name)
{
	static const char *const names[] = { "CC", "BCC", "x-dead-letter-exchange", "x-dead-letter-routing-key",
		"x-dead-letter-strategy", "x-queue-name", "x-queue-type", "x-queue-mode", "x-queue-version",
		"x-queue-master-locator", "x-queue-leader-locator", "x-expires", "x-message-ttl", "x-max-length",
		"x-max-length-bytes", "x-max-priority", "x-max-age", "x-max-in-memory-length",
		"x-max-in-memory-bytes", "x-overflow", "x-delivery-limit", "x-single-active-consumer",
		"x-stream-max-segment-size-bytes", "x-stream-filter-size-bytes", "x-stream-offset",
		"x-quorum-initial-group-size", "x-initial-cluster-size" };

	if (r->names.kind != RELAY_RABBITMQ)
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (bytes_equal_nocase(name, bytes_of(names[i])))
			return true;
	return false;
}

enum stomp_error relayed_check_headers(
    const struct relayed *r, const struct published *p, const char **why)
{
	if (p->header_count > HEADERS_MOST) {
		*why = "These are more headers than can be had back from the broker.";
		return STOMP_E_TOO_LARGE;
	}
	for (size_t i = 1; i < p->header_count; i++)
		if (is_forbidden(r, bytes_of(p->headers[i].name))) {
			*why = "A header by which the broker would do more than to bring a message to its "
			       "destination is not relayed.";
			return STOMP_E_UNSUPPORTED;
		}
	return STOMP_OK;
}

static const struct rule *rule_of(const struct relayed *r, const char *name)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if (rules[i].kind == r->names.kind && strcmp(rules[i].name, name) == 0)
			return &rules[i];
	return NULL;
}

static bool is_number(const char *text, unsigned long most)
{
	size_t n = strspn(text, "0123456789");

	return n > 0 && n <= 18 && text[n] == '\0' && strtoul(text, NULL, 10) <= most;
}

/* By the operator's list. */
static bool goes_along(const struct relayed *r, const char *name)
{
	const struct string_list *list = &r->options.stomp.relay_headers;

	if (strncmp(name, "JMS", 3) == 0) /* ActiveMQ closes the link over one that it cannot read */
		return false;
	for (size_t i = 0; i < list->count; i++) {
		const char *item = list->items[i];
		size_t n = strlen(item);

		if (item[n - 1] == '*' ? strncmp(item, name, n - 1) == 0 : strcmp(item, name) == 0)
			return true;
	}
	return false;
}

static size_t escaped_len(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += strchr("\n\r:\\", *text) ? 2 : 1;
	return n;
}

static bool is_text(const char *text)
{
	bool surrogates = false;

	return utf8_is_valid_wide(text, strlen(text), &surrogates);
}

static enum stomp_error check_header(
    const struct relayed *r, const struct sockjs_header *h, const char **why)
{
	const struct rule *rule = rule_of(r, h->name);

	if (rule && rule->manner == IS_OWN) {
		*why = "The connection to the broker is shared by all clients: no reply-to, and no header by "
		       "which one of them is told from others.";
		return STOMP_E_UNSUPPORTED;
	}
	if (rule && !is_number(h->value, rule->most)) {
		*why = "The broker wants a number in priority, timestamp, expires and expiration.";
		return STOMP_E_BAD_HEADER;
	}
	if (strlen(h->name) > NAME_MOST || escaped_len(h->name) + escaped_len(h->value) > LINE_MOST) {
		*why = "A header is longer than the broker can take.";
		return STOMP_E_TOO_LARGE;
	}
	if (!is_text(h->name) || !is_text(h->value)) {
		*why = "A header is not UTF-8.";
		return STOMP_E_BAD_HEADER;
	}
	return STOMP_OK;
}

static int add_text(struct buf *out, const char *name, const char *value)
{
	return stomp_write_header(out, STOMP_1_2, bytes_of(name), bytes_of(value));
}

/* Those that may go along; the first is the destination as it is shown. */
static enum stomp_error add_headers(
    const struct relayed *r, const struct published *p, struct buf *out, const char **why)
{
	for (size_t i = 1; i < p->header_count; i++) {
		const struct sockjs_header *h = &p->headers[i];
		enum stomp_error err;

		if (!*h->name || !goes_along(r, h->name))
			continue;
		err = check_header(r, h, why);
		if (err != STOMP_OK)
			return err;
		if (add_text(out, h->name, h->value) < 0)
			return STOMP_E_INTERNAL;
	}
	return STOMP_OK;
}

/* --- frames ---------------------------------------------------------------------------------------- */

int relayed_add_body(const struct relayed *r, struct buf *out, struct bytes body, bool has_length)
{
	int err;

	if (has_length || r->names.kind != RELAY_ACTIVEMQ || memchr(body.p, '\0', body.n))
		return stomp_write_end(out, body);
	err = buf_add(out, "\n", 1);
	if (err == 0)
		err = buf_add(out, body.p, body.n);
	return err ? err : buf_add(out, "", 1);
}

static int add_destination(
    const struct relayed *r, struct bytes destination, struct buf *out, const char **why)
{
	struct buf there = BUF_INIT;
	int err = relay_name_there(&r->names, destination, false, &there, why);

	if (err == 0)
		err = stomp_write_header(out, STOMP_1_2, BYTES("destination"),
		    (struct bytes){ buf_data(&there), buf_len(&there) });
	buf_fini(&there);
	return err;
}

/* What relay_hub_send() takes, in share->scratch. */
static enum stomp_error compose(
    struct relayed_part *share, const struct published *p, bool has_length, const char **why)
{
	const struct relayed *r = share->relayed;
	struct buf *out = &share->scratch;
	enum stomp_error verdict;
	int err;

	buf_clear(out);
	verdict = relayed_check_headers(r, p, why);
	if (verdict != STOMP_OK)
		return verdict;
	err = add_destination(r, p->base.destination, out, why);
	if (err < 0)
		return err == -EINVAL ? STOMP_E_BAD_DESTINATION : STOMP_E_INTERNAL;
	verdict = add_headers(r, p, out, why);
	if (verdict != STOMP_OK)
		return verdict;
	return relayed_add_body(r, out, p->body, has_length) < 0 ? STOMP_E_INTERNAL : STOMP_OK;
}

static struct bytes composed(const struct relayed_part *share)
{
	return (struct bytes){ buf_data(&share->scratch), buf_len(&share->scratch) };
}

/* --- receipts -------------------------------------------------------------------------------------- */

/* Who waits for the broker's word of a message. */
struct receipt {
	struct map_node node;  /* share->receipts */
	struct list of_client; /* client_extra.relayed_receipts */
	struct sockjs_client *client; /* NULL: an application's, or a command's */
	void (*done)(void *arg, const char *why);
	void *arg;
	uint64_t number;
	size_t n;
	char text[];
};

struct bytes relayed_receipt_key(const struct map_node *node)
{
	const struct receipt *r = container_of(node, struct receipt, node);

	return (struct bytes){ (const char *)&r->number, sizeof(r->number) };
}

static struct receipt *receipt_new(struct relayed_part *share, struct bytes text)
{
	struct receipt *r = mem_zalloc(sizeof(*r) + text.n);

	if (!r)
		return NULL;
	list_init(&r->of_client);
	r->number = ++share->last_number;
	r->n = text.n;
	bytes_put(r->text, text);
	if (map_insert(&share->receipts, &r->node) == 0)
		return r;
	mem_free(r);
	return NULL;
}

static void receipt_free(struct relayed_part *share, struct receipt *r)
{
	if (r->client)
		r->client->extra->relayed_receipt_count--;
	map_remove(&share->receipts, &r->node);
	list_remove(&r->of_client);
	mem_free(r);
}

static int await(struct sockjs_client *c, struct bytes text, struct receipt **out)
{
	struct client_extra *e = client_extra(c);

	*out = e ? receipt_new(c->part->relayed, text) : NULL;
	if (!*out)
		return -ENOMEM;
	(*out)->client = c;
	list_append(&e->relayed_receipts, &(*out)->of_client);
	e->relayed_receipt_count++;
	return 0;
}

static void settle(struct relayed_part *share, struct receipt *r, const char *why)
{
	struct sockjs_client *c = r->client;
	bool was_too_many = c && c->extra->relayed_receipt_count >= AWAITED_MOST;
	struct receipt copy = *r;
	struct buf text = BUF_INIT;

	if (c && r->n > 0 && buf_add(&text, r->text, r->n) < 0)
		why = "Out of memory.";
	receipt_free(share, r);
	if (!c)
		copy.done(copy.arg, why);
	else
		stomp_conn_settle(&c->conn, why ? STOMP_E_BROKER : STOMP_OK,
		    (struct bytes){ buf_data(&text), buf_len(&text) }, why);
	buf_fini(&text);
	if (was_too_many)
		relayed_go_on(share);
}

void relayed_sent(struct relayed_part *share, uint64_t number, const char *why)
{
	struct map_node *found =
	    map_find(&share->receipts, (struct bytes){ (const char *)&number, sizeof(number) });

	if (found)
		settle(share, container_of(found, struct receipt, node), why);
}

/* --- clients ----------------------------------------------------------------------------------------- */

static bool is_away(const struct relayed_part *share)
{
	return share->relayed->closes &&
	       !relayed_hub_is_up(relayed_hub_near(share->relayed, share->part));
}

/* Topics are those of all hubs. */
static struct relayed_hub *find_full(const struct relayed *r)
{
	for (unsigned i = 0; i < r->hub_count; i++)
		if (relayed_hub_is_full(&r->hubs[i]))
			return &r->hubs[i];
	return NULL;
}

static void await_room(const struct relayed *r)
{
	for (unsigned i = 0; i < r->hub_count; i++)
		if (relayed_hub_is_full(&r->hubs[i]))
			atomic_store(&r->hubs[i].is_awaited, true);
}

bool relayed_must_wait(const struct sockjs_client *c)
{
	const struct relayed_part *share = c->part->relayed;

	return (c->extra && c->extra->relayed_receipt_count >= AWAITED_MOST) ||
	       (c->extra && c->extra->own && relayed_own_is_full(c->extra->own)) ||
	       (share->relayed->way != RELAYED_PER_CLIENT && find_full(share->relayed) != NULL);
}

/* What is accepted goes; who is too fast waits with the next. */
void relayed_slow_down(struct sockjs_client *c)
{
	if (!relayed_must_wait(c))
		return;
	await_room(c->part->relayed->relayed);
	c->must_wait = c->awaits_room = true;
}

static enum stomp_error say(struct sockjs_client *c, struct bytes receipt)
{
	struct relayed_part *share = c->part->relayed;
	struct receipt *r = NULL;

	if (receipt.p && await(c, receipt, &r) < 0)
		return STOMP_E_INTERNAL;
	if (relayed_hub_say(relayed_hub_near(share->relayed, c->part), share, r ? r->number : 0,
	        composed(share)) < 0) {
		if (r)
			receipt_free(share, r);
		return STOMP_E_INTERNAL;
	}
	relayed_slow_down(c);
	return STOMP_PENDING;
}

static bool is_topic(struct bytes destination)
{
	return bytes_begin(destination, "/topic/");
}

/* Whether a header of it means something for a sender's own link. */
static bool wants_own(const struct relayed *r, const struct published *p)
{
	for (size_t i = 1; i < p->header_count; i++) {
		const struct rule *rule = rule_of(r, p->headers[i].name);

		if (rule && rule->manner == IS_OWN && goes_along(r, p->headers[i].name))
			return true;
	}
	return false;
}

enum stomp_error relayed_send(struct sockjs_client *c, struct published *p, struct transaction *t,
    const struct stomp_frame *f, const char **why)
{
	struct relayed_part *share = c->part->relayed;
	enum relayed_way way = share->relayed->way;
	enum stomp_error err = relayed_check_headers(share->relayed, p, why);

	if (err != STOMP_OK)
		return err;

	if (way == RELAYED_PER_CLIENT ||
	    (way == RELAYED_MIXED && (t || !is_topic(p->base.destination) || wants_own(share->relayed, p))))
		return relayed_own_send(c, p, t, f, why);
	if (!is_topic(p->base.destination)) {
		*why = "Only topics are relayed here: the connection to the broker is shared by all clients.";
		return STOMP_E_UNSUPPORTED;
	}
	if (t) {
		*why = "The connection to the broker is shared by all clients: it has no transactions.";
		return STOMP_E_UNSUPPORTED;
	}
	if (is_away(share)) {
		*why = AWAY;
		return STOMP_E_BROKER;
	}
	err = compose(share, p, stomp_header_get(f, "content-length").p != NULL, why);
	return err == STOMP_OK ? say(c, stomp_header_get(f, "receipt")) : err;
}

void relayed_wake(struct sockjs_client *c)
{
	if (!c->awaits_room || relayed_must_wait(c))
		return;
	list_remove(&c->extra->waits);
	c->must_wait = c->awaits_room = false;
	c->extra->decided_at = clock_now(); /* nothing was read of it: that was not its silence */
	client_settle(c);
}

void relayed_go_on(struct relayed_part *share)
{
	struct list *pos, *next;

	list_foreach_safe (pos, next, &share->waiting)
		relayed_wake(container_of(pos, struct client_extra, waits)->client);
	if (!list_empty(&share->waiting))
		await_room(share->relayed);
}

void relayed_forget(struct sockjs_client *c)
{
	struct client_extra *e = c->extra;

	while (e && !list_empty(&e->relayed_receipts))
		receipt_free(c->part->relayed,
		    container_of(list_first(&e->relayed_receipts), struct receipt, of_client));
	if (e && e->own)
		relayed_own_leave(c);
}

/* --- applications ---------------------------------------------------------------------------------- */

static int error_of(enum stomp_error err)
{
	return err == STOMP_OK ? 0 : err == STOMP_E_INTERNAL ? -ENOMEM : -EINVAL;
}

int relayed_check(struct relayed_part *share, const struct published *p, const char **why)
{
	struct relayed_hub *near = relayed_hub_near(share->relayed, share->part);

	if (!relayed_hub_is_up(near) || relayed_hub_is_full(near))
		return -EHOSTUNREACH;
	return error_of(compose(share, p, p->is_binary, why));
}

int relayed_publish(struct relayed_part *share, const struct published *p,
    void (*done)(void *arg, const char *why), void *arg)
{
	struct relayed_hub *near = relayed_hub_near(share->relayed, share->part);
	const char *why = NULL;
	struct receipt *r = NULL;
	int err = relayed_check(share, p, &why);

	if (err < 0)
		return err;
	if (done && !(r = receipt_new(share, (struct bytes){ 0 })))
		return -ENOMEM;
	if (r) {
		r->done = done;
		r->arg = arg;
	}
	err = relayed_hub_say(near, share, r ? r->number : 0, composed(share));
	if (err < 0 && r)
		receipt_free(share, r);
	return err;
}

struct elsewhere {
	struct sockjs_broker *broker; /* not when the server has ended: it may be gone by then */
	struct published *message;
};

static void publish_there(void *arg)
{
	const struct elsewhere *e = arg;

	(void)relayed_publish(pubsub_here(e->broker)->relayed, e->message, NULL, NULL);
}

static void published_there(void *arg)
{
	const struct elsewhere *e = arg;

	broker_message_unref(&e->message->base);
}

int relayed_publish_anywhere(struct sockjs_broker *b, struct published *p)
{
	struct pubsub_part *here = pubsub_here(b);
	struct elsewhere e = { b, p };
	int err;

	if (here)
		return relayed_publish(here->relayed, p, NULL, NULL);
	if (!relayed_hub_is_up(&b->relayed->hubs[0]))
		return -EHOSTUNREACH;
	broker_message_ref(&p->base);
	err = sockjs_reactor_call(b->server, 0, publish_there, published_there, &e, sizeof(e));
	if (err < 0)
		broker_message_unref(&p->base);
	return err;
}

static bool end_receipt(struct map_node *node, void *arg)
{
	struct receipt *r = container_of(node, struct receipt, node);

	(void)arg;
	if (r->done)
		r->done(r->arg, "The server has stopped.");
	r->client = NULL;
	receipt_free(arg, r);
	return true;
}

void relayed_receipts_fini(struct relayed_part *share)
{
	map_each(&share->receipts, end_receipt, share);
	map_fini(&share->receipts);
}
