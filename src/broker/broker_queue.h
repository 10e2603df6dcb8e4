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

/* Which consumer: of which part, and its number there. */
struct consumer_name {
	uint32_t part;
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
	uint64_t sequence;              /* QUEUE_ACK, QUEUE_NACK: of the message */
	unsigned number;                /* of deliveries before, of credits, or (QUEUE_LEAVE) of
	                                 * messages that it has got and not acknowledged */
	bool wants_more;                /* QUEUE_ACK: and has room for another */
	size_t name_len;                /* QUEUE_CONSUME: of the queue */
	char name[];
};

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

/* broker_consumer.c */
/* The steps that are for the consumer. */
void broker_consumer_deliver(struct broker_part *part, const struct queue_mail *mail);
void broker_consumer_refuse(struct broker_part *part, const struct queue_mail *mail);
void broker_consumer_end(struct broker_subscription *s);
struct bytes broker_consumer_queue(const struct broker_subscription *s);
void broker_consumers_init(struct broker_part *part);
void broker_consumers_fini(struct broker_part *part);

#endif
