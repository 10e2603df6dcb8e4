/*
 * cluster/hop_pool.h - connections from one thread to another gateway: one for each request that is under way there,
 * and those that wait for the next one.
 */
#ifndef CLUSTER_HOP_POOL_H
#define CLUSTER_HOP_POOL_H

#include "base/list.h"
#include "cluster/gateways.h"
#include "net/dialer.h"
#include "net/stream.h"

struct hop_conn;

/* Of the connection that somebody uses. `arg` is his. */
struct hop_conn_events {
	void (*ready)(struct hop_conn *c); /* it is there; not called if it is_ready when it is taken */
	void (*readable)(struct hop_conn *c);
	void (*writable)(struct hop_conn *c);
	/* It could not be made, or is broken; why, for a log. It ends by itself. */
	void (*broken)(struct hop_conn *c, const char *why);
};

struct hop_pool {
	struct list node;
	struct loop *loop;
	struct list idle; /* the one used last is the first */
	struct timer timer;
	struct gateway gateway; /* as it was when this was made */
	struct tls_context *tls; /* NULL: plain */
	const char *tls_host;    /* NULL: its address */
	unsigned timeout_ms;     /* for a new one */
};

struct hop_conn {
	struct list node;
	struct hop_pool *pool;
	struct stream stream;
	struct dial dial;
	struct deferred gone;
	const struct hop_conn_events *on;
	void *arg;
	uint64_t idle_since;
	int error; /* why it could not be made, or broke: -errno */
	bool is_used_again; /* it has served before */
	bool is_ready;
};

void hop_pool_init(struct hop_pool *p, struct loop *loop, const struct gateway *gateway);
/* Ends those that wait; nobody may use one any more. */
void hop_pool_fini(struct hop_pool *p);
/* NULL: memory is out. With `fresh` it is a new one. */
struct hop_conn *hop_pool_take(struct hop_pool *p, bool fresh, const struct hop_conn_events *on, void *arg);
/* Its answer was whole, and there may be another one. */
void hop_conn_keep(struct hop_conn *c);
/* No event follows. */
void hop_conn_end(struct hop_conn *c);

#endif
