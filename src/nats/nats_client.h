/*
 * nats/nats_client.h - a client of NATS on our loop: one connection to one of several servers,
 * which is kept, and what is subscribed, published and asked over it.
 *
 *	connector --> INFO --> [TLS] --> CONNECT, PING --> PONG --> up --> ... --> down --+
 *	    ^                                                                             |
 *	    +-----------------------------------------------------------------------------+
 *
 * Subscriptions are ours: they are made again on each connection, before anything else is said.
 * What is published goes out once in a turn of the loop, in one write. A request that was sent when
 * the connection broke fails (-ECONNRESET): it may have been done or not.
 *
 * No call calls back; all callbacks come from the loop, and each may call anything here. All
 * functions belong to the loop's own thread. Views in callbacks last for the call; they may lie in
 * loop_scratch().
 */
#ifndef NATS_CLIENT_H
#define NATS_CLIENT_H

#include "net/connector.h"
#include "nats/nats_login.h"
#include "nats/nats_parse.h"
#include "nats/nats_write.h"

/* Octets of a sentence that is kept; what is longer is cut. */
#define NATS_WHY_BYTES 320

struct nats_client;
struct nats_subscription;

struct nats_server {
	const char *host;
	uint16_t port;
};

/* Everything is borrowed for as long as the client lives. What is 0 or NULL has its default. */
struct nats_options {
	const struct nats_server *servers;
	size_t server_count; /* 1 to CONNECTOR_SERVERS_MAX */
	bool in_order;       /* servers are tried as they are listed; else in an order of chance */
	bool no_discovery;   /* other members of the cluster are not asked */
	struct tls_context *tls; /* for servers that want it; NULL: these cannot be used */
	bool tls_required; /* for all servers; else whoever stands between can say that none wants
	                    * it */
	const char *tls_host; /* whom certificates must be for; NULL: the server's host */
	struct nats_login login;
	const char *name;            /* by which operators of the cluster know us; "sockjsd" */
	bool echo;                   /* what we publish comes to our own subscriptions, too */
	const char *inbox_prefix;    /* of what is answered to us; "_INBOX" */
	const char *js_prefix;       /* of the API of JetStream, for another domain; "$JS.API" */
	unsigned connect_timeout_ms; /* until connected, and then until logged in; 5000 */
	unsigned retry_ms, retry_max_ms; /* 250, 10000; see net/connector.h */
	unsigned ping_interval_ms;       /* 30000 */
	unsigned pings_out;              /* unanswered ones that are the end; 2 */
	size_t max_payload; /* octets of a message that comes, with its headers; 8 MiB */
	size_t send_bytes;  /* what may wait for the server to take it; 8 MiB */
	size_t held_bytes;  /* what may wait while there is no connection; 0: nothing */
};

/* Each may be NULL. */
struct nats_client_events {
	void (*up)(struct nats_client *c, void *arg);
	void (*down)(struct nats_client *c, const char *why, void *arg);
	/* For a log: a server cannot be used, or complains of something that we do. */
	void (*trouble)(struct nats_client *c, const char *server, const char *why, void *arg);
	/* After -ENOBUFS: there is room. */
	void (*writable)(struct nats_client *c, void *arg);
	/* The server tells of its cluster again: others have come or gone. */
	void (*changed)(struct nats_client *c, void *arg);
};

struct nats_counters {
	uint64_t connects, losses, troubles;
	uint64_t messages_in, bytes_in;   /* payloads and headers */
	uint64_t messages_out, bytes_out; /* also those that are held */
	uint64_t refused;                 /* -ENOBUFS */
	uint64_t requests, timeouts, no_responders;
};

/* Begins to connect. 0; -ENOMEM; -EINVAL or another -errno with a sentence in `why`: the options,
 * or the files of the login, cannot be used. */
int nats_client_new(struct nats_client **out, struct loop *loop, struct resolver *resolver,
    const struct nats_options *options, const struct nats_client_events *on, void *arg, char *why,
    size_t why_size);
/* Nothing is called back any more; subscriptions are gone, requests are cancelled, and its users
 * are told. What was published in this turn still goes to the kernel if it takes it; what is
 * published afterwards is -ENOTCONN. NULL is fine. */
void nats_client_free(struct nats_client *c);

struct nats_user;
/* Embedded in what lives longer than one request: it ends when the client does. */
struct nats_user {
	struct list node;                  /* the client's */
	void (*gone)(struct nats_user *u); /* from nats_client_free(): may not ask for anything */
};

void nats_client_enter(
    struct nats_client *c, struct nats_user *u, void (*gone)(struct nats_user *));
/* Once for each nats_client_enter() whose `gone` was not called. */
void nats_client_leave(struct nats_user *u);

bool nats_client_is_up(const struct nats_client *c);
struct loop *nats_client_loop(const struct nats_client *c);
/* options.js_prefix, or its default. */
const char *nats_client_js_prefix(const struct nats_client *c);
/* The one it is connected to, or tries: "host:port"; "". */
const char *nats_client_server(const struct nats_client *c);
/* Our own address there; false: there is no connection. */
bool nats_client_address(const struct nats_client *c, struct addr *out);
const struct nats_counters *nats_client_counters(const struct nats_client *c);
/* Octets that wait for the server, or for a connection. */
size_t nats_client_pending(const struct nats_client *c);
/* The most octets of headers and payload that the server takes; what is not known yet is 1 MiB. */
size_t nats_client_max_payload(const struct nats_client *c);

/* Nothing that a server says is read until it is resumed, on this connection and those after it; of
 * what was read already no more is told. For an owner who is behind, and for moments: requests go
 * on to have their time, and a server ends the connection of a slow consumer after some 10 s
 * ("write_deadline"), or when much waits for it. */
void nats_client_pause(struct nats_client *c);
void nats_client_resume(struct nats_client *c);

/* --- publishing --------------------------------------------------------------------- */

/* 0: it will be said, at most once. -EINVAL: see nats_write.h. -EMSGSIZE: the server takes no
 * message of that size. -ENOBUFS: too much waits. -ENOTCONN: there is no connection, and nothing is
 * held. -ENOTSUP: the server knows no headers. -ENOMEM. */
int nats_publish(struct nats_client *c, const struct nats_message *m);

/* --- subscribing -------------------------------------------------------------------- */

/* `m` is of the operation NATS_MSG. NULL: the server does not let us subscribe to this; nothing
 * will come until the next connection, where it is tried again. */
typedef void (*nats_message_fn)(struct nats_subscription *s, const struct nats_event *m, void *arg);

/* Subject and queue (the group; NULL: none) are copied. 0, -EINVAL, -ENOMEM; -ENOTCONN: the client
 * is freed. */
int nats_subscribe(struct nats_client *c, struct nats_subscription **out, const char *subject,
    const char *queue, nats_message_fn fn, void *arg);
/* `fn` is not called any more. NULL is fine. Not after nats_client_free(), which has done it. */
void nats_unsubscribe(struct nats_subscription *s);

/* --- asking ------------------------------------------------------------------------- */

struct nats_request;
/* Err 0: `reply` is what was answered. -ETIMEDOUT; -EHOSTUNREACH: nobody is there to answer;
 * -ECONNRESET: the connection broke; -EACCES: the server does not let us ask that. */
typedef void (*nats_replied_fn)(struct nats_request *r, int err, const struct nats_event *reply);

/* Embedded in who asks, zeroed before the first use; its memory may go as soon as it is done or
 * cancelled. All fields are the client's. */
struct nats_request {
	struct nats_client *client; /* NULL: nothing is under way */
	uint64_t number;
	uint64_t subject_hash;
	struct timer timer;
	nats_replied_fn done;
	struct nats_subscription *inbox; /* of one with many replies */
	bool was_sent;                   /* else it is held */
};

/* m->reply is ours. `done` is called exactly once unless it is cancelled or the client is freed. 0,
 * or an error of nats_publish(): then `done` is not called. */
int nats_request(struct nats_client *c, struct nats_request *r, const struct nats_message *m,
    unsigned timeout_ms, nats_replied_fn done);
/* The same for several replies: `done` is called for each until it is cancelled, or once with an
 * error. Subjects of replies are whatever who answers wants. */
int nats_request_many(struct nats_client *c, struct nats_request *r, const struct nats_message *m,
    unsigned timeout_ms, nats_replied_fn done);
/* Harmless on one that is zeroed or done. */
void nats_request_cancel(struct nats_request *r);

/* --- knowing that the server has heard ---------------------------------------------- */

struct nats_flush;
typedef void (*nats_flushed_fn)(struct nats_flush *f, int err);

/* Embedded, as a request is. */
struct nats_flush {
	struct list node;
	uint64_t ping;
	nats_flushed_fn done; /* NULL: nothing is under way */
};

/* `done` with 0: the server has taken all that was said before, and subscriptions are active; with
 * -ECONNRESET: the connection broke. 0, -ENOTCONN or -ENOMEM. */
int nats_flush(struct nats_client *c, struct nats_flush *f, nats_flushed_fn done);
void nats_flush_cancel(struct nats_flush *f);

#endif
