/*
 * cluster/gateway_card.h - what a gateway says of itself to the others: where they reach it, the secret by which it
 * knows them, whether it takes new sessions, and whether its sessions are where everybody looks for them.
 *
 *	at=10.0.0.1:8080 secret=0f1e... view=00c5... strays=0 idle=10000 tls drains
 *
 * It comes by the engine, so whoever may speak there may write anything into it.
 */
#ifndef CLUSTER_GATEWAY_CARD_H
#define CLUSTER_GATEWAY_CARD_H

#include <stdbool.h>

#include "base/bytes.h"
#include "engine/engine.h"
#include "net/addr.h"

#define GATEWAY_SECRET 32 /* hexadecimal digits */

struct gateway_card {
	struct addr at;
	char secret[GATEWAY_SECRET + 1];
	uint64_t view;    /* which gateways it knows: see gateways.h */
	uint64_t strays;  /* sessions it has that others would look for elsewhere, going by this view */
	unsigned idle_ms; /* how long it keeps a connection that has nothing to say */
	bool is_tls;
	bool drains; /* takes no new sessions */
};

/* Into `out`; its length. */
size_t gateway_card_print(const struct gateway_card *card, char out[ENGINE_CARD_MAX]);
/* False: it is none. Words that are not known are skipped. */
bool gateway_card_read(struct bytes text, struct gateway_card *card);
/* "10.0.0.1:8080" or "[::1]:8080". */
bool gateway_address_read(struct bytes text, struct addr *out);

#endif
