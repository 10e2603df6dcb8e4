/*
 * cluster/rendezvous.h - which of several gateways has a session, if nobody has it yet: each of them has a score for
 * it, and the highest wins (rendezvous hashing, Thaler and Ravishankar 1996). All gateways find the same one without a
 * word, and one that comes or goes moves its own share alone.
 */
#ifndef CLUSTER_RENDEZVOUS_H
#define CLUSTER_RENDEZVOUS_H

#include <stdint.h>

#include "base/bytes.h"

/* Of a session: its endpoint's prefix, and the id that its client has chosen. */
uint64_t rendezvous_key(struct bytes prefix, struct bytes session_id);
uint64_t rendezvous_score(uint64_t gateway, uint64_t key);

#endif
