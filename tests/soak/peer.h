/*
 * tests/soak/peer.h - one connection of the soak client, driven by epoll; see
 * peer.c.
 *
 * A peer says what it is told to and reports whole SockJS frames (of a raw
 * WebSocket: messages), ends of responses, and its own end. It judges nothing.
 */
#ifndef SOAK_PEER_H
#define SOAK_PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What frames look like in what comes back. */
enum wire {
	WIRE_WEBSOCKET,
	WIRE_WEBSOCKET_RAW,
	WIRE_XHR_STREAMING,
	WIRE_EVENTSOURCE,
	WIRE_HTMLFILE,
	WIRE_XHR,
	WIRE_JSONP,
	WIRES,
	WIRE_NONE = WIRES, /* responses to sends */
	WIRE_TCP,          /* octets as they come */
};

extern const char *const wire_names[WIRES];

static inline bool wire_is_websocket(enum wire w)
{
	return w <= WIRE_WEBSOCKET_RAW;
}

static inline bool wire_is_polling(enum wire w)
{
	return w == WIRE_XHR || w == WIRE_JSONP;
}

struct bytebuf {
	char *p;
	size_t at, n, cap; /* the bytes are p[at .. n) */
};

struct peer;

/* A call may end the peer; its memory stays until peers_sweep(). */
struct peer_events {
	void (*frame)(struct peer *p, const char *text, size_t n);
	/* A response has ended. An accepted upgrade counts as one, with status 101. */
	void (*response)(struct peer *p, unsigned status, bool keeps_alive);
	/* A Close frame; 1005 if it has no code. */
	void (*ws_close)(struct peer *p, unsigned code);
	/* The other side has ended: 0, or -errno. The peer is over. */
	void (*ended)(struct peer *p, int err);
};

struct peer {
	int fd; /* -1: over */
	enum wire wire;
	const struct peer_events *on;
	void *owner;
	struct bytebuf out, in, body;
	uint32_t watched;
	bool deaf; /* does not read */
	bool shut; /* has said its last */
	bool is_held;   /* no more than `allowed` octets leave */
	size_t allowed;
	uint8_t phase;
	bool chunked, keeps_alive, upgraded, prelude_seen;
	unsigned status;
	size_t left; /* of the body or chunk */
	struct peer *next_dead;
};

/* Connections made while this is set have a small window and small segments, so that little of
 * what they do not read fits into the kernel. */
extern bool peers_are_narrow;

int peers_init(void);
void peers_fini(void);
/* Waits for events, at most `ms`, and frees what has ended. */
void peers_turn(int ms);

/* Connects from 127.0.FROM to `to`; NULL if the machine will not. */
struct peer *peer_new(const struct sockaddr_in *to, unsigned from, enum wire wire,
    const struct peer_events *on, void *owner);
void peer_write(struct peer *p, const void *bytes, size_t n);
/* The last `kept` octets that are written, and all that follows, wait until they are released. */
void peer_hold(struct peer *p, size_t kept);
void peer_release(struct peer *p);
/* Everything written has left. */
bool peer_is_idle(const struct peer *p);
void peer_set_deaf(struct peer *p, bool deaf);
void peer_half_close(struct peer *p);
/* Over, by FIN or by RST. Harmless when it is already. */
void peer_close(struct peer *p);
void peer_reset(struct peer *p);

/* The open frame of a WebSocket's message, masked. */
enum { WS_CONTINUATION = 0, WS_TEXT = 1, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };
void peer_write_ws(struct peer *p, unsigned opcode, const void *bytes, size_t n);

void *must_have(void *memory); /* or the end */

#endif
