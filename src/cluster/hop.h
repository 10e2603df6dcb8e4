/*
 * cluster/hop.h - a request that is passed on to another gateway, and its answer on the way back.
 *
 *	client --request--> this gateway --the same, and whose it is--> the gateway that has its session
 *	client <--answer--- this gateway <------------------------------
 *
 * The request is held until the answer begins; up to then it can still go elsewhere. Then its connection is taken
 * out, and octets pass as they come, as fast as the client takes them. If one of the two sides ends, so does the
 * other.
 */
#ifndef CLUSTER_HOP_H
#define CLUSTER_HOP_H

#include "cluster/hop_answer.h"
#include "cluster/hop_pool.h"
#include "cluster/hop_request.h"
#include "http/http_access.h"
#include "http/http_hold.h"

struct hop;

enum hop_failure {
	HOP_REFUSED,    /* nobody listens there: the gateway is gone */
	HOP_UNREACHABLE,
	HOP_NO_ANSWER,  /* the request may have been taken */
	HOP_CUT,        /* in the middle of the answer */
	HOP_FAILURES
};

struct hop_counters {
	uint64_t now, passed_on;
	uint64_t failed[HOP_FAILURES];
};

/* What hops of a thread share. */
struct hop_desk {
	struct loop *loop;
	struct http_server *http;
	struct list hops;
	struct hop_counters counters;
	unsigned timeout_ms;
	/* The gateway of this pool could not be reached, or has broken off; before the request goes on. */
	void (*failed)(struct hop_desk *desk, const struct hop_pool *pool, enum hop_failure why, const char *reason);
	/* It has begun to answer a request that was started with this name. */
	void (*answered)(struct hop_desk *desk, const struct hop_pool *pool, struct bytes name);
};

/* Holds the request, and passes it on. Without a `name` it brings messages: it must not come there twice. 0 or
 * -ENOMEM. */
int hop_start(struct hop_desk *desk, struct hop_pool *pool, struct http_request *r, const struct hop_client *client,
    struct bytes name);
/* Those to this gateway (NULL: to all) end, with their clients' connections, or are served again. */
void hop_end_all(struct hop_desk *desk, const struct hop_pool *pool);

#endif
