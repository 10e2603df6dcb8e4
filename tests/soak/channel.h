/*
 * tests/soak/channel.h - one client on any transport, of SockJS, of bare WebSockets or of bare TCP;
 * see channel.c.
 *
 * It says what it is told to, and reports messages and its end. It judges nothing but what no
 * server may say.
 */
#ifndef SOAK_CHANNEL_H
#define SOAK_CHANNEL_H

#include "soak/peer.h"

/* Where to connect to. */
struct channel_target {
	struct sockaddr_in http, tcp;
	const char *prefix;      /* of the endpoint */
	const char *subprotocol; /* of a bare WebSocket; NULL: none */
};

struct channel;

/* A call may close the channel; its memory stays until channel_free(). */
struct channel_events {
	void (*opened)(struct channel *c); /* may be NULL */
	/* As it lies in the buffer: valid during the call. By TCP: whatever has come. */
	void (*message)(struct channel *c, const char *text, size_t n);
	/* The server has ended it, or the wire broke. The channel is over. `code`: as the server
	 * closed it, 0: it did not say. */
	void (*ended)(struct channel *c, unsigned code, const char *why);
	/* A connection has ended by which nothing was under way; may be NULL. */
	void (*lost)(struct channel *c);
};

struct channel {
	const struct channel_events *on;
	void *owner;
	const struct channel_target *target;
	enum wire wire;
	unsigned from;
	char base[48];
	struct peer *receiver, *sender;
	struct bytebuf wait; /* to be sent: messages with their lengths in front */
	unsigned connects;   /* how often it has connected */
	unsigned cut; /* what it writes next is held up behind so many 256ths of it; 0: nothing is */
	bool is_cut;  /* something is held up */
	bool is_open, is_sending, is_leaving, is_over, is_deaf;
	unsigned code;
};

/* `from`: of which address it is, see peer_new(). */
struct channel *channel_new(const struct channel_target *target, enum wire wire, unsigned from,
    const struct channel_events *on, void *owner);
/* A message, of up to CHANNEL_MESSAGE octets; it waits until the transport is open. */
enum { CHANNEL_MESSAGE = 60000 };
void channel_send(struct channel *c, const char *text, size_t n);
/* What is held up goes out. */
void channel_release(struct channel *c);
/* Nothing waits to be sent or to be answered. */
bool channel_is_quiet(const struct channel *c);
/* Reads no more, or again. */
void channel_set_deaf(struct channel *c, bool deaf);
/* It has nothing more to say for a while: a connection for that alone is closed. */
void channel_rest(struct channel *c);
/* In due form, where the transport has one; then `ended` comes, with 1000. */
void channel_leave(struct channel *c);
/* By FIN or by RST; harmless if it is over. */
void channel_close(struct channel *c, bool hard);
void channel_free(struct channel *c);

#endif
