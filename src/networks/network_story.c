/*
 * networks/network_story.c - what has become of the clients of a network; see network_story.h.
 */
#include "networks/network_story.h"

#include "base/mem.h"

static const uint32_t bounds[NETWORK_DELAY_ROWS] = {
#define X(most) most,
	NETWORK_DELAYS(X)
#undef X
	    UINT32_MAX,
};

uint32_t network_delay_bound(unsigned row)
{
	return bounds[row];
}

static unsigned delay_row(uint32_t ms)
{
	unsigned row = 0;

	while (ms > bounds[row])
		row++;
	return row;
}

void network_story_reached(struct network_story *story, unsigned transport, uint32_t delay_ms)
{
	if (transport < NETWORK_TRANSPORTS)
		story->reached[transport]++;
	story->delays[delay_row(delay_ms)]++;
}

void network_story_add_up(struct network_story *sum, const struct network_story *more)
{
	for (unsigned i = 0; i < NETWORK_TRANSPORTS; i++)
		sum->reached[i] += more->reached[i];
	for (unsigned i = 0; i < NETWORK_DELAY_ROWS; i++)
		sum->delays[i] += more->delays[i];
	for (unsigned i = 0; i < NETWORK_EVIDENCE_ROWS; i++)
		sum->evidence[i] += more->evidence[i];
	sum->refused += more->refused;
}

unsigned network_story_median(const struct network_story *story)
{
	uint64_t all = 0, below = 0;

	for (unsigned i = 0; i < NETWORK_DELAY_ROWS; i++)
		all += story->delays[i];
	for (unsigned i = 0; i < NETWORK_DELAY_ROWS && all > 0; i++) {
		below += story->delays[i];
		if (below * 2 >= all)
			return i;
	}
	return NETWORK_DELAY_ROWS;
}

struct network_story *network_stories_get(
    struct network_stories *stories, enum network_browser browser)
{
	if (!stories->of[browser])
		stories->of[browser] = mem_zalloc(sizeof(struct network_story));
	return stories->of[browser];
}

void network_stories_fini(struct network_stories *stories)
{
	for (unsigned i = 0; i < NETWORK_BROWSER_ROWS; i++)
		mem_free(stories->of[i]);
}
