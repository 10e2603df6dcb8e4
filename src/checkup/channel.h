/*
 * checkup/channel.h - a session by one transport, as a client has it: frames come, messages go.
 *
 * channel.c is what all have in common, channel_http.c receives by responses and sends by requests,
 * channel_ws.c is a WebSocket, bare or with SockJS. A channel notes in its way's facts what
 * concerns the wire; what the messages mean is its owner's affair.
 */
#ifndef CHECKUP_CHANNEL_H
#define CHECKUP_CHANNEL_H

#include "checkup/exchange.h"
#include "checkup/facts.h"
#include "checkup/frames.h"
#include "session/sockjs_payload.h"
#include "ws/ws_client.h"
#include "ws/ws_conn.h"

struct channel;

struct channel_events {
	void (*open)(struct channel *c);
	void (*message)(struct channel *c, struct bytes text);
	/* These three may be NULL: */
	void (*heard)(struct channel *c);     /* octets have come; they may be no frame yet */
	void (*confirmed)(struct channel *c); /* a request that sends was answered, well or not */
	void (*pong)(struct channel *c);
	/* Once, and nothing after it: c->facts->failure says why. */
	void (*ended)(struct channel *c);
};

struct channel_kind;

struct channel {
	const struct net *net;
	const struct channel_events *on;
	const struct channel_kind *kind;
	enum way way;
	struct way_facts *facts;
	uint64_t began;
	char path[64]; /* of its session: "/000/abcdefgh" */
	bool is_open, is_over;
	bool refuses_origin;        /* it was said */
	size_t octets;              /* that have come in bodies or frames */
	int heard_at, first_end_at; /* ms: the first of them, the end of the first response */
	struct sockjs_payload payload;
	/* channel_http.c */
	struct exchange *receiving, *sending;
	struct frames frames;
	struct buf queue; /* messages that wait for `sending`, as JSON, a comma behind each */
	/* channel_ws.c */
	struct line line;
	struct ws_client *handshake;
	struct ws_conn conn;
	struct ws_answer head;
	bool switched; /* 101 has come */
};

/* The path below the prefix is made up; nothing happens before the loop runs. */
void channel_start(struct channel *c, const struct net *net, enum way way, struct way_facts *facts,
    const struct channel_events *on);
/* One message, of UTF-8 without control characters; when it is gone is up to the channel. */
void channel_send(struct channel *c, struct bytes text);
/* False: this way has none. */
bool channel_ping(struct channel *c);
/* Leaves. Idempotent; harmless on one that is zeroed. */
void channel_stop(struct channel *c);
/* Stops it, and frees what it has; not from within a call of its own. The memory stays until the
 * end of this turn. */
void channel_fini(struct channel *c);

/* --- for the two files below --------------------------------------------------------------- */

struct channel_kind {
	void (*start)(struct channel *c);
	void (*send)(struct channel *c, struct bytes text);
	void (*stop)(struct channel *c);
};

extern const struct channel_kind channel_http, channel_ws;

void channel_opened(struct channel *c);
/* "o", "h", "a[...]", "c[...]"; the octets are changed. */
void channel_frame(struct channel *c, char *p, size_t n);
void channel_end(struct channel *c, enum fate fate, unsigned status, const char *why);
/* So many octets have come. */
void channel_heard(struct channel *c, size_t n);
/* Milliseconds since it began. */
int channel_ms(const struct channel *c);

#endif
