/*
 * networks/network_policy.h - how a session is to go about the network of its client: what has been
 * learned (networks.h) as the few bits that sessions and transports obey. They never see what it
 * was learned from.
 */
#ifndef NETWORKS_NETWORK_POLICY_H
#define NETWORKS_NETWORK_POLICY_H

#include <stdbool.h>
#include <stdint.h>

/* How long the wire may be silent rises by rungs: the first, half as much again, and so on; on the
 * last it is as configured. */
#define NETWORK_RUNGS     8
#define NETWORK_RUNG_TOP  (NETWORK_RUNGS - 1)
#define NETWORK_RUNG_MASK 7u

struct network_policy {
	uint8_t rung : 3;
	bool is_short : 1;   /* a stream's response ends after each message, or it is held */
	bool is_proved : 1;  /* a WebSocket opens with the answer to its first ping */
	bool is_watched : 1; /* a WebSocket that does not answer is pinged soon */
	bool is_trial : 1;   /* nobody there has survived a silence of this rung yet */
};

/* Nothing is known, or nothing is to be made of it. */
#define NETWORK_POLICY_NONE ((struct network_policy){ .rung = NETWORK_RUNG_TOP })

/* How long the wire may be silent: `first_ms` on the first rung (0: there are no rungs), and never
 * longer than what is configured (0: for ever). */
static inline unsigned network_silence_ms(
    struct network_policy p, unsigned first_ms, unsigned configured_ms)
{
	static const uint16_t percent[NETWORK_RUNG_TOP] = { 100, 150, 225, 338, 506, 759, 1139 };
	uint64_t ms;

	if (p.rung == NETWORK_RUNG_TOP || first_ms == 0 || configured_ms == 0)
		return configured_ms;
	ms = (uint64_t)first_ms * percent[p.rung] / 100;
	return ms < configured_ms ? (unsigned)ms : configured_ms;
}

#endif
