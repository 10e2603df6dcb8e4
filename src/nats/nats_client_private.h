/*
 * nats/nats_client_private.h - what the files of the client share among themselves:
 *
 *	nats_client.c               its life, and the end of each connection
 *	nats_client_in.c            what the server says, and whom that concerns
 *	nats_client_login.c         a new connection: greeting, TLS, login
 *	nats_client_servers.c       which servers there are, and moving away from one that stops
 *	nats_client_subscriptions.c
 *	nats_client_requests.c      requests and their inbox, flushes
 *	nats_client_out.c           what is said, and its bounds
 *
 * Each calls those below it, and the end of the connection.
 */
#ifndef NATS_CLIENT_PRIVATE_H
#define NATS_CLIENT_PRIVATE_H

#include "nats/nats_client.h"
#include "nats/nats_info.h"
#include "nats/nats_slots.h"

enum { NATS_INBOX_MAX = 128 };

enum nats_state {
	NATS_DOWN,     /* the connector looks for a server */
	NATS_GREETING, /* INFO has to come */
	NATS_SECURING, /* TLS shakes hands */
	NATS_LOGIN,    /* CONNECT and PING are said, PONG has to come */
	NATS_UP,
};

struct nats_subscription {
	struct nats_client *client;
	uint64_t sid;
	nats_message_fn fn;
	void *arg;
	struct deferred release;
	struct bytes queue; /* in `text`, behind the subject */
	size_t subject_len;
	char text[];
};

struct nats_client {
	struct loop *loop;
	struct nats_options options; /* with its defaults */
	struct connector_settings settings;
	const struct nats_client_events *on;
	void *arg;
	enum nats_state state;
	uint32_t connection; /* another number for each: what was read belongs to one */
	bool is_freed;
	bool is_paused; /* by its owner: nothing is read while it is up */
	struct connector connector;
	struct stream stream;
	struct timer timer; /* until it is up: patience; then the next ping */
	struct nats_parser parser;
	struct nats_info info;
	struct nats_secret secret;
	struct nats_counters counters;
	struct deferred release;
	struct list users;
	/* servers */
	json_t *urls;          /* of the cluster, as they were told last; NULL: never */
	bool urls_are_private; /* they were told under TLS */
	bool info_is_private;  /* so was c->info */
	struct timer lame;
	unsigned lame_waits;
	bool has_left_lame; /* and has met none since that goes on */
	/* subscriptions, by sid */
	struct nats_slots subscriptions;
	/* requests, by the last token of their inbox */
	struct nats_slots requests;
	struct nats_subscription *inbox;
	char inbox_prefix[NATS_INBOX_MAX]; /* with its last dot */
	struct list flushes;               /* in the order of their pings */
	uint64_t pings, pongs;
	uint64_t pongs_before; /* when the timer of pings fired last */
	unsigned silences;     /* times in a row that no PONG had come since */
	/* out */
	struct buf out;  /* of this turn */
	struct buf held; /* until there is a connection */
	struct deferred flush;
	bool wants_room;  /* -ENOBUFS was said */
	unsigned answers; /* PONGs since all was taken that was said */
};

static inline bool nats_client_lives(const struct nats_client *c, uint32_t connection)
{
	return !c->is_freed && c->connection == connection;
}

static inline bool nats_client_is_deaf(const struct nats_client *c)
{
	return c->is_paused && c->state == NATS_UP;
}

/* --- nats_client.c ------------------------------------------------------------------ */

/* The connection ends here, and the next one is looked for. `why` is copied before anything goes.
 */
void nats_client_drop(struct nats_client *c, const char *why);
void nats_client_drop_for(struct nats_client *c, int err);
void nats_client_trouble(struct nats_client *c, const char *server, const char *why);
/* The connection is read, or is not while its owner has paused. 0 or -errno. */
int nats_client_listen(struct nats_client *c);

/* --- nats_client_in.c --------------------------------------------------------------- */

/* Takes one event at least, and of n octets how many it says: the others are for a later turn, if
 * the connection is still the same. */
size_t nats_client_feed(struct nats_client *c, const char *p, size_t n);

/* --- nats_client_login.c ------------------------------------------------------------ */

/* INFO is known; `rest` octets stood behind it. */
void nats_client_greet(struct nats_client *c, size_t rest);
/* The login was accepted. */
void nats_client_come_up(struct nats_client *c);

/* --- nats_client_servers.c ---------------------------------------------------------- */

/* What was configured, and what the cluster told. */
int nats_client_list_servers(struct nats_client *c);
/* Who has let us in has told of the cluster in c->info. */
void nats_client_learn(struct nats_client *c);
void nats_client_forget_servers(struct nats_client *c);

/* --- nats_client_subscriptions.c ---------------------------------------------------- */

/* All of them, on a new connection. 0 or -ENOMEM. */
int nats_client_resubscribe(struct nats_client *c);
void nats_client_deliver(struct nats_client *c, const struct nats_event *m);
/* Those to this subject are told that they may not be. */
void nats_client_subscription_refused(struct nats_client *c, struct bytes subject);
void nats_client_free_subscriptions(struct nats_client *c);

/* --- nats_client_requests.c --------------------------------------------------------- */

int nats_client_open_inbox(struct nats_client *c);
/* Those that were sent, and all flushes: the connection broke. */
void nats_client_fail_requests(struct nats_client *c, int err);
/* Those to this subject are told that they may not ask. */
void nats_client_request_refused(struct nats_client *c, struct bytes subject);
void nats_client_cancel_requests(struct nats_client *c);
/* Those that were held. */
void nats_client_requests_are_sent(struct nats_client *c);
void nats_client_pong(struct nats_client *c);

/* --- nats_client_out.c -------------------------------------------------------------- */

/* What has been added to c->out goes at the end of this turn. */
void nats_client_flush_later(struct nats_client *c);
/* What waited for a connection is said. 0 or -ENOMEM. */
int nats_client_say_held(struct nats_client *c);
int nats_client_ping(struct nats_client *c);
/* 0; -ENOMEM; -ENOBUFS: so many were said before, and the server does not take them. */
int nats_client_pong_back(struct nats_client *c);
/* Whoever wanted room is told if there is some. */
void nats_client_tell_room(struct nats_client *c);

#endif
