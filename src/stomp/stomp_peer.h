/*
 * stomp/stomp_peer.h - a STOMP client of ours: the other side of stomp_conn.h, for links to brokers (STOMP
 * 1.0, 1.1, 1.2).
 *
 * Octets in, octets out, no I/O: the owner feeds what it read and writes what it is given. CONNECT, the
 * agreement on version and heart-beats, and heart-beats are done here; all other frames are the
 * owner's, who writes them with stomp_write_*() for p->version.
 */
#ifndef STOMP_STOMP_PEER_H
#define STOMP_STOMP_PEER_H

#include "stomp/stomp_frame.h"

struct stomp_peer;

struct stomp_peer_ops {
	/* One whole frame, or a line end, to be written now. */
	void (*write)(struct stomp_peer *p, const char *octets, size_t n);
	/* CONNECTED came: frames may be sent. */
	void (*connected)(struct stomp_peer *p, const struct stomp_frame *f);
	/* MESSAGE, RECEIPT or ERROR; an ERROR need not be the end. */
	void (*frame)(struct stomp_peer *p, const struct stomp_frame *f);
	/* The end, once: ERROR in place of CONNECTED, octets that are no STOMP, or no heart-beat; a
	 * sentence that says which. Nothing is looked at any more. */
	void (*failed)(struct stomp_peer *p, const char *why);
	/* Whether it is others' turn: what is left is not looked at now. May be NULL. */
	bool (*is_late)(struct stomp_peer *p);
};

/* What CONNECT says. What is NULL is left out. */
struct stomp_login {
	const char *host; /* a virtual host */
	const char *login, *passcode;
	const char *client_id;
	enum stomp_version version; /* no other is offered; STOMP_UNDECIDED: all are */
	uint32_t send_heart_beat_ms; /* we can send one so often; 0: none */
	uint32_t receive_heart_beat_ms;
	/* This server unescapes the headers of CONNECT, which no version of STOMP asks for. */
	bool is_unescaped;
};

enum stomp_peer_state { STOMP_PEER_NEW, STOMP_PEER_CONNECTING, STOMP_PEER_OPEN, STOMP_PEER_ENDED };

struct stomp_peer {
	const struct stomp_peer_ops *ops;
	struct stomp_parser parser;
	uint32_t send_every_ms, receive_every_ms; /* as agreed on; before that, as offered */
	uint8_t state;                            /* enum stomp_peer_state */
	uint8_t version;                          /* enum stomp_version */
};

/* The limits stay; they are for what the server sends. */
void stomp_peer_init(
    struct stomp_peer *p, const struct stomp_peer_ops *ops, const struct stomp_limits *limits);
void stomp_peer_fini(struct stomp_peer *p);

/* CONNECT goes out; nothing of `login` is kept. 0 or -ENOMEM. */
int stomp_peer_connect(struct stomp_peer *p, const struct stomp_login *login);
/* Takes octets as they came; returns how many: all, but if it is others' turn. The owner keeps the rest. `f` is
 * scratch space, one for each thread. */
size_t stomp_peer_feed(struct stomp_peer *p, const char *octets, size_t n, struct stomp_frame *f);
/* As stomp_conn_beat(). Brokers have no pages in the background: one is dead after two intervals of
 * silence. */
uint32_t stomp_peer_beat(struct stomp_peer *p, uint64_t heard_ago, uint64_t said_ago);
#define STOMP_PEER_TOLERANCE 2
/* The owner has closed it: nothing is told any more. */
void stomp_peer_end(struct stomp_peer *p);

#endif
