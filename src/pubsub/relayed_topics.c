/*
 * pubsub/relayed_topics.c - who has subscribed what is relayed, in one part, and who waits for the broker's word;
 * see relayed.h.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "pubsub/relayed.h"
#include "pubsub/waiters.h"

#define COST_OF_ANSWER 1000 /* nanoseconds */
#define COST_OF_LOOK   20

static const char AWAY[] = "The broker of this destination cannot be reached.";

enum interest_state { INTEREST_JOINING, INTEREST_ACTIVE, INTEREST_REFUSED };

/* Subscribers of one key; the hub knows the part as one. */
struct interest {
	struct map_node node;
	struct relayed_part *share;
	struct list waiters;
	size_t count;
	uint32_t serial;
	enum interest_state state;
	bool is_cut;     /* its link was lost, and who has it is to be closed */
	const char *why; /* it was refused */
	size_t key_len;
	char key[];
};

struct bytes relayed_interest_key(const struct map_node *node)
{
	const struct interest *i = container_of(node, struct interest, node);

	return (struct bytes){ i->key, i->key_len };
}

static struct interest *find(const struct relayed_part *share, struct bytes key)
{
	struct map_node *found = map_find(&share->interests, key);

	return found ? container_of(found, struct interest, node) : NULL;
}

static struct bytes key_of(const struct interest *i)
{
	return (struct bytes){ i->key, i->key_len };
}

static struct relayed_hub *hub_of(const struct interest *i)
{
	return relayed_hub_of(i->share->relayed, key_of(i));
}

/* --- interests ------------------------------------------------------------------------------- */

/* Never 0. */
static uint32_t next_serial(struct relayed_part *share)
{
	return ++share->last_serial ? share->last_serial : ++share->last_serial;
}

static struct interest *interest_new(struct relayed_part *share, struct bytes key)
{
	struct interest *i = mem_zalloc(sizeof(*i) + key.n);

	if (!i)
		return NULL;
	i->share = share;
	list_init(&i->waiters);
	i->key_len = key.n;
	bytes_put(i->key, key);
	i->serial = next_serial(share);
	if (map_insert(&share->interests, &i->node) == 0)
		return i;
	mem_free(i);
	return NULL;
}

static void interest_free(struct interest *i)
{
	map_remove(&i->share->interests, &i->node);
	mem_free(i);
}

/* One user of it less. */
static void drop(struct interest *i)
{
	if (--i->count > 0)
		return;
	if (i->state != INTEREST_REFUSED)
		relayed_hub_leave(hub_of(i), i->share, key_of(i));
	interest_free(i);
}

/* The hub may answer at once. Before the server runs it is asked later. */
static int ask(struct interest *i)
{
	int err = relayed_hub_join(hub_of(i), i->share, key_of(i), i->serial);

	return err == -EPIPE ? 0 : err;
}

static enum stomp_error verdict_of(const struct interest *i, const char **why)
{
	if (i->state == INTEREST_JOINING)
		return STOMP_PENDING;
	*why = i->why;
	return i->state == INTEREST_ACTIVE ? STOMP_OK : STOMP_E_FORBIDDEN;
}

static struct interest *find_or_ask(struct relayed_part *share, struct bytes key)
{
	struct interest *i = find(share, key);

	if (i) {
		i->count++;
		if (i->state == INTEREST_REFUSED) { /* by now it may be another matter */
			i->state = INTEREST_JOINING;
			i->serial = next_serial(share);
			(void)ask(i);
		}
		return i;
	}
	i = interest_new(share, key);
	if (!i)
		return NULL;
	i->count = 1;
	if (ask(i) == 0)
		return i;
	interest_free(i);
	return NULL;
}

enum stomp_error relayed_join(struct relayed_part *share, struct bytes key, const char **why)
{
	struct interest *i = find_or_ask(share, key);
	enum stomp_error err = i ? verdict_of(i, why) : STOMP_E_INTERNAL;

	if (i && err != STOMP_OK && err != STOMP_PENDING)
		drop(i);
	return err;
}

void relayed_leave(struct relayed_part *share, struct bytes key)
{
	struct interest *i = find(share, key);

	if (i)
		drop(i);
}

static bool ask_again(struct map_node *node, void *arg)
{
	(void)arg;
	return ask(container_of(node, struct interest, node)) == 0;
}

void relayed_join_all(struct relayed_part *share)
{
	map_each(&share->interests, ask_again, NULL);
}

/* --- subscriptions of clients -------------------------------------------------------------------- */

/* What makes it more than a plain one. */
static bool is_plain_header(struct bytes name)
{
	static const char *const more[] = { "selector", "durable", "persistent", "auto-delete", "exclusive",
		"prefetch-count", "browser", "no-local", "transformation" };

	for (size_t i = 0; i < sizeof(more) / sizeof(*more); i++)
		if (bytes_equal(name, bytes_of(more[i])))
			return false;
	return !bytes_begin(name, "x-") && !bytes_begin(name, "activemq.");
}

static bool is_auto(const struct stomp_frame *f)
{
	struct bytes ack = stomp_header_get(f, "ack");

	return !ack.p || bytes_equal(ack, BYTES("auto"));
}

static bool has_plain_headers(const struct stomp_frame *f)
{
	for (size_t i = 0; i < f->header_count; i++)
		if (!is_plain_header(f->headers[i].name))
			return false;
	return true;
}

bool relayed_is_plain_subscribe(const struct stomp_frame *f, struct bytes destination)
{
	return bytes_begin(destination, "/topic/") && is_auto(f) && has_plain_headers(f);
}

enum stomp_error relayed_check_subscribe(struct sockjs_client *c, const struct stomp_frame *f,
    struct bytes destination, const char **why)
{
	const struct relayed *r = c->part->broker->relayed;
	struct buf *there = &c->part->relayed->scratch;
	int err;

	if (!bytes_begin(destination, "/topic/")) {
		*why = "Only topics are relayed here: the connection to the broker is shared by all clients.";
		return STOMP_E_UNSUPPORTED;
	}
	if (!is_auto(f)) {
		*why = "The broker is asked for all clients at once: ack can only be auto.";
		return STOMP_E_UNSUPPORTED;
	}
	if (!has_plain_headers(f)) {
		*why = "The broker is asked for all clients at once: only plain subscriptions can be had.";
		return STOMP_E_UNSUPPORTED;
	}
	buf_clear(there);
	err = relay_name_there(&r->names, destination, true, there, why);
	return err == 0 ? STOMP_OK : err == -EINVAL ? STOMP_E_BAD_DESTINATION : STOMP_E_INTERNAL;
}

/* What is counted here the end of the subscription counts back. */
enum stomp_error relayed_subscribe(struct sockjs_client *c, struct subscription *s,
    const struct stomp_frame *f, const char **why)
{
	struct relayed_part *share = c->part->relayed;
	struct bytes key = broker_subscription_pattern(s->topic);
	struct interest *i;
	enum stomp_error err;

	if (share->relayed->closes && !relayed_hub_is_up(relayed_hub_of(share->relayed, key))) {
		*why = AWAY;
		return STOMP_E_BROKER;
	}
	i = find_or_ask(share, key);
	if (!i)
		return STOMP_E_INTERNAL;
	s->is_relayed = true;
	err = verdict_of(i, why);
	if (err == STOMP_PENDING && waiters_add(&i->waiters, c, s, stomp_header_get(f, "receipt")) < 0)
		err = STOMP_E_INTERNAL;
	relayed_slow_down(c);
	return err;
}

void relayed_unsubscribe(struct sockjs_client *c, struct subscription *s)
{
	relayed_leave(c->part->relayed, broker_subscription_pattern(s->topic));
}

/* --- what hubs say ------------------------------------------------------------------------------- */

/* True: that was all. */
static bool answer_some(struct interest *i)
{
	const char *why = i->why;
	enum stomp_error verdict = verdict_of(i, &why);

	return waiters_answer(&i->waiters, verdict, why);
}

static bool has_key(const struct sockjs_client *c, struct bytes key)
{
	for (const struct subscription *s = c->subscriptions; s; s = s->next)
		if (s->is_relayed && bytes_equal(broker_subscription_pattern(s->topic), key))
			return true;
	return false;
}

/* The broker has thought better of it: who has it ends. */
static void end_subscribers(struct relayed_part *share, struct bytes key, const char *why)
{
	struct list *pos, *next;

	list_foreach_safe (pos, next, &share->part->clients) {
		struct sockjs_client *c = container_of(pos, struct sockjs_client, node);

		sockjs_spend(COST_OF_LOOK);
		if (has_key(c, key))
			client_fail(c, STOMP_E_FORBIDDEN, why);
	}
}

struct settling {
	struct relayed_part *share;
	uint32_t serial;
	uint16_t n;
	char key[BROKER_DESTINATION_MAX];
};

static void go_on(struct interest *i);

static void run_settling(void *arg)
{
	const struct settling *s = arg;
	struct interest *i = find(s->share, (struct bytes){ s->key, s->n });

	if (i && i->serial == s->serial && i->state != INTEREST_JOINING) {
		i->count++;
		go_on(i);
	}
}

/* Takes a use of it. */
static void go_on(struct interest *i)
{
	struct sockjs_broker *b = i->share->part->broker;
	struct settling s = { i->share, i->serial, (uint16_t)i->key_len, "" };

	if (answer_some(i)) {
		if (i->state == INTEREST_REFUSED)
			end_subscribers(i->share, key_of(i), i->why);
		drop(i);
		return;
	}
	bytes_put(s.key, key_of(i));
	drop(i); /* who waits has it, too */
	(void)sockjs_reactor_call(
	    b->server, (unsigned)sockjs_reactor(b->server), run_settling, NULL, &s, sizeof(s));
}

void relayed_settled(
    struct relayed_part *share, struct bytes key, uint32_t serial, const char *why)
{
	struct interest *i = find(share, key);

	if (!i || i->serial != serial)
		return;
	i->state = why ? INTEREST_REFUSED : INTEREST_ACTIVE;
	i->why = why;
	i->count++;
	go_on(i);
}

/* --- a broker that is away ------------------------------------------------------------------------- */

static bool is_cut_off(const struct sockjs_client *c)
{
	for (const struct subscription *s = c->subscriptions; s; s = s->next) {
		const struct interest *i =
		    s->is_relayed ? find(c->part->relayed, broker_subscription_pattern(s->topic)) : NULL;

		if (i && i->is_cut)
			return true;
	}
	return false;
}

static bool forget_cut(struct map_node *node, void *arg)
{
	(void)arg;
	container_of(node, struct interest, node)->is_cut = false;
	return true;
}

static void close_some(void *arg);

static void close_later(struct relayed_part *share)
{
	struct sockjs_broker *b = share->part->broker;

	share->closes = sockjs_reactor_call(b->server, (unsigned)sockjs_reactor(b->server), close_some, NULL,
	                    &share, sizeof(struct relayed_part *)) == 0;
}

static void close_some(void *arg)
{
	struct relayed_part *share = *(struct relayed_part **)arg;
	struct list *pos, *next;

	share->closes = false;
	list_foreach_safe (pos, next, &share->part->clients) {
		struct sockjs_client *c = container_of(pos, struct sockjs_client, node);

		if (!is_cut_off(c))
			continue;
		if (sockjs_is_late()) {
			close_later(share);
			return;
		}
		sockjs_spend(COST_OF_ANSWER);
		client_fail(c, STOMP_E_BROKER, "The broker of your subscriptions has gone away.");
	}
	map_each(&share->interests, forget_cut, NULL);
}

static bool note_away(struct map_node *node, void *hub)
{
	struct interest *i = container_of(node, struct interest, node);

	if (hub_of(i) != hub)
		return true;
	if (i->state == INTEREST_ACTIVE)
		i->state = INTEREST_JOINING;
	i->is_cut = i->share->relayed->closes;
	return true;
}

void relayed_away(struct relayed_part *share, unsigned hub)
{
	map_each(&share->interests, note_away, &share->relayed->hubs[hub]);
	if (share->relayed->closes && !share->closes)
		close_later(share);
}

void relayed_topics_fini(struct relayed_part *share)
{
	map_fini(&share->interests);
}
