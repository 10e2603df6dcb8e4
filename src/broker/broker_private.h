/*
 * broker/broker_private.h - what the files of the broker share; for them alone.
 *
 * Read broker_name.c (texts), broker_trie.c (which patterns match), broker_members.c (who is
 * there), broker_subscribe.c (what they have subscribed), broker.c (publishing), broker_queue.c,
 * broker_room.c and broker_presence.c (who is present), broker_tell.c, broker_hear.c and
 * broker_shares.c (that at peers), broker_history.c, broker_recall.c, broker_peers.c (histories that peers keep),
 * broker_loads.c, broker_keep.c (what of these outlasts the process), broker_snapshot.c and broker_queue_snapshot.c
 * (what goes over to another).
 */
#ifndef BROKER_BROKER_PRIVATE_H
#define BROKER_BROKER_PRIVATE_H

#include "base/map.h"
#include "broker/broker.h"
#include "broker/broker_trie.h"

struct broker {
	struct broker_carrier carrier;
	struct broker_limits limits;
	char separator;
	struct map_seed seed;            /* of users, sessions and tables */
	struct broker_identity identity; /* which says who owns what, too */
	struct broker_store store;       /* without functions: there is none */
	struct broker_peers peers;       /* likewise */
	atomic_size_t present; /* users that are known by name, in all parts: broker_room.c */
	atomic_size_t stays;   /* and how often they are at peers: broker_shares.c */
	struct broker_part *parts[]; /* one for each reactor */
};

/* Subscribers by one table of ops. There are as many as programs have of those tables: few. */
struct broker_kind {
	struct broker_kind *next;
	const struct broker_ops *ops;
	struct broker_part *part;
	bool in_use; /* the fan is: by the message that is being delivered */
	struct broker_fan fan;
};

struct broker_part {
	struct broker *broker;
	unsigned index;
	bool busy; /* delivering, or walking over members: nobody may change anything */
	struct broker_kind *kinds;
	struct broker_trie trie;
	struct map sessions;  /* of members */
	struct map users;     /* of broker_user */
	uint64_t sequence;    /* the last that was given */
	uint64_t first;       /* what is below was given before a restart, perhaps by another part */
	uint64_t block;       /* if there is a store: where the present block begins, */
	uint64_t turn_at;     /* and before which number something is to be done: broker_keep.c */
	struct map queues;    /* that this part owns, */
	struct map remote;    /* their consumers, wherever those are, */
	struct map in_flight; /* and what these have not acknowledged: broker_queue.c */
	struct map consumers; /* that are members of this part: broker_consumer.c */
	uint64_t last_consumer;
	size_t queued_octets;
	struct list expiring; /* what is in these queues and may wait too long, oldest first */
	bool awaits_expiry;   /* a call is under way for the first of them */
	/* What was published lately: broker_history.c */
	struct map pasts; /* by destination */
	struct list pasts_by_use;
	struct list kept; /* of all of them, oldest first */
	size_t kept_octets;
	struct map loads; /* of what peers have kept, that are under way: broker_loads.c */
	uint64_t load_number;
	uint64_t
	    forgotten; /* the sequence up to which destinations without a past may have had one */
	/* Who is present at what this part owns: broker_presence.c */
	struct map rooms; /* by destination */
	struct map names; /* in them */
	struct list restless;
	bool ticks;
	/* What other brokers know of it, and what they say: broker_tell.c, broker_hear.c */
	uint64_t versions;    /* that were given to what was told */
	struct list recitals; /* who gets all of a destination, in pages */
	size_t recital_count;
	bool recites; /* soon */
	uint64_t *peers; /* that are there */
	size_t peer_count;
	/* By which of its subscriptions members of this part are present: broker_attend.c */
	struct map attendances;
	struct list reports; /* that could not be sent yet */
	struct broker_counters counters;
};

/* Who a message of "/user/NAME/rest" is for; made when it is published. */
struct broker_addressee {
	struct bytes name;
	uint64_t hash;
	char text[];
};

/* --- subscriptions -------------------------------------------------------- */

/* All that a delivery needs. */
struct broker_entry {
	void *receiver;
	uintptr_t label;
	struct broker_subscription *subscription; /* for who moves the entry */
};

/* Those of one kind who have subscribed one pattern. */
struct broker_audience {
	struct broker_audience *next; /* of another kind, at the same node */
	struct broker_kind *kind;
	struct broker_node *node;
	struct broker_entry *entries; /* dense */
	uint32_t count, cap;
	uint16_t pattern_len;
	char pattern[];
};

struct broker_subscription {
	struct list of_member;
	struct broker_member *member;
	struct broker_audience *audience; /* NULL: it is private */
	uint32_t index;                   /* there */
	bool is_consumer;                 /* of a queue: broker_consumer.c */
	bool attends;                     /* its member is present: broker_attend.c */
};

/* A subscription of "/user/rest": nobody but its member knows of it. */
struct broker_own {
	struct broker_subscription base;
	struct broker_entry entry;
	uint16_t pattern_len;
	bool is_plain; /* no star in it */
	char pattern[];
};

/* --- members --------------------------------------------------------------- */

struct broker_user {
	struct map_node by_name;
	struct broker_member *first; /* of its members, who are a ring without a head */
	uint32_t own_count;          /* private subscriptions of these */
	uint16_t name_len;
	char name[];
};

struct broker_member {
	struct map_node by_session;
	struct list of_user;       /* on its own if nobody knows who it is */
	struct list subscriptions; /* its private ones first */
	struct broker_user *user;
	struct broker_kind *kind;
	uint32_t count; /* of subscriptions */
	uint16_t session_len;
	bool is_silent; /* present nowhere */
	char session[];
};

static inline bool broker_has_store(const struct broker *b)
{
	return b->store.put != NULL;
}

/* broker_keep.c */
/* The block comes to its half, or its end. */
void broker_turn_block(struct broker_part *part);
/* Lets go of what the store has of a message. */
void broker_drop(const struct broker *b, struct broker_message *m);
/* A queue has taken a message: who has sent it hears of it when it is safe. 0, or the store's
 * error. */
int broker_put_queued(const struct broker *b, struct broker_message *m);
/* Publishes a message of which a history keeps: it is safe before anybody gets it. Takes a
 * reference of its own. 0 or -ENOMEM. */
int broker_publish_kept(struct broker *b, struct broker_message *m);

/* The next in a part's order. */
static inline uint64_t broker_next_sequence(struct broker_part *part)
{
	if (part->sequence + 1 == part->turn_at)
		broker_turn_block(part);
	return ++part->sequence;
}

/* broker.c: the message comes to the subscribers of this part. */
void broker_deliver(struct broker_message *m, struct broker_part *part);

/* broker_members.c */
void broker_part_init_members(struct broker_part *part);
void broker_part_fini_members(struct broker_part *part);
/* Calls `fn` for all private subscriptions in this part that this message is for. */
typedef void (*broker_own_fn)(struct broker_own *own, void *arg);
void broker_each_addressed(struct broker_part *part, const struct broker_addressee *to,
    struct bytes shown, broker_own_fn fn, void *arg);

#endif
