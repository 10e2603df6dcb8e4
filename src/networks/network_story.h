/*
 * networks/network_story.h - what has become of the clients of a network, by browser, in numbers
 * for people: by what they were reached, how late, and what went wrong. Nothing is decided by it:
 * what decides are the scores (network.h), which fade; these only rise, until the network is
 * forgotten.
 *
 * There is a block for each browser that was seen there, so most networks have one or two. Without
 * memory for it nothing is counted.
 */
#ifndef NETWORKS_NETWORK_STORY_H
#define NETWORKS_NETWORK_STORY_H

#include <stdint.h>

#include "networks/network.h"
#include "networks/network_browser.h"

#define NETWORK_TRANSPORTS 8 /* by their places; what is beyond is not counted */

/* How long after his first attempt a client began the one by which he was reached: up to so many
 * milliseconds; in the first, it was the first. X(most) */
#define NETWORK_DELAYS(X)                                                                          \
	X(0)                                                                                       \
	X(500)                                                                                     \
	X(1000)                                                                                    \
	X(2000)                                                                                    \
	X(4000)                                                                                    \
	X(8000)                                                                                    \
	X(16000)

enum {
#define X(most) NETWORK_DELAY_##most,
	NETWORK_DELAYS(X)
#undef X
	    NETWORK_DELAY_BEYOND,
	NETWORK_DELAY_ROWS
};
/* The bound of a row; 0 is that of the first, and of the last, which has none, UINT32_MAX. */
uint32_t network_delay_bound(unsigned row);

struct network_story {
	uint32_t reached[NETWORK_TRANSPORTS]; /* sessions */
	uint32_t delays[NETWORK_DELAY_ROWS];
	uint32_t evidence[NETWORK_EVIDENCE_ROWS];
	uint32_t refused; /* WebSockets, for others had failed */
};

void network_story_reached(struct network_story *story, unsigned transport, uint32_t delay_ms);
void network_story_add_up(struct network_story *sum, const struct network_story *more);
/* The row of delays that half of them do not exceed; NETWORK_DELAY_ROWS: there are none. */
unsigned network_story_median(const struct network_story *story);

/* Zeroed: there are none. */
struct network_stories {
	struct network_story *of[NETWORK_BROWSER_ROWS];
};
/* Made if there is none yet; NULL when memory is out. */
struct network_story *network_stories_get(
    struct network_stories *stories, enum network_browser browser);
void network_stories_fini(struct network_stories *stories);

#endif
