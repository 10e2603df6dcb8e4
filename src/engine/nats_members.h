/*
 * engine/nats_members.h - which gateways there are, by beats that each of them sends, and what one asks of all
 * others.
 *
 *	PREFIX.b        beats: who is there, and what it says of itself, every second. Who is not heard of for three and
 *	                a half is not
 *	PREFIX.q.WHAT   questions; each gateway answers once, if an answer is wanted
 *	PREFIX.o.ID.WHAT   what is told to one of them
 */
#ifndef ENGINE_NATS_MEMBERS_H
#define ENGINE_NATS_MEMBERS_H

#include "base/buf.h"
#include "base/map.h"
#include "engine/engine.h"
#include "nats/nats_client.h"

struct nats_members;

struct nats_members_events {
	/* One is there now, or not any more. */
	void (*member)(struct nats_members *m, uint64_t gateway, bool is_there);
	/* That is what it says of itself: before it is there, and whenever it is something else. */
	void (*said)(struct nats_members *m, uint64_t gateway, struct bytes text);
	/* Another one asks; `reply` is where it hears of it, or empty. */
	void (*asked)(struct nats_members *m, struct bytes what, struct bytes body, struct bytes reply);
};

struct nats_members {
	struct nats_client *client;
	const char *prefix;
	uint64_t self;
	const struct nats_members_events *on;
	struct nats_subscription *beats, *questions, *own;
	struct timer timer;
	struct map all;
	struct list by_age; /* who was heard of last is the last */
	uint64_t looked;    /* when we looked whom we have not heard */
	struct list asking;
	struct buf text; /* what we say of ourselves */
	bool is_up;
};

/* 0, -EINVAL or -ENOMEM. */
int nats_members_init(struct nats_members *m, struct nats_client *c, const char *prefix, uint64_t self,
    const struct nats_members_events *on);
/* Before the client is freed: tells the others. Harmless on one that is zeroed. */
void nats_members_fini(struct nats_members *m);
void nats_members_up(struct nats_members *m);
void nats_members_down(struct nats_members *m);
/* What is said of us from now on. 0, -EMSGSIZE or -ENOMEM. */
int nats_members_announce(struct nats_members *m, struct bytes text);
/* Others than we. */
size_t nats_members_count(const struct nats_members *m);
int nats_members_ask(struct nats_members *m, struct bytes what, struct bytes body, unsigned timeout_ms,
    struct engine_question *q);
void nats_members_ask_cancel(struct engine_question *q);
/* No answer is wanted; 0: of nobody. */
int nats_members_tell(struct nats_members *m, uint64_t gateway, struct bytes what, struct bytes body);
int nats_members_reply(struct nats_members *m, struct bytes reply, struct bytes body);

#endif
