/*
 * session/receiver.h - what a wire must be able to do: the SockJS frames as verbs.
 *
 * A receiver is the one attached response or socket through which a session
 * speaks. Transports implement it; raw WebSocket is one more receiver, not an
 * `if` in the session. The session calls these from its own loop only.
 */
#ifndef SESSION_RECEIVER_H
#define SESSION_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/message.h"

struct receiver;
struct session;
struct stream_reach;

enum recv_status {
	RECV_MORE, /* said; keep me (also if that was all, but the wire has not taken it yet: then
	            * session_receiver_done() follows) */
	RECV_DONE, /* said, and that was all I can say: I am detached, forget me */
	RECV_ARRIVING, /* likewise, but the client has a lot to take yet: until I say that all has
	                * arrived, ask for my progress before you think that it does not come back
	                */
	RECV_GONE,     /* the wire broke: I am detached, what was said is lost */
};

/* By what a request is known from another; 0: by nothing. */
struct request_mark {
	uint32_t query, connection;
};

struct receiver_ops {
	enum recv_status (*open)(struct receiver *r);
	/* As one frame if the wire has frames for many. The messages are the session's. */
	enum recv_status (*messages)(
	    struct receiver *r, struct message *const *messages, size_t count);
	enum recv_status (*heartbeat)(struct receiver *r);
	/* Asks a client that has never been heard for a sign that it hears us: one that cannot
	 * answer otherwise has to come back. NULL: it does so anyway. */
	enum recv_status (*ask)(struct receiver *r);
	/* Instead of open, which follows: the client is to give a sign before that
	 * (session_heard()). NULL: it does so anyway. */
	enum recv_status (*prove)(struct receiver *r);
	/* The last thing said: afterwards the receiver is on its own, whatever it takes to end the
	 * wire well. */
	void (*close)(struct receiver *r, unsigned code, const char *reason);
	/* The last thing said instead of open, by a bare WebSocket: an HTTP status, and how
	 * many seconds it is to wait (0: as usual); for others NULL, and they are closed. `of` is
	 * the session, which has let go of the receiver already. */
	void (*refuse)(struct receiver *r, const struct session *of, unsigned status,
	    unsigned retry_after, const char *reason);
	/* The session gives the wire up: drop it, say nothing. */
	void (*abort)(struct receiver *r);
	/* Octets said that the kernel has not taken yet. When they become 0 again the receiver
	 * calls session_writable(). */
	size_t (*buffered)(const struct receiver *r);
	/* Octets of memory it holds for what the client has not sent whole, or has sent and nobody
	 * has taken yet; NULL if the wire brings no messages. */
	size_t (*unfinished)(const struct receiver *r);
	/* Rises as the client takes what was said (stream_progress()): one that is slow still does,
	 * one that is gone does not. Asked when the wire becomes full, and at its deadline. */
	uint64_t (*progress)(const struct receiver *r);
	/* Octets said that its client has not acknowledged, whoever has them. */
	size_t (*unacked)(const struct receiver *r);
	/* Where it stands in the octets of its wire: stream_written(). */
	uint32_t (*written)(const struct receiver *r);
	/* How far these have come: stream_measure(). */
	void (*measure)(struct receiver *r, struct stream_reach *reach);
	/* Whether its request shows that the client has read the whole response before: a browser repeats
	 * one by itself if its connection breaks. `last` are the marks of that, and become its own.
	 * NULL: it does. */
	bool (*proves)(const struct receiver *r, struct request_mark *last);
	/* The transport that it is of, as its URL says; NULL: of one that does not change. */
	const char *(*transport)(const struct receiver *r);
	/* Stop or go on reading the client; NULL if the wire brings no messages. */
	void (*pause)(struct receiver *r, bool paused);
};

struct receiver {
	const struct receiver_ops *ops;
	struct session *session; /* NULL when not attached */
	struct list node;        /* of all that have a wire in this reactor; the transport's */
};

#endif
