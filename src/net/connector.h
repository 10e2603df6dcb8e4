/*
 * net/connector.h - an outgoing connection that is kept: to one of several servers, which are tried
 * in turn until one is connected, and again when that one is lost.
 *
 *	resolve --> connect --> [TLS] --> connected() --> connector_well() --> connector_lost()
 *	   ^            |          |           |                                     |
 *	   |            +----------+-----------+ the next address, the next server   |
 *	   +-- wait <--- all servers have failed                                     |
 *	         ^-------------------------------------------------------------------+
 *
 * What is said over the connection is its owner's affair, and so is the stream, once connected. The
 * owner says when the connection is well (its login was accepted), and when it is lost. A server
 * that lets us connect and then refuses us has failed like one that cannot be reached.
 *
 * When all servers have failed, or a connection was lost that was well, it waits: for half to all
 * of a time that begins with retry_ms and is doubled with each round, up to retry_max_ms. It never
 * gives up. Only connector_well() makes the time short again. A list that is replaced again and
 * again does not put off the wait for ever: after CONNECTOR_SERVERS_MAX attempts it comes in any
 * case.
 *
 * No call calls back; all callbacks come from the loop, and each may call anything here. All
 * functions belong to the loop's own thread.
 */
#ifndef NET_CONNECTOR_H
#define NET_CONNECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "net/dialer.h"
#include "net/resolver.h"
#include "net/stream.h"
#include "net/timer.h"

#define CONNECTOR_SERVERS_MAX 64

/* Either host and port, or path. */
struct connector_server {
	const char *host; /* a name, or an IPv4 or IPv6 address */
	uint16_t port;
	const char *path; /* of a unix socket */
	struct tls_context
	    *tls;             /* of a client; NULL: plain. Stays as long as the server is listed */
	const char *tls_host; /* whom its certificate must be for; NULL: `host` */
};

struct connector_settings {
	unsigned connect_timeout_ms; /* for one server: its name, all its addresses, and TLS */
	unsigned retry_ms, retry_max_ms;
	bool shuffle; /* servers are tried in an order of chance, so that many clients spread */
};

struct connector;

struct connector_events {
	/* Take it by stream_move() before returning, or the connection counts as lost. */
	void (*connected)(struct connector *c, struct stream *s);
	/* For a log: which server ("host:port", "unix:/path"), and a sentence. What comes next is
	 * under way: another address or server, or connector_retry_in() says when. */
	void (*failed)(struct connector *c, const char *server, const char *why);
};

struct connector_place;

enum connector_state {
	CONNECTOR_STOPPED,
	CONNECTOR_WAITING, /* until all servers are tried again */
	CONNECTOR_CONNECTING,
	CONNECTOR_CONNECTED, /* the stream is its owner's */
};

/* Embedded in its owner, whose memory stays until the end of the turn in which it was stopped. All
 * fields but `state` are its own. */
struct connector {
	enum connector_state state;
	struct loop *loop;
	struct resolver *resolver;
	const struct connector_settings *settings;
	const struct connector_events *on;
	struct list places;         /* in the order in which they are tried */
	struct connector_place *at; /* the one that is tried or connected, or was last */
	struct dial dial;
	struct resolution resolution;
	struct stream stream;    /* until the handshake of TLS is over */
	struct timer timer;      /* for an address while connecting; else until the next round */
	uint64_t deadline;       /* for the server; while waiting, when the next round begins */
	size_t addresses;        /* of the server, still to be tried */
	const struct addr *addr; /* the one that is tried; NULL: none, or a unix socket */
	uint64_t delay_ms;       /* the next wait, at most */
	unsigned attempts;       /* since the last wait */
	bool resolving, dialling;
	bool is_well; /* while connected */
};

/* Settings and events are borrowed, for as long as it lives. */
void connector_init(struct connector *c, struct loop *loop, struct resolver *resolver,
    const struct connector_settings *settings, const struct connector_events *on);
/* Stops, and frees what it holds. Harmless on one that is zeroed. */
void connector_fini(struct connector *c);

/* Replaces the list; at any time, also by an empty one. Strings are copied. A server that was in
 * the list before, with the same TLS, keeps what is known of it, and a connection, or one in the
 * making, goes on if its server is still there. An established one goes on in any case: losing it
 * is the owner's affair. A server that was not in the list does not wait for the next round. 0;
 * -ENOMEM or -EINVAL (there are too many, or one is neither or both of host and path, or has no
 * port, or TLS and nobody to expect): then the list is as it was. */
int connector_set_servers(struct connector *c, const struct connector_server *servers, size_t n);

/* Nothing if it is not stopped. */
void connector_start(struct connector *c);
/* Gives up what is under way; nothing is called any more. May be started again, in a later turn. */
void connector_stop(struct connector *c);

/* The connection does what it is for; if it is lost now, that was no failure. */
void connector_well(struct connector *c);
/* The connection is gone, or its owner will not have it: looks for another one, beginning behind
 * this server. If it was never well, then this server has failed. Nothing if not connected. */
void connector_lost(struct connector *c);
/* Ends the wait. */
void connector_try_now(struct connector *c);

/* The server that it is connected or connecting to; NULL: none. The list's own copy, until this
 * connector is called again. */
const struct connector_server *connector_server(const struct connector *c);
/* Its name ("host:port", "unix:/path"); "" if there is none. */
const char *connector_name(const struct connector *c);
/* Whether the list has a server other than the one that it is connected or connecting to. */
bool connector_has_other(const struct connector *c);
/* While it waits: milliseconds until it tries again; else, and while the list is empty, 0. */
uint64_t connector_retry_in(const struct connector *c);

#endif
