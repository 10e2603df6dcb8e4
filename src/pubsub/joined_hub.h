/*
 * pubsub/joined_hub.h - what the files of the hub share (joined_hub.c, joined_kept.c, joined_ask.c,
 * joined_rolls.c); for them alone.
 */
#ifndef PUBSUB_JOINED_HUB_H
#define PUBSUB_JOINED_HUB_H

#include "pubsub/joined.h"

/* Of what gateways say of who is present: joined_rolls.c */
struct joined_rolls {
	bool is_used;
	struct map talks;     /* that we have joined */
	struct list outboxes; /* what waits a moment, for each gateway */
	struct timer flush, digest;
	uint64_t digested_at, is_soon_until;
	uint64_t *gateways;   /* others, that are there */
	size_t gateway_count;
};

struct joined_hub {
	struct joined *joined;
	struct engine *engine; /* NULL: it has not begun, or has ended */
	struct resolver *resolver;
	struct map topics;
	struct timer lost, room;
	bool is_full; /* all publishers wait */
	struct buf scratch;
	/* What is kept: joined_kept.c */
	struct list stores;   /* in the order in which it was published */
	size_t stored_octets; /* of these */
	size_t unsent;        /* of them that the engine has not been told */
	uint64_t number;      /* of the last one */
	struct timer again;
	struct list loads;    /* that wait until the engine is there, */
	struct list loading;  /* and that it has been asked for */
	struct list questions; /* to other gateways: joined_ask.c */
	struct joined_rolls rolls;
};

/* What has subscribers in some parts. */
struct joined_topic {
	struct map_node node;
	struct joined_hub *hub;
	struct engine_topic topic;
	struct list loads; /* that wait until it is active */
	unsigned parts;    /* how many */
	bool waits_any;
	const char *why; /* it cannot be had */
	uint64_t *waits; /* a bit for each part that is to be told */
	size_t key_len;
	char *key; /* as in joined_part.c */
};

/* What goes between the hub and a part. */
struct joined_letter {
	struct joined_hub *hub;
	void (*fn)(const struct joined_letter *m);
	unsigned part; /* that it is from, or for */
	bool is_user;
	const char *why; /* constant */
	struct published *message; /* a reference; or NULL */
	uint64_t since; /* or a gateway */
	size_t split;   /* where the second text begins: joined_rolls.c */
	size_t n;
	char name[];
};

/* `like`, with this name. 0, -ENOMEM, -EPIPE. */
int joined_hub_post(const struct joined_hub *h, unsigned reactor, struct joined_letter like, struct bytes name);
/* NULL: nobody has subscribed it. */
struct joined_topic *joined_hub_topic(const struct joined_hub *h, bool is_user, struct bytes name);
/* Publishers are held back while much waits. */
void joined_hub_note_pending(struct joined_hub *h);
/* Those of a message, and how many. */
size_t joined_hub_headers(const struct published *p, struct engine_header to[STOMP_HEADERS_MAX]);
/* Whether it is for destinations that are joined. */
bool joined_hub_is_ours(const struct joined_hub *h, const struct engine_message *m);
/* A foreign message, with its place if it has one. NULL: memory is out. */
struct published *joined_hub_published(struct joined_hub *h, const struct engine_message *m);

/* --- joined_kept.c: all of it in the hub's reactor ------------------------------------------- */

void joined_kept_init(struct joined_hub *h);
/* The engine keeps histories, under this number. */
void joined_kept_begin(struct joined_hub *h, uint64_t epoch);
/* It has been away for too long. */
void joined_kept_lost(struct joined_hub *h);
/* What waits in this list of loads may go on. */
void joined_kept_go_on(struct joined_hub *h, struct list *loads);
void joined_kept_end(struct joined_hub *h);

/* --- joined_ask.c: likewise --------------------------------------------------------------------- */

void joined_ask_init(struct joined_hub *h);
/* Another gateway asks. */
void joined_ask_take(struct joined_hub *h, struct bytes what, struct bytes body, struct bytes to);
void joined_ask_end(struct joined_hub *h);

/* --- joined_rolls.c: likewise ------------------------------------------------------------------- */

void joined_rolls_init(struct joined_hub *h);
void joined_rolls_begin(struct joined_hub *h);
void joined_rolls_end(struct joined_hub *h);
/* There is a connection to the engine, perhaps again. */
void joined_rolls_up(struct joined_hub *h);
/* A topic with is_talk is active, or (a sentence) cannot be. */
void joined_rolls_settled(struct engine_topic *topic, const char *why);
/* Another gateway is there, or not any more. */
void joined_rolls_gateway(struct joined_hub *h, uint64_t id, bool is_there);
/* What one says to us, or in a talk that we have joined; nothing is believed of it. */
void joined_rolls_take(struct joined_hub *h, struct bytes envelope);
/* One wants to know what we have. */
void joined_rolls_asked(struct joined_hub *h);

#endif
