/*
 * cluster/cluster.h - several gateways behind a balancer that sends requests anywhere: where a session is, and how a
 * request comes there.
 *
 *	a request --here?--> the endpoint's table has its session
 *	          --known?-> whereabouts.h
 *	          --calm?--> rendezvous.h: whose it would be, if it is to be opened
 *	          --else---> all gateways are asked, and the request waits
 *
 * Which gateways there are, and what is asked of all, goes by the engine (engine/engine.h), in the first thread alone:
 * the hub. Requests and answers go from gateway to gateway (hop.h). Each thread has a part, which has the gateways of
 * the moment; what it wants of the hub is mail.
 *
 *	cluster.c       settings, and the life of it
 *	cluster_hub.c   which gateways there are, and what the others hear of us
 *	cluster_ask.c   whether somebody has a session
 *	cluster_groups.c  groups that go over several gateways
 *	cluster_part.c  what a thread knows, and its hops
 *
 * A gateway comes, and some sessions are not any more where everybody looks for them: they are strays. As long as any
 * gateway has strays, or knows others than we do, or has just come, we are not calm, and ask.
 */
#ifndef CLUSTER_CLUSTER_H
#define CLUSTER_CLUSTER_H

#include "cluster/gateways.h"
#include "cluster/hop.h"
#include "engine/engine.h"

struct cluster;
struct cluster_part;

typedef bool (*cluster_is_ours_fn)(void *arg, struct bytes prefix, struct bytes id);

/* Whose sessions these are. */
struct cluster_ops {
	/* Whether this one is here, in whichever thread. In the hub's. */
	bool (*has)(void *arg, struct bytes prefix, struct bytes id);
	/* Counts those of one step (0, 1, ...) that are not ours; false: it was the last. Likewise. */
	bool (*count_strays)(
	    void *arg, size_t step, cluster_is_ours_fn is_ours, void *is_ours_arg, uint64_t *count);
	/* A message of a group that was joined, from another gateway. Likewise. */
	void (*message)(void *arg, struct bytes name, struct bytes text);
	/* Another one asks for something else (engine.h); `to` is for cluster_reply(). Likewise. */
	void (*asked)(void *arg, struct bytes what, struct bytes body, struct bytes to);
	void *arg;
};

/* Stands in no name of a group: so it is one segment at the engine, whatever is in it. */
#define CLUSTER_SEPARATOR '\001'

struct cluster_settings {
	const struct engine_kind *kind;
	struct engine_settings engine; /* without a loop; all it points to stays */
	struct gateway_card card;      /* what is set of us. Without a family: its address is that at the engine */
	struct tls_context *tls;       /* for others that speak it; stays */
	const char *tls_host;          /* NULL: their address */
	unsigned timeout_ms;           /* to connect */
	unsigned parts;
	struct cluster_ops ops;
};

/* NULL: memory is out. */
struct cluster *cluster_new(const struct cluster_settings *settings);
/* After all parts have ended, and their loops. NULL is fine. */
void cluster_free(struct cluster *c);
/* For each thread, before any of them runs. */
struct cluster_part *cluster_attach(struct cluster *c, unsigned part, struct loop *loop, struct http_server *http);
/* In each thread, before its first request; the first one has the hub. */
void cluster_begin(struct cluster_part *p);
/* Before its HTTP side ends: nothing is passed on any more. */
void cluster_end(struct cluster_part *p);
/* We take no new sessions any more. In the hub's thread. */
void cluster_drain(struct cluster *c);

/* --- requests: in the thread of the part ---------------------------------------------------------- */

/* Whether there is anybody else, or was. */
bool cluster_has_others(const struct cluster_part *p);

enum cluster_where {
	CLUSTER_HERE,
	CLUSTER_THERE, /* at another gateway */
	CLUSTER_LOST,  /* it was at one that is gone */
	CLUSTER_ASK    /* nobody knows yet */
};

/* A session that is not in the endpoint's table. */
struct cluster_session {
	struct bytes prefix, id;
	/* Set by cluster_find() */
	const struct gateway *gateway;
};

enum cluster_where cluster_find(struct cluster_part *p, struct cluster_session *s);
/* CLUSTER_ASK: the request is held, and served again when it is known. 0 or -ENOMEM. */
int cluster_ask(struct cluster_part *p, const struct cluster_session *s, struct http_request *r);

enum cluster_errand { CLUSTER_RECEIVES, CLUSTER_BRINGS_MESSAGES };

/* CLUSTER_THERE: it is passed on. 0 or -ENOMEM. */
int cluster_pass_on(struct cluster_part *p, const struct cluster_session *s, struct http_request *r,
    const struct hop_client *client, enum cluster_errand errand);
/* Another gateway has passed one on to us: whose it is. False: whoever says so does not know our secret. */
bool cluster_read_client(const struct cluster_part *p, struct bytes header, struct hop_client *client);
void cluster_count_received(struct cluster_part *p);
/* A session is about to begin here that was passed on to us: it may be that nobody will look for it here. */
void cluster_note_opening(struct cluster_part *p, const struct cluster_session *s);
/* Whether somebody at this address is one of the other gateways. */
bool cluster_is_gateway(const struct cluster_part *p, const struct addr *a);

/* --- questions: in the hub's thread ----------------------------------------------------------------- */

/* Of all others, as the engine's ask(): `what` is a word, and not "session". 0, and its done() follows; 1: there is no
 * other; -ENOTCONN, -ENOMEM, -EMSGSIZE. When the hub ends nothing follows. */
int cluster_question(
    struct cluster *c, struct bytes what, struct bytes body, unsigned timeout_ms, struct engine_question *q);
void cluster_question_cancel(struct cluster *c, struct engine_question *q);
/* 0, -EMSGSIZE, or another -errno: nobody hears it. */
int cluster_reply(struct cluster *c, struct bytes to, struct bytes body);
/* Our own number. Any thread. */
uint64_t cluster_self(const struct cluster *c);
/* Those of now; not to be kept beyond the call. */
const struct gateways *cluster_gateways(const struct cluster_part *p);

/* --- groups: from any thread ---------------------------------------------------------------------- */

/* What others send to it comes from now on; until cluster_group_leave(). 0 or -ENOMEM. */
int cluster_group_join(struct cluster *c, struct bytes name);
void cluster_group_leave(struct cluster *c, struct bytes name);
/* To the others; at most once, in the order of calls of one thread. Likewise. */
int cluster_group_send(struct cluster *c, struct bytes name, struct bytes text);

/* --- for metrics ------------------------------------------------------------------------------------ */

struct cluster_counters {
	struct hop_counters hops;
	uint64_t received; /* requests that others have passed on to us */
	uint64_t asked, lost;
	/* The hub's; else 0 */
	uint64_t gateways, strays, is_calm, is_up;
};

struct cluster_counters cluster_counters(const struct cluster_part *p);

#endif
