/*
 * pubsub/pubsub.h - publish-subscribe for the sessions of an endpoint: what the files of this
 * folder share; for them alone. include/sockjs.h has what applications see.
 *
 * Here STOMP (src/stomp: octets), the broker (src/broker: destinations) and sessions (sockjs.h)
 * come together; none of the three knows the others. src/identity says who a client is.
 *
 *	pubsub.c       life of a broker: from its options to its parts, one in each reactor
 *	carrier.c      how the broker goes from reactor to reactor
 *	client.c       one STOMP client: its session, its frames, its time
 *	connect.c      how it comes in, and leaves
 *	credentials.c  who it is: tokens, logins, headers of proxies; rules.h says by what
 *	takeover.c     the session that it takes over
 *	frames.c       what its frames do
 *	transactions.c and which of them wait for a COMMIT
 *	pace.c         who publishes faster than others deliver
 *	published.c    a message, encoded once for all
 *	fan.c          from a message to subscribers
 *	gate.c         a subscription that begins with something else,
 *	recover.c      with what its client has missed,
 *	presence.c     or with who is there
 *	queues.c       and to the one consumer of a queue; what that says of it
 *	keep.h         the journal, which makes queues and histories last
 *	commands.c     what it is asked from outside: command_publish.c, command_history.c,
 *	               command_users.c, command_presence.c
 *	user_meter.c   what a user sends, with all its sessions
 *	snapshot.h     what goes over to another process
 *	hooks.c        applications in C: handlers of destinations, subscriptions from inside
 *	client_api.c   what they know of a client, and say of it
 *	relayed.h      destinations that are an outside broker's
 *	joined.h       one broker over several gateways
 *	waiters.h      SUBSCRIBEs that wait for the word of these
 *	held.c         a frame that waits for their word
 */
#ifndef PUBSUB_PUBSUB_H
#define PUBSUB_PUBSUB_H

#include <pthread.h>

#include "base/list.h"
#include "base/map.h"
#include "broker/broker.h"
#include "identity/failures.h"
#include "identity/identity.h"
#include "pubsub/rules.h"
#include "pubsub/user_meter.h"
#include "sockjs.h"
#include "stomp/stomp_conn.h"

struct pubsub_part;
struct sockjs_client;
struct relayed;
struct relayed_part;
struct relayed_own;
struct relayed_login;
struct joined;
struct joined_part;

#define PUBSUB_COST_OF_SEND 1500 /* nanoseconds */

/* --- counters, of one part -------------------------------------------------- */

/* X(name, text): why a message did not come to a subscriber */
#define DROPS(X)                                                                                   \
	X(SLOW, "slow")           /* its buffer was full: it is being closed */                    \
	X(CONFLATED, "conflated") /* a later one took its place */                                 \
	X(BINARY, "binary")       /* SockJS cannot carry it */                                     \
	X(TOO_LARGE, "too_large") /* its buffer could never hold it */                             \
	X(VETOED, "vetoed")       /* an interceptor */                                             \
	X(CLOSING, "closing")     /* it was about to leave */                                      \
	X(DEAD, "dead_letter")    /* the queue of dead letters has not taken it */                 \
	X(NO_MEMORY, "no_memory")

enum drop {
#define X(name, text) DROP_##name,
	DROPS(X)
#undef X
	    DROP_ROWS
};

struct pubsub_counters {
	uint64_t clients; /* connected now */
	uint64_t connects;
	uint64_t errors[STOMP_ERROR_ROWS]; /* ERROR frames, by reason */
	uint64_t messages_in, messages_out;
	uint64_t dropped[DROP_ROWS];
};

/* --- a broker ------------------------------------------------------------------ */

struct pubsub_part {
	struct sockjs_broker *broker;
	struct broker_part *topics;
	struct pubsub_rules *rules;
	struct map labels;        /* of subscriptions, by how their messages begin */
	struct map client_ids;    /* of clients that have one */
	struct map arriving;      /* of clients that are about to have one */
	struct list clients;      /* connected */
	struct list commits;      /* transactions that are committed, but not published yet */
	unsigned commits_waiting; /* of them, until it is not crowded any more */
	struct list waiting;      /* clients that have published too much at a time */
	struct list insiders;     /* subscriptions from inside */
	struct relayed_part *relayed; /* NULL: nothing is */
	struct joined_part *joined;   /* likewise */
	uint64_t answers;         /* to subscribers, so far */
	struct stomp_frame frame; /* scratch */
	struct buf scratch;
	struct pubsub_counters counters;
	char apart[64];          /* reactors must not share a cache line here */
	atomic_size_t under_way; /* octets that were published here, and not yet delivered by all */
	char apart_too[64];
};

struct handler {
	struct list node;
	char *given, *pattern;   /* the second with a star for each variable */
	sockjs_handler_fn fn;    /* of what is sent, */
	sockjs_answer_fn answer; /* or of who subscribes */
	void *arg;
};

struct sockjs_broker {
	struct sockjs_server *server;
	struct stomp_settings settings;
	struct broker_carrier carrier;
	struct broker *topics;
	char separator;
	struct pubsub_part *parts;
	unsigned part_count;
	struct failures *failures;   /* of addresses; NULL: no limit */
	struct quotas *users;        /* sessions of each; NULL: no limit */
	struct map_seed user_seeds[2];
	struct user_meters *meters; /* what each sends; NULL: no limit */
	char **conflated; /* patterns, and NULL */
	struct list rules; /* all that there were and somebody has yet; held */
	struct keeper *keeper;  /* NULL: nothing outlasts the process */
	struct relayed *relayed; /* NULL: nothing is */
	struct joined *joined;  /* NULL: it is of this process alone */
	atomic_bool is_running; /* a client has come */
	pthread_mutex_t restoring; /* what another process had: snapshot.h */
	bool is_restored;
	unsigned connect_timeout_ms;
	size_t max_subscriptions, max_transactions, max_transaction_bytes;
	unsigned prefetch;
	char *dead_letters; /* NULL: dropped */
	struct broker_history_rule *history;
	size_t history_count;
	struct bytes *presence; /* patterns */
	size_t presence_count;
	struct list handlers;
	struct sockjs_broker_hooks hooks;
	void *hooks_arg;
};

/* The part of this thread; NULL outside of the server's reactors. */
struct pubsub_part *pubsub_here(struct sockjs_broker *b);
/* A member under a name that nobody can guess. */
struct broker_member *pubsub_join(
    struct pubsub_part *part, const struct broker_ops *ops, struct bytes user);
void pubsub_carrier_init(struct broker_carrier *carrier, struct sockjs_broker *b);

/* --- messages --------------------------------------------------------------------- */

/* What was published, as it goes out: behind a head of each subscriber's own. */
struct sender;
struct keep_entry;

struct published {
	struct broker_message base;
	struct sender *sender;    /* who waits for the word of a queue; NULL: nobody */
	struct keep_entry *entry; /* the journal has it: its owner's; NULL: it has not */
	struct published *dead;   /* of whom this is the dead letter; or NULL */
	/* Whose publisher it is that waits for this if he is too far ahead; NULL: nobody's */
	struct pubsub_part *from;
	bool is_binary;  /* not text in all its parts */
	bool is_relayed; /* base.destination is a key, and no name */
	/* What stands behind message-id, in the versions 1.0, 1.1, 1.2; often one and the same */
	struct bytes tails[3];
	struct bytes body;
	/* Called once it has come to all reactors, in any of them; NULL: nobody wants to know */
	void (*delivered)(struct published *p);
	void *delivered_arg;
	const char *key; /* by which the engine keeps it once; until it has settled. NULL: none is given */
	size_t header_count;
	struct sockjs_header *headers; /* as they are shown, destination first */
};

/* From a frame, or by an application; the headers that only concern a sender and its server are
 * left out. One reference. NULL when memory is out. `scratch` is emptied. */
struct published *published_new(struct buf *scratch, struct bytes destination,
    const struct stomp_header *headers, size_t header_count, struct bytes body);
/* Of a SEND: without what only queues say, too. */
struct published *published_sent(
    struct buf *scratch, struct bytes destination, const struct stomp_frame *f);
struct published *published_from(struct buf *scratch, const struct sockjs_publication *p);
/* Of an outside broker: for subscribers of `key`, who see another destination. */
struct published *published_relayed(struct buf *scratch, struct bytes key, struct bytes shown,
    const struct stomp_header *headers, size_t header_count, struct bytes body);

/* The first header of this name; p is NULL if there is none. */
struct bytes published_header(const struct published *p, const char *name);
/* Octets of memory that it takes while it is under way, about. */
size_t published_cost(const struct published *p);
/* As applications see it; valid as long as the message. */
struct sockjs_publication published_view(const struct published *p);

/* --- subscriptions ------------------------------------------------------------------ */

/* How the messages of a subscription begin; those who begin alike share one, and so the whole
 * frame. */
struct label {
	struct map_node node; /* part->labels */
	struct pubsub_part *part;
	unsigned refs;
	uint16_t key_len;
	char key[]; /* version, flags, and the head: "subscription:sub-0\n", escaped; no head in 1.0
	             * without an id */
};

enum {
	LABEL_WANTS_ACK = 1, /* each message has an ack header */
	LABEL_CONFLATED = 2, /* a slow subscriber gets the latest only */
	LABEL_IS_BINARY = 4, /* its id is not text, as 1.0 allows */
	LABEL_GATED = 8,     /* it gets something else first */
	LABEL_TOLD = 16,     /* it has had some of what may come yet */
};

struct bytes label_key(const struct map_node *node);
/* One reference; NULL when memory is out. */
struct label *label_get(
    struct pubsub_part *part, enum stomp_version version, unsigned flags, struct bytes id);
/* Likewise, without the gate, and with these flags. */
struct label *label_open(struct pubsub_part *part, const struct label *l, unsigned flags);
void label_drop(struct pubsub_part *part, struct label *l);

/* Of one whose subscriber gets the latest only, when it is slow. */
struct conflated {
	struct sockjs_client *client;
	const struct label *label;
	struct published *latest; /* what it gets when there is room; else NULL */
};

/* Of one who has asked for what peers keep: an answer may have been quicker than what it is about. */
struct told {
	struct sockjs_session *session;
	uint64_t until; /* it has had all up to this place */
};

struct subscription {
	struct subscription *next; /* client->subscriptions */
	struct broker_subscription *topic;
	struct label *label;
	union { /* as the label says, or NULL */
		struct conflated *conflated;
		struct gate *gate;
		struct told *told;
		char *destination; /* is_own */
	};
	/* With the id that most clients give it is to stay in 40 octets */
	uint16_t id_len : 14;
	uint16_t is_relayed : 1; /* `topic` has the key of its pattern, */
	uint16_t is_own : 1;     /* or there is none: an outside broker has it, on its client's own link */
	char id[];
};
#define SUBSCRIPTION_ID_MAX 16383
_Static_assert(offsetof(struct subscription, id) == 34, "");

extern const struct broker_ops pubsub_ops;
/* The frame of a message for those with this label; `redelivered` of a queue's. NULL when memory is
 * out. */
struct sockjs_prepared *fan_make_frame(struct pubsub_part *part, const struct label *l,
    const struct published *p, unsigned deliveries);
/* Whether to subscribers of this pattern (or destination) the latest message is enough (frames.c). */
bool pubsub_is_conflated(const struct sockjs_broker *b, struct bytes pattern);
/* Messages of a run (broker_publish_run()); longer ones would keep others waiting. */
#define FAN_RUN_MOST 128
/* To one subscriber alone. */
void fan_send_one(struct sockjs_session *s, const struct label *l, struct published *p);
/* Likewise, if it has room; false: it has not, and fan_go_on() follows when it may have. */
bool fan_offer_one(struct sockjs_client *c, const struct label *l, struct published *p);
/* What a MESSAGE is called; in `text`. */
#define MESSAGE_ID_MAX (3 * 16 + 2)
struct bytes message_id_write(
    const struct sockjs_broker *b, uint32_t owner, uint64_t sequence, char text[MESSAGE_ID_MAX]);
/* What one was called, by this broker; false: none was. */
bool message_id_read(
    const struct sockjs_broker *b, struct bytes id, uint32_t *owner, uint64_t *sequence);
bool label_has(const struct label *l, unsigned flag);
/* A whole frame, to one client alone. */
void fan_pass(struct sockjs_client *c, const char *octets, size_t n, bool is_binary);
/* There is room again: what was conflated goes out. */
void fan_go_on(struct sockjs_client *c);

/* --- what applications decide ------------------------------------------------------------- */

/* What they are asked. */
enum ask {
	ASK_NOTHING,
	ASK_AUTHENTICATE,
	ASK_CONNECT,
	ASK_INCOMING,
	ASK_HANDLER,
	ASK_SUBSCRIBE,
	ASK_ANSWER,
};

/* And what they say, at once or later. */
struct decision {
	int status;                               /* 0, or negative: a refusal, */
	const char *sentence;                     /* for people; or NULL */
	const struct sockjs_publication *instead; /* of what was sent; or NULL */
};

/* --- clients ---------------------------------------------------------------------------- */

struct transaction;
struct held_frame;

struct sockjs_client {
	struct stomp_conn conn;
	struct list node; /* part->clients, while it is connected */
	struct sockjs_session *session;
	struct pubsub_part *part;
	struct identity *who;         /* never NULL */
	struct broker_member *member; /* NULL until it is connected */
	struct subscription *subscriptions;
	struct client_extra *extra; /* NULL until needed */
	uint32_t subscription_count;
	uint32_t answered;     /* subscriptions that an answer has ended, and no UNSUBSCRIBE */
	bool is_full : 1;      /* it reads more slowly than others write */
	bool is_connected : 1; /* and was announced */
	bool goes_on : 1;      /* a call to go on is under way */
	bool is_known : 1;     /* to the application, which is to hear that it is gone */
	bool is_deciding : 1;  /* the application may say who it is, now */
	bool is_vouched : 1;   /* and has said so */
	bool must_wait : 1;    /* it has published more than others can deliver, */
	bool awaits_room : 1;  /* or than an outside broker takes */
	bool attends : 1;      /* others may be told when nothing is heard of it, */
	bool is_silent : 1;    /* as it is now */
	bool comes_back : 1;   /* from another process: what it has said is not looked at yet */
	uint8_t token_error;   /* of a token in the handshake: why it is not good */
	uint8_t asked;         /* enum ask: what the application decides later; its frames wait */
	uint16_t end_code;     /* with which it has ended, */
	const char *end_reason;
	void *data; /* the application's */
};

/* What few clients need. */
struct client_extra {
	struct sockjs_client *client;
	struct map_node by_client_id; /* part->client_ids, while has_client_id */
	char *client_id;              /* "user", NUL, the client-id; or NULL */
	size_t client_id_len;
	bool has_client_id;
	struct map_node by_arrival; /* part->arriving, while is_arriving: before it has its id */
	uint64_t arrival;
	uint64_t client_id_at; /* when it got it, by joined.clock */
	bool is_arriving;
	struct list attributes, transactions;
	struct list waits;              /* part->waiting, or that of what is relayed, while it has to */
	struct list unanswered;         /* SUBSCRIBEs that wait for somebody's word: waiters.h */
	struct list relayed_receipts;   /* likewise SENDs */
	size_t relayed_receipt_count;
	struct relayed_own *own;        /* its own link to an outside broker; or NULL */
	struct relayed_login *login;    /* what it has said for that; or NULL */
	struct transaction *committing; /* that its next frames wait for; or NULL */
	struct quota_row *quota;        /* of its user */
	struct user_meter *meter;       /* likewise */
	uint64_t held_until;            /* it has sent too much: clock_now() */
	struct held_frame *held;        /* that the application decides about; or NULL */
	uint64_t decided_at;            /* until when one was, clock_now(); 0: none */
	size_t transaction_octets;
	unsigned transaction_count;
};

extern const struct stomp_conn_ops client_conn_ops;
struct client_extra *client_extra(struct sockjs_client *c);
void client_write(struct sockjs_client *c, const char *p, size_t n);
/* Ends it with an ERROR frame. */
void client_fail(struct sockjs_client *c, enum stomp_error why, const char *sentence);
/* Looks at what it has sent meanwhile, as far as there is time. */
void client_go_on(struct sockjs_client *c);
/* The same in one of the next turns: for whoever may be called from within a frame. */
void client_settle(struct sockjs_client *c);
/* It has sent a message; may hold it back. */
void client_charge(struct sockjs_client *c, size_t n);
/* Sets its timer anew. */
void client_arm(struct sockjs_client *c);
/* Whether its identity is over. */
bool client_is_expired(const struct sockjs_client *c);
/* NULL when memory is out. */
struct sockjs_client *client_new(struct sockjs_broker *b);
void client_free(struct sockjs_broker *b, struct sockjs_client *c);
/* pubsub.c */
void pubsub_metrics(struct sockjs_metrics *m, void *broker);

/* connect.c */
int connect_handshake(struct sockjs_handshake *h, struct sockjs_broker *b, struct sockjs_client *c);
void connect_begin(struct sockjs_client *c, const struct stomp_frame *f);
/* It is this one, whose reference goes over; the rest of its CONNECT follows. */
void connect_as(struct sockjs_client *c, struct identity *who, struct published *connect);
/* Nothing is in its way any more. What it has sent behind its CONNECT is looked at later, unless
 * this is called from within its message. */
void connect_welcome(struct sockjs_client *c);
/* The application has said what it thinks of its CONNECT: authenticate, and connect. */
void connect_authenticated(struct sockjs_client *c, const struct stomp_frame *f,
    struct published *connect, const struct decision *d);
void connect_decided(
    struct sockjs_client *c, const struct published *connect, const struct decision *d);
/* It was connected in another process, as a member of this name. 0 or -ENOMEM. */
int connect_again(struct sockjs_client *c, struct bytes member);
void connect_leave(struct sockjs_client *c);

/* credentials.c */
/* 0, or the HTTP status of a refusal. */
int credentials_of_handshake(
    struct sockjs_handshake *h, struct sockjs_broker *b, struct sockjs_client *c);
/* Whether its address has failed too often: then it is refused. */
bool credentials_are_too_many(struct sockjs_client *c);
/* Who it is by its CONNECT: connect_as() follows, or a refusal, from within this or later. */
void credentials_check(
    struct sockjs_client *c, const struct stomp_frame *f, struct published *connect);
/* Refuses its CONNECT; a failure is noted. */
void credentials_refuse(struct sockjs_client *c, enum stomp_error err, const char *why);
/* A new token for the one that is about to end: of the same user. */
enum stomp_error credentials_refresh(struct sockjs_client *c, struct bytes token, const char **why);

/* takeover.c */
struct bytes takeover_client_id_key(const struct map_node *node);
struct bytes takeover_arrival_key(const struct map_node *node);
/* Others of its user with this client-id end, wherever they are; then it is this client's, and
 * connect_welcome() follows. 0 or -ENOMEM. */
int takeover_begin(struct sockjs_client *c, struct bytes id);
void takeover_forget(struct sockjs_client *c);

/* frames.c */
enum stomp_error frames_take(
    struct sockjs_client *c, const struct stomp_frame *f, const char **why);
/* What the application was asked (but for CONNECT) is decided: goes on as frames_take(). `p`: what
 * was held with the frame. */
enum stomp_error frames_decided(struct sockjs_client *c, enum ask what, const struct stomp_frame *f,
    struct published *p, const struct decision *d, const char **why);
void frames_forget(struct sockjs_client *c);
/* A subscription of the client is none any more. */
void frames_end_subscription(struct sockjs_client *c, struct subscription *s);

/* keep.c */
struct stomp_options;
/* Notes what the options say. 0 or -ENOMEM. */
int keep_new(struct keeper **out, struct sockjs_broker *b, const struct stomp_options *o);
/* Ends in good order: everything is durable, and nobody waits any more. Before the broker of topics
 * is freed, and then it is freed itself. NULL is fine. */
void keep_close(struct keeper *k);
void keep_free(struct keeper *k);
void keep_metrics(struct sockjs_metrics *m, const struct pubsub_part *part);
/* Nobody needs a message any more. In its owner's part. */
void keep_drop(struct sockjs_broker *b, struct broker_message *m);
void keep_entry_free(struct keep_entry *entry); /* NULL is fine */

/* pace.c: octets of messages under way; pace_end() in any thread */
/* Publishes for a client of this part. As broker_publish(). */
int pace_publish(struct pubsub_part *part, struct published *p);
/* A message is not under way any more. In any thread, while the server runs. */
void pace_arrived(struct published *p);
void pace_begin(struct pubsub_part *part, size_t octets);
void pace_end(struct pubsub_part *part, size_t octets);
bool pace_is_crowded(struct pubsub_part *part);
/* It is crowded, whatever is under way; until it is released. Any thread. */
void pace_hold(struct pubsub_part *part);
void pace_release(struct pubsub_part *part);
/* Calls client_go_on() when it is not any more. 0 or -ENOMEM. */
int pace_wait(struct sockjs_client *c);
/* Whether one that must wait is to go on waiting. */
bool pace_is_waited_for(const struct sockjs_client *c);
void pace_forget(struct sockjs_client *c);

/* transactions.c */
/* That an outside broker has one of this name, too. */
bool transaction_is_there(const struct transaction *t);
void transaction_set_there(struct transaction *t);
struct transaction *transaction_find(const struct sockjs_client *c, struct bytes name);
enum stomp_error transaction_begin(
    struct sockjs_client *c, const struct stomp_frame *f, const char **why);
enum stomp_error transaction_commit(
    struct sockjs_client *c, const struct stomp_frame *f, const char **why);
enum stomp_error transaction_abort(
    struct sockjs_client *c, const struct stomp_frame *f, const char **why);
/* A reference to the message goes over. */
enum stomp_error transaction_hold(
    struct sockjs_client *c, struct transaction *t, struct published *p);
/* Those that are committed, when it is not crowded any more. */
void transactions_go_on(struct pubsub_part *part);
/* An answer to a message of a queue. */
enum stomp_error transaction_hold_answer(
    struct sockjs_client *c, struct transaction *t, uint32_t owner, uint64_t sequence, bool good);
void transactions_forget(struct sockjs_client *c);
void transactions_forget_commits(struct pubsub_part *part);

/* queues.c */
/* Its sender hears what the queue says of it; `receipt` may be empty. 0 or -ENOMEM. */
int queues_await_word(struct sockjs_client *c, struct published *p, struct bytes receipt);
/* How many messages a SUBSCRIBE wants at a time, if it says so, is a number. */
bool queues_prefetch_is_number(const struct stomp_frame *f);
int queues_consume(struct sockjs_client *c, const struct stomp_frame *f, struct bytes queue,
    struct label *l, struct broker_subscription **out);
enum stomp_error queues_answer(
    struct sockjs_client *c, const struct stomp_frame *f, const char **why);
enum broker_taken queues_take(
    void *receiver, uintptr_t label, struct broker_message *m, unsigned deliveries);
void queues_refused(void *receiver, uintptr_t label);
void queues_on_death(
    void *broker, struct broker_message *m, enum broker_death why, unsigned deliveries);
void queues_forget_sender(struct published *p);
/* An answer that its transaction holds is given. */
void queues_acknowledge(struct sockjs_client *c, uint32_t owner, uint64_t sequence, bool good);

/* gate.c */
struct gate;
/* Of a subscription whose label says so. NULL when memory is out. */
struct gate *gate_shut(
    struct sockjs_client *c, struct subscription *s, const struct stomp_frame *f);
/* The subscription ends; what was asked for finds nobody. */
void gate_forget(struct gate *g);
/* How far who has missed something has been told of it. */
struct recovery {
	struct broker_place since; /* the last message that it has got, */
	bool is_known;             /* if that is known */
	bool lacks;                /* something may be missing */
	bool waits;                /* for room: what is left is to be asked for again */
	uint64_t until;            /* of what peers keep: all up to there has come; or 0 */
};
struct recovery *gate_recovery(struct gate *g);
/* Sends, through the gate, as many as its client has room for. Returns how many. */
size_t gate_offer(struct gate *g, struct broker_message *const *messages, size_t count);
void gate_free(void *gate);
/* What was asked for has come: these go out, and then what is published. False: its client has
 * gone, or does now for want of memory, and the gate is freed. */
bool gate_open(struct gate *g, struct broker_message *const *messages, size_t count);
/* Whose it is that has opened. */
struct sockjs_client *gate_client(const struct gate *g);
/* Behind that: the RECEIPT, with these headers, too; and the gate is freed. */
void gate_settle(struct gate *g, const struct stomp_header *more, size_t count);
/* Memory is out; its client, if it is there, ends, and the gate is freed. */
void gate_fail(struct gate *g);

/* recover.c */
/* Whether something is kept of this destination. */
bool recover_is_kept(const struct sockjs_broker *b, struct bytes destination);
bool recover_is_wanted(
    const struct sockjs_client *c, const struct stomp_frame *f, struct bytes destination);
/* Its client has room again. False: memory is out, and the client ends. */
bool recover_go_on(struct sockjs_client *c, struct subscription *s);
enum stomp_error recover_subscribe(struct sockjs_client *c, struct subscription *s,
    const struct stomp_frame *f, struct bytes destination);

/* presence.c */
struct broker_message *presence_say(void *broker, const struct broker_roll *roll);
/* Whether this is "/presence" and a destination of which it is kept. */
bool presence_is_said(const struct sockjs_broker *b, struct bytes destination);
enum stomp_error presence_subscribe(struct sockjs_client *c, struct subscription *s,
    const struct stomp_frame *f, struct bytes destination);
/* Who subscribes is there, where presence is kept. 0 or -ENOMEM. */
int presence_attend(struct sockjs_client *c, struct subscription *s);
/* A client that was silent is not any more. */
void presence_heard(struct sockjs_client *c);
/* Whether it has been silent for too long; returns in how many milliseconds to look again, 0:
 * never. */
uint32_t presence_look(struct sockjs_client *c, uint64_t heard_ago);

/* hooks.c */
struct handler *hooks_handler(const struct sockjs_broker *b, struct bytes destination);
struct handler *hooks_answerer(const struct sockjs_broker *b, struct bytes destination);
/* Calls one; gives what it has returned. */
int hooks_handle(struct sockjs_client *c, const struct handler *h, const struct published *p);
/* Likewise; with 0, what a subscriber is told is in *answer, a reference. */
int hooks_answer(struct sockjs_client *c, const struct handler *h, const struct published *p,
    struct published **answer);
/* The headers have names and values, and there are not too many; the body is there. */
bool hooks_publication_is_sound(const struct sockjs_publication *p);
void hooks_forget_insiders(struct pubsub_part *part);
void hooks_forget_handlers(struct sockjs_broker *b);

/* client_api.c */
void client_forget_attributes(struct sockjs_client *c);

/* held.c */
/* Of a frame: its headers as strings, and a reference to `message` (may be NULL). `f` may be NULL.
 * NULL when memory is out. */
struct held_frame *held_new(const struct stomp_frame *f, struct published *message);
void held_drop(struct held_frame *h);
/* Those headers, as applications see them. */
struct sockjs_publication held_view(const struct held_frame *h);
/* The application has said SOCKJS_LATER: keeps it (NULL: there was no memory for it), and nothing
 * else of the client is looked at until it is decided. STOMP_PENDING, or why not. */
enum stomp_error held_keep(struct sockjs_client *c, enum ask what, struct held_frame *h);
/* It will not be decided any more. */
void held_forget(struct sockjs_client *c);
size_t held_octets(const struct sockjs_client *c);
/* What a decision is to the client; of a refusal, *why is its sentence. */
enum stomp_error decision_verdict(const struct decision *d, const char **why);

#endif
