/*
 * broker/broker.h - publish and subscribe: destinations, subscriptions, one order, fan-out.
 *
 * The broker knows neither wire nor thread. It has a part in each reactor, which that reactor alone
 * touches: the members that live there (clients, or handlers in the process), and their
 * subscriptions in a trie. What is published goes to the owner of its destination first (a part, by
 * hash), which gives it its place in the order, and from there to all parts; so all subscribers,
 * wherever they are, see one order for each destination. How things come from one part to another
 * is the carrier's affair (struct broker_carrier), how a message comes to a subscriber is the
 * subscriber's (struct broker_ops).
 *
 * A queue gives each message to one consumer. It lives in its owner's part alone, where messages
 * wait; consumers elsewhere are reached by what parts post to each other.
 *
 * Destinations are paths: "/topic/prices/eur". In a pattern, "*" stands for one segment and "**",
 * at the end, for any number of them, none included. With another separator ("." on request) the
 * part behind the first segment is split at that: "/topic/prices.eur". What begins with "/user/" is
 * private: "/user/NAME/rest" goes to those who are NAME and have subscribed "/user/rest", and no
 * pattern of anybody else comes near it.
 *
 * Who has subscribed some destinations is known by name, and said at "/presence/topic/rooms/tea":
 * as it is, to who asks, and what changes, as messages in the order of that destination.
 *
 * The order is a message's alone: where something is to be kept of it (a history with offsets, a
 * queue that chooses one consumer), its owner does that when it gives it its place. Where that is
 * to outlast the process, a store keeps it (struct broker_store).
 */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/list.h"
#include "base/map.h"

struct broker;
struct broker_part;
struct broker_member;
struct broker_subscription;

#define BROKER_DESTINATION_MAX 1024 /* octets */
#define BROKER_SEGMENTS_MAX    64
#define BROKER_OF_PEERS        UINT32_MAX /* owner of what peers keep, whose order is theirs */

/* --- what is published --------------------------------------------------- */

struct broker_addressee;

/* Immutable once it is published (once!), but for what the owner writes into it; counted, any
 * thread. The publisher embeds it in what it knows about the message (its encoded forms), which
 * `free` frees. */
struct broker_message {
	atomic_uint refs;
	uint32_t owner;              /* the part that gives it its place */
	uint64_t sequence;           /* there, from 1 on */
	struct bytes destination;    /* as it was published; the publisher keeps it */
	struct broker_message *next; /* the next one of its run; until all of it was delivered */
	size_t octets;               /* that it takes; the publisher says it, for queues */
	bool lasts;                  /* it waits in a queue for ever */
	bool again;                  /* of a queue: it may have been delivered before a restart */
	bool is_foreign;             /* another broker has published it: broker_use_peers() */
	/* Of what peers keep: its place in their order, with BROKER_OF_PEERS as owner; that of the message
	 * before it of this destination */
	uint64_t before;
	struct bytes shown;          /* to subscribers: without the name, if it is private */
	struct broker_addressee *to; /* NULL: all who have subscribed; the broker's */
	/* Of a queue, in its owner's part, once: 0: it has taken the message, and that is as safe
	 * as the store promises; -ENOSPC: it is full; or the error of the store. May be NULL. */
	void (*settled)(struct broker_message *m, int verdict);
	atomic_size_t received; /* subscriptions it has come to so far, in all parts */
	void (*free)(struct broker_message *m);
};

/* With one reference, the caller's. */
void broker_message_init(
    struct broker_message *m, struct bytes destination, void (*free)(struct broker_message *m));
struct broker_message *broker_message_ref(struct broker_message *m);
/* Of a private one, once it is published: whom it is for. Else empty. */
struct bytes broker_message_addressee(const struct broker_message *m);
void broker_message_unref(struct broker_message *m); /* NULL is fine */

/* --- subscribers --------------------------------------------------------- */

/* Room for what the deliveries of one message, or run, in one part share. */
struct broker_fan {
	size_t messages; /* of the run; the broker sets it */
	void *slots[24];
};

/* TAKEN_AND_FULL: but no more until broker_more(). FULL: not even this one, until then. REFUSED: it
 * can never take this one, others may. */
enum broker_taken { BROKER_TAKEN, BROKER_TAKEN_AND_FULL, BROKER_FULL, BROKER_REFUSED, BROKER_GONE };

struct broker_ops {
	/* One message for one subscription. `receiver` and `label` are what broker_subscribe() was
	 * given: nothing else is touched for a delivery. `fan` is the same for all deliveries of
	 * this message by these ops in this part, and zeroed before the first: room for what they
	 * share. From within nobody may join, leave, subscribe, unsubscribe or publish (which is
	 * asserted): what follows from a message is done later. */
	void (*deliver)(
	    void *receiver, uintptr_t label, struct broker_message *m, struct broker_fan *fan);
	/* A run of messages, linked by their `next`, for one subscription, as deliver() for each of
	 * them would be; `fan` is the run's. NULL: they come one by one. */
	void (*deliver_run)(
	    void *receiver, uintptr_t label, struct broker_message *first, struct broker_fan *fan);
	/* A message of a queue, for this consumer alone; `deliveries` is how often it was delivered
	 * before. BROKER_GONE: it has not taken it, and is about to leave. NULL: no consumer has
	 * these ops. The same holds as for deliver(). */
	enum broker_taken (*take)(
	    void *receiver, uintptr_t label, struct broker_message *m, unsigned deliveries);
	/* Its queue has no place for this consumer, which gets nothing: there are too many queues,
	 * or no memory. May be NULL. */
	void (*refused)(void *receiver, uintptr_t label);
	/* After the last delivery of a message (or run) in this part that has used `fan`; may be
	 * NULL. */
	void (*fanned)(struct broker_message *m, struct broker_fan *fan);
};

/* --- the carrier: from part to part ----------------------------------------- */

typedef void (*broker_step_fn)(struct broker_message *m, struct broker_part *part);

struct broker_carrier {
	unsigned parts;
	/* The part of this thread; -1: of none. */
	int (*here)(void *arg);
	/* In the reactor of `owner`, in the order in which calls come there: runs order(m, part),
	 * which may set what others then see, then sends the message to all other parts, then runs
	 * deliver(m, part). In each of the others: deliver(m, part). Afterwards it ends the run, if
	 * `m` is one, and drops the references that it was given. So the others do not wait for the owner's
	 * deliveries; and who calls in the owner's reactor needs no mail to it. Called from any
	 * thread. 0 or -ENOMEM (and `m` is still the caller's). */
	int (*spread)(void *arg, unsigned owner, broker_step_fn order, broker_step_fn deliver,
	    struct broker_message *m);
	/* Runs fn(arg2) in the reactor of that part, in order with what else was posted there from
	 * this thread; or drop(arg2), if the server ends before. */
	int (*post)(
	    void *arg, unsigned part, void (*fn)(void *arg2), void (*drop)(void *arg2), void *arg2);
	/* Runs fn(arg2) in the reactor of this thread, in so many milliseconds; or drop(arg2), if
	 * the server ends before. 0 or -ENOMEM. For presence, and what waits too long in queues. */
	int (*later)(
	    void *arg, unsigned ms, void (*fn)(void *arg2), void (*drop)(void *arg2), void *arg2);
	/* Whether it is others' turn in this thread. Where there is later(). */
	bool (*is_late)(void *arg);
	/* Whether the server is about to end: who leaves now does so for that, and what it had is
	 * not counted as delivered in vain. May be NULL. */
	bool (*is_ending)(void *arg);
	void *arg;
};

/* --- the store: what outlasts the process ------------------------------------- */

/* Who waits until what was kept is safe. `then` is called in the owner's part, once, and may free
 * it: 0; or -errno: it never will be, or the server ends (-EPIPE). */
struct broker_wait {
	struct list node; /* the store's, and so is the mark */
	uint64_t mark;
	struct broker_message *message; /* a reference, which is then()'s */
	void (*then)(struct broker_wait *w, int verdict);
};

/* Keeps the messages of queues and histories. All of it is called in the part of the message's
 * owner, or before anything runs. */
struct broker_store {
	/* Keeps a message that has its place; `before` is that of the message before it, of a
	 * history. 0: and w->then() follows, in the order of these calls and never from within
	 * (NULL: nobody waits). -errno: it is not kept, and the wait still the caller's. */
	int (*put)(void *arg, struct broker_message *m, uint64_t before, struct broker_wait *w);
	/* The same order, for one that is not kept; with nothing to wait for, from within. */
	void (*follow)(void *arg, struct broker_wait *w);
	/* It was delivered in vain so many times. */
	void (*count)(void *arg, struct broker_message *m, unsigned deliveries);
	/* Nobody needs it any more. Nothing, if it is not kept. */
	void (*drop)(void *arg, struct broker_message *m);
	/* Numbers below `end` may be given by this part. */
	void (*reserve)(void *arg, unsigned part, uint64_t end);
	void *arg;
	uint64_t block; /* numbers that are reserved at a time; an even number */
};

/* By what a broker is known, over restarts. */
struct broker_identity {
	uint64_t epoch;
	struct map_seed owners; /* which part owns a destination */
};

/* --- peers: brokers of other processes ------------------------------------------ */

/* What joins this broker with others: who learns what is subscribed here, and what is published. */
struct broker_peers {
	/* In its part: a pattern for all has its first subscriber there, or (`begins` false) its last one has
	 * gone. 0; or -ENOMEM: then there will be no subscriber. */
	int (*interest)(void *arg, unsigned part, struct bytes pattern, bool begins);
	/* Likewise of a user: the first or last private subscription of its members in this part. */
	int (*user_interest)(void *arg, unsigned part, struct bytes user, bool begins);
	/* In the owner's part: a message that is not foreign has its place, and goes out here. It stays the
	 * broker's; not of queues. */
	void (*ordered)(void *arg, unsigned part, struct broker_message *m);
	/* If they keep histories (else NULL): a message for one, from any thread. They take a reference, and
	 * it comes from them as a foreign message with its place. m->settled() says when they have it, in any
	 * part. 0 or -ENOMEM. */
	int (*keep)(void *arg, struct broker_message *m);
	/* In the owner's part: what they have of a destination behind a place is wanted. broker_loaded() follows,
	 * and never from within. 0 or -ENOMEM. */
	int (*load)(void *arg, unsigned part, struct bytes destination, uint64_t since);
	/* If presence is that of all (else NULL), in the owner's part: what they say of a destination is to come to
	 * broker_hear(), or (`begins` false) not any more. 0, and broker_is_heard() follows, once; or -errno: it is
	 * asked for again later. */
	int (*roll_interest)(void *arg, unsigned part, struct bytes destination, bool begins);
	/* Likewise: words for broker_hear() of one peer, of those who have such an interest (BROKER_LISTENERS), or
	 * of all (BROKER_ALL_PEERS), also where `destination` is empty, in all their parts. At most once, in the
	 * order of calls of a part. 0 or -errno. */
	int (*say)(void *arg, unsigned part, struct bytes destination, uint64_t peer, struct bytes words);
	void *arg;
};

#define BROKER_LISTENERS 0
#define BROKER_ALL_PEERS UINT64_MAX

/* What peers have kept of a destination. */
struct broker_loaded {
	uint64_t since; /* as it was asked for */
	struct broker_message *const *messages; /* behind it, in order; with their places */
	const uint64_t *ages_ms;
	size_t count;
	bool is_all;    /* nothing behind `since` is missing */
	uint64_t until; /* the place up to which it is. What is behind it has come, or will */
	bool is_failed; /* it is not known: nothing else counts */
};

/* In the owner's part: who waits for it goes on. */
void broker_loaded(struct broker_part *part, struct bytes destination, const struct broker_loaded *loaded);
/* What peers have kept is of another order from now on: nothing of it is known. */
void broker_forget_kept(struct broker_part *part);
/* Nothing will be loaded any more: who waits is dropped. In each part, before the server ends. */
void broker_end_loads(struct broker_part *part);
/* The part that owns the presence of a destination, in which the following ones are called. */
unsigned broker_presence_owner(const struct broker *b, struct bytes destination);
/* What peers say of it comes, from now on. */
void broker_is_heard(struct broker_part *part, struct bytes destination);
/* What one says. Nothing is believed of it. */
void broker_hear(struct broker_part *part, uint64_t peer, struct bytes destination, struct bytes words);
/* In each part: a peer (another number than the two above) is there, or is not any more; or these are all. */
void broker_note_peer(struct broker_part *part, uint64_t peer, bool is_there);
void broker_set_peers(struct broker_part *part, const uint64_t *peers, size_t count);
/* Likewise: says to all of which destinations there is something to know, so that who has missed some of it asks. */
void broker_say_digest(struct broker_part *part);
/* How long the first who asks waits for what peers know. */
#define BROKER_PEERS_MS 2000
/* Whether peers keep the messages of this destination. */
bool broker_is_kept_by_peers(const struct broker *b, struct bytes destination);

/* --- life ------------------------------------------------------------------ */

/* What is kept of some destinations, for who has missed it. */
struct broker_history_rule {
	struct bytes pattern; /* of destinations for all; the maker of the broker keeps it */
	size_t messages;      /* of each destination; 0: as many as there are in that time */
	uint64_t ms;          /* 0: for ever */
};

/* What is said of who is present at a destination; all of it is the broker's. */
struct broker_roll {
	struct bytes destination; /* that the message is for */
	bool is_whole;            /* all who are there have joined; else: since the last one */
	const struct bytes *joined, *left;
	size_t joined_count, left_count;
	size_t count;     /* of users, now; */
	size_t anonymous; /* of sessions of nobody, now */
	bool is_cut;      /* more users are there than were ever named */
};

/* What BROKER_PRESENCE and a destination are together is the destination where its presence is
 * said. */
#define BROKER_PRESENCE "/presence"

/* Why a queue gives a message up. */
enum broker_death { BROKER_EXPIRED, BROKER_REJECTED };

struct broker_limits {
	size_t max_subscriptions; /* of one member; 0: no limit */
	/* Of queues, "/queue/..."; all 0: there are none, and those are topics */
	size_t max_queues;         /* in each part */
	size_t max_queue_messages; /* of one, waiting and unacknowledged */
	size_t max_queue_bytes;
	size_t max_queues_bytes;   /* of all of a part */
	uint64_t queue_expires_ms; /* 0: a message waits for ever */
	unsigned max_deliveries;   /* after so many it is given up */
	/* In the owner's part; `m` is borrowed, and something else may be published. If there is a
	 * store, it still has the message, until who is told here drops it: when what has become of
	 * it is safe. NULL: it is dropped */
	void (*died)(
	    void *arg, struct broker_message *m, enum broker_death why, unsigned deliveries);
	void *arg;
	/* The first rule that fits a destination has it */
	const struct broker_history_rule *history;
	size_t history_rules;
	size_t max_history_bytes; /* of all that a part keeps */
	/* Presence is kept of destinations for all that fit one of these patterns, which the maker
	 * of the broker keeps; NULL: of none */
	const struct bytes *presence;
	size_t presence_count;
	size_t max_present; /* users that are known by name, at all destinations together */
	size_t max_named;   /* of one destination, in what is said to who comes */
	unsigned presence_interval_ms; /* what happens within it is said in one message */
	/* Makes the message that says so, in the part of the owner; one reference. NULL: memory is
	 * out */
	struct broker_message *(*say)(void *arg, const struct broker_roll *roll);
};

/* The carrier is copied. `separator` is '/' or another plain character. NULL when memory is out. */
struct broker *broker_new(
    const struct broker_carrier *carrier, char separator, const struct broker_limits *limits);
/* All members must have left, and nothing may be under way. */
void broker_free(struct broker *b);
struct broker_part *broker_part(struct broker *b, unsigned i);
/* From now on there are peers (which is copied); before anything is subscribed. */
void broker_use_peers(struct broker *b, const struct broker_peers *peers);
/* Random, for ids of messages: with it, (owner, sequence) comes never again. */
uint64_t broker_epoch(const struct broker *b);

/* --- what was kept ------------------------------------------------------------ */

/* A new broker's is random. */
struct broker_identity broker_identity(const struct broker *b);
/* From now on there is a store (which is copied), and the broker is what it was; before anything is
 * published. No number from `first` on was ever given: each part has a block of its own there, and
 * further ones behind those of all others. */
void broker_use_store(struct broker *b, const struct broker_store *store,
    const struct broker_identity *identity, uint64_t first);
/* The number below which this part may give numbers. */
uint64_t broker_reserved(const struct broker_part *part);
/* The part that gives the messages of a destination for all, or of a queue, their places. */
unsigned broker_owner_of(const struct broker *b, struct bytes destination);

/* A message that the store has kept, and what is known of it. */
struct broker_kept {
	struct broker_message *message; /* with its owner, and its sequence of then */
	bool is_queued;                 /* in a queue, not in a history */
	uint64_t before;                /* as it was put */
	uint64_t age_ms;
	unsigned deliveries; /* in vain */
};

/* Puts it where it was. In the order of sequences, after broker_use_store() and before anything is
 * published; the limits of queues do not count. 0: it has a reference of its own; -ENOENT: nothing
 * is kept of such a destination (any more); -ENOTSUP: there are no queues (any more); -ENOMEM. */
int broker_restore(struct broker *b, const struct broker_kept *kept);
/* In each part, as soon as it can wait for a time: what was put there is waited for, too. Harmless
 * when nothing expires, or that is awaited already. */
void broker_begin(struct broker_part *part);

/* --- for another process ------------------------------------------------------------- */

struct snapshot;

/* Messages as their publisher writes them down (base/snapshot.h): reads one (`m` is NULL), with its destination, owner
 * and sequence, and one reference; or NULL, and the snapshot says why. */
struct broker_codec {
	struct broker_message *(*message)(void *arg, struct broker_message *m, struct snapshot *s);
	void *arg;
};

/* What a part has, but for its members. Reading, `part` is nothing: it goes to where it belongs in a broker that has
 * the same options, perhaps other parts, and no store; those of all parts, one after another, before members come and
 * before anything is published. */
void broker_snapshot(struct broker *b, unsigned part, struct snapshot *s, const struct broker_codec *codec);
/* A subscription of a member, with what a consumer has got. Reading, as broker_subscribe(), but nobody is told; one
 * after another, for other parts are touched, too. */
void broker_subscription_snapshot(struct broker_subscription **sub, struct broker_member *m, void *receiver,
    uintptr_t label, struct snapshot *s);
/* In each part, in its reactor, when all members are there: those who did not come have left. */
void broker_restored(struct broker_part *part);

/* Whether clients may publish to such a destination: no empty segment, no "*", no control
 * characters, UTF-8, within the limits; and behind "/user/" a name and a rest. */
bool broker_destination_is_valid(const struct broker *b, struct bytes destination);
/* Whether it may be subscribed: as above, but "*" and, at the end, "**" may be segments; and behind
 * "/user/" the rest alone. */
bool broker_pattern_is_valid(const struct broker *b, struct bytes pattern);
/* Of two valid ones. A private destination is given as it is shown. */
bool broker_pattern_matches(const struct broker *b, struct bytes pattern, struct bytes destination);

/* --- members ----------------------------------------------------------------- */

/* Somebody who may subscribe, in the part of this thread. `user` may be empty: nobody knows who it
 * is; `session` is its own name, not empty, unique in the broker and not for clients to choose (who
 * is called like another gets what is sent to it). Both are copied, of at most UINT16_MAX octets.
 * There may be few different `ops`, and they stay. NULL when memory is out, or a name will not do.
 */
struct broker_member *broker_join(struct broker_part *part, const struct broker_ops *ops,
    struct bytes session, struct bytes user);
/* With all its subscriptions. */
void broker_leave(struct broker_member *m);

/* A subscription; `receiver` and `label` go to ops->deliver(). "/user/rest" is the member's own:
 * what is published to "/user/NAME/rest" (NAME its user or session, escaped as in URLs), and nobody
 * else's. The same pattern again is another subscription. 0; -EINVAL: no pattern; -ENOSPC: too
 * many; -ENOMEM. Active when this returns: whatever is given its place in the order from now on
 * comes to it. */
int broker_subscribe(struct broker_member *m, struct bytes pattern, void *receiver, uintptr_t label,
    struct broker_subscription **out);
void broker_unsubscribe(struct broker_subscription *s);
/* The pattern, as it was given; as long as the subscription. */
struct bytes broker_subscription_pattern(const struct broker_subscription *s);

/* From now on it is another receiver's, with another label. Not of a consumer. */
void broker_redirect(struct broker_subscription *s, void *receiver, uintptr_t label);

/* --- history ------------------------------------------------------------------------ */

/* Where a message has its place. */
struct broker_place {
	uint32_t owner;
	uint64_t sequence;
};

/* What was kept of a destination: all that came after a place (NULL: nobody knows which), oldest
 * first; the messages are the broker's. `recovered`: that is all there was. `until`: the place up
 * to which it is, also if nothing was ever published there. */
typedef void (*broker_recall_fn)(void *arg, struct broker_message *const *messages, size_t count,
    bool recovered, const struct broker_place *until);

/* Asks for it. Who has subscribed before, in this part, gets in this order: deliveries of what is
 * among `messages`, or before them; fn(); deliveries of what came later. At once, or later;
 * drop(arg) if the server ends before. 0; -EINVAL: no destination for all; -ENOMEM. */
int broker_recall(struct broker_part *part, struct bytes destination,
    const struct broker_place *since, broker_recall_fn fn, void (*drop)(void *arg), void *arg);

/* --- presence --------------------------------------------------------------------- */

/* Whether it is kept of this destination. */
bool broker_has_presence(const struct broker *b, struct bytes destination);
/* The member of a subscription to such a destination is present there, by its user's name, as long
 * as the subscription lasts; several of one member are one. 1; 0: no presence is kept there;
 * -ENOMEM. */
int broker_attend(struct broker_subscription *s);
/* Nothing is heard of a member: it is present nowhere, until this is false again. 0, or -ENOMEM:
 * it is still as it was. */
int broker_set_silent(struct broker_member *m, bool is_silent);
/* Asks for the message that says who is present at a destination of which presence is kept. For who
 * has subscribed to BROKER_PRESENCE and the destination before, in this part, the order is that of
 * broker_recall(): what is delivered before fn() is in it, what comes after it is not. fn() is
 * called later, never from within; it gets one message, or none: memory is out. */
typedef void (*broker_called_fn)(
    void *arg, struct broker_message *const *messages, size_t count, bool is_there);
int broker_call_roll(struct broker_part *part, struct bytes destination, broker_called_fn fn,
    void (*drop)(void *arg), void *arg);

struct broker_attendee {
	struct bytes user;
	size_t sessions;
};

/* Some of who is present, in the order of their names. */
struct broker_page {
	const struct broker_attendee *users;
	size_t count;
	bool has_more;
	size_t all, anonymous;
	size_t unnamed; /* of `all`, who can be in no page */
	size_t peers, missing; /* of which it is known who is there, and of which it is not */
};

/* NULL: memory is out. */
typedef void (*broker_page_fn)(void *arg, const struct broker_page *page);

/* Asks for those behind a name (empty: the first), at most `limit`. 0, -EINVAL: no presence is kept
 * there; -ENOMEM. */
int broker_list_present(struct broker_part *part, struct bytes destination, struct bytes after,
    size_t limit, broker_page_fn fn, void (*drop)(void *arg), void *arg);

/* --- queues -------------------------------------------------------------------- */

enum broker_ack {
	BROKER_AUTO,       /* a message is acknowledged as it is taken */
	BROKER_CUMULATIVE, /* with it all that the consumer got before */
	BROKER_INDIVIDUAL,
};

/* Whether it is a queue's name, and there are queues. */
bool broker_is_queue(const struct broker *b, struct bytes destination);
/* Becomes a consumer of a queue: gets at most `prefetch` messages that it has not acknowledged. As
 * broker_subscribe(); broker_unsubscribe() and broker_leave() end it, and what it has not
 * acknowledged goes to others, before what waits. */
int broker_consume(struct broker_member *m, struct bytes queue, void *receiver, uintptr_t label,
    enum broker_ack ack, unsigned prefetch, struct broker_subscription **out);
/* A consumer that was full may get messages again. */
void broker_more(struct broker_subscription *s);
/* Whether it has got this message, and not yet acknowledged it. */
bool broker_has_pending(const struct broker_subscription *s, struct broker_place place);
/* Acknowledges it, or (`good` false) gives it back; what the consumer's mode adds to it, too. */
void broker_acknowledge(struct broker_subscription *s, struct broker_place place, bool good);

/* --- publishing -------------------------------------------------------------- */

/* Publishes m->destination's message; takes a reference of its own. From any thread. 0; -EINVAL: no
 * destination; -ENOMEM. */
int broker_publish(struct broker *b, struct broker_message *m);

/* A run: several messages to one destination, linked by their `next`, get their places one behind
 * the other, and come to all subscribers together. As broker_publish() for each of them. -EINVAL
 * also for destinations of which broker_takes_runs() is false. */
int broker_publish_run(struct broker *b, struct broker_message *first);
/* Whether it is a destination for all, no queue, and nothing the store keeps. */
bool broker_takes_runs(const struct broker *b, struct bytes destination);

/* How many subscriptions of this part a message to this destination would come to now. */
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
	uint64_t unheard;        /* published, and nobody here had subscribed */
	uint64_t queues, queued; /* that are here now, and messages in them, delivered or not */
	uint64_t redelivered, expired, rejected;
	uint64_t kept;    /* messages in histories now */
	uint64_t present; /* users by name, at destinations that this part owns, now */
};
const struct broker_counters *broker_counters(const struct broker_part *part);

#endif
