/*
 * checkup/line.h - one connection to the endpoint: dialled, led through the forward proxy if there
 * is one, TLS if that is spoken there; then octets.
 *
 * A line has no deadline of its own once it is open: that is its owner's. All functions belong to
 * the loop's thread. Lines never call back from within a call of theirs.
 */
#ifndef CHECKUP_LINE_H
#define CHECKUP_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checkup/facts.h"
#include "checkup/place.h"
#include "net/addr.h"
#include "net/dialer.h"
#include "net/loop.h"
#include "net/stream.h"
#include "ws/ws_answer.h"

/* What all lines of a check-up share. */
struct net {
	struct loop *loop;
	const struct place *place;
	const struct place *proxy; /* NULL: none */
	struct addr addr;          /* of whichever of these is dialled */
	struct tls_context *tls;   /* NULL: plain */
	unsigned timeout_ms;       /* for each step that the network takes */
};

struct line;

struct line_events {
	void (*open)(struct line *l);
	/* The octets may be changed in place. */
	void (*data)(struct line *l, char *p, size_t n);
	/* Once, and nothing after it; the owner closes. */
	void (*ended)(struct line *l, enum fate fate, unsigned status, const char *why);
};

struct line {
	const struct net *net;
	const struct line_events *on;
	struct dial dial;
	struct stream stream;
	struct timer timer;
	struct ws_answer proxied; /* what the proxy says to CONNECT */
	uint64_t began;           /* ms */
	int connect_ms, ready_ms; /* since then; FACT_UNKNOWN */
	bool is_dialling, is_open, is_over, tunnels;
};

/* `tunnels`: through a proxy by CONNECT, as browsers do for WebSockets; for TLS there is no other
 * way. */
void line_start(struct line *l, const struct net *net, const struct line_events *on, bool tunnels);
/* 0 or -errno; an end follows then. */
int line_write(struct line *l, const void *p, size_t n);
/* Idempotent, and harmless on one that is zeroed. The memory stays until the end of this turn. */
void line_close(struct line *l);

#endif
