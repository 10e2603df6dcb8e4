/*
 * relay/relay_hub_private.h - what the files of a hub share: relay_hub.c has the link, relay_hub_topics.c what is
 * subscribed, relay_hub_stream.c what of that a stream keeps, relay_hub_send.c messages to the broker.
 */
#ifndef RELAY_RELAY_HUB_PRIVATE_H
#define RELAY_RELAY_HUB_PRIVATE_H

#include "relay/relay_hub.h"

/* Of topics, or messages, that are said in a turn: timers have no budget (loop_budget()). */
#define RELAY_HUB_SLICE 512

/* --- relay_hub_send.c ------------------------------------------------------------------- */

/* Whether nothing has to wait but for those before it; relay_hub.c says so for topics. */
bool relay_hub_is_clear(const struct relay_hub *h);
/* Says what has waited, as far as there is time and room. True: that was all. */
bool relay_sends_go_on(struct relay_hub *h);
/* The receipt "rNUMBER" was answered. */
void relay_sends_answered(struct relay_hub *h, uint64_t receipt, const char *why);
/* What went out and was not answered never will be. */
void relay_sends_lose(struct relay_hub *h, const char *why);
void relay_sends_fini(struct relay_hub *h);

/* --- relay_hub_stream.c ----------------------------------------------------------------- */

/* What makes a SUBSCRIBE one of a stream, but for `id` and `destination`. 0 or -ENOMEM. */
int relay_stream_add_headers(const struct relay_hub *h, struct buf *out, const struct relay_topic *t);
/* Before that: it goes on where it was, if that still leads anywhere. */
void relay_stream_resume(struct relay_topic *t);
/* A MESSAGE of it came. False: it is one that has come before. */
bool relay_stream_take(struct relay_hub *h, struct relay_topic *t, const struct stomp_frame *f);
/* Its SUBSCRIBE was refused because it is not there, which may be true for a moment only. */
bool relay_stream_may_come(struct relay_topic *t, const char *error);

/* --- relay_hub_topics.c ----------------------------------------------------------------- */

void relay_topics_init(struct relay_hub *h);
void relay_topics_fini(struct relay_hub *h);
/* Asks for those that are wanted, as far as there is time. True: that was all. While the link is up. */
bool relay_topics_go_on(struct relay_hub *h);
/* The link is gone. */
void relay_topics_lose(struct relay_hub *h);
/* Tells the owner, once, when all that was wanted is answered. */
void relay_topics_check_restored(struct relay_hub *h);
/* What the broker calls a subscription; NULL: there is none. */
struct relay_topic *relay_topic_of(const struct relay_hub *h, struct bytes id);
/* Its SUBSCRIBE is done (`error` is NULL), or refused. */
void relay_topic_answered(struct relay_hub *h, struct relay_topic *t, const char *error);

/* --- relay_hub.c -------------------------------------------------------------------------- */

extern const char RELAY_REFUSAL[]; /* a sentence for clients; what the broker says is for the log */
/* Says what waits, now and in the next turns. */
void relay_hub_go_on(struct relay_hub *h);

#endif
