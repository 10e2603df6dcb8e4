/*
 * tests/wire/stomp_link.h - a STOMP client's way to its server, whatever carries it; see
 * stomp_link.c.
 */
#ifndef WIRE_STOMP_LINK_H
#define WIRE_STOMP_LINK_H

#include "wire/conn.h"
#include "wire/text.h"

struct client;

enum stomp_carrier {
	STOMP_BY_NOTHING,
	STOMP_BY_TCP,
	STOMP_BY_WEBSOCKET,
	STOMP_BY_SOCKJS,
	STOMP_BY_STREAM
};

struct stomp_link {
	enum stomp_carrier carrier;
	struct text path;     /* of its HTTP session, without the last segment; malloc'd */
	struct text messages; /* of a SockJS frame: what is not read yet begins at `at`; malloc'd */
	size_t at;
	struct conn sender; /* of xhr_send */
	struct text frame;  /* the last one; malloc'd */
	bool is_binary;     /* it came as a binary message */
};

/* What came next. */
enum stomp_arrival { STOMP_FRAME, STOMP_BEAT, STOMP_END, STOMP_SILENCE };

/* Begins to connect: '>' lines may add headers, where there is HTTP. */
void stomp_link_open(struct client *c, const char *carrier, const char *path);
/* Sends octets in one message. */
void stomp_link_send(struct client *c, struct text octets);
/* The next frame goes to link->frame. At an end *code is that of the close; 0: it has none. Fails
 * if a message is neither one whole frame nor a heart-beat. */
enum stomp_arrival stomp_link_read(struct client *c, int *code, int64_t deadline);

#endif
