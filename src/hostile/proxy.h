/*
 * hostile/proxy.h - the proxy: where it listens, its rules, its connections, what it counts.
 */
#ifndef HOSTILE_PROXY_H
#define HOSTILE_PROXY_H

#include "base/list.h"
#include "hostile/deeds.h"
#include "hostile/rules.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/resolver.h"

struct proxy_settings {
	char target_host[256];
	uint16_t target_port;
	bool anywhere; /* a request may name another host, and goes there */
	uint64_t seed;
	unsigned connections; /* at a time */
};

struct proxy_stats {
	uint64_t connections, requests, refused, failed;
	uint64_t bytes[2], frames[2]; /* by enum way */
	uint64_t lost_bytes[2], lost_frames[2];
	uint64_t cuts, copies, rules; /* how often rules have acted */
};

struct proxy {
	struct loop *loop;
	struct resolver *resolver;
	struct proxy_settings settings;
	struct rules rules;
	struct deeds deeds;
	struct listen_socket socket;
	struct listener *listener;
	bool is_listening;  /* not while a rule says that nothing is accepted, or it is full */
	struct timer timer; /* for rules of the address */
	struct list conns;
	size_t conn_count;
	uint64_t last_number;
	struct list copies;
	size_t copy_count;
	struct proxy_stats stats;
};

/* Listens. On error -errno and a sentence in `why`. The rules may be read before. */
int proxy_open(struct proxy *p, const struct listen_addr *address, char *why, size_t why_size);
/* Ends all connections. */
void proxy_close(struct proxy *p);

/* The rules are others than before: every connection looks at them. */
void proxy_rules_changed(struct proxy *p);
/* Cuts one connection, or all if `number` is 0: how many. */
unsigned proxy_cut(struct proxy *p, uint64_t number, enum cut_how how);

/* --- for connections ------------------------------------------------------------------ */

struct conn;
void proxy_conn_began(struct proxy *p, struct conn *c);
void proxy_conn_ended(struct proxy *p, struct conn *c);

#define proxy_say(p, message, ...) deeds_say(&(p)->deeds, loop_now((p)->loop), message, __VA_ARGS__)

#endif
