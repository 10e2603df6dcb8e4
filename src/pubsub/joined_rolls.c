/*
 * pubsub/joined_rolls.c - carries what the brokers of several gateways say to each other of who is present
 * (broker/broker_words.h) between the parts, the hub and the engine; see joined.h.
 *
 *	part --say--> hub --the talk of a destination--> hub of who has joined it --> owner's part
 *	                  \--told to one, or to all----> "rolls"
 *
 * Nothing here knows what is said. Words for one gateway, or for all, wait a moment for others, for when gateways
 * meet there is much to say in little pieces; but none is overtaken by what is said to a talk after it.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/little.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "pubsub/joined_hub.h"

#define FLUSH_MS       2
#define OUTBOX_OCTETS  32768
#define DIGEST_MS      25000 /* and up to a fifth more, */
#define DIGEST_SOON_MS 200   /* but after this when it is asked for, */
#define DIGEST_LEAST   1000  /* unless it was said just now */
#define GATEWAYS_MOST  1024
#define COST_OF_WORDS  2000  /* nanoseconds */

enum { ENVELOPE_HEAD = 8, ITEM_HEAD = 8 };

static struct timer_wheel *timers(void)
{
	return loop_timers(loop_current());
}

static struct bytes first_of(const struct joined_letter *m)
{
	return (struct bytes){ m->name, m->split };
}

static struct bytes second_of(const struct joined_letter *m)
{
	return (struct bytes){ m->name + m->split, m->n - m->split };
}

/* A letter with two texts. */
static int post(const struct joined_hub *h, unsigned reactor, struct joined_letter like, struct bytes first,
    struct bytes second)
{
	char *both = mem_alloc(first.n + second.n);
	int err;

	if (!both)
		return -ENOMEM;
	bytes_put(bytes_put(both, first), second);
	like.hub = (struct joined_hub *)(uintptr_t)h;
	like.split = first.n;
	err = joined_hub_post(h, reactor, like, (struct bytes){ both, first.n + second.n });
	mem_free(both);
	return err;
}

/* --- talks ---------------------------------------------------------------------------------- */

/* A destination whose talk we have joined. */
struct talk {
	struct map_node node;
	struct joined_hub *hub;
	struct engine_topic topic;
	unsigned part;  /* that wants it */
	bool is_told;   /* of its being active */
	size_t n;
	char name[];
};

static struct bytes key_of(const struct map_node *n)
{
	const struct talk *t = container_of(n, struct talk, node);

	return (struct bytes){ t->name, t->n };
}

static void run_is_heard(const struct joined_letter *m)
{
	broker_is_heard(m->hub->joined->broker->parts[m->part].topics, first_of(m));
}

/* Without memory for it nobody is asked, and whoever waits goes on after a while. */
static void tell_heard(const struct joined_hub *h, unsigned part, struct bytes destination)
{
	(void)post(h, part, (struct joined_letter){ .fn = run_is_heard, .part = part }, destination, BYTES(""));
}

static struct talk *talk_new(struct joined_hub *h, unsigned part, struct bytes destination)
{
	struct talk *t = mem_zalloc(sizeof(*t) + destination.n);

	if (!t)
		return NULL;
	t->hub = h;
	t->part = part;
	t->n = destination.n;
	bytes_put(t->name, destination);
	t->topic.is_talk = true;
	t->topic.name = (struct bytes){ t->name, t->n };
	if (map_insert(&h->rolls.talks, &t->node) == 0)
		return t;
	mem_free(t);
	return NULL;
}

static void join(struct joined_hub *h, unsigned part, struct bytes destination)
{
	struct talk *t = talk_new(h, part, destination);

	if (t && h->joined->setup.kind->join(h->engine, &t->topic) == 0)
		return;
	log_warn_limited("what other gateways say of who is present is not heard: out of memory, or the name is too long");
	tell_heard(h, part, destination);
}

static void leave(struct joined_hub *h, struct bytes destination)
{
	struct map_node *found = map_find(&h->rolls.talks, destination);
	struct talk *t = found ? container_of(found, struct talk, node) : NULL;

	if (!t)
		return;
	h->joined->setup.kind->leave(&t->topic);
	map_remove(&h->rolls.talks, &t->node);
	mem_free(t);
}

static void run_interest(const struct joined_letter *m)
{
	if (m->hub->engine && m->is_user)
		join(m->hub, m->part, first_of(m));
	else if (m->hub->engine)
		leave(m->hub, first_of(m));
}

/* Without memory for the end of it what comes finds nobody. */
static int on_roll_interest(void *broker, unsigned part, struct bytes destination, bool begins)
{
	const struct sockjs_broker *b = broker;

	return post(b->joined->hub, 0, (struct joined_letter){ .fn = run_interest, .part = part, .is_user = begins },
	    destination, BYTES(""));
}

void joined_rolls_settled(struct engine_topic *topic, const char *why)
{
	struct talk *t = container_of(topic, struct talk, topic);

	if (why)
		log_warn_limited("what other gateways say of who is present is not heard", LOG_STR("reason", why));
	if (!t->is_told)
		tell_heard(t->hub, t->part, key_of(&t->node));
	t->is_told = true;
}

/* --- to others ------------------------------------------------------------------------------------ */

/* Words that wait for a gateway, or for all. */
struct outbox {
	struct list node;
	uint64_t to; /* 0: all */
	struct buf words;
};

static int begin_envelope(const struct joined_hub *h, struct buf *out)
{
	char head[ENVELOPE_HEAD];

	put64(head, h->joined->setup.settings.gateway);
	return buf_add(out, head, sizeof(head));
}

static int add_item(struct buf *out, struct bytes destination, struct bytes words)
{
	size_t n = ITEM_HEAD + destination.n + words.n;
	char *to = buf_reserve(out, n);

	if (!to)
		return -ENOMEM;
	put32(to, (uint32_t)destination.n);
	put32(to + 4, (uint32_t)words.n);
	bytes_put(bytes_put(to + ITEM_HEAD, destination), words);
	buf_commit(out, n);
	return 0;
}

/* What does not go out is found to be missing. */
static void flush(struct joined_hub *h, struct outbox *o)
{
	(void)h->joined->setup.kind->tell(
	    h->engine, o->to, BYTES("rolls"), (struct bytes){ buf_data(&o->words), buf_len(&o->words) });
	list_remove(&o->node);
	buf_fini(&o->words);
	mem_free(o);
}

static void flush_all(struct joined_hub *h)
{
	while (!list_empty(&h->rolls.outboxes))
		flush(h, container_of(list_first(&h->rolls.outboxes), struct outbox, node));
}

static void on_flush(struct timer *t)
{
	struct joined_hub *h = container_of(t, struct joined_hub, rolls.flush);

	flush_all(h);
	joined_hub_note_pending(h);
}

static struct outbox *outbox_of(struct joined_hub *h, uint64_t to)
{
	struct outbox *o;
	struct list *pos;

	list_foreach (pos, &h->rolls.outboxes) {
		o = container_of(pos, struct outbox, node);
		if (o->to == to)
			return o;
	}
	o = mem_zalloc(sizeof(*o));
	if (!o)
		return NULL;
	o->to = to;
	if (begin_envelope(h, &o->words) < 0) {
		mem_free(o);
		return NULL;
	}
	list_append(&h->rolls.outboxes, &o->node);
	return o;
}

static void tell(struct joined_hub *h, uint64_t peer, struct bytes destination, struct bytes words)
{
	struct outbox *o = outbox_of(h, peer == BROKER_ALL_PEERS ? 0 : peer);

	if (!o || add_item(&o->words, destination, words) < 0)
		return;
	if (buf_len(&o->words) > OUTBOX_OCTETS)
		flush(h, o);
	if (!timer_is_active(&h->rolls.flush))
		timer_start(timers(), &h->rolls.flush, FLUSH_MS);
}

static void say(struct joined_hub *h, struct bytes destination, struct bytes words)
{
	struct buf out = BUF_INIT;

	flush_all(h);
	if (begin_envelope(h, &out) == 0 && add_item(&out, destination, words) == 0)
		(void)h->joined->setup.kind->say(h->engine, destination, (struct bytes){ buf_data(&out), buf_len(&out) });
	buf_fini(&out);
	joined_hub_note_pending(h);
}

static void run_say(const struct joined_letter *m)
{
	sockjs_spend(COST_OF_WORDS + m->n);
	if (!m->hub->engine)
		return;
	if (m->since == BROKER_LISTENERS)
		say(m->hub, first_of(m), second_of(m));
	else
		tell(m->hub, m->since, first_of(m), second_of(m));
}

static int on_say(void *broker, unsigned part, struct bytes destination, uint64_t peer, struct bytes words)
{
	const struct sockjs_broker *b = broker;

	sockjs_spend(COST_OF_WORDS + words.n);
	return post(b->joined->hub, 0, (struct joined_letter){ .fn = run_say, .part = part, .since = peer }, destination,
	    words);
}

void joined_rolls_give(struct broker_peers *peers)
{
	peers->roll_interest = on_roll_interest;
	peers->say = on_say;
}

/* --- from others --------------------------------------------------------------------------------------- */

static void run_hear(const struct joined_letter *m)
{
	sockjs_spend(COST_OF_WORDS + m->n * 4);
	broker_hear(m->hub->joined->broker->parts[m->part].topics, m->since, first_of(m), second_of(m));
}

static void pass_on(struct joined_hub *h, uint64_t from, struct bytes destination, struct bytes words)
{
	const struct sockjs_broker *b = h->joined->broker;
	unsigned owner = broker_presence_owner(b->topics, destination);
	bool is_for_all = destination.n == 0;

	if (destination.n > BROKER_DESTINATION_MAX)
		return;
	for (unsigned i = is_for_all ? 0 : owner; i < (is_for_all ? b->part_count : owner + 1); i++)
		(void)post(h, i, (struct joined_letter){ .fn = run_hear, .part = i, .since = from }, destination, words);
}

static bool next_item(struct bytes *rest, struct bytes *destination, struct bytes *words)
{
	size_t n, m;

	if (rest->n < ITEM_HEAD)
		return false;
	n = get32(rest->p);
	m = get32(rest->p + 4);
	*rest = (struct bytes){ rest->p + ITEM_HEAD, rest->n - ITEM_HEAD };
	if (n > rest->n || m > rest->n - n)
		return false;
	*destination = (struct bytes){ rest->p, n };
	*words = (struct bytes){ rest->p + n, m };
	*rest = (struct bytes){ rest->p + n + m, rest->n - n - m };
	return true;
}

void joined_rolls_take(struct joined_hub *h, struct bytes envelope)
{
	struct bytes rest, destination, words;
	uint64_t from;

	sockjs_spend(COST_OF_WORDS + envelope.n);
	if (envelope.n < ENVELOPE_HEAD || !h->rolls.is_used)
		return;
	from = get64(envelope.p);
	rest = (struct bytes){ envelope.p + ENVELOPE_HEAD, envelope.n - ENVELOPE_HEAD };
	while (next_item(&rest, &destination, &words))
		pass_on(h, from, destination, words);
}

/* --- which gateways there are -------------------------------------------------------------------------- */

static void run_peers(const struct joined_letter *m)
{
	broker_set_peers(m->hub->joined->broker->parts[m->part].topics, (const uint64_t *)(const void *)m->name,
	    m->n / sizeof(uint64_t));
}

/* All of them each time: what had no memory is made good by the next. */
static void tell_gateways(const struct joined_hub *h)
{
	struct bytes all = { (const char *)h->rolls.gateways, h->rolls.gateway_count * sizeof(uint64_t) };

	for (unsigned i = 0; i < h->joined->broker->part_count; i++)
		(void)post(h, i, (struct joined_letter){ .fn = run_peers, .part = i }, all, BYTES(""));
}

static void add_gateway(struct joined_hub *h, uint64_t id)
{
	struct joined_rolls *r = &h->rolls;
	uint64_t *more = r->gateway_count < GATEWAYS_MOST
	                     ? mem_realloc_array(r->gateways, r->gateway_count + 1, sizeof(*more))
	                     : NULL;

	if (!more)
		return;
	r->gateways = more;
	r->gateways[r->gateway_count++] = id;
}

static void remove_gateway(struct joined_hub *h, uint64_t id)
{
	struct joined_rolls *r = &h->rolls;

	for (size_t i = 0; i < r->gateway_count; i++)
		if (r->gateways[i] == id) {
			r->gateways[i] = r->gateways[--r->gateway_count];
			return;
		}
}

/* It says what it has; and asks for ours as soon as it knows us. */
void joined_rolls_gateway(struct joined_hub *h, uint64_t id, bool is_there)
{
	if (!h->rolls.is_used)
		return;
	if (is_there)
		add_gateway(h, id);
	else
		remove_gateway(h, id);
	tell_gateways(h);
	if (is_there)
		(void)h->joined->setup.kind->tell(h->engine, id, BYTES("digest"), BYTES(""));
}

/* --- digests --------------------------------------------------------------------------------------------- */

static void run_digest(const struct joined_letter *m)
{
	broker_say_digest(m->hub->joined->broker->parts[m->part].topics);
}

static void on_digest(struct timer *t)
{
	struct joined_hub *h = container_of(t, struct joined_hub, rolls.digest);

	timer_start(timers(), t, DIGEST_MS + random_u64() % (DIGEST_MS / 5));
	tell_gateways(h);
	if (!h->engine || !h->joined->setup.kind->is_up(h->engine) || h->rolls.gateway_count == 0)
		return;
	h->rolls.digested_at = clock_now();
	for (unsigned i = 0; i < h->joined->broker->part_count; i++)
		(void)post(h, i, (struct joined_letter){ .fn = run_digest, .part = i }, BYTES(""), BYTES(""));
}

void joined_rolls_asked(struct joined_hub *h)
{
	uint64_t since = clock_now() - h->rolls.digested_at;
	uint64_t in = since < DIGEST_LEAST ? DIGEST_LEAST - since : DIGEST_SOON_MS;

	if (!h->rolls.is_used || h->rolls.is_soon_until > clock_now())
		return;
	h->rolls.is_soon_until = clock_now() + in;
	timer_start(timers(), &h->rolls.digest, in);
}

/* Both sides may have missed something. */
void joined_rolls_up(struct joined_hub *h)
{
	if (!h->rolls.is_used)
		return;
	(void)h->joined->setup.kind->tell(h->engine, 0, BYTES("digest"), BYTES(""));
	joined_rolls_asked(h);
}

/* --- life --------------------------------------------------------------------------------------------------- */

void joined_rolls_init(struct joined_hub *h)
{
	struct joined_rolls *r = &h->rolls;

	map_init(&r->talks, key_of, NULL);
	list_init(&r->outboxes);
	timer_init(&r->flush, on_flush);
	timer_init(&r->digest, on_digest);
	r->is_used = h->joined->broker->presence_count > 0;
}

void joined_rolls_begin(struct joined_hub *h)
{
	if (h->rolls.is_used)
		timer_start(timers(), &h->rolls.digest, DIGEST_MS);
}

static bool forget(struct map_node *node, void *arg)
{
	struct talk *t = container_of(node, struct talk, node);

	(void)arg;
	t->hub->joined->setup.kind->leave(&t->topic);
	mem_free(t);
	return true;
}

/* The engine is there for the last time. */
void joined_rolls_end(struct joined_hub *h)
{
	timer_stop(timers(), &h->rolls.flush);
	timer_stop(timers(), &h->rolls.digest);
	if (h->engine)
		flush_all(h);
	map_each(&h->rolls.talks, forget, NULL);
	map_fini(&h->rolls.talks);
	mem_free(h->rolls.gateways);
	h->rolls.gateways = NULL;
	h->rolls.gateway_count = 0;
}
