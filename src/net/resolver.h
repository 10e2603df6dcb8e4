/*
 * net/resolver.h - names to addresses without blocking; one per loop.
 *
 * c-ares asks; its sockets are watches of our loop and its time-outs one timer.
 * What it asks and where is the system's affair: /etc/hosts, nsswitch.conf and
 * resolv.conf count as they do for everybody else, and the addresses come in
 * the order of RFC 6724. A resolv.conf that changes is read again.
 *
 * Several who ask for one name at the same time are one question. Nothing is
 * cached: the answer says how long it holds, and its owner asks again.
 *
 * All functions belong to the loop's own thread.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "net/addr.h"
#include "net/loop.h"

struct resolver;
struct resolver_query;
struct resolution;

/* The most addresses one answer gives; what a server sends beyond is dropped. */
#define RESOLVER_ADDRS_MAX 16

/* All fields may be 0. */
struct resolver_options {
	const char *servers; /* "192.0.2.1,[2001:db8::1]:5353"; NULL: what resolv.conf names */
	unsigned timeout_ms; /* for the first attempt, doubled for each round; 0: 2000 */
	unsigned tries;      /* rounds through all servers; 0: 3 */
	const char *conf;    /* in place of /etc/resolv.conf; for tests */
};

/* `options` may be NULL. 0, -ENOMEM, or another -errno when c-ares cannot read its configuration.
 */
int resolver_new(struct resolver **out, struct loop *loop, const struct resolver_options *options);
/* Cancels what is under way: no `done` is called any more. May be called from within `done`. NULL
 * is fine. */
void resolver_free(struct resolver *resolver);

/* Success: err 0 and n > 0 addresses with the port that was asked for, borrowed for the call; they
 * hold for ttl_seconds (0 for literals and the hosts file: as long as the caller likes, and for an
 * answer that says so itself). Failure: n is 0, and
 *	-ENOENT       there is no such name, or it has no address
 *	-EINVAL       this can be no name
 *	-ETIMEDOUT    no server answered
 *	-ECONNREFUSED no server is there, or none that does its work
 *	-EREMOTEIO    the server says it failed, or will not answer
 *	-EBADMSG      the answer makes no sense
 *	-ENOMEM or another -errno of ours
 * resolution_why() has it as a sentence. The resolution may be started again or its memory freed.
 */
typedef void (*resolved_fn)(
    struct resolution *r, int err, const struct addr *addrs, size_t n, unsigned ttl_seconds);

/* A question that somebody waits for: embed it in the owner. All fields are the resolver's; to be
 * zeroed before the first use. */
struct resolution {
	struct list node;             /* among those that wait for the query, or that are ready */
	struct resolver_query *query; /* NULL: a literal, or it failed before there was one */
	struct addr literal;
	int err;
	uint16_t port;
	const char *why;
	resolved_fn done;
};

/* Asks for the addresses of `host`: a name, or an IPv4 or IPv6 address (in brackets or not), which
 * needs no server. `done` is called exactly once unless it is cancelled, from the loop, never from
 * within this call. Gives up after all tries with all servers, which may be long: who has less
 * patience cancels. */
void resolver_start(struct resolver *resolver, struct resolution *r, const char *host,
    uint16_t port, resolved_fn done);
/* `done` is not called any more. Harmless on one that is zeroed, done or cancelled. */
void resolution_cancel(struct resolution *r);
/* Within `done`: what went wrong, for a log ("domain name not found"); "" if nothing did. */
const char *resolution_why(const struct resolution *r);

#endif
