/*
 * relay/relay_hub.h - what many share of one link to a broker: subscriptions to topics, merged so that the
 * broker sees each once, and messages to it with their receipts.
 *
 *	join, join --> SUBSCRIBE --> RECEIPT: settled, settled --> MESSAGE, MESSAGE, ...
 *	leave, leave --> (it lingers) --> UNSUBSCRIBE
 *	send --> SEND --> RECEIPT: sent
 *
 * Those who share it are members, by number; who they are, and in which thread, is the owner's affair. What a
 * link has lost is not made up for: a topic that was away says so with its next message. But a topic that a
 * stream of RabbitMQ keeps goes on where it was.
 *
 * While the link is away topics wait to be subscribed again, and what is to be sent waits, as far as
 * the owner lets it come (relay_hub_queued()). What went out and was not answered may be lost, or not.
 *
 * All functions belong to the loop's own thread. Callbacks come from the loop or from within a call, and may
 * call anything here but relay_hub_fini().
 */
#ifndef RELAY_RELAY_HUB_H
#define RELAY_RELAY_HUB_H

#include "base/list.h"
#include "base/map.h"
#include "relay/relay_link.h"

struct relay_hub;

enum relay_topic_state {
	RELAY_TOPIC_WANTED,      /* to be subscribed as soon as there is a link */
	RELAY_TOPIC_SUBSCRIBING, /* SUBSCRIBE is out */
	RELAY_TOPIC_ACTIVE,
	RELAY_TOPIC_REFUSED, /* it is not asked for again for a while */
};

/* A destination or pattern of the broker. Read by the owner, written by the hub. */
struct relay_topic {
	struct map_node by_name, by_id;
	struct list node; /* hub->wanted, ->subscribed, ->idle or ->refused */
	uint64_t until;   /* of the last two: clock_now() */
	uint64_t link;    /* on which it is subscribed: hub->link_number, then; 0: none */
	char id[21];      /* what the broker calls the subscription */
	enum relay_topic_state state;
	bool has_gap; /* messages may be missing before the next one */
	unsigned member_count;
	struct bytes here, there; /* the owner's name of it, and the broker's; NUL behind them */
	struct bytes stream;      /* of RabbitMQ, that keeps it; empty: none */
	uint64_t next_offset;     /* there, if one was seen */
	bool has_offset;
	uint64_t resumed_at; /* the offset that it was last asked for from */
	unsigned unacknowledged, tries, stalls;
	uint32_t serial[]; /* of each member, what it has joined with; 0: it has not */
};

struct relay_hub_ops {
	/* A member is subscribed (`why` is NULL), or cannot be, and has not joined any more. Once for each
	 * join, and again when it was away. */
	void (*settled)(struct relay_hub *h, struct relay_topic *t, unsigned member, uint32_t serial,
	    const char *why);
	void (*message)(struct relay_hub *h, struct relay_topic *t, const struct stomp_frame *f);
	/* The broker has a message that was sent with a number (`why` is NULL); or it has said no, or is gone, and
	 * `why` is a sentence. */
	void (*sent)(struct relay_hub *h, unsigned member, uint64_t number, const char *why);
	/* Messages wait for relay_hub_release(): others may have to be subscribed first. */
	void (*up)(struct relay_hub *h);
	/* Since it is up, all topics that were wanted are subscribed again, or refused; once. */
	void (*restored)(struct relay_hub *h);
	void (*away)(struct relay_hub *h, const char *why);
	/* Less waits than before: relay_hub_queued(). */
	void (*drained)(struct relay_hub *h);
};

struct relay_hub_settings {
	struct relay_link_settings link;
	unsigned members;
	unsigned linger_ms;
	size_t max_topics;
	uint64_t stream_max_bytes; /* that a new stream keeps */
};

/* What was sent with a number, and is not answered. */
struct relay_unanswered {
	uint64_t number; /* 0: it is */
	unsigned member;
};

struct relay_hub {
	struct relay_link link;
	const struct relay_hub_settings *settings;
	const struct relay_hub_ops *ops;
	struct loop *loop;
	struct map by_name, by_id;
	struct list wanted, subscribed, idle, refused;
	size_t idle_count;
	uint64_t last_id;
	uint64_t link_number; /* of links that were up, so far */
	size_t asked;         /* topics whose SUBSCRIBE is not answered */
	bool is_restored;     /* since it is up */
	bool is_released;     /* likewise */
	struct timer timer; /* for what is idle and refused */
	struct timer next;  /* more is to be said than one turn has time for */
	struct buf waiting; /* messages: a struct waiting each, and its octets */
	/* A ring; `first` is the number of the receipt at its head */
	struct relay_unanswered *unanswered;
	size_t ring_size, ring_head, unanswered_count;
	size_t overtaken_by; /* of them, answers that came, behind one that did not */
	uint64_t first;
	char *error; /* what the broker has just said without saying about what; or NULL */
	uint64_t error_at;
	uint64_t messages_in, messages_out, lost; /* counted; the last: answers that never came */
};

/* Not started. Settings, ops and scratch stay. 0 or -ENOMEM, -EINVAL of the servers. */
int relay_hub_init(struct relay_hub *h, struct loop *loop, struct resolver *resolver,
    const struct relay_hub_settings *settings, const struct connector_server *servers, size_t count,
    const struct relay_hub_ops *ops, struct stomp_frame *scratch);
void relay_hub_start(struct relay_hub *h);
/* No more callbacks; memory as relay_link_fini(). Harmless on one that is zeroed. */
void relay_hub_fini(struct relay_hub *h);

/* Messages may go out, on this link. Nothing if there is none. */
void relay_hub_release(struct relay_hub *h);

static inline bool relay_hub_is_up(const struct relay_hub *h)
{
	return relay_link_is_up(&h->link);
}

/* A member wants a topic; settled() follows, now or later, with this serial (not 0). A member that has
 * joined already, does so with another serial. 0; -ENOSPC: there are too many topics; -ENOMEM. */
int relay_hub_join(struct relay_hub *h, unsigned member, uint32_t serial, struct bytes here,
    struct bytes there, struct bytes stream);
/* It does not any more. Nothing if it has not joined. */
void relay_hub_leave(struct relay_hub *h, unsigned member, struct bytes here);

/* A SEND, without its command: headers, blank line, body and NUL. With a number (not 0), sent() follows. 0 or
 * -ENOMEM. */
int relay_hub_send(struct relay_hub *h, unsigned member, uint64_t number, struct bytes rest);
/* Octets that wait, here or for the broker to take them. */
size_t relay_hub_queued(const struct relay_hub *h);
/* Whether too many messages are not yet answered. */
bool relay_hub_has_too_many(const struct relay_hub *h);
size_t relay_hub_topics(const struct relay_hub *h);

#endif
