/*
 * session/session.h - THE session: what an application talks to and every
 * transport converges on (SockJS protocol 0.3; RFC 6455 as seen from above).
 *
 *	CONNECTING --attach--> OPEN --session_close()--> CLOSING --flushed--> CLOSED --> freed
 *	                         \---interrupted, timed out, closed by the client--^
 *
 * An application that cannot tell at once whether it wants a session holds it: then a
 * receiver is attached and waits, without a word, for session_accept() or session_refuse().
 *
 * A session belongs to one loop; all functions are called on its thread. A
 * message goes out in the flush stage of the turn in which it was sent (among a great many,
 * of one of the next): what became ready for one session in one turn is one frame and one
 * send. The application is told of a close in that stage too, never from within a call.
 */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/histogram.h"
#include "base/list.h"
#include "base/message.h"
#include "base/freelist.h"
#include "net/addr.h"
#include "net/loop.h"
#include "networks/network_policy.h"
#include "session/close_codes.h"
#include "session/message_ring.h"
#include "session/receiver.h"

/* What the application of a CONNECTING session has said. */
enum session_decision {
	SESSION_WELCOME,
	SESSION_HELD,
	SESSION_ACCEPTED,
	SESSION_REFUSED,
	SESSION_UNPROVEN, /* it was welcome, or accepted: a sign of the client's is waited for, */
	SESSION_PROVEN,   /* and has come */
};

/* What a session has seen of the network of its client. */
enum session_sign {
	SESSION_SIGN_ASKED,     /* the client is asked for a sign before it opens */
	SESSION_SIGN_HEARD,     /* the client's first sign of life */
	SESSION_SIGN_CAME_BACK, /* likewise, and no more than that the response has ended */
	SESSION_SIGN_OUTLASTED, /* it has answered to a heartbeat after a silence */
};

/* Who has stopped a session's input. */
enum { SESSION_PAUSED_BY_APP = 1, SESSION_PAUSED_BY_RATE = 2 };

enum session_state { SESSION_CONNECTING, SESSION_OPEN, SESSION_CLOSING, SESSION_CLOSED };

struct session;
struct session_record;
struct session_table;
struct session_trail;
struct snapshot;

/* What is known of the messages that a session has accepted from its application: of them the first
 * so many. Never more than is so, perhaps less. */
struct session_delivery {
	uint64_t accepted;
	uint64_t sent;         /* have left for the kernel */
	uint64_t acknowledged; /* have been acknowledged by the TCP of its client, or of a proxy */
	uint64_t confirmed;    /* have reached the client itself, as something it did later shows */
};

/* Above us: the application. */
struct session_ops {
	void (*open)(struct session *s);
	void (*message)(struct session *s, const char *data, size_t n, bool binary);
	void (*writable)(struct session *s);
	void (*close)(struct session *s, unsigned code, const char *reason);
	/* Another transport carries it from now on than this one did. May be NULL */
	void (*moved)(struct session *s, const char *from);
	/* Something was learned of the client's network. May be NULL */
	void (*sign)(struct session *s, enum session_sign sign);
	void (*free)(struct session *s); /* the memory; nothing is called after it */
};

struct session_limits {
	unsigned heartbeat_delay_ms;       /* silence before an h frame; 0: none */
	unsigned first_silence_ms; /* likewise, in a network that is not known; 0: as usual */
	unsigned disconnect_delay_ms;      /* how long a session lives without a receiver */
	unsigned first_message_timeout_ms; /* the client must show that it hears us; 0: off */
	unsigned send_timeout_ms;          /* how long a client may take nothing; 0: for ever */
	size_t send_buffer_bytes;          /* accepted and not yet taken by the kernel */
	size_t receive_buffer_bytes;       /* delivered and not yet taken by a paused application */
	bool bind_address;                 /* later requests must come from the same network */
};

/* The most that is known of a message that has not been confirmed. */
enum { DELIVERY_UNSENT, DELIVERY_SENT, DELIVERY_ACKNOWLEDGED, DELIVERY_ROWS };

/* What an aborted receiver means: end now. (A session that is held and resumed would be another
 * policy of the endpoint, here.) */

struct session_counters {
	uint64_t now;        /* sessions open */
	uint64_t connecting; /* those that are not open yet: on hold, or on their way through 101 */
	uint64_t receivers;  /* attached, or ending their wire */
	uint64_t opened;
	uint64_t closed[CLOSE_CODE_ROWS]; /* of those that were open */
	uint64_t unopened; /* ended before they opened: refused, or their client left */
	uint64_t messages_in, bytes_in;
	uint64_t messages_out, bytes_out;
	struct histogram opening;  /* how long they were on hold before that; most are not */
	struct histogram fallback; /* of those heard: how long their clients had tried others before */
	uint64_t connect_failures; /* lost, without a sign that the client ever heard us */
	uint64_t unconfirmed[DELIVERY_ROWS]; /* messages of sessions that have ended */
};

/* What the sessions of one loop share. */
struct session_reactor {
	struct loop *loop;
	struct budget *budget; /* the loop's */
	struct list sessions;
	struct list walks;             /* through them, under way */
	const char *const *transports; /* names, and a NULL; NULL: none are known */
	struct list dirty;             /* to be looked at in the flush stage */
	struct list late;              /* likewise, left over from an earlier turn */
	size_t copied;      /* octets of messages for one receiver, since the last flush stage */
	struct buf scratch; /* for encoding; emptied by whoever uses it */
	struct freelist freelist; /* of messages for one, and of the slots they wait in */
	struct session_counters counters;
	bool draining; /* new sessions are refused by who creates them */
	bool aborted;
};

void session_reactor_init(struct session_reactor *r, struct loop *loop);
/* All sessions must have ended. */
void session_reactor_fini(struct session_reactor *r);
/* The scratch buffer, empty; not kept beyond the call that asked for it. */
struct buf *session_scratch(struct session_reactor *r);
/* Closes or refuses a session, as when the server stops. */
void session_send_away(struct session *s);
/* Closes each open session with this chance (of UINT32_MAX), as session_reactor_drain() does. */
void session_reactor_close_some(struct session_reactor *r, uint32_t chance);
/* Closes every session as the server stops. Call it again until it says that none is left that an
 * application or a client waits for. */
bool session_reactor_drain(struct session_reactor *r);
/* Ends every session at once, and any that comes through its 101 later. */
void session_reactor_abort(struct session_reactor *r);

/* A walk through all sessions of a reactor, the oldest first, that may stand still from one turn to
 * the next while sessions come and go. Zeroed before it begins. */
struct session_walk {
	struct list node;  /* reactor->walks; on its own when it does not stand anywhere */
	struct list *next; /* who comes next, or the head */
	struct session_reactor *reactor;
};
void session_walk_begin(struct session_walk *w, struct session_reactor *r);
/* NULL: that was the last one, and the walk is over. */
struct session *session_walk_next(struct session_walk *w);
/* It goes no further; harmless when it is over. */
void session_walk_end(struct session_walk *w);

/* Somebody whose messages wait for a paused application; told when it has taken them all, or never
 * will. */
struct session_waiter {
	struct list node;
	void (*done)(struct session_waiter *w, bool taken);
};

/* What a paused application has not taken. */
struct session_inbox {
	struct message_ring ring;
	size_t bytes;
	struct list waiters;
};

struct session {
	/* What every message touches stands together */
	struct list dirty; /* reactor->dirty or ->late, or on its own */
	struct session_reactor *reactor;
	const struct session_limits *limits;
	struct receiver *receiver;
	struct message_ring out;
	size_t out_bytes; /* in `out`, with an allowance for each message */
	uint64_t last_sent;
	uint64_t blocked_since;
	union {
		uint32_t blocked_at;  /* its receiver's progress then, or at a look; modulo 2^32 */
		uint32_t retry_after; /* on hold, where nothing is said: seconds; 0: as usual */
	};
	uint16_t code;
	uint8_t state;  /* enum session_state */
	uint8_t late;   /* late receivers answered */
	bool full;      /* the application was told so, and waits for writable */
	uint8_t paused; /* by whom: SESSION_PAUSED_* */
	bool stopped; /* the wire is not read, and what comes waits: the application has paused, or
	               * has not yet taken all that waited */
	bool heard;   /* the client has shown that it hears us */
	uint8_t decision : 3;  /* enum session_decision */
	bool was_held : 1;     /* the application knows of it, though it has not opened */
	bool asked : 1;        /* the client was asked to show that it hears us */
	bool is_idle : 1;      /* a heartbeat was said that its client has to answer */
	bool is_black : 1;     /* it answers no ping, and TCP knows of nothing */
	struct network_policy network;
	bool is_raw : 1;      /* no SockJS frames */
	bool reported : 1;    /* the application knows of the close */
	bool opened : 1;      /* its client was told so */
	bool lost : 1;        /* nobody has closed it: the wire broke, or there was no answer */
	bool doubted : 1;     /* its client had something to acknowledge when last looked at */
	bool quiet : 1;       /* the application has its own heartbeats */
	bool is_recorded : 1; /* session_record.h */
	bool fails_sends : 1; /* requests with messages are answered with 500 */
	uint8_t looks;        /* number of the last look; modulo 2^8 */
	/* The messages that were said, see session_delivery.c */
	uint32_t unconfirmed; /* so many after those `before` */
	uint16_t marked_at;   /* when the trail had its last mark; modulo 2^16 */
	bool has_trail : 1;
	bool is_settled : 1;  /* what is known of them has been noted, and stays */
	bool is_blurred : 1;  /* of those `before` not all have been confirmed */
	bool has_arrived : 1; /* nobody is attached, and what was said is acknowledged */
	bool has_gap : 1;     /* a response may have been lost: no more will be known of what follows */
	union {
		uint64_t before;             /* confirmed */
		struct session_trail *trail; /* has_trail: it has that, too */
	};

	struct list node; /* reactor->sessions */
	const struct session_ops *ops;
	const char *transport;       /* that carries it now, or did last */
	struct session_entry *entry; /* in a table; NULL for WebSocket */
	struct session_inbox *in;    /* NULL: nothing waits */
	struct timer timer;
	uint64_t id;       /* for logs and people; the SockJS session id is a secret */
	uint64_t deadline; /* detached: the disconnect delay ends; closed: late answers end */
	uint32_t born;     /* or listened to anew; this and the next are modulo 2^32 */
	uint32_t last_heard;
	union {
		char *reason;                  /* of the close, if not the table's */
		struct session_record *record; /* is_recorded: it has the reason, too */
	};
};

/* In zeroed memory. `is_raw`: messages go as they are, without SockJS frames. */
void session_init(struct session *s, struct session_reactor *reactor,
    const struct session_limits *limits, const struct session_ops *ops, const char *transport,
    bool is_raw);
/* A session that was never attached goes: the application sees open (unless it holds it) and close
 * all the same, so that what it set up in its handshake is undone. */
void session_discard(struct session *s);

/* --- for another process, see base/snapshot.h ------------------------------ */

/* Its state, but for its wire. Reading, it was made by session_init() with transport and form as they were; `table` is
 * that of its endpoint, and its application is told nothing. If the snapshot is wrong it has ended, and is freed in the
 * flush stage, without a word. */
void session_snapshot(struct session *s, struct snapshot *snapshot, struct session_table *table);
/* Then its receiver, and the one whose last response is arriving (it is in the table), are linked without a word. */
void session_restore_receiver(struct session *s, struct receiver *r);
void session_restore_arriving(struct session *s, struct receiver *r);
/* What its receiver says of its progress cannot be compared to what it has said before. */
void session_measure_anew(struct session *s);
/* And when all is there: it goes on in the first turn. */
void session_restored(struct session *s);
/* The receiver whose last response is arriving; NULL: there is none. */
struct receiver *session_arriving(const struct session *s);

/* --- from the application ----------------------------------------------- */

enum { SESSION_FULL = 1 };

/* Before it is attached: not opened until session_accept(). What an eager client sends waits. */
void session_hold(struct session *s);
/* A session on hold opens, in the flush stage; nothing happens if it has ended meanwhile. */
void session_accept(struct session *s);
/* A session on hold ends unopened. A bare WebSocket is answered with this HTTP status; SockJS wires
 * say code and reason. */
void session_refuse(struct session *s, unsigned status, unsigned code, const char *reason);

/* Takes a reference. 0; SESSION_FULL: accepted, but pause until writable; -EPIPE: not open;
 * -EMSGSIZE: could never fit; -ENOBUFS: too slow, the session is being closed; -ENOMEM. */
int session_send(struct session *s, struct message *m);
/* Likewise, but what there is no room for now is not sent: -EAGAIN, and ops->writable follows. */
int session_offer(struct session *s, struct message *m);
void session_close(struct session *s, unsigned code, const char *reason);
/* Ends it at once, whatever waits, and its wire with it: the client is to blame. */
void session_cut(struct session *s, unsigned code);
void session_pause(struct session *s);
void session_resume(struct session *s);
/* The same beside what the application wants, for a client that sends too fast: its input waits
 * until both let it go on. */
void session_hold_back(struct session *s);
void session_let_go_on(struct session *s);
/* Whether requests that bring messages fail: it does not hear of them. */
void session_fail_sends(struct session *s, bool on);
/* Whether it says heartbeats when it has nothing else to say, as a new one does. */
void session_set_heartbeat(struct session *s, bool on);
/* Milliseconds since its client gave a sign of life, and since it was last said anything. */
uint32_t session_heard_ago(const struct session *s);
/* How long it may be silent. */
unsigned session_silence_ms(const struct session *s);
uint64_t session_said_ago(const struct session *s);
size_t session_buffered(const struct session *s);
/* Octets that it holds in memory for its client, both ways. */
size_t session_held(const struct session *s);
static inline bool session_is_open(const struct session *s)
{
	return s->state == SESSION_CONNECTING || s->state == SESSION_OPEN;
}

/* What is known of what it has accepted; asks the kernel while it has a wire. */
void session_delivery(const struct session *s, struct session_delivery *d);

/* --- from the transports ------------------------------------------------ */

/* Attaches a receiver, of whatever transport: it is opened, given what waits, or told to go (2010,
 * or the close frame). It may be done with when this returns (r->session is NULL then). -ENOENT:
 * the session answers no more (404), nothing was said. */
int session_attach(struct session *s, struct receiver *r);
/* The wire broke, or its client left. */
void session_receiver_gone(struct session *s, struct receiver *r);
/* A receiver that has said RECV_MORE to its last frame, because the wire was full, has said it all
 * now. */
void session_receiver_done(struct session *s, struct receiver *r);
/* Likewise, as with RECV_ARRIVING: the wire has taken it all, the client has not. It may be told
 * that it has, unless another receiver was attached or the session has ended (r->session is NULL
 * then).
 */
void session_receiver_arriving(struct session *s, struct receiver *r);
void session_receiver_arrived(struct session *s, struct receiver *r);
/* The client is about to close in due form: what was accepted for it goes out first. */
void session_say_the_rest(struct session *s);
/* The client has closed in due form (WebSocket). */
void session_client_closed(
    struct session *s, struct receiver *r, unsigned code, const char *reason);
/* The kernel has not taken all of what the receiver had said, and counted as taken. */
void session_blocked(struct session *s);
/* The receiver's queue is empty again. */
void session_writable(struct session *s);
/* A sign that the client hears us, other than a message or a second receiver. */
void session_heard(struct session *s);
/* It has answered to what was said after the last silence. */
void session_answered(struct session *s);
/* A heartbeat goes out now, though it is not time yet: with something else of the receiver's. */
void session_beat(struct session *s);
/* Whether silences are shorter than they are meant to be, for it is not known what the network of the
 * client makes of them. */
bool session_is_on_rung(const struct session *s);
/* Its client seems to have given it up: an open response ends, so that he comes back if he is there. */
void session_doubt(struct session *s);
/* What is known of what its receiver has said is noted: before that says RECV_GONE, while its wire
 * can still be asked. */
void session_settle(struct session *s);
/* The same before its response ends whole: what is acknowledged by then is noted. */
void session_note_reach(struct session *s, struct receiver *r);
/* The client is about to be asked for a sign that it has all that was said up to here; true: there is
 * something to prove, and no such question is open, so that session_proves() is to follow when it has
 * answered this one, or a later one. */
bool session_asks_for_proof(struct session *s);
/* Whether there is something to prove. */
static inline bool session_has_to_prove(const struct session *s)
{
	return s->unconfirmed > 0;
}
void session_proves(struct session *s);

/* A message from the client; dropped unless the session is open. If the application has paused, it
 * waits (a copy). 0, or -ENOMEM (then the session is closed: nothing that was accepted may be
 * lost). */
int session_deliver(struct session *s, const char *data, size_t n, bool binary);
/* Texts that came together. When the budget is spent on the way, the others wait as for a paused
 * application, and are delivered in the next turns. As session_deliver(). */
int session_deliver_all(struct session *s, const struct bytes *texts, size_t count);
/* Whether these may be delivered now. If others wait there has to be room for these, too; where
 * none does, any that came together may, or they never could. */
bool session_has_room(const struct session *s, const struct bytes *texts, size_t count);
/* Whether messages wait for the application. Then their sender had better wait too: this is how a
 * client without a socket is slowed down. */
bool session_is_behind(const struct session *s);
static inline bool session_fails_sends(const struct session *s)
{
	return s->fails_sends;
}
/* Only if it is. */
void session_wait(struct session *s, struct session_waiter *w);

#endif
