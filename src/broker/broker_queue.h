/*
 * broker/broker_queue.h - queues in their owner's part, and consumers in theirs; for the files of
 * this folder alone.
 *
 *	consumer's part (broker_consumer.c)		owner's part (broker_queue.c)
 *
 *	broker_publish()	------ PUT ------->	waits
 *	broker_consume()	---- CONSUME ----->	a consumer with credit
 *	ops->refused()		<---- REFUSE ------	or no place for one
 *	ops->take()		<--- DELIVER ------	in flight
 *	broker_acknowledge()	------ ACK ------->	gone; NACK: waits again, in front
 *	broker_more()		----- CREDIT ----->
 *	broker_unsubscribe()	------ LEAVE ----->	what is in flight waits again
 *
 * Between two parts these keep their order, as all mail does; so a DELIVER that finds no consumer
 * needs no answer: the LEAVE that is under way says it.
 */
#ifndef BROKER_BROKER_QUEUE_H
#define BROKER_BROKER_QUEUE_H

#include "broker/broker_private.h"

/* Which consumer: of which part, and its number there. No octet of it is unused, for it is a key. */
struct consumer_name {
	uint64_t part;
	uint64_t number;
};

enum queue_step {
	QUEUE_PUT,
	QUEUE_CONSUME,
	QUEUE_DELIVER,
	QUEUE_ACK,
	QUEUE_NACK,
	QUEUE_CREDIT,
	QUEUE_LEAVE,
	QUEUE_REFUSE
};

/* What one part posts to another. */
struct queue_mail {
	struct broker *broker;
	unsigned to; /* part */
	enum queue_step step;
	struct consumer_name consumer;
	struct broker_message *message; /* QUEUE_PUT, QUEUE_DELIVER: a reference */
	struct broker_place place;      /* QUEUE_ACK, QUEUE_NACK: of the message */
	unsigned number;                /* of deliveries before, of credits, or (QUEUE_LEAVE) of
	                                 * messages that it has got and not acknowledged */
	bool wants_more;                /* QUEUE_ACK: and has room for another */
	size_t name_len;                /* QUEUE_CONSUME: of the queue */
	char name[];
};

/* --- in the owner's part: for broker_queue.c and broker_queue_snapshot.c ------------------------------ */

#define MESSAGE_COST 128 /* of one that waits, beside its octets */

struct queue {
	struct map_node node; /* part->queues */
	struct broker_part *part;
	struct list waiting;   /* struct queued, by sequence */
	struct list consumers; /* in turn */
	size_t count, octets;  /* waiting and in flight */
	bool dispatching;
	uint16_t name_len;
	char name[];
};

struct consumer {
	struct map_node node; /* part->remote */
	struct list turn;     /* queue->consumers */
	struct queue *queue;
	struct consumer_name name;
	struct list in_flight; /* struct queued, as they were delivered */
	uint64_t credit;
	bool is_away; /* it was another process's, and nobody here has taken its place yet */
};

struct queued {
	struct list node;            /* queue->waiting, or consumer->in_flight */
	struct list expiring;        /* part->expiring; alone if it has no time, or that is over */
	struct map_node by_place;    /* part->in_flight, while it is */
	struct queue *queue;
	struct broker_message *message;
	struct consumer *with; /* NULL: it waits */
	uint64_t expires_at;   /* 0: never */
	size_t cost;
	unsigned deliveries;
};

/* NULL: there is none; or memory is out. */
struct queue *broker_queue_find(const struct broker_part *part, struct bytes name);
struct queue *broker_queue_add(struct broker_part *part, struct bytes name);
/* It waits behind all others. NULL when memory is out. */
struct queued *broker_queue_append(struct queue *q, struct broker_message *m);
/* It is with a consumer of its queue, behind what that has already. 0 or -ENOMEM. */
int broker_queue_hand_over(struct queued *e, struct consumer *c);
/* What is in flight under this place; NULL: nothing. */
struct queued *broker_queue_in_flight(const struct broker_part *part, struct broker_place place);
/* A consumer ends; of what is in flight it has got so many, the first ones. */
void broker_queue_leave(struct broker_part *part, struct consumer *c, size_t has_got);

/* --- in a consumer's: for broker_consumer.c and broker_queue_snapshot.c ------------------------------- */

struct broker_consumer {
	struct broker_subscription base;
	struct map_node by_number; /* part->consumers */
	struct broker_entry entry;
	uint64_t number;
	struct broker_place *pending; /* as they came, not yet acknowledged */
	uint32_t count, cap;
	uint32_t owner;
	uint32_t owed;         /* credits that were not given back, for it was full */
	struct list kept_back; /* struct kept_back, as they came: for which it had no room */
	uint8_t ack;           /* enum broker_ack */
	uint16_t queue_len;
	char queue[];
};

struct kept_back {
	struct list node;
	struct broker_message *message;
	unsigned deliveries;
};

/* With a number of its own. NULL when memory is out. */
struct broker_consumer *broker_consumer_new(
    struct broker_member *m, struct bytes queue, struct broker_entry entry, enum broker_ack ack);
int broker_consumer_keep_back(struct broker_consumer *c, struct broker_message *m, unsigned deliveries);

/* --- mail ------------------------------------------------------------------------------------------------ */

/* NULL when memory is out. */
struct queue_mail *queue_mail_new(struct broker *b, unsigned to, enum queue_step step,
    struct consumer_name consumer, struct bytes name);
/* Takes it over; runs it at once if it is for this part. 0, or what the carrier says: it is lost. */
int queue_mail_post(struct queue_mail *mail);
/* Likewise, but never at once. */
int queue_mail_post_later(struct queue_mail *mail);

/* broker_queue.c: a message comes to its queue, in the owner's part. */
void broker_queue_put(struct broker_part *part, struct broker_message *m);
/* A step that is for the owner. */
void broker_queue_take(struct broker_part *part, const struct queue_mail *mail);
void broker_queues_init(struct broker_part *part);
void broker_queues_fini(struct broker_part *part);
/* As broker_restore(). */
int broker_queue_restore(struct broker_part *part, const struct broker_kept *kept);
/* As broker_restored(). */
void broker_queues_restored(struct broker_part *part);

/* broker_queue_snapshot.c: as broker_snapshot(); and a consumer, behind its queue's name. NULL: the snapshot says why. */
void broker_queues_snapshot(struct broker *b, unsigned part, struct snapshot *s, const struct broker_codec *codec);
void broker_consumer_write(const struct broker_subscription *sub, struct snapshot *s);
struct broker_subscription *broker_consumer_read(
    struct broker_member *m, struct bytes queue, struct broker_entry entry, struct snapshot *s);

/* broker_consumer.c */
/* The steps that are for the consumer. */
void broker_consumer_deliver(struct broker_part *part, const struct queue_mail *mail);
void broker_consumer_refuse(struct broker_part *part, const struct queue_mail *mail);
void broker_consumer_end(struct broker_subscription *s);
struct bytes broker_consumer_queue(const struct broker_subscription *s);
void broker_consumers_init(struct broker_part *part);
void broker_consumers_fini(struct broker_part *part);

#endif
