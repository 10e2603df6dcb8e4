/*
 * tests/handover/pulse.h - how long answers take, and how long nothing comes at all: as a rule, and over a
 * restart.
 */
#ifndef HANDOVER_PULSE_H
#define HANDOVER_PULSE_H

#include <stdbool.h>
#include <stdint.h>

struct pulse {
	int64_t silence; /* the longest time from when a message was due to its answer */
	int64_t still;   /* the longest time in which no answer came to anybody */
	uint64_t answers;
};

int64_t pulse_now(void); /* microseconds; so are all times here */
/* The answer to what was due then has come. 0: whoever asked did not ask in one go, so it is no measure. */
void pulse_heard(int64_t due);
/* Nobody says anything new from now on, as it is in the beginning; or again. */
void pulse_rest(bool is_wanted);
/* What was under way at any time between these two belongs to the restart. */
void pulse_restart_begins(void);
void pulse_restart_ends(void);
/* Of the last restart; call it when what was under way has been answered. */
struct pulse pulse_of_restart(void);
struct pulse pulse_otherwise(void);

#endif
