/*
 * broker/broker.h - publish and subscribe: destinations, subscriptions, one order, fan-out.
 *
 * The broker knows neither wire nor thread. It has a part in each reactor, which that reactor alone
 * touches: the members that live there (clients, or handlers in the process), and their
 * subscriptions in a trie. What is published goes to the owner of its destination first (a part, by
 * hash), which gives it its place in the order, and from there to all parts; so all subscribers,
 * wherever they are, see one order for each destination. How things come from one part to another
 * is the engine's affair (struct broker_engine), how a message comes to a subscriber is the
 * subscriber's (struct broker_ops).
 *
 * Destinations are paths: "/topic/prices/eur". In a pattern, "*" stands for one segment and "**",
 * at the end, for any number of them, none included. With another separator ("." on request) the
 * part behind the first segment is split at that: "/topic/prices.eur".
 */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/list.h"

struct broker;
struct broker_part;
struct broker_member;
struct broker_subscription;

#define BROKER_DESTINATION_MAX 1024 /* octets */
#define BROKER_SEGMENTS_MAX    64

/* --- what is published --------------------------------------------------- */

/* Immutable once it is published, but for what the owner writes into it; counted, any thread. The
 * publisher embeds it in what it knows about the message (its encoded forms), which `free` frees.
 */
struct broker_message {
	atomic_uint refs;
	uint64_t sequence; /* in its owner's part; the owner sets it */
	uint32_t owner;    /* that part */
	struct bytes destination;
	void (*free)(struct broker_message *m);
};

struct broker_message *broker_message_ref(struct broker_message *m);
void broker_message_unref(struct broker_message *m); /* NULL is fine */

/* --- subscribers --------------------------------------------------------- */

/* Room for what the deliveries of one message in one part share. */
struct broker_fan {
	void *slots[24];
};

struct broker_ops {
	/* One message for one subscription. `receiver` and `label` are what broker_subscribe() was
	 * given: nothing else is touched for a delivery. `fan` is the same for all deliveries of
	 * this message in this part, and zeroed before the first: room for what they share. It must
	 * not subscribe, unsubscribe or publish from within. */
	void (*deliver)(
	    void *receiver, uintptr_t label, struct broker_message *m, struct broker_fan *fan);
	/* After the last delivery of a message in this part that has used `fan`; may be NULL. */
	void (*fanned)(struct broker_message *m, struct broker_fan *fan);
};

/* --- the engine: from part to part ----------------------------------------- */

struct broker_engine {
	unsigned parts;
	/* The part of this thread; -1: of none. */
	int (*here)(void *arg);
	/* Runs fn(m, part) in the reactor of every part, in the order in which calls come to
	 * `owner` (whose own run is the first, and may set what others then see); afterwards drops
	 * the reference to `m` that it was given. Called from any thread. 0 or -ENOMEM (and `m` is
	 * still the caller's). */
	int (*spread)(void *arg, unsigned owner,
	    void (*fn)(struct broker_message *m, struct broker_part *part),
	    struct broker_message *m);
	/* Runs fn(arg2) in the reactor of that part, in order with what else was posted there. */
	int (*post)(void *arg, unsigned part, void (*fn)(void *arg2), void *arg2);
	void *arg;
};

/* --- life ------------------------------------------------------------------ */

struct broker_limits {
	size_t max_subscriptions; /* of one member; 0: no limit */
};

/* NULL when memory is out. */
struct broker *broker_new(
    const struct broker_engine *engine, char separator, const struct broker_limits *limits);
/* All members must have left, and nothing may be under way. */
void broker_free(struct broker *b);
struct broker_part *broker_part(struct broker *b, unsigned i);

/* Whether clients may publish to such a destination: no empty segment, no "*", no control
 * characters, UTF-8, within the limits. */
bool broker_destination_is_valid(const struct broker *b, struct bytes destination);
/* Whether it may be subscribed: as above, but "*" and, at the end, "**" may be segments. */
bool broker_pattern_is_valid(const struct broker *b, struct bytes pattern);
bool broker_pattern_matches(const struct broker *b, struct bytes pattern, struct bytes destination);

/* --- members ----------------------------------------------------------------- */

/* Somebody who may subscribe, in the part of this thread. `user` may be empty: nobody knows who it
 * is; `session` is its own name, unique in the broker. Both are copied. NULL when memory is out. */
struct broker_member *broker_join(struct broker_part *part, const struct broker_ops *ops,
    struct bytes session, struct bytes user);
/* With all its subscriptions. */
void broker_leave(struct broker_member *m);

/* A subscription; `receiver` and `label` go to ops->deliver(). "/user/rest" is the member's own:
 * what is published to "/user/NAME/rest" (NAME its user or session, escaped as in URLs), and nobody
 * else's. 0; -EINVAL: no pattern; -ENOSPC: too many; -ENOMEM. Active when this returns: whatever is
 * given its place in the order from now on comes to it. */
int broker_subscribe(struct broker_member *m, struct bytes pattern, void *receiver, uintptr_t label,
    struct broker_subscription **out);
void broker_unsubscribe(struct broker_subscription *s);
/* The pattern, as it was given. */
struct bytes broker_subscription_pattern(const struct broker_subscription *s);

/* --- publishing -------------------------------------------------------------- */

/* Publishes m->destination's message; takes a reference. From any thread. 0; -EINVAL: no
 * destination; -ENOMEM. */
int broker_publish(struct broker *b, struct broker_message *m);

/* Subscribers in all parts that a message to this destination would have now, roughly. Any thread?
 * No: of the part of this thread alone. */
size_t broker_count(struct broker_part *part, struct bytes destination);

/* Members of this part; for those who walk over it. `fn` may not change it. */
void broker_each_member(
    struct broker_part *part, void (*fn)(struct broker_member *m, void *arg), void *arg);
struct bytes broker_member_user(const struct broker_member *m);
struct bytes broker_member_session(const struct broker_member *m);
/* The members of a user in this part. */
void broker_each_of_user(struct broker_part *part, struct bytes user,
    void (*fn)(struct broker_member *m, void *arg), void *arg);

struct broker_counters {
	uint64_t members, users, subscriptions, nodes; /* now */
	uint64_t published;                            /* ordered here */
	uint64_t delivered;
	uint64_t unheard; /* published, and nobody here had subscribed */
};
const struct broker_counters *broker_counters(const struct broker_part *part);

#endif
