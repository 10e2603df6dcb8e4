/*
 * upstream/probe.h - asks one backend once how it does: by an HTTP request, by the opening
 * handshake of a WebSocket, or by a connection alone; over TLS if its URL says so.
 *
 *	resolve --> connect --> [TLS] --> ask --> head of the answer --> [leave] --> done
 *
 * Whatever comes is bounded: of an answer the head is read, up to WS_ANSWER_MAX octets, and all of
 * it has to be done in a time. All functions belong to the loop's own thread.
 */
#ifndef UPSTREAM_PROBE_H
#define UPSTREAM_PROBE_H

#include "net/dialer.h"
#include "net/resolver.h"
#include "server/options.h"
#include "net/addresses.h"
#include "upstream/target.h"
#include "ws/ws_answer.h"
#include "ws/ws_client.h"

enum probe_kind { PROBE_HTTP, PROBE_WEBSOCKET, PROBE_TCP };

/* Of all backends of an upstream; what it points at stays. */
struct probe_settings {
	enum probe_kind kind;
	const char *path;   /* NULL: that of the URL */
	const char *host;   /* NULL: the one of the URL */
	const char *origin; /* NULL: the one that agrees with the host */
	const struct string_list *subprotocols, *statuses;
	unsigned timeout_ms;
};

enum probe_verdict {
	PROBE_PASSED,
	PROBE_FAILED,
	PROBE_SAYS_NOTHING, /* descriptors, ports or memory are out here */
};

struct probe;
/* Exactly once, unless it is stopped; never from within probe_start(). It may be started again in a
 * later turn. `why` is for operators. */
typedef void (*probed_fn)(struct probe *p, enum probe_verdict verdict, const char *why);

/* Embedded in its owner, whose memory stays until the end of the turn in which it was stopped. */
struct probe {
	const struct probe_settings *settings;
	const struct target *target;
	struct loop *loop;
	struct resolver *resolver;
	probed_fn done;
	/* Its own */
	struct known_addresses known;
	size_t addresses; /* still to be tried */
	struct dial dial;
	struct resolution resolution;
	struct stream stream;
	struct timer timer;
	struct ws_client *handshake; /* what was asked, of a WebSocket */
	struct ws_answer answer;     /* of an HTTP request */
	unsigned interim; /* answers that were not the last one; readings while it leaves */
	uint64_t deadline;
	bool dialling, resolving;
	bool is_leaving; /* it has passed, and the backend is told so */
};

void probe_init(struct probe *p, const struct probe_settings *settings, const struct target *target,
    struct loop *loop, struct resolver *resolver, probed_fn done);
void probe_start(struct probe *p);
/* `done` is not called any more. Harmless if nothing is under way. */
void probe_stop(struct probe *p);

#endif
