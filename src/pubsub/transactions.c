/*
 * pubsub/transactions.c - BEGIN, COMMIT and ABORT: SENDs wait until their transaction is committed.
 *
 * A transaction is of its client until COMMIT, and from then on of the part: what it holds is
 * published whatever becomes of the client, a little in each turn.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "pubsub/joined.h"
#include "pubsub/snapshot.h"

/* A SEND, or an answer to a message of a queue. */
struct held {
	struct list node;
	struct published *message; /* NULL: an answer */
	uint64_t sequence;
	uint32_t owner;
	bool good;
};

struct transaction {
	struct list node; /* client_extra.transactions, or part->commits */
	struct list held;
	size_t octets;                 /* of what is held */
	bool is_there;                 /* an outside broker has it, too */
	struct sockjs_client *client;  /* who waits for its COMMIT; NULL: nobody */
	struct sockjs_client *answers; /* of whom its answers are; NULL: it has left */
	size_t name_len;
	char name[];
};

struct transaction *transaction_find(const struct sockjs_client *c, struct bytes name)
{
	struct list *pos;

	if (!c->extra)
		return NULL;
	list_foreach (pos, &c->extra->transactions) {
		struct transaction *t = container_of(pos, struct transaction, node);

		if (bytes_equal((struct bytes){ t->name, t->name_len }, name))
			return t;
	}
	return NULL;
}

bool transaction_is_there(const struct transaction *t)
{
	return t->is_there;
}

void transaction_set_there(struct transaction *t)
{
	t->is_there = true;
}

static size_t cost_of(const struct published *p)
{
	return sizeof(*p) + sizeof(struct held) + p->tails[2].n;
}

static void held_free(struct held *h)
{
	if (h->message)
		broker_message_unref(&h->message->base);
	list_remove(&h->node);
	mem_free(h);
}

static void transaction_free(struct transaction *t)
{
	while (!list_empty(&t->held))
		held_free(container_of(list_first(&t->held), struct held, node));
	list_remove(&t->node);
	mem_free(t);
}

static struct transaction *transaction_new(struct bytes name)
{
	struct transaction *t = mem_zalloc(sizeof(*t) + name.n);

	if (!t)
		return NULL;
	list_init(&t->node);
	list_init(&t->held);
	t->name_len = name.n;
	bytes_put(t->name, name);
	return t;
}

static void put_on(struct sockjs_client *c, struct transaction *t)
{
	list_append(&c->extra->transactions, &t->node);
	c->extra->transaction_count++;
	c->extra->transaction_octets += t->octets;
}

/* It is not the client's any more. */
static void take_off(struct sockjs_client *c, struct transaction *t)
{
	list_remove(&t->node);
	c->extra->transaction_count--;
	c->extra->transaction_octets -= t->octets;
}

enum stomp_error transaction_begin(
    struct sockjs_client *c, const struct stomp_frame *f, const char **why)
{
	struct bytes name = stomp_header_get(f, "transaction");
	struct client_extra *e = client_extra(c);
	struct transaction *t;

	if (!e)
		return STOMP_E_INTERNAL;
	if (transaction_find(c, name)) {
		*why = "A transaction of this name has begun already.";
		return STOMP_E_DUPLICATE_ID;
	}
	if (e->transaction_count >= c->part->broker->max_transactions) {
		*why = "Too many transactions at a time.";
		return STOMP_E_LIMIT;
	}
	t = transaction_new(name);
	if (!t)
		return STOMP_E_INTERNAL;
	put_on(c, t);
	return STOMP_OK;
}

/* Whether all of it is published: a few messages to a great many subscribers are enough for one
 * turn. It cannot fail any more but for memory: all was checked when it came. */
static bool publish_some(struct sockjs_broker *b, struct transaction *t)
{
	struct list *first;

	while ((first = list_first(&t->held)) != NULL) {
		struct held *h = container_of(first, struct held, node);

		sockjs_spend(PUBSUB_COST_OF_SEND);
		if (!h->message) {
			if (t->answers)
				queues_acknowledge(t->answers, h->owner, h->sequence, h->good);
		} else if (pace_publish(pubsub_here(b), h->message) < 0)
			pubsub_here(b)->counters.dropped[DROP_NO_MEMORY]++;
		held_free(h);
		if (sockjs_is_late() || pace_is_crowded(pubsub_here(b)))
			break;
	}
	return list_empty(&t->held);
}

static void publish_all(struct sockjs_broker *b, struct transaction *t)
{
	while (!publish_some(b, t))
		;
}

static void run_commits(void *arg);

static int call_for_commits(struct pubsub_part *part)
{
	struct sockjs_server *server = part->broker->server;

	return sockjs_reactor_call(server, (unsigned)sockjs_reactor(server), run_commits, NULL,
	    &part, sizeof(struct pubsub_part *));
}

static void committed(struct transaction *t)
{
	struct sockjs_client *c = t->client;

	transaction_free(t);
	if (!c)
		return;
	c->extra->committing = NULL;
	client_go_on(c);
}

/* One of them, and then it is the next one's turn. */
static void run_commits(void *arg)
{
	struct pubsub_part *part = *(struct pubsub_part **)arg;
	struct list *first = list_first(&part->commits);
	struct transaction *t = container_of(first, struct transaction, node);

	if (pace_is_crowded(part)) {
		part->commits_waiting++;
		return;
	}
	list_remove(first);
	list_append(&part->commits, first);
	if (!publish_some(part->broker, t)) {
		if (call_for_commits(part) == 0)
			return;
		publish_all(part->broker, t); /* without memory for better */
	}
	committed(t);
}

void transactions_go_on(struct pubsub_part *part)
{
	while (part->commits_waiting > 0 && call_for_commits(part) == 0)
		part->commits_waiting--;
}

/* What is left is the part's, so that it goes on whatever becomes of the client, whose next frames
 * wait for it. */
static void go_on_later(struct sockjs_client *c, struct transaction *t)
{
	struct pubsub_part *part = c->part;

	t->client = c;
	c->extra->committing = t;
	list_append(&part->commits, &t->node);
	if (call_for_commits(part) == 0)
		return;
	publish_all(part->broker, t);
	c->extra->committing = NULL;
	transaction_free(t);
}

static bool is_refused(const struct sockjs_broker *b, const struct transaction *t)
{
	struct list *pos;

	if (!joined_is_refusing(b->joined))
		return false;
	list_foreach (pos, &t->held) {
		const struct held *h = container_of(pos, struct held, node);

		if (h->message && joined_is_refused(b, h->message->base.destination))
			return true;
	}
	return false;
}

/* What the engine keeps is answered in its order: when the last one is there, all are. */
static struct published *last_kept(const struct sockjs_broker *b, const struct transaction *t)
{
	for (struct list *pos = t->held.prev; b->joined && pos != &t->held; pos = pos->prev) {
		struct held *h = container_of(pos, struct held, node);

		if (h->message && joined_keeps(b, h->message->base.destination))
			return h->message;
	}
	return NULL;
}

/* Its receipt says that nothing can be in its way any more. */
enum stomp_error transaction_commit(
    struct sockjs_client *c, const struct stomp_frame *f, const char **why)
{
	struct transaction *t = transaction_find(c, stomp_header_get(f, "transaction"));
	struct published *last;

	if (!t) {
		*why = "No transaction of this name has begun.";
		return STOMP_E_NO_TRANSACTION;
	}
	if (is_refused(c->part->broker, t)) {
		*why = joined_away;
		return STOMP_E_BROKER;
	}
	last = last_kept(c->part->broker, t);
	if (last && queues_await_word(c, last, stomp_header_get(f, "receipt")) < 0)
		return STOMP_E_INTERNAL;
	take_off(c, t);
	list_init(&t->node);
	t->answers = c;
	if (publish_some(c->part->broker, t))
		transaction_free(t);
	else
		go_on_later(c, t);
	return last ? STOMP_PENDING : STOMP_OK;
}

enum stomp_error transaction_abort(
    struct sockjs_client *c, const struct stomp_frame *f, const char **why)
{
	struct transaction *t = transaction_find(c, stomp_header_get(f, "transaction"));

	if (!t) {
		*why = "No transaction of this name has begun.";
		return STOMP_E_NO_TRANSACTION;
	}
	take_off(c, t);
	transaction_free(t);
	return STOMP_OK;
}

static bool has_word(const struct sockjs_broker *b, const struct published *p)
{
	return broker_is_queue(b->topics, p->base.destination) || joined_keeps(b, p->base.destination);
}

/* A reference to the message goes over. */
enum stomp_error transaction_hold(
    struct sockjs_client *c, struct transaction *t, struct published *p)
{
	struct client_extra *e = c->extra;
	struct held *h;

	if (e->transaction_octets + cost_of(p) > c->part->broker->max_transaction_bytes)
		return STOMP_E_LIMIT;
	if (has_word(c->part->broker, p) &&
	    queues_await_word(c, p, (struct bytes){ 0 }) < 0)
		return STOMP_E_INTERNAL;
	h = mem_zalloc(sizeof(*h));
	if (!h)
		return STOMP_E_INTERNAL;
	h->message = p;
	list_append(&t->held, &h->node);
	t->octets += cost_of(p);
	e->transaction_octets += cost_of(p);
	return STOMP_OK;
}

enum stomp_error transaction_hold_answer(
    struct sockjs_client *c, struct transaction *t, uint32_t owner, uint64_t sequence, bool good)
{
	struct client_extra *e = c->extra;
	struct held *h;

	if (e->transaction_octets + sizeof(*h) > c->part->broker->max_transaction_bytes)
		return STOMP_E_LIMIT;
	h = mem_zalloc(sizeof(*h));
	if (!h)
		return STOMP_E_INTERNAL;
	h->owner = owner;
	h->sequence = sequence;
	h->good = good;
	list_append(&t->held, &h->node);
	t->octets += sizeof(*h);
	e->transaction_octets += sizeof(*h);
	return STOMP_OK;
}

/* --- the end ---------------------------------------------------------------------- */

void transactions_forget(struct sockjs_client *c)
{
	if (!c->extra)
		return;
	if (c->extra->committing)
		c->extra->committing->client = c->extra->committing->answers = NULL;
	c->extra->committing = NULL;
	while (!list_empty(&c->extra->transactions)) {
		struct transaction *t =
		    container_of(list_first(&c->extra->transactions), struct transaction, node);

		take_off(c, t);
		transaction_free(t);
	}
}

void transactions_forget_commits(struct pubsub_part *part)
{
	while (!list_empty(&part->commits))
		transaction_free(
		    container_of(list_first(&part->commits), struct transaction, node));
}

/* --- for another process ------------------------------------------------------------ */

static void write_held(const struct transaction *t, struct snapshot *s)
{
	struct list *pos;

	list_foreach (pos, &t->held) {
		const struct held *h = container_of(pos, struct held, node);

		snapshot_more(s, true);
		if (snapshot_bool(s, h->message != NULL)) {
			published_snapshot(h->message, NULL, s);
			continue;
		}
		snapshot_u32(s, h->owner);
		snapshot_u64(s, h->sequence);
		snapshot_bool(s, h->good);
	}
	snapshot_more(s, false);
}

/* Who has sent it (NULL: he has left) hears what a queue says of it. */
static int read_message(struct sockjs_client *c, struct held *h, struct pubsub_part *part, struct snapshot *s)
{
	h->message = published_snapshot(NULL, &part->scratch, s);
	if (!h->message)
		return snapshot_error(s);
	return c && has_word(part->broker, h->message) ? queues_await_word(c, h->message, (struct bytes){ 0 }) : 0;
}

static void read_held(
    struct sockjs_client *c, struct transaction *t, struct pubsub_part *part, struct snapshot *s)
{
	while (snapshot_more(s, false)) {
		struct held *h = mem_zalloc(sizeof(*h));

		if (!h) {
			snapshot_fail(s, -ENOMEM);
			return;
		}
		list_append(&t->held, &h->node);
		if (snapshot_bool(s, false)) {
			if (read_message(c, h, part, s) < 0)
				snapshot_fail(s, -ENOMEM);
			t->octets += h->message ? cost_of(h->message) : 0;
			continue;
		}
		SNAPSHOT(s, u32, h->owner);
		SNAPSHOT(s, u64, h->sequence);
		SNAPSHOT(s, bool, h->good);
		t->octets += sizeof(*h);
	}
}

static void write_transaction(const struct transaction *t, struct snapshot *s)
{
	snapshot_more(s, true);
	snapshot_bytes(s, (struct bytes){ t->name, t->name_len });
	write_held(t, s);
}

/* NULL: the snapshot says why. */
static struct transaction *read_transaction(
    struct sockjs_client *c, struct pubsub_part *part, struct snapshot *s)
{
	struct transaction *t = transaction_new(snapshot_bytes(s, (struct bytes){ "", 0 }));

	if (!t) {
		snapshot_fail(s, -ENOMEM);
		return NULL;
	}
	read_held(c, t, part, s);
	if (!snapshot_error(s))
		return t;
	transaction_free(t);
	return NULL;
}

static void read_transactions(struct sockjs_client *c, struct snapshot *s)
{
	struct transaction *t;

	while (snapshot_more(s, false) && (t = read_transaction(c, c->part, s)) != NULL)
		put_on(c, t);
	if (!snapshot_more(s, false) || !(t = read_transaction(c, c->part, s)))
		return;
	t->client = t->answers = c;
	c->extra->committing = t;
	list_append(&c->part->commits, &t->node);
}

void transactions_snapshot(struct sockjs_client *c, struct snapshot *s)
{
	struct list *pos;

	if (s->is_reading) {
		read_transactions(c, s);
		return;
	}
	list_foreach (pos, &c->extra->transactions)
		write_transaction(container_of(pos, struct transaction, node), s);
	snapshot_more(s, false);
	if (c->extra->committing)
		write_transaction(c->extra->committing, s);
	else
		snapshot_more(s, false);
}

void commits_snapshot(struct pubsub_part *part, struct snapshot *s)
{
	struct transaction *t;
	struct list *pos;

	if (s->is_reading) {
		while (snapshot_more(s, false) && (t = read_transaction(NULL, part, s)) != NULL)
			list_append(&part->commits, &t->node);
		return;
	}
	list_foreach (pos, &part->commits) {
		t = container_of(pos, struct transaction, node);
		if (!t->client || !client_may_go_on(t->client))
			write_transaction(t, s);
	}
	snapshot_more(s, false);
}

/* A call for each. */
void transactions_restored(struct pubsub_part *part)
{
	struct list *pos;

	list_foreach (pos, &part->commits)
		if (call_for_commits(part) < 0)
			part->commits_waiting++; /* until somebody is relieved */
}
