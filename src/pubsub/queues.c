/*
 * pubsub/queues.c - clients and queues: a SEND waits for the word of its queue (or of the engine that
 * keeps it for all gateways), a consumer gets its messages and acknowledges them; and where those go that a
 * queue has given up.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "pubsub/relayed.h"

/* --- SEND ------------------------------------------------------------------------ */

/* Who waits for the word of a queue, and the receipt that it asked for. */
struct sender {
	struct sockjs_ref *ref;
	bool wants_receipt;
	size_t receipt_len;
	char receipt[];
};

void queues_forget_sender(struct published *p)
{
	sockjs_ref_free(p->sender->ref);
	mem_free(p->sender);
}

/* What is on its way to the sender. */
struct word {
	struct published *message;
	enum stomp_error verdict;
	const char *sentence;
};

/* Why a queue has not taken it. */
static struct word word_of(int verdict)
{
	switch (verdict) {
	case 0:
		return (struct word){ .verdict = STOMP_OK };
	case -ENOSPC:
		return (struct word){ NULL, STOMP_E_LIMIT, "The queue is full." };
	case -EDQUOT:
		return (struct word){ NULL, STOMP_E_LIMIT, "The journal is full." };
	case -EAGAIN:
		return (struct word){ NULL, STOMP_E_BUSY, "The disk of the journal is slow." };
	case -EHOSTUNREACH:
	case -EPIPE:
		return (struct word){ NULL, STOMP_E_BROKER,
			"The engine that joins the gateways cannot be reached: this may have been kept, or not." };
	case -ENOBUFS:
		return (struct word){ NULL, STOMP_E_BUSY, "Too much waits for the engine that joins the gateways." };
	case -EMSGSIZE:
	case -EINVAL:
	case -EREMOTEIO:
		return (struct word){ NULL, STOMP_E_BROKER, "The engine that joins the gateways does not take this." };
	case -EIO:
		return (struct word){ NULL, STOMP_E_INTERNAL,
			"The disk has failed: what is sent to a queue cannot be kept." };
	default:
		return (struct word){ NULL, STOMP_E_INTERNAL, "Out of memory." };
	}
}

static void on_word(struct sockjs_session *s, void *arg)
{
	struct word *w = arg;
	const struct sender *sender = w->message->sender;
	struct sockjs_client *c = s ? sockjs_user(s) : NULL;
	struct bytes receipt = { sender->wants_receipt ? sender->receipt : NULL,
		sender->receipt_len };

	if (c)
		stomp_conn_settle(&c->conn, w->verdict, receipt, w->sentence);
	broker_message_unref(&w->message->base);
	mem_free(w);
}

/* In the reactor of the queue's owner. */
static void on_settled(struct broker_message *m, int verdict)
{
	struct published *p = container_of(m, struct published, base);
	struct word *w;

	pace_arrived(p);
	if (verdict == 0 && !p->sender->wants_receipt)
		return;
	w = mem_alloc(sizeof(*w));
	if (!w)
		return;
	broker_message_ref(m);
	*w = word_of(verdict);
	w->message = p;
	if (sockjs_ref_call(p->sender->ref, on_word, w) == 0)
		return;
	broker_message_unref(m);
	mem_free(w);
}

static struct sender *sender_new(struct sockjs_client *c, struct bytes receipt)
{
	struct sender *s = mem_alloc(sizeof(*s) + receipt.n);

	if (!s)
		return NULL;
	*s = (struct sender){ .wants_receipt = receipt.p != NULL, .receipt_len = receipt.n };
	bytes_put(s->receipt, receipt);
	s->ref = sockjs_session_ref(c->session);
	if (s->ref)
		return s;
	mem_free(s);
	return NULL;
}

int queues_await_word(struct sockjs_client *c, struct published *p, struct bytes receipt)
{
	if (p->sender)
		queues_forget_sender(p);
	p->sender = sender_new(c, receipt);
	p->base.settled = p->sender ? on_settled : NULL;
	return p->sender ? 0 : -ENOMEM;
}

/* --- SUBSCRIBE ---------------------------------------------------------------------- */

/* As RabbitMQ and ActiveMQ call it. */
static struct bytes prefetch_header(const struct stomp_frame *f)
{
	struct bytes count = stomp_header_get(f, "prefetch-count");

	return count.p ? count : stomp_header_get(f, "activemq.prefetchSize");
}

bool queues_prefetch_is_number(const struct stomp_frame *f)
{
	struct bytes count = prefetch_header(f);

	for (size_t i = 0; i < count.n; i++)
		if (count.p[i] < '0' || count.p[i] > '9')
			return false;
	return !count.p || count.n > 0;
}

#define PREFETCH_MOST 65535

/* 0 is for the broker to say. */
static unsigned prefetch_of(const struct sockjs_client *c, const struct stomp_frame *f)
{
	struct bytes count = prefetch_header(f);
	unsigned n = 0;

	for (size_t i = 0; i < count.n && n <= PREFETCH_MOST; i++)
		n = n * 10 + (unsigned)(count.p[i] - '0');
	return n == 0 ? c->part->broker->prefetch : n < PREFETCH_MOST ? n : PREFETCH_MOST;
}

static enum broker_ack ack_of(const struct stomp_frame *f)
{
	struct bytes ack = stomp_header_get(f, "ack");

	if (bytes_equal(ack, BYTES("client")))
		return BROKER_CUMULATIVE;
	return bytes_equal(ack, BYTES("client-individual")) ? BROKER_INDIVIDUAL : BROKER_AUTO;
}

int queues_consume(struct sockjs_client *c, const struct stomp_frame *f, struct bytes queue,
    struct label *l, struct broker_subscription **out)
{
	return broker_consume(
	    c->member, queue, c->session, (uintptr_t)l, ack_of(f), prefetch_of(c, f), out);
}

/* --- MESSAGE -------------------------------------------------------------------------- */

static enum broker_taken send_to(
    struct sockjs_session *s, const struct label *l, struct published *p, unsigned deliveries)
{
	struct sockjs_prepared *frame = fan_make_frame(l->part, l, p, deliveries);
	int status = frame ? sockjs_offer_prepared(s, frame) : -ENOMEM;
	struct sockjs_client *c = sockjs_user(s);

	sockjs_prepared_free(frame);
	if (status == SOCKJS_FULL || status == -EAGAIN)
		c->is_full = true;
	if (status == -EAGAIN)
		return BROKER_FULL;
	if (status == -ENOTSUP || status == -EMSGSIZE)
		return BROKER_REFUSED;
	if (status < 0)
		return BROKER_GONE;
	l->part->counters.messages_out++;
	return status == SOCKJS_FULL ? BROKER_TAKEN_AND_FULL : BROKER_TAKEN;
}

enum broker_taken queues_take(
    void *receiver, uintptr_t label, struct broker_message *m, unsigned deliveries)
{
	const struct label *l = (const struct label *)label;
	struct sockjs_client *c = sockjs_user(receiver);
	struct sockjs_broker *b = l->part->broker;
	struct published *p = container_of(m, struct published, base), *own = p;
	struct sockjs_publication view;
	enum broker_taken taken;

	if (c->is_full)
		return BROKER_FULL; /* it waits here, where it costs nothing (fan_go_on()) */
	if (!b->hooks.outgoing)
		return send_to(receiver, l, p, deliveries);
	view = published_view(p);
	if (b->hooks.outgoing(c, &view, b->hooks_arg) != 0)
		return BROKER_REFUSED;
	own = published_from(&l->part->scratch, &view);
	if (!own)
		return BROKER_GONE;
	own->base.owner = m->owner;
	own->base.sequence = m->sequence;
	own->base.again = m->again;
	taken = send_to(receiver, l, own, deliveries);
	broker_message_unref(&own->base);
	return taken;
}

/* It would wait for ever. */
void queues_refused(void *receiver, uintptr_t label)
{
	(void)label;
	client_fail(sockjs_user(receiver), STOMP_E_LIMIT, "There are too many queues.");
}

/* --- ACK and NACK ------------------------------------------------------------------------ */

/* The subscription by which a message came, if that is still to be answered. */
static struct subscription *find_pending(
    struct sockjs_client *c, struct bytes id, uint32_t owner, uint64_t sequence)
{
	for (struct subscription *s = c->subscriptions; s; s = s->next)
		if (!s->is_own && (!id.p || bytes_equal(id, (struct bytes){ s->id, s->id_len })) &&
		    broker_has_pending(s->topic, (struct broker_place){ owner, sequence }))
			return s;
	return NULL;
}

void queues_acknowledge(struct sockjs_client *c, uint32_t owner, uint64_t sequence, bool good)
{
	struct subscription *s = find_pending(c, (struct bytes){ 0 }, owner, sequence);

	if (s)
		broker_acknowledge(s->topic, (struct broker_place){ owner, sequence }, good);
}

/* Topics need no answer; so one that is for nothing is wrong only if its client has no topics. */
static bool may_be_of_topic(const struct sockjs_client *c)
{
	for (const struct subscription *s = c->subscriptions; s; s = s->next)
		if (!s->is_own && !broker_is_queue(
		        c->part->broker->topics, broker_subscription_pattern(s->topic)))
			return true;
	return c->subscriptions == NULL;
}

enum stomp_error queues_answer(
    struct sockjs_client *c, const struct stomp_frame *f, const char **why)
{
	bool is_1_2 = c->conn.version == STOMP_1_2, good = f->command == STOMP_ACK;
	struct bytes id = stomp_header_get(f, is_1_2 ? "id" : "message-id");
	struct bytes sub = is_1_2 ? (struct bytes){ 0 } : stomp_header_get(f, "subscription");
	struct bytes in = stomp_header_get(f, "transaction");
	struct transaction *t = in.p ? transaction_find(c, in) : NULL;
	uint32_t owner;
	uint64_t sequence;

	if (in.p && !t) {
		*why = "No transaction of this name has begun.";
		return STOMP_E_NO_TRANSACTION;
	}
	if (c->extra && c->extra->own && !message_id_read(c->part->broker, id, &owner, &sequence))
		return relayed_own_pass(c, t, f, why);
	if (!message_id_read(c->part->broker, id, &owner, &sequence) ||
	    !find_pending(c, sub, owner, sequence)) {
		*why = "No message of this id waits for an answer.";
		return may_be_of_topic(c) ? STOMP_OK : STOMP_E_NO_MESSAGE;
	}
	if (t)
		return transaction_hold_answer(c, t, owner, sequence, good);
	queues_acknowledge(c, owner, sequence, good);
	return STOMP_OK;
}

/* --- dead letters ---------------------------------------------------------------------------- */

/* What the journal has of the dead is kept until the letter is safe. */
struct burial {
	struct sockjs_broker *broker;
	struct published *dead; /* a reference */
};

static void bury(void *arg)
{
	const struct burial *burial = arg;

	keep_drop(burial->broker, &burial->dead->base);
}

static void buried(void *arg)
{
	const struct burial *burial = arg;

	broker_message_unref(&burial->dead->base);
}

/* The letter's queue has it, or not, in which case the dead is lost. */
static void on_letter(struct broker_message *m, int verdict)
{
	struct published *letter = container_of(m, struct published, base);
	struct burial burial = { letter->delivered_arg, letter->dead };

	pubsub_here(burial.broker)->counters.dropped[DROP_DEAD] += verdict < 0;
	if (!letter->dead)
		return;
	letter->dead = NULL;
	/* Without memory for it, nobody may free what the journal knows of: it may die again after
	 * a restart */
	(void)sockjs_reactor_call(
	    burial.broker->server, burial.dead->base.owner, bury, buried, &burial, sizeof(burial));
}

static void send_letter(struct sockjs_broker *b, struct published *letter, struct published *dead)
{
	letter->base.lasts = true; /* it has died once */
	letter->base.again = dead->base.again;
	if (relayed_has(b, letter->base.destination)) {
		if (relayed_publish_anywhere(b, letter) < 0)
			pubsub_here(b)->counters.dropped[DROP_DEAD]++;
		keep_drop(b, &dead->base);
		return;
	}
	if (!broker_is_queue(b->topics, letter->base.destination)) {
		broker_publish(b->topics, &letter->base);
		keep_drop(b, &dead->base);
		return;
	}
	letter->delivered_arg = b;
	letter->base.settled = on_letter;
	if (dead->entry) {
		broker_message_ref(&dead->base);
		letter->dead = dead;
	}
	if (broker_publish(b->topics, &letter->base) < 0)
		keep_drop(b, &dead->base);
}

void queues_on_death(
    void *broker, struct broker_message *m, enum broker_death why, unsigned deliveries)
{
	struct sockjs_broker *b = broker;
	struct published *p = container_of(m, struct published, base);
	struct sockjs_header headers[STOMP_HEADERS_MAX];
	struct sockjs_publication letter = { .destination = b->dead_letters,
		.headers = headers,
		.body = p->body.p,
		.len = p->body.n };
	struct published *dead;
	char count[16];

	if (!b->dead_letters || strcmp(p->base.destination.p, b->dead_letters) == 0) {
		keep_drop(b, m);
		return;
	}
	snprintf(count, sizeof(count), "%u", deliveries);
	headers[letter.header_count++] =
	    (struct sockjs_header){ "original-destination", p->base.destination.p };
	headers[letter.header_count++] =
	    (struct sockjs_header){ "death", why == BROKER_EXPIRED ? "expired" : "rejected" };
	headers[letter.header_count++] = (struct sockjs_header){ "delivery-count", count };
	for (size_t i = 1; i < p->header_count && letter.header_count < STOMP_HEADERS_MAX; i++)
		headers[letter.header_count++] = p->headers[i];
	dead = published_from(&pubsub_here(b)->scratch, &letter);
	if (!dead) {
		keep_drop(b, m);
		return;
	}
	send_letter(b, dead, p);
	broker_message_unref(&dead->base);
}
