/*
 * ws/ws_conn.h - one WebSocket connection after its opening handshake: frames
 * to messages, control frames, closing handshake (RFC 6455 sections 5 to 8),
 * compressed messages (RFC 7692).
 *
 * Bytes in, bytes out, no I/O: the owner feeds what it read and gets messages,
 * and frames to write, through the ops. Both roles. An idle connection costs this
 * struct and nothing else: memory is taken only while a message is incomplete,
 * and never from an announced length.
 */
#ifndef WS_CONN_H
#define WS_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/budget.h"
#include "base/pace.h"
#include "base/utf8.h"
#include "ws/ws_deflate.h"
#include "ws/ws_frame.h"
#include "ws/ws_negotiation.h"

enum ws_role { WS_SERVER, WS_CLIENT };

/* Status codes of a Close that the codec itself uses (RFC 6455 section 7.4.1). */
enum {
	WS_CLOSE_NORMAL = 1000,
	WS_CLOSE_GOING_AWAY = 1001,
	WS_CLOSE_PROTOCOL_ERROR = 1002,
	WS_CLOSE_UNSUPPORTED = 1003,
	WS_CLOSE_NO_STATUS = 1005, /* reported, never sent */
	WS_CLOSE_INVALID_DATA = 1007,
	WS_CLOSE_TOO_BIG = 1009,
	WS_CLOSE_INTERNAL_ERROR = 1011,
};

#define WS_REASON_MAX 123

struct snapshot;
struct ws_conn;

struct ws_conn_ops {
	/* A whole text (valid UTF-8) or binary message. `data` is the caller's until it returns,
	 * and may be changed in place. */
	void (*message)(struct ws_conn *c, enum ws_opcode type, char *data, size_t n);
	/* Frame bytes to write now: a pong, a Close. */
	void (*write)(struct ws_conn *c, const void *frame, size_t n);
	/* A pong arrived. May be NULL. */
	void (*pong)(struct ws_conn *c, const char *data, size_t n);
	/* The end of messages, once: the peer's Close came (our answer is already written, unless
	 * we had begun), or the connection failed (our Close is written; `failed`). The owner shuts
	 * down writing, drains, and closes: the server first. code is WS_CLOSE_NO_STATUS for an
	 * empty Close; reason is not NUL-terminated. */
	void (*close)(struct ws_conn *c, unsigned code, const char *reason, size_t n, bool failed);
	/* What inflates and deflates for this connection: what all of this thread share or, if
	 * `own`, what is for this one alone; both stay until after ws_conn_fini(). NULL when memory
	 * is out. Needed after ws_conn_use_deflate(). */
	struct ws_deflate *(*deflate)(struct ws_conn *c, bool own);
};

struct ws_conn_limits {
	size_t max_message_bytes; /* 0: no limit */
	unsigned max_fragments;   /* frames of one message; 0: no limit. 1009 if exceeded, both */
	/* A compressed message may be so many times as long as what came of it, if it is longer
	 * than WS_INFLATES_FREELY; 0: no limit. 1009, too */
	unsigned max_inflation;
};

/* Up to here nobody asks how much a message was compressed. */
#define WS_INFLATES_FREELY 65536

struct ws_conn {
	const struct ws_conn_ops *ops;
	const struct ws_conn_limits *limits;
	struct ws_partial *partial; /* an incomplete header, frame or message; else NULL */
	uint8_t role;
	bool paused;
	bool close_sent;
	bool close_received; /* or failed: no more input is looked at */
	uint8_t deflate;     /* what was agreed on; ws_conn.c */
	uint8_t window_bits; /* for what we compress */
	struct ws_deflate_luck luck;
};

void ws_conn_init(struct ws_conn *c, enum ws_role role, const struct ws_conn_ops *ops,
    const struct ws_conn_limits *limits);
void ws_conn_fini(struct ws_conn *c);

/* The opening handshake has agreed on permessage-deflate (params->agreed), before any byte. */
void ws_conn_use_deflate(struct ws_conn *c, const struct ws_deflate_params *params);

/* Writes the connection down, or goes on with what was: `c` is new then, of the same role, and nothing of it is called.
 * Before the codec that is for it alone (ws_deflate_snapshot()), since a message that such a one is in the midst of is
 * inflated to its end for that; what fails by this fails when the connection is fed next. What we compress refers to
 * nothing that was said before. */
void ws_conn_snapshot(struct ws_conn *c, struct snapshot *s);

/* Takes bytes as they came from the wire; they are unmasked in place. Returns how many were
 * consumed: all of them, or fewer if the connection is paused, or an op pauses it, or the budget is
 * spent; the owner keeps the rest, which is untouched, and feeds it after ws_conn_resume(), or when
 * there is time again. After the close op everything is swallowed. -ENOMEM fails the connection
 * with 1011 first. Ops may call ws_conn_close(), _ping(), _pause() and _resume(), and must not call
 * ws_conn_feed() or _fini().
 *
 * What it costs is taken from the budget (NULL: there is no end to it), and so should the ops do; a
 * step is done even if nothing is left of it. Of more than WS_PINGS_ANSWERED pings in one call only
 * the last is answered besides (RFC 6455 section 5.5.3). */
ssize_t ws_conn_feed(struct ws_conn *c, char *p, size_t n, struct budget *budget);

#define WS_PINGS_ANSWERED 32

/* Whether it has work to do although all bytes were taken: a message that is here, and not yet
 * inflated or delivered. Feed it again, with no bytes if there are none. */
bool ws_conn_is_behind(const struct ws_conn *c);
/* A message that is under way: how many octets of it are here, and what its owner notes of its
 * pace, as long as it lasts; anew after ws_conn_resume(), for a pause is not the peer's time. NULL:
 * none is. */
struct pace_watch *ws_conn_unfinished(struct ws_conn *c, uint64_t *octets);
/* Octets of memory that it holds for a message under way. */
size_t ws_conn_held(const struct ws_conn *c);

void ws_conn_pause(struct ws_conn *c);
void ws_conn_resume(struct ws_conn *c);

/* Starts the closing handshake: writes a Close frame, once. A code that may not be on the wire
 * (1005, 1006, 1015, out of range) becomes 1000, or an empty Close for 1005. A reason is cut at a
 * code point, before 124 octets and before anything that is not UTF-8. Until the peer's Close input
 * goes on: messages are still delivered, pings still answered. */
void ws_conn_close(struct ws_conn *c, unsigned code, const char *reason, size_t n);
/* n <= 125. Does nothing once a Close was sent. */
void ws_conn_ping(struct ws_conn *c, const void *data, size_t n);

/* Whether a code may stand in a Close frame (RFC 6455 section 7.4). */
bool ws_close_code_is_valid(unsigned code);

/* How to compress the next messages: with ws_deflate(), and WS_RSV1 on the frame of what it has
 * made smaller. `for_many`: what comes out goes to others too, so that it stands for itself. False:
 * not at all, since it was not agreed on or memory is out. */
bool ws_conn_deflates(struct ws_conn *c, const struct ws_deflate_config *config, bool for_many,
    struct ws_deflate_how *how);
/* A message that was compressed for many was sent: what follows refers to nothing before it. */
void ws_conn_sent_for_many(struct ws_conn *c);

/* For the client role: masks `data` in place with a fresh key and writes the header; as
 * ws_frame_header() otherwise. Returns the header's length. */
size_t ws_conn_data_header(struct ws_conn *c, char out[WS_HEADER_MAX], uint8_t rsv,
    enum ws_opcode opcode, char *data, size_t n);

#endif
