/*
 * relay/relay_link.h - one connection to a STOMP broker that is kept: to one of its servers, over TCP or
 * TLS, logged in, with heart-beats both ways. What is said over it is its owner's affair: a link knows
 * nothing of clients and subscriptions.
 *
 *	connector --> CONNECT --> CONNECTED: up() --> frames --> away() --+
 *	    ^                                                             |
 *	    +-------------------------------------------------------------+
 *
 * What one turn has for the broker is one write. What the broker does not take waits, and its owner
 * asks how much that is (relay_link_queued()): the link itself refuses nothing.
 *
 * All functions belong to the loop's own thread; callbacks come from the loop, none from within a call. How much
 * is read in a turn goes by the loop's budget, of which the owner takes what its frames cost.
 */
#ifndef RELAY_RELAY_LINK_H
#define RELAY_RELAY_LINK_H

#include "net/connector.h"
#include "stomp/stomp_peer.h"

struct relay_link;

struct relay_link_ops {
	/* Logged in: frames may be written. */
	void (*up)(struct relay_link *l);
	/* MESSAGE, RECEIPT or ERROR; views as long as the call. */
	void (*frame)(struct relay_link *l, const struct stomp_frame *f);
	/* It was up, and is not any more: what was written may be lost, or not. up() may follow. */
	void (*away)(struct relay_link *l, const char *why);
	/* The broker has taken all that waited. */
	void (*drained)(struct relay_link *l);
	/* None of the servers can be reached now, or (`refused`) one does not let us in. It is tried again. May be
	 * NULL. */
	void (*failed)(struct relay_link *l, const char *why, bool refused);
};

/* Shared by links; stays. */
struct relay_link_settings {
	struct connector_settings connector;
	struct stomp_login login;
	struct stomp_limits limits;  /* of what the broker sends */
	unsigned connect_timeout_ms; /* from the connection to CONNECTED */
	const char *name;            /* for the log */
	bool is_quiet;               /* there are many: what is usual is not for it */
};

struct relay_link {
	struct connector connector;
	struct stream stream;
	struct stomp_peer peer;
	struct timer timer;
	struct deferred flush;
	struct buf out; /* what this turn has said */
	const struct relay_link_settings *settings;
	const struct stomp_login *login; /* the settings', or its owner's */
	const struct relay_link_ops *ops;
	struct loop *loop;
	struct stomp_frame *scratch;
	uint64_t heard_at, said_at, up_at;
	uint64_t connects, failures; /* counted */
	bool is_open, is_up;
	bool was_full; /* what was written waits, or did */
	bool is_paused;
};

/* Not started. `scratch` is of the thread. 0 or -ENOMEM, -EINVAL of the servers. */
int relay_link_init(struct relay_link *l, struct loop *loop, struct resolver *resolver,
    const struct relay_link_settings *settings, const struct connector_server *servers, size_t count,
    const struct relay_link_ops *ops, struct stomp_frame *scratch);
void relay_link_start(struct relay_link *l);
/* Whatever is under way is given up, politely if nothing waits; no more callbacks. The memory stays until the
 * end of the turn. Harmless on one that is zeroed. */
void relay_link_fini(struct relay_link *l);

static inline bool relay_link_is_up(const struct relay_link *l)
{
	return l->is_up;
}
/* Where frames are to be composed, for l->peer.version; they go out at the end of the turn. Only while it is
 * up; relay_link_said() follows. */
static inline struct buf *relay_link_out(struct relay_link *l)
{
	return &l->out;
}
void relay_link_said(struct relay_link *l);
/* Octets that the broker has not taken, but for those of this turn. */
size_t relay_link_queued(const struct relay_link *l);
/* Nothing is read of it, until it is; its silence is ours then. At any time. */
void relay_link_pause(struct relay_link *l, bool pauses);
/* What the broker says is of no use: the connection ends as if it were lost; away() is not called. */
void relay_link_drop(struct relay_link *l, const char *why);

#endif
