/*
 * engine/engine.h - what makes the brokers of several gateways one: a server between them that carries
 * what is published at one to the others which have subscribers of it.
 *
 *	gateway A                      engine                      gateway B
 *	  publish("/topic/tea") -----> (a topic) -----------------> message("/topic/tea")
 *	                                  ^------------------------ join("/topic/tea")
 *
 * Each kind of engine is a row of functions (struct engine_kind). The first, "memory", has none: the
 * broker is in this process alone.
 *
 * An engine lives in one loop, whose thread alone may call it. No call calls back; all events come from
 * the loop, and each may call anything here but stop(). Views in them last for the call.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/list.h"
#include "net/addr.h"
#include "net/loop.h"

struct engine;
struct nats_subscription;
struct resolver;
struct tls_context;

#define ENGINE_SERVERS_MAX 16

struct engine_header {
	struct bytes name, value;
};

/* What is published: to a destination for all, or to a user ("/user/rest" is the destination then). */
struct engine_message {
	struct bytes user; /* empty: it is for all */
	struct bytes destination;
	const struct engine_header *headers;
	size_t header_count;
	struct bytes body;
	/* What comes of a history: its place in the order of all that the engine keeps, and that up to which
	 * nothing else of this destination is missing; 0: it is kept nowhere */
	uint64_t sequence, before;
	uint64_t age_ms; /* of what is loaded */
	bool is_after_gap; /* some before it are lost for ever */
};

/* What has subscribers here: a pattern, or a user's private destinations, all of them. Embedded in what its
 * owner knows of it, who keeps the text. */
struct engine_topic {
	bool is_user;
	bool is_kept; /* some of what it fits may be in a history */
	bool is_talk; /* not what is published to this destination, but what gateways say() of it to each other */
	struct bytes name; /* the pattern, or the user */
	/* The engine's */
	struct list node;
	bool is_active; /* whatever is published from now on comes here */
	bool is_refused; /* until there is another connection */
	struct engine *engine; /* NULL: it has not joined */
	struct nats_subscription *subscriptions[2];
	uint64_t epoch;     /* of the history in which it was active; 0: in none */
	uint64_t joined_at; /* by the order of what came */
	uint64_t baseline;  /* what is kept up to this it has had, or nobody had joined it yet */
	uint64_t skipped;   /* what has come while it was looked for what had not, and is fetched with it, */
	unsigned fills;     /* and how many look for that */
};

/* What is published into a history, until the engine has it. Embedded. */
struct engine_store {
	void *own; /* the engine's; NULL: it is not under way */
	/* 0: it is kept. -EMSGSIZE, -EINVAL, -EREMOTEIO: it never will be. Others: nobody knows; with the
	 * same id it may be stored again, and is kept once. */
	void (*done)(struct engine_store *s, int err, const char *why);
};

/* What a history has of a destination. Embedded. */
struct engine_load {
	void *own;
	/* In their order; what subscribers lack comes as message() of all events instead. */
	void (*message)(struct engine_load *l, const struct engine_message *m);
	/* `is_all`: nothing behind `since` is missing. What is behind `until` will come, as long as the topic is
	 * active. */
	void (*done)(struct engine_load *l, int err, const char *why, bool is_all, uint64_t until);
};

/* What is asked of all other gateways. Embedded. */
struct engine_question {
	void *own;
	void (*answer)(struct engine_question *q, uint64_t gateway, struct bytes body);
	/* Once: all have answered but `missing` ones, whose time is over, or who are gone. */
	void (*done)(struct engine_question *q, size_t missing);
};

struct engine_events {
	void (*up)(void *arg);
	void (*down)(void *arg, const char *why);
	/* For a log. */
	void (*trouble)(void *arg, const char *server, const char *why);
	/* It is active; or cannot be, and why (constant). */
	void (*settled)(void *arg, struct engine_topic *t, const char *why);
	/* Another gateway has published it, or somebody else who speaks to the engine. Once, whatever topics
	 * it is of. */
	void (*message)(void *arg, const struct engine_message *m);
	/* It keeps histories now, under this number: they are not those of another. Before it nothing of any
	 * comes, and topics with is_kept are not active. */
	void (*kept)(void *arg, uint64_t epoch);
	/* It does not, though there is a connection; until it is kept() again. */
	void (*unkept)(void *arg, const char *why);
	/* What another gateway says to who has joined the talk of a destination. */
	void (*word)(void *arg, struct bytes destination, struct bytes body);
	/* Another gateway is there, or is not any more. */
	void (*gateway)(void *arg, uint64_t gateway, bool is_there);
	/* It says this of itself: before it is there, and whenever that is something else. May be NULL. */
	void (*said)(void *arg, uint64_t gateway, struct bytes text);
	/* It asks; `to` is for reply(), or empty: no answer is wanted. */
	void (*asked)(void *arg, struct bytes what, struct bytes body, struct bytes to);
};

#define ENGINE_CARD_MAX 512 /* octets of what a gateway says of itself */

struct engine_server {
	char host[256];
	uint16_t port;
};

/* Borrowed for as long as the engine lives. */
struct engine_settings {
	struct loop *loop;
	struct resolver *resolver;
	const struct engine_server *servers;
	size_t server_count;
	const char *prefix; /* what all that is ours begins with there; gateways that are one have the same */
	char separator;     /* of destinations; likewise */
	uint64_t gateway;   /* which of them we are: random */
	const char *user, *password, *token, *seed_file, *creds_file;
	struct tls_context *tls;
	const char *tls_host;
	bool tls_required;
	unsigned connect_timeout_ms, retry_ms, retry_max_ms;
	unsigned ping_interval_ms;
	size_t queue_bytes; /* what may wait for it */
	size_t max_bytes;   /* octets of a message that comes */
	/* What is kept, if anything: of each destination, and of all; 0: no such bound */
	bool keeps;
	uint64_t keep_messages, keep_ms, keep_bytes;
	bool keep_in_memory;
	unsigned replicas;
};

struct engine_counters {
	uint64_t connects, losses;
	uint64_t messages_in, messages_out;
	uint64_t refused;   /* could not go out: too much waits, or they are too large there */
	uint64_t repeated;  /* came by two topics, or twice */
	uint64_t nonsense;  /* came, and are no message of ours */
	uint64_t stored;    /* are kept */
	uint64_t filled;    /* had not come, and were found where they are kept */
};

struct engine_kind {
	const char *name;
	/* Begins to connect. 0, -ENOMEM, or another -errno with a sentence: it cannot be as it is set. */
	int (*start)(struct engine **out, const struct engine_settings *settings, const struct engine_events *on,
	    void *arg, char *why, size_t size);
	/* Nothing is called back any more. What was published goes out as far as the kernel takes it. */
	void (*stop)(struct engine *e);
	bool (*is_up)(const struct engine *e);
	/* settled() follows, once for each connection. 0; -EINVAL: it can have no such name; -ENOMEM. */
	int (*join)(struct engine *e, struct engine_topic *t);
	/* Harmless on one that has not joined. */
	void (*leave)(struct engine_topic *t);
	/* To the other gateways; not back to us. 0: it goes out, at most once, and in the order of calls;
	 * -EINVAL: it can have no such name; -EMSGSIZE; -ENOBUFS: too much waits; -ENOMEM. */
	int (*publish)(struct engine *e, const struct engine_message *m);
	/* Kinds that keep histories have these; others NULL. */
	/* Into the history of its destination, from where it comes to all gateways that have joined it, ours
	 * too. `id` is that of no other. 0, and done() follows; or an error as of publish(), -ENOTCONN: not
	 * now. */
	int (*store)(struct engine *e, const struct engine_message *m, struct bytes id, struct engine_store *s);
	void (*store_cancel)(struct engine_store *s);
	/* What is kept of a destination behind `since`; 0: all. With its topic, if that is active. 0, and
	 * done() follows; 1: there is nothing; -EINVAL, -ENOMEM, -ENOTCONN. */
	int (*load)(struct engine *e, struct bytes destination, uint64_t since, struct engine_topic *topic,
	    struct engine_load *l);
	void (*load_cancel)(struct engine_load *l);
	/* How many other gateways there are. */
	size_t (*gateways)(const struct engine *e);
	/* What the others hear of us, from now on, again and again. Copied. 0, -EMSGSIZE, -ENOMEM. */
	int (*announce)(struct engine *e, struct bytes text);
	/* The address that we have at the engine's server; false: it is not up. */
	bool (*address)(const struct engine *e, struct addr *out);
	/* `what` is a word. 0, and done() follows; 1: there is no other; -ENOTCONN, -ENOMEM, -EMSGSIZE. */
	int (*ask)(struct engine *e, struct bytes what, struct bytes body, unsigned timeout_ms,
	    struct engine_question *q);
	void (*ask_cancel)(struct engine_question *q);
	/* The same for what needs no answer, to one of them, or (0) to all: at most once. 0 or an error as of publish(). */
	int (*tell)(struct engine *e, uint64_t gateway, struct bytes what, struct bytes body);
	/* Likewise to those who have joined the talk of a destination; before what is told later. */
	int (*say)(struct engine *e, struct bytes destination, struct bytes body);
	/* Likewise. */
	int (*reply)(struct engine *e, struct bytes to, struct bytes body);
	/* Octets that wait for the server. */
	size_t (*pending)(const struct engine *e);
	const struct engine_counters *(*counters)(const struct engine *e);
	/* Where it is: "host:port". */
	const char *(*server)(const struct engine *e);
};

/* By its name; NULL: there is none. The first is "memory". */
const struct engine_kind *engine_kind_find(const char *name);
static inline bool engine_is_between(const struct engine_kind *kind)
{
	return kind->start != NULL;
}
static inline bool engine_keeps(const struct engine_kind *kind)
{
	return kind->store != NULL;
}

/* The name of a member of a gateway, by which "/user/NAME/rest" finds it: the gateway is part of it. Both are
 * numbers of 60 bits. NUL-terminated; as long as sockjs_client_name() has room for. */
#define ENGINE_MEMBER_BYTES 32
static inline uint64_t engine_number(uint64_t random)
{
	return random >> 4;
}
void engine_member_name(uint64_t gateway, uint64_t member, char name[ENGINE_MEMBER_BYTES]);
/* Whether it may be one, and of which gateway. */
bool engine_member_gateway(struct bytes name, uint64_t *gateway);

/* For kinds of engines: two numbers as in such a name, of up to 16 digits each. */
bool engine_pair_read(struct bytes text, uint64_t *first, uint64_t *second);
extern const struct engine_kind engine_nats;

#endif
