/*
 * networks/networks.h - what is known of the networks that the clients of an endpoint come from:
 * evidence goes in, as sessions open, are heard, and end; a policy comes out when one opens. One
 * table for all threads.
 *
 * A network is a block of addresses, 256 of IPv4 or a /48 of IPv6. Of a client there is a row
 * besides once a WebSocket of his has failed, or was refused; he is told by his address and his
 * program (User-Agent). Rows of both are bounded in number: what was used least of late is
 * forgotten. An unknown address, and that of a unix socket, is of no network: nothing is learned,
 * and nothing changes.
 */
#ifndef NETWORKS_NETWORKS_H
#define NETWORKS_NETWORKS_H

#include <stddef.h>

#include "networks/network.h"
#include "networks/network_attempts.h"
#include "networks/network_client.h"
#include "networks/network_tally.h"

struct networks;

/* NULL when memory is out. */
struct networks *networks_new(void);
void networks_free(struct networks *all); /* NULL is fine */

/* One that opens a session. */
struct network_visit {
	const struct network_client *client;
	enum network_way way;
	struct bytes session; /* its id; empty: of a bare WebSocket */
	uint64_t now_ms;
};

enum network_answer {
	NETWORK_WELCOME,
	NETWORK_GAVE_UP, /* likewise; `before` is what he has given up for it */
	NETWORK_REFUSED, /* by this way he would not be served well */
};

enum network_answer networks_open(struct networks *all, const struct network_settings *settings,
    const struct network_visit *visit, struct network_policy *policy,
    struct network_attempt *before);

/* It is not of silences. Any thread; so with all that follow. */
void networks_learn(struct networks *all, const struct network_settings *settings,
    const struct network_client *client, enum network_evidence what, uint64_t now_ms);
/* Somebody's handshake of a WebSocket has come without what makes it one. */
void networks_stripped(struct networks *all, const struct network_settings *settings,
    const struct network_client *client, uint64_t now_ms);
/* His session has opened, or he was asked for a sign: before that there was nothing to be heard. */
void networks_said(struct networks *all, const struct network_client *client, uint64_t now_ms);
/* The client has given a sign of life, the first of this session. How many milliseconds after his
 * first attempt this one had begun; -1: that is not known. */
int64_t networks_heard(struct networks *all, const struct network_client *client);
/* And it is counted, by the place of its transport; `delay_ms`: as above. */
void networks_reached(struct networks *all, const struct network_settings *settings,
    const struct network_client *client, unsigned transport, int64_t delay_ms, uint64_t now_ms);
/* As network_silence(). */
void networks_silence(struct networks *all, const struct network_settings *settings,
    const struct network_client *client, enum network_silence_end end,
    struct network_policy *policy, uint64_t now_ms);

/* --- for people ----------------------------------------------------------------------------- */

struct network_view {
	struct bytes key;             /* visitor_print() */
	const struct network *scores; /* of now */
	const struct network_stories *stories;
};
/* Calls `fn` for the networks (not the clients) of one of NETWORKS_SHARDS shares, in no order,
 * until it returns false; under the lock of that share. */
#define NETWORKS_SHARDS 16
void networks_each_of(struct networks *all, const struct network_settings *settings, unsigned share,
    uint64_t now_ms, bool (*fn)(const struct network_view *view, void *arg), void *arg);
/* Forgets those of a share that are meant, and clients whose networks are: these are in any share.
 * How many networks. */
size_t networks_forget_of(
    struct networks *all, unsigned share, bool (*is_meant)(struct bytes key, void *arg), void *arg);
/* What was ever learned of all, by kind. */
uint64_t networks_learned(const struct networks *all, enum network_evidence what);
/* The same by browser, and what else is counted of all together. */
const struct network_tally *networks_tally(const struct networks *all);

#endif
