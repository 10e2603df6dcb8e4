/*
 * pubsub/relayed.h - destinations that are not our broker's but an outside one's (RabbitMQ, ActiveMQ), to which
 * a handful of links lead that all clients share (relay/relay_hub.h).
 *
 *	client --SUBSCRIBE--> interest of its part --> topic of a hub --SUBSCRIBE--> outside
 *	client <-- our own fan-out <-- published under the topic's key <--MESSAGE-- outside
 *	client --SEND--> the hub of its part --SEND--> outside, and its RECEIPT back
 *
 * What a client subscribes there it subscribes here, too, under a key that no client can name:
 * "/relay/topic/a/%2A%2A" for the pattern of all that begin with "/topic/a". A message that comes for the subscription of a topic is
 * published under that key. So each subscriber gets it once, whatever else fits, in the order in which the link
 * has brought it, at the cost of our own broker.
 *
 * A hub lives in one reactor; what others want of it is mail. A topic is always the same hub's, and so are
 * the messages of one client.
 *
 *	relayed.c         settings and names
 *	relayed_hubs.c    a hub in its reactor, and the way there and back
 *	relayed_topics.c  who has subscribed in a part, and who waits for that
 *	relayed_send.c    what clients send, and its receipts
 *	relayed_own.c     a link of one client, for what cannot be shared,
 *	relayed_own_frames.c  and what it says there and hears
 *
 * By the mode a client's frame takes one way or the other: the rest is the same.
 */
#ifndef PUBSUB_RELAYED_H
#define PUBSUB_RELAYED_H

#include "pubsub/pubsub.h"
#include "relay/relay_hub.h"
#include "relay/relay_names.h"
#include "server/options.h"

#define RELAYED_HUBS_MAX 8

/* A hub, as it is seen from all reactors; `hub` and what follows is of its own alone. */
struct relayed_hub {
	struct relayed *relayed;
	unsigned index, part;
	atomic_bool is_up;
	atomic_bool is_restored; /* and all topics are there again */
	atomic_bool is_awaited; /* somebody waits for room */
	atomic_bool is_choked;  /* too many messages are not answered */
	atomic_size_t queued;   /* octets, and those on their way to it */
	atomic_size_t mailed;
	char apart[64];
	struct relay_hub hub;
	struct buf scratch, pattern;
	bool has_begun;
	uint64_t nameless; /* messages whose destination no client could say */
};

enum relayed_way { RELAYED_MIXED, RELAYED_SHARED, RELAYED_PER_CLIENT };

struct relayed {
	struct sockjs_broker *broker;
	struct sockjs_options options; /* a copy: what follows borrows of it */
	char passcode[512];
	struct relay_names names;
	enum relayed_way way;
	bool passes_login; /* of clients, on their own links; else ours */
	struct relay_hub_settings hub;
	struct relay_link_settings own; /* of links of clients */
	atomic_size_t own_count;
	struct connector_server *servers;
	size_t server_count;
	bool closes; /* clients, when the broker goes away; else they wait */
	struct relayed_hub *hubs;
	unsigned hub_count;
};

/* A part's share. */
struct relayed_part {
	struct relayed *relayed;
	struct pubsub_part *part;
	struct map interests; /* by key */
	struct map receipts;  /* by number */
	struct list waiting;  /* client_extra.waits: until a link has room */
	struct list owns;     /* links of clients */
	size_t own_count;
	struct resolver *resolver;
	struct stomp_frame frame; /* scratch */
	struct buf scratch;
	uint64_t last_number;
	uint32_t last_serial;
	bool closes; /* a walk over clients is under way */
};

/* --- relayed.c ---------------------------------------------------------------------------- */

/* NULL if the options name no server. 0, or -errno with a sentence that begins with the option. */
int relayed_new(struct relayed **out, struct sockjs_broker *b, const struct sockjs_options *o, char *why,
    size_t size);
void relayed_free(struct relayed *r); /* NULL is fine */
/* Shares for all parts, which are there. 0 or -ENOMEM. */
int relayed_share(struct relayed *r);
/* Whether a destination, or a pattern, is relayed. */
bool relayed_has(const struct sockjs_broker *b, struct bytes destination);
/* Whether a pattern, or what an application asks for, is neither here nor there: it reaches from our own
 * destinations into relayed ones, or is a key. */
bool relayed_is_between(const struct sockjs_broker *b, struct bytes pattern);
bool relayed_is_key(struct bytes destination);
/* Whether a stream of the broker keeps what fits this pattern. */
bool relayed_is_kept(const struct sockjs_broker *b, struct bytes pattern);
/* The key under which subscribers of a pattern are found; appended. 0 or -ENOMEM. */
int relayed_key(struct bytes pattern, struct buf *out);
/* And the pattern of a key. */
int relayed_pattern(struct bytes key, struct buf *out);
/* In each reactor, as it begins and ends. */
void relayed_begin(struct sockjs_broker *b);
void relayed_end(struct sockjs_broker *b);
/* Whether clients that have left have something under way in this reactor. */
bool relayed_is_busy(struct sockjs_broker *b);
/* Whether all links are up. Any thread. */
bool relayed_is_up(const struct relayed *r);
void relayed_metrics(struct sockjs_metrics *m, const struct pubsub_part *part);

/* --- relayed_hubs.c --------------------------------------------------------------------------- */

/* In its reactor, as is the next one. */
int relayed_hub_begin(struct relayed_hub *h, struct relayed_part *share);
void relayed_hub_end(struct relayed_hub *h);
/* The hub that has the topic of a key, for all of us; and that of what a part sends. */
struct relayed_hub *relayed_hub_of(const struct relayed *r, struct bytes key);
struct relayed_hub *relayed_hub_near(const struct relayed *r, const struct pubsub_part *part);
static inline bool relayed_hub_is_up(const struct relayed_hub *h)
{
	return atomic_load_explicit(&h->is_up, memory_order_relaxed);
}
/* Whether more should wait where it is. */
bool relayed_hub_is_full(const struct relayed_hub *h);
/* A part has its first subscriber of a topic: relayed_settled() follows there, perhaps from within, with this
 * serial. Or it has none any more. 0 or -ENOMEM, -EPIPE (the server does not run). */
int relayed_hub_join(
    struct relayed_hub *h, struct relayed_part *share, struct bytes key, uint32_t serial);
void relayed_hub_leave(struct relayed_hub *h, struct relayed_part *share, struct bytes key);
/* As relay_hub_send(); relayed_sent() follows if there is a number. From the part of this thread. */
int relayed_hub_say(
    struct relayed_hub *h, struct relayed_part *share, uint64_t number, struct bytes rest);

/* --- relayed_topics.c: in the part ---------------------------------------------------------------- */

struct bytes relayed_interest_key(const struct map_node *node);
/* One subscriber more, one less. The first: STOMP_OK: it is active; STOMP_PENDING; or why not, and *why. */
enum stomp_error relayed_join(struct relayed_part *share, struct bytes key, const char **why);
void relayed_leave(struct relayed_part *share, struct bytes key);
/* Of a SUBSCRIBE: whether it is one that a link that others share can do. */
bool relayed_is_plain_subscribe(const struct stomp_frame *f, struct bytes destination);
/* Why it cannot, or why the broker can have no such name. */
enum stomp_error relayed_check_subscribe(struct sockjs_client *c, const struct stomp_frame *f,
    struct bytes destination, const char **why);
/* A client's subscription is there, under its key: as relayed_join(); its receipt waits, too. */
enum stomp_error relayed_subscribe(struct sockjs_client *c, struct subscription *s,
    const struct stomp_frame *f, const char **why);
/* Before the subscription goes. */
void relayed_unsubscribe(struct sockjs_client *c, struct subscription *s);
/* What a hub says of a topic: it is there (`why` is NULL), or cannot be. */
void relayed_settled(
    struct relayed_part *share, struct bytes key, uint32_t serial, const char *why);
/* A hub is away. */
void relayed_away(struct relayed_part *share, unsigned hub);
/* Those that were there before the server ran. */
void relayed_join_all(struct relayed_part *share);
void relayed_topics_fini(struct relayed_part *share);

/* --- relayed_send.c: in the part --------------------------------------------------------------------- */

struct bytes relayed_receipt_key(const struct map_node *node);
/* Whether it has no header that must not reach a broker, by whatever link. STOMP_OK, or why, and *why. */
enum stomp_error relayed_check_headers(
    const struct relayed *r, const struct published *p, const char **why);
/* The end of a frame. To ActiveMQ a body without its length is text, and with it octets. 0 or -ENOMEM. */
int relayed_add_body(
    const struct relayed *r, struct buf *out, struct bytes body, bool has_length);
/* Of a SEND; the reference to `p` stays the caller's. As frames_take(). */
enum stomp_error relayed_send(struct sockjs_client *c, struct published *p, struct transaction *t,
    const struct stomp_frame *f, const char **why);
/* Whether one of a command, or of an application, could go: 0; -EHOSTUNREACH: the broker is away, or takes
 * nothing; -EINVAL, and *why: it cannot have such a name, or such headers; -ENOMEM. */
int relayed_check(struct relayed_part *share, const struct published *p, const char **why);
/* Sends it: done(arg, why) follows if it is not NULL, as relayed_sent(), and never
 * from within. Errors as relayed_check(). */
int relayed_publish(struct relayed_part *share, const struct published *p,
    void (*done)(void *arg, const char *why), void *arg);
/* From any thread, without a word; as broker_publish() and relayed_publish(). */
int relayed_publish_anywhere(struct sockjs_broker *b, struct published *p);
void relayed_sent(struct relayed_part *share, uint64_t number, const char *why);
/* Whether a client that was to wait has to go on waiting. */
bool relayed_must_wait(const struct sockjs_client *c);
/* It goes on, if it need not wait any more. */
void relayed_wake(struct sockjs_client *c);
/* Has it wait with its next frame, if it must. */
void relayed_slow_down(struct sockjs_client *c);
/* There is room again. */
void relayed_go_on(struct relayed_part *share);
/* A client leaves. */
void relayed_forget(struct sockjs_client *c);
void relayed_receipts_fini(struct relayed_part *share);

/* --- relayed_own.c: in the part --------------------------------------------------------------------- */

/* A client's link. What it has said before the link was up waits here. */
struct relayed_own {
	struct relay_link link;
	struct list node; /* share->owns */
	struct relayed_part *share; /* NULL: it is about to be freed */
	struct sockjs_client *client; /* NULL: it has left, and what it has said goes out yet */
	struct stomp_login login;
	struct relayed_login *said; /* its texts, when the client has left */
	struct buf waiting;
	struct timer parting;
	uint64_t goodbye;
	struct deferred freeing;
	struct buf scratch;
};

/* What a client says to the broker's login, for when it needs a link. 0 or -ENOMEM. */
int relayed_own_note(struct sockjs_client *c, const struct stomp_frame *connect);
void relayed_own_forget_login(struct sockjs_client *c);
/* Whether it has said a login there. */
bool relayed_own_has_login(const struct sockjs_client *c);
/* The client's link, a new one if it has none. STOMP_OK; or why there can be none, and *why. */
enum stomp_error relayed_own_get(struct sockjs_client *c, struct relayed_own **out, const char **why);
/* A whole frame, which goes out as soon as it can. 0 or -ENOMEM. */
int relayed_own_say(struct relayed_own *own, const struct buf *frame);
/* Octets that it has said and the broker has not taken; whether that is too much. */
size_t relayed_own_queued(const struct relayed_own *own);
bool relayed_own_is_full(const struct relayed_own *own);
/* The client has room again. */
void relayed_own_go_on(struct relayed_own *own);
/* The client leaves. What was accepted of it goes out, and then the link says goodbye. */
void relayed_own_leave(struct sockjs_client *c);
void relayed_own_end_all(struct relayed_part *share);

/* --- relayed_own_frames.c: in the part ---------------------------------------------------------------- */

/* All of them as frames_take(). */
enum stomp_error relayed_own_send(struct sockjs_client *c, const struct published *p,
    struct transaction *t, const struct stomp_frame *f, const char **why);
enum stomp_error relayed_own_subscribe(struct sockjs_client *c, struct subscription *s,
    const struct stomp_frame *f, struct bytes destination, const char **why);
/* ACK, NACK, COMMIT, ABORT, UNSUBSCRIBE: as it is. */
enum stomp_error relayed_own_pass(
    struct sockjs_client *c, struct transaction *t, const struct stomp_frame *f, const char **why);
/* What the broker says. */
void relayed_own_take(struct relayed_own *own, const struct stomp_frame *f);

#endif
