/*
 * tests/storm/link.h - one client of STOMP on any transport; see link.c.
 *
 * It says what it is told to, and reports frames and its end. It judges nothing but what is no
 * STOMP at all.
 */
#ifndef STORM_LINK_H
#define STORM_LINK_H

#include "soak/channel.h"

/* The transports of a storm. */
enum { LINK_WIRES = 6 };
extern const enum wire link_wires[LINK_WIRES];
const char *link_wire_name(enum wire wire);

/* A frame, as it lies in the buffer: valid during the call. */
struct stomp_text {
	const char *command; /* and the headers, each with its LF, behind it */
	size_t head;
	const char *body;
	size_t body_len;
};

bool stomp_text_is(const struct stomp_text *f, const char *command);
/* The value of the header, which has no escapes; its length is 0 if there is none. */
const char *stomp_text_header(const struct stomp_text *f, const char *name, size_t *len);

struct link;

/* A call may close the link; its memory stays until link_free(). */
struct link_events {
	void (*frame)(struct link *l, const struct stomp_text *f);
	/* The server has ended it, or the wire broke. The link is over. `code`: as the server
	 * closed it, 0: it did not say. */
	void (*ended)(struct link *l, unsigned code, const char *why);
	/* A connection has ended by which nothing was under way; may be NULL. */
	void (*lost)(struct link *l);
};

struct link {
	const struct link_events *on;
	void *owner;
	struct channel *channel;
	struct bytebuf in; /* of a frame that is not complete yet */
};

struct link *link_new(const struct channel_target *target, enum wire wire, unsigned from,
    const struct link_events *on, void *owner);
/* A frame with its NUL; it waits until the transport is open. */
void link_send(struct link *l, const char *frame, size_t n);
/* By FIN or by RST; harmless if it is over. */
void link_close(struct link *l, bool hard);
void link_free(struct link *l);

#endif
