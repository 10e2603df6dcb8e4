/*
 * pubsub/joined.h - one broker over several gateways: what is published at one comes to the subscribers of all,
 * by way of an engine (engine/engine.h).
 *
 *	SUBSCRIBE --> the broker's part --first of its pattern--> hub --join--> engine
 *	SEND --> the broker, which delivers it here --placed--> hub --publish--> engine --> other gateways
 *	engine --message--> hub --> the broker, as a foreign message, which delivers it here
 *
 * There is one hub, in the first reactor; what others want of it is mail. What is published here is delivered
 * here at once, and does not come back; so gateways need not agree on an order, but what one of them publishes to
 * a destination comes everywhere in its order. A SUBSCRIBE is answered when the engine brings what
 * is published elsewhere.
 *
 * What stomp.history says is kept by the engine, and its order is the engine's:
 *
 *	SEND --> hub --store--> engine, which answers, and brings it to all gateways, this one too
 *	last-message-id --> the destination's owner --> hub --load--> engine
 *
 *	joined.c       settings, and what is shared
 *	joined_hub.c   the hub, and the way there and back
 *	joined_kept.c  its histories
 *	joined_ask.c   what gateways ask each other
 *	joined_rolls.c and what they say to each other of who is present
 *	joined_part.c  what a part has asked for, and who waits for that
 */
#ifndef PUBSUB_JOINED_H
#define PUBSUB_JOINED_H

#include <jansson.h>

#include "engine/engine.h"
#include "net/loop.h"
#include "pubsub/pubsub.h"
#include "server/engine_setup.h"

struct joined_hub;
struct joined_part;

struct joined {
	struct sockjs_broker *broker;
	struct engine_setup setup;
	bool goes_on;            /* for subscribers here, while the engine is away */
	struct joined_hub *hub;
	_Atomic uint64_t epoch;  /* of the histories that the engine keeps; 0: not known yet */
	/* Lamport's: of what one gateway says to others each knows which was later */
	_Atomic uint64_t clock;
	atomic_bool is_up;
	atomic_bool is_connected; /* whether or not it can keep what it is to keep */
	atomic_bool is_lost;     /* it has been away for longer than a moment */
};

/* --- joined.c ---------------------------------------------------------------------------- */

/* Nothing if the options name no engine. 0, or -errno with a sentence that begins with the option. */
int joined_new(struct joined **out, struct sockjs_broker *b, const struct sockjs_options *o, char *why, size_t size);
/* What parts have of it, which are there. 0 or -ENOMEM. */
int joined_give(struct joined *j);
void joined_free(struct joined *j); /* NULL is fine */
/* Whether it goes to all gateways, if that is a pattern or a destination: not what is relayed, what queues have,
 * or presence. */
bool joined_has(const struct sockjs_broker *b, struct bytes destination);
/* Whether nothing is published to it now: the engine is away, and that is not to go on, or it would be kept there.
 * Any thread. */
bool joined_is_refused(const struct sockjs_broker *b, struct bytes destination);
/* Whether that is so of some. */
static inline bool joined_is_refusing(const struct joined *j)
{
	return j && (!j->goes_on || j->setup.settings.keeps) && atomic_load_explicit(&j->is_lost, memory_order_relaxed);
}
/* Whether the engine keeps it: who sends it waits for the engine's word. Any thread. */
static inline bool joined_keeps(const struct sockjs_broker *b, struct bytes destination)
{
	return b->joined && broker_is_kept_by_peers(b->topics, destination);
}
/* Whether it is a queue here, of which gateways that are joined have none. */
bool joined_lacks(const struct sockjs_broker *b, struct bytes destination);
extern const char joined_away[];
/* In each reactor, as it begins and ends. */
void joined_begin(struct sockjs_broker *b);
void joined_end(struct sockjs_broker *b);
/* Whether the engine is there. Any thread. */
static inline bool joined_is_up(const struct joined *j)
{
	return atomic_load_explicit(&j->is_up, memory_order_relaxed);
}
/* Whether what is published goes to those here alone. Any thread. */
static inline bool joined_goes_on_alone(const struct joined *j)
{
	return j->goes_on && atomic_load_explicit(&j->is_lost, memory_order_relaxed);
}
void joined_metrics(struct sockjs_metrics *m, const struct pubsub_part *part);

/* --- joined_hub.c ---------------------------------------------------------------------------- */

int joined_hub_new(struct joined *j); /* 0 or -ENOMEM */
void joined_hub_free(struct joined_hub *h);
/* In the first reactor. */
void joined_hub_begin(struct joined_hub *h);
void joined_hub_end(struct joined_hub *h);
const struct engine_counters *joined_hub_counters(const struct joined_hub *h, size_t *pending);
size_t joined_hub_gateways(const struct joined_hub *h); /* others, that are there */
/* From a part: joined_part_settled() follows there, never from within; or nothing will come any more. 0, or
 * -ENOMEM, -EPIPE (the server does not run). */
int joined_hub_join(struct joined_hub *h, unsigned part, bool is_user, struct bytes name);
void joined_hub_leave(struct joined_hub *h, unsigned part, bool is_user, struct bytes name);
/* A message that has its place here goes to the others. From its owner's part. */
void joined_hub_publish(struct joined_hub *h, unsigned part, struct published *p);

/* --- joined_kept.c ---------------------------------------------------------------------------- */

/* Of struct broker_peers; the first argument is the broker. */
int joined_keep(void *broker, struct broker_message *m);
int joined_load(void *broker, unsigned part, struct bytes destination, uint64_t since);

/* --- joined_ask.c ----------------------------------------------------------------------------- */

/* What the other gateways say, in the first reactor: a list of objects, borrowed; and of how many nothing was heard. */
typedef void (*joined_answers_fn)(void *arg, json_t *answers, size_t missing);
/* Asks all of them; from any reactor. `arguments` is taken. 0; or -ENOMEM, -EPIPE, and nothing follows. */
int joined_ask(struct sockjs_broker *b, const char *what, json_t *arguments, joined_answers_fn fn, void *arg);

/* Tells all of them, if the engine is there; takes `arguments`, which may be NULL. */
void joined_tell(struct sockjs_broker *b, const char *what, json_t *arguments);

/* Another one asks (or tells) that, here, in the first reactor. */
struct joined_asked;
/* From any reactor; takes the answer (NULL: there is none, and it will miss us) and `a`. */
void joined_answer(struct joined_asked *a, json_t *answer);
struct sockjs_broker *joined_asked_broker(const struct joined_asked *a);
/* takeover.c: a client has the client-id of one there. */
void takeover_told(struct joined_asked *a, const json_t *arguments);

/* --- joined_rolls.c ---------------------------------------------------------------------------- */

/* What the broker needs to have presence of all. */
void joined_rolls_give(struct broker_peers *peers);

/* --- joined_part.c ------------------------------------------------------------------------------ */

struct joined_part *joined_part_new(struct joined *j, struct pubsub_part *part);
void joined_part_free(struct joined_part *share); /* NULL is fine */
extern const struct broker_peers joined_peers; /* without arg: the broker */
/* What was asked for before the server ran. */
void joined_part_begin(struct joined_part *share);
/* A subscription is there: STOMP_OK; or STOMP_PENDING: its SUBSCRIBE is answered later. */
enum stomp_error joined_part_await(struct sockjs_client *c, struct subscription *s, const struct stomp_frame *f);
/* The engine brings it, or cannot, and why (constant). */
void joined_part_settled(struct joined_part *share, bool is_user, struct bytes name, const char *why);
/* Nobody waits any more, for the engine is away and things go on. */
void joined_part_let_go(struct joined_part *share);

#endif
