/*
 * broker/broker_shares.h - what a room has of one peer, for broker_shares.c (what is in it) and broker_hear.c (what
 * comes, and what is asked for) alone.
 */
#ifndef BROKER_BROKER_SHARES_H
#define BROKER_BROKER_SHARES_H

#include "broker/broker_presence.h"

struct broker_share {
	struct list of_room;
	struct broker_room *room;
	uint64_t peer;
	uint32_t source;  /* its part */
	uint64_t version; /* 0: nobody is there */
	uint64_t seen;    /* the last of all versions that came */
	size_t anonymous, unnamed;
	size_t nameless;  /* sessions of users for whose names there is no place here */
	struct list stays;
	uint32_t turn;    /* of a state: stays of another one are from before it */
	uint64_t asked_at;
	unsigned tries;
	bool is_known;    /* else it is asked for: */
	bool is_loading;  /* some of its pages have come */
};

struct broker_share *broker_share_find(const struct broker_room *room, uint64_t peer);
/* NULL: memory is out. */
struct broker_share *broker_share_get(struct broker_room *room, uint64_t peer);
/* It is empty. */
void broker_share_free(struct broker_share *share);
/* What is said in it; whether somebody has come. */
bool broker_share_take(struct broker_part *part, struct broker_share *share, const struct broker_words *w);
/* Those who were there before this state, and are not in it, go. */
void broker_share_sweep(struct broker_part *part, struct broker_share *share);
/* All that it has is gone; or those who are counted only. */
void broker_share_empty(struct broker_part *part, struct broker_share *share);
void broker_share_forget_nameless(struct broker_share *share);

#endif
