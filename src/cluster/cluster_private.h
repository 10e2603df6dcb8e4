/*
 * cluster/cluster_private.h - what the files of the cluster share; for them alone. To be read in this order:
 * cluster.c, cluster_part.c, cluster_hub.c, cluster_ask.c.
 */
#ifndef CLUSTER_CLUSTER_PRIVATE_H
#define CLUSTER_CLUSTER_PRIVATE_H

#include "cluster/cluster.h"
#include "cluster/whereabouts.h"
#include "net/resolver.h"

#define SESSION_NAME_MAX 1024 /* a prefix, a NUL, an id */

/* In the first thread alone, but for what is atomic. */
struct cluster_hub {
	struct engine *engine; /* NULL: not begun, or ended */
	struct resolver *resolver;
	struct gateway_card own;
	struct gateway others[GATEWAYS_MOST - 1];
	bool are_unheard[GATEWAYS_MOST - 1]; /* since the engine is away */
	uint64_t refused_until[GATEWAYS_MOST - 1]; /* nobody listens there: no answer is waited for */
	size_t other_count;
	bool is_untold; /* memory was out: some thread goes by what was before */
	uint64_t view_since;
	struct timer settling; /* until we may be calm */
	struct timer reunion;  /* until who was not heard of since the engine is back is gone */
	/* Which of our sessions others look for elsewhere */
	struct timer looking;
	size_t step;
	uint64_t found; /* in this round so far */
	struct list asking; /* cluster_ask.c */
	unsigned asked;
	struct list groups; /* cluster_groups.c */
};

struct cluster_part {
	struct cluster *cluster;
	unsigned index;
	struct loop *loop;
	struct hop_desk desk;
	struct gateways *known;
	_Atomic uint64_t view; /* of these; the hub reads it */
	struct list pools; /* struct part_pool */
	uint64_t received, asked, lost;
	bool has_ended;
};

struct cluster {
	struct cluster_settings settings;
	struct cluster_hub hub;
	atomic_bool is_up;
	struct whereabouts whereabouts;
	struct cluster_part parts[];
};

/* --- cluster_part.c ------------------------------------------------------------------------------- */

void cluster_part_init(struct cluster_part *p, struct cluster *c, unsigned index);
void cluster_part_fini(struct cluster_part *p);
/* Others are there from now on; takes the reference. */
void cluster_part_take(struct cluster_part *p, struct gateways *g);
/* Whose a session is to be, of all that can be reached from here. */
const struct gateway *cluster_part_owner(struct cluster_part *p, struct bytes prefix, struct bytes id);
/* Its name for whereabouts. */
struct bytes cluster_session_name(struct bytes prefix, struct bytes id, char text[SESSION_NAME_MAX]);

/* --- cluster_hub.c -------------------------------------------------------------------------------- */

void cluster_hub_begin(struct cluster *c);
void cluster_hub_end(struct cluster *c);
/* One of our sessions may be a stray. */
void cluster_hub_look(struct cluster *c);
/* From any thread: nobody listens at this one. */
void cluster_hub_refused(struct cluster *c, uint64_t gateway);
/* Whether an answer to what was asked at this time is waited for. */
bool cluster_hub_awaits(const struct cluster *c, uint64_t gateway, uint64_t asked_at);
size_t cluster_hub_count_awaited(const struct cluster *c, uint64_t asked_at);
/* From any thread: fn(cluster) in the hub's, if it is there still and memory is not out. */
void cluster_hub_post(struct cluster *c, void (*fn)(struct cluster *c));

/* --- cluster_ask.c -------------------------------------------------------------------------------- */

void cluster_asked(struct cluster *c, struct bytes body, struct bytes to);
/* The hub ends: nobody answers any more. */
void cluster_ask_end(struct cluster *c);

/* --- cluster_groups.c ------------------------------------------------------------------------------ */

void cluster_groups_message(struct cluster *c, const struct engine_message *m);
/* The hub ends. */
void cluster_groups_end(struct cluster *c);

#endif
